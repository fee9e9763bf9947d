//! Partitions: the path that says where a record belongs, and how a prefix becomes a range of paths.
//!
//! This file compares texts byte by byte and knows no wildcards: `_` and `%` are ordinary characters.

use std::fmt;

use super::ScopeError;
use crate::limits;

/// Where a record belongs: one path with `:` between its levels.
///
/// *Shape*: not empty, without white space and NUL, at most [`limits::PARTITION_BYTES_MAX`] bytes; for example
/// `ca978112ca1bbdcafac231b39a23dc4d:notes`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(String);

impl Partition {
    /// The partition of this text.
    ///
    /// # Errors
    /// [`ScopeError::Blank`], [`ScopeError::Character`] or [`ScopeError::TooLong`].
    pub fn new(text: impl Into<String>) -> Result<Self, ScopeError> {
        let text = text.into();
        check_text(&text)?;
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the partition lies under a prefix.
    pub fn starts_with(&self, prefix: &str) -> bool {
        self.0.starts_with(prefix)
    }

    /// The text, given away.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl AsRef<str> for Partition {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// The smallest text that is greater than every text with this prefix, in the order of bytes (and of code points).
///
/// A storage with binary collation finds what lies under a prefix as the half-open range from the prefix to this text.
/// `None` means that the range has no upper end: the prefix is empty, or nothing but the highest character.
///
/// ```
/// use morango::scope::prefix_upper_bound;
///
/// assert_eq!(prefix_upper_bound("a:b").as_deref(), Some("a:c"));
/// assert_eq!(prefix_upper_bound(""), None);
/// ```
pub fn prefix_upper_bound(prefix: &str) -> Option<String> {
    let mut head = prefix.to_owned();
    while let Some(last) = head.pop() {
        // A range of characters steps over the surrogates by itself.
        if let Some(next) = (last..=char::MAX).nth(1) {
            head.push(next);
            return Some(head);
        }
    }
    None
}

/// Whether a character separates the prefixes of a filter that travels.
///
/// Python splits on four control characters that Unicode does not call white space.
pub(super) fn is_separator(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

/// Checks what partitions and the prefixes of a filter have in common.
pub(super) fn check_text(text: &str) -> Result<(), ScopeError> {
    if text.chars().all(is_separator) {
        return Err(ScopeError::Blank);
    }
    if text.len() > limits::PARTITION_BYTES_MAX {
        return Err(ScopeError::TooLong { what: "partition or prefix", max: limits::PARTITION_BYTES_MAX });
    }
    if text.chars().any(|character| is_separator(character) || character == '\0') {
        return Err(ScopeError::character(text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::testing::Dice;

    #[test]
    fn a_partition_is_one_word() {
        assert_eq!(Partition::new("a:b").expect("one word").as_str(), "a:b");
        assert_eq!(Partition::new(""), Err(ScopeError::Blank));
        assert_eq!(Partition::new(" \u{1f}"), Err(ScopeError::Blank));
        for text in ["a b", "a\u{1c}b", "a\0"] {
            assert!(matches!(Partition::new(text), Err(ScopeError::Character { .. })), "{text:?}");
        }
        assert!(Partition::new("a".repeat(limits::PARTITION_BYTES_MAX)).is_ok());
        let long = Partition::new("a".repeat(limits::PARTITION_BYTES_MAX + 1));
        assert!(matches!(long, Err(ScopeError::TooLong { .. })));
    }

    #[test]
    fn a_partition_is_its_text_wherever_a_text_is_wanted() {
        let partition = Partition::new("a:b").expect("one word");
        assert!(partition.starts_with("a:") && !partition.starts_with("b"));
        assert_eq!((partition.as_ref(), format!("{partition:>4}").as_str()), ("a:b", " a:b"));
        assert_eq!(partition.into_string(), "a:b");
    }

    #[test]
    fn the_upper_bound_steps_over_surrogates_and_past_the_last_character() {
        assert_eq!(prefix_upper_bound("a\u{d7ff}").as_deref(), Some("a\u{e000}"));
        assert_eq!(prefix_upper_bound("a\u{10ffff}\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(prefix_upper_bound("\u{10ffff}"), None);
    }

    #[test]
    fn the_half_open_range_of_a_prefix_holds_what_starts_with_it_and_nothing_else() {
        let mut dice = Dice::seeded(0x5eed);
        for _ in 0..20_000 {
            let prefix = dice.text(4);
            let text = if dice.below(2) == 0 { format!("{prefix}{}", dice.text(3)) } else { dice.text(5) };
            let within = text >= prefix && prefix_upper_bound(&prefix).is_none_or(|bound| text < bound);
            assert_eq!(within, text.starts_with(&prefix), "prefix {prefix:?}, text {text:?}");
        }
    }
}
