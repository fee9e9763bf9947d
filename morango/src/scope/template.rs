//! Templates: texts with `$name` or `${name}` in them, and `$$` for a dollar sign.
//!
//! The syntax is that of Python's `string.Template`, since peers write scope descriptions and filters in it. This file
//! does not know what the names stand for; who fills a template brings the values.

use std::fmt;

use super::ScopeError;
use crate::id::excerpt;

/// A text with names in it that are filled with values later.
///
/// *Shape*: `${owner_id}:notes`. A name is an ASCII letter or `_`, then letters, digits and `_`.
///
/// # Source
/// Protocol, chapter 2; Python's `string.Template`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    text: String,
    pieces: Vec<Piece>,
}

/// What a template is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Text that stands as it is, with `$$` already a single `$`.
    Literal(String),
    /// A name, and how it was written, for where it has no value.
    Name { name: String, written: String },
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// [`ScopeError::Template`] where a `$` begins neither a name nor `$$`.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        let (template, has_stray_dollar) = Self::scan(text);
        if has_stray_dollar { Err(ScopeError::Template { template: excerpt(text) }) } else { Ok(template) }
    }

    /// Reads a template for a reader's eyes, in which a `$` without a name stands for itself.
    pub fn parse_loose(text: &str) -> Self {
        Self::scan(text).0
    }

    fn scan(text: &str) -> (Self, bool) {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut has_stray_dollar = false;
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            let (before, from_dollar) = rest.split_at(dollar);
            literal.push_str(before);
            let after = &from_dollar[1..];
            rest = if let Some(behind) = after.strip_prefix('$') {
                literal.push('$');
                behind
            } else if let Some((name, behind)) = read_name(after) {
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                }
                let written = from_dollar[..from_dollar.len() - behind.len()].to_owned();
                pieces.push(Piece::Name { name: name.to_owned(), written });
                behind
            } else {
                has_stray_dollar = true;
                literal.push('$');
                after
            };
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        (Self { text: text.to_owned(), pieces }, has_stray_dollar)
    }

    /// The template as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The literals and names in their order.
    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The names in it, in the order of their first mention, each once.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for piece in &self.pieces {
            if let Piece::Name { name, .. } = piece
                && !names.contains(&name.as_str())
            {
                names.push(name);
            }
        }
        names
    }

    /// The text with every name replaced by its value.
    ///
    /// # Errors
    /// [`ScopeError::Parameter`] for the first name without a value.
    pub fn fill(&self, value: &dyn Fn(&str) -> Option<String>) -> Result<String, ScopeError> {
        let mut filled = String::with_capacity(self.text.len());
        for piece in &self.pieces {
            match piece {
                Piece::Literal(literal) => filled.push_str(literal),
                Piece::Name { name, .. } => filled.push_str(
                    &value(name)
                        .ok_or_else(|| ScopeError::Parameter { name: excerpt(name), problem: "it has no value" })?,
                ),
            }
        }
        Ok(filled)
    }

    /// The text with the names that have a value replaced, and the others left as they were written.
    ///
    /// Never decide by this who may see what: an unfilled name is not a narrow prefix but an accidental one.
    pub fn fill_safe(&self, value: &dyn Fn(&str) -> Option<String>) -> String {
        let mut filled = String::with_capacity(self.text.len());
        for piece in &self.pieces {
            match piece {
                Piece::Literal(literal) => filled.push_str(literal),
                Piece::Name { name, written } => match value(name) {
                    Some(value) => filled.push_str(&value),
                    None => filled.push_str(written),
                },
            }
        }
        filled
    }
}

/// The name behind a `$`, in braces or without, and what stands behind that.
fn read_name(text: &str) -> Option<(&str, &str)> {
    let Some(braced) = text.strip_prefix('{') else { return leading_name(text) };
    let (name, behind) = leading_name(braced)?;
    Some((name, behind.strip_prefix('}')?))
}

/// The longest name at the start of a text, and what stands behind it.
fn leading_name(text: &str) -> Option<(&str, &str)> {
    if !text.starts_with(|first: char| first == '_' || first.is_ascii_alphabetic()) {
        return None;
    }
    let end = text.find(|other: char| other != '_' && !other.is_ascii_alphanumeric()).unwrap_or(text.len());
    Some(text.split_at(end))
}

impl fmt::Display for Template {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(name: &str) -> Option<String> {
        match name {
            "a" => Some("1".to_owned()),
            "b_2" => Some("$a".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn a_template_is_filled_as_python_fills_it() {
        // Each second text is what `string.Template(first).safe_substitute(a="1", b_2="$a")` gives.
        for (text, expected) in [
            ("${a}:$b_2:x", "1:$a:x"),
            ("$a$a", "11"),
            ("$$a $${a}", "$a ${a}"),
            ("$missing ${missing}", "$missing ${missing}"),
            ("$ab $aé $A", "$ab 1é $A"),
            ("$1 ${a ${} $", "$1 ${a ${} $"),
            ("$$$a", "$1"),
            ("", ""),
        ] {
            assert_eq!(Template::parse_loose(text).fill_safe(&value), expected, "{text:?}");
        }
    }

    #[test]
    fn a_name_without_a_value_is_an_error_where_it_decides_who_sees_what() {
        let template = Template::parse("${a}:${missing}").expect("a template");
        let error = template.fill(&value).expect_err("no value");
        assert!(error.to_string().contains("missing"), "{error}");
        assert_eq!(Template::parse("${a}:x").expect("a template").fill(&value).expect("filled"), "1:x");
    }

    #[test]
    fn a_stray_dollar_is_an_error_in_a_strict_template() {
        for text in ["$", "a$1", "${a", "${a b}", "$é"] {
            assert!(matches!(Template::parse(text), Err(ScopeError::Template { .. })), "{text:?}");
        }
    }

    #[test]
    fn each_name_is_listed_once_in_order() {
        let template = Template::parse("$b${a}$b$$c").expect("a template");
        assert_eq!(template.names(), ["b", "a"]);
    }

    #[test]
    fn a_template_shows_what_was_written() {
        let template = Template::parse("$a:${_b}$$").expect("a template");
        assert_eq!((template.as_str(), format!("{template:>11}").as_str()), ("$a:${_b}$$", " $a:${_b}$$"));
        let name = |name: &str, written: &str| Piece::Name { name: name.to_owned(), written: written.to_owned() };
        let literal = |text: &str| Piece::Literal(text.to_owned());
        assert_eq!(template.pieces(), [name("a", "$a"), literal(":"), name("_b", "${_b}"), literal("$")]);
    }
}
