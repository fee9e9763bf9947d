//! Templates as the macros see them: which names a text mentions, and whether it is one at all.
//!
//! The syntax is that of the engine's templates: `$name`, `${name}`, and `$$` for a dollar sign.

use crate::diagnostics::Diagnostics;
use crate::spanned::Spanned;

/// A template whose syntax is right.
#[derive(Clone)]
pub(crate) struct Template {
    /// The text as it was written.
    pub(crate) text: Spanned<String>,
    /// The names in it, in their order.
    pub(crate) names: Vec<String>,
    /// Whether it begins with its first name.
    begins_with_name: bool,
}

impl Template {
    /// Reads a template that becomes a partition, a prefix or a source id. `what` names it in messages.
    pub(crate) fn read(text: Spanned<String>, what: &str, diagnostics: &mut Diagnostics) -> Option<Self> {
        if text.trim().is_empty() {
            diagnostics
                .at(text.span, format_args!("{what} is blank; write a template such as \"${{owner_id}}:notes\""));
            return None;
        }
        if what != SOURCE_ID_TEMPLATE && text.contains(char::is_whitespace) {
            diagnostics.at(
                text.span,
                format_args!("{what} has white space in it, which parts one prefix from the next; take it out"),
            );
            return None;
        }
        match names(&text) {
            Ok(names) => {
                let begins_with_name = text.starts_with('$') && !text.starts_with("$$");
                Some(Self { text, names, begins_with_name })
            }
            Err(rest) => {
                let found: String = rest.chars().take(12).collect();
                diagnostics.at(
                    text.span,
                    format_args!(
                        "the `$` of `{found}` in {what} begins no name; write `${{name}}`, or `$$` for a dollar sign"
                    ),
                );
                None
            }
        }
    }

    /// Whether everything that the template gives begins with the value of this name.
    pub(crate) fn begins_with(&self, name: &str) -> bool {
        self.begins_with_name && self.names.first().is_some_and(|first| first == name)
    }
}

/// What messages call the template of a source id.
pub(crate) const SOURCE_ID_TEMPLATE: &str = "the source id's template";

/// The names in a text, or the rest of it from a `$` on that begins none.
fn names(text: &str) -> Result<Vec<String>, &str> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        let after = &rest[dollar + 1..];
        if let Some(after) = after.strip_prefix('$') {
            rest = after;
            continue;
        }
        let (braced, name_on) = after.strip_prefix('{').map_or((false, after), |inner| (true, inner));
        let length = name_length(name_on);
        let (name, after_name) = name_on.split_at(length);
        if length == 0 || (braced && !after_name.starts_with('}')) {
            return Err(&rest[dollar..]);
        }
        names.push(name.to_owned());
        rest = if braced { &after_name[1..] } else { after_name };
    }
    Ok(names)
}

fn name_length(text: &str) -> usize {
    if text.starts_with(|first: char| first == '_' || first.is_ascii_alphabetic()) {
        text.find(|other: char| other != '_' && !other.is_ascii_alphanumeric()).unwrap_or(text.len())
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_as_the_engine_finds_them() {
        assert_eq!(names("${a}:$b_2:$$c:$d-e"), Ok(vec!["a".to_owned(), "b_2".to_owned(), "d".to_owned()]));
        assert_eq!(names("plain"), Ok(vec![]));
        for text in ["$", "${", "${}", "${a", "$1", "${a b}", "$é"] {
            assert_eq!(names(text), Err(text));
        }
    }
}
