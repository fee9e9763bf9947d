//! Filters: several prefixes that together say which partitions are meant.
//!
//! A filter never means nothing; what reaches nothing is [`Reach::Nothing`](super::Reach). All questions are answered by
//! binary search, so that ten thousand prefixes cost little more than ten.

use std::fmt;

use super::ScopeError;
use super::partition::{check_text, is_separator};
use crate::limits;

/// A list of prefixes; a partition is within the filter when it starts with one of them.
///
/// *Shape*: at least one prefix; at most [`limits::FILTER_PREFIXES_MAX`] where it comes from outside. On the wire, one per line.
/// Two filters are equal when they contain the same partitions, in whatever order they were written.
///
/// # Source
/// Protocol, chapter 2.
#[derive(Clone)]
pub struct Filter {
    /// As given, for the wire.
    prefixes: Vec<String>,
    /// Sorted, without those that another covers: so the only candidate for a partition is the one sorted just before it.
    cover: Vec<String>,
}

impl Filter {
    /// The filter of these prefixes.
    ///
    /// # Errors
    /// [`ScopeError::FilterEmpty`] for an empty list, [`ScopeError::Blank`] for a blank prefix (say
    /// [`Filter::everything`] where everything is meant), [`ScopeError::Character`] and [`ScopeError::TooLong`].
    pub fn new(prefixes: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, ScopeError> {
        let mut checked = Vec::new();
        for prefix in prefixes {
            let prefix = prefix.into();
            check_text(&prefix)?;
            checked.push(prefix);
            if checked.len() > limits::FILTER_PREFIXES_MAX {
                return Err(ScopeError::TooLong { what: "list of prefixes", max: limits::FILTER_PREFIXES_MAX });
            }
        }
        if checked.is_empty() {
            return Err(ScopeError::FilterEmpty);
        }
        Ok(Self::of(checked))
    }

    /// The filter that contains every partition.
    pub fn everything() -> Self {
        Self::of(vec![String::new()])
    }

    /// The filter that a peer wrote: prefixes between white space. The empty text is everything.
    ///
    /// # Errors
    /// [`ScopeError::Character`] for a NUL, and [`ScopeError::TooLong`].
    pub fn from_wire(text: &str) -> Result<Self, ScopeError> {
        let mut words = text.split(is_separator).filter(|word| !word.is_empty()).peekable();
        if words.peek().is_none() { Ok(Self::everything()) } else { Self::new(words) }
    }

    /// The filter as peers write it: one prefix per line. Everything is the empty text.
    pub fn to_wire(&self) -> String {
        self.prefixes.join("\n")
    }

    fn of(prefixes: Vec<String>) -> Self {
        let cover = cover(&prefixes);
        Self { prefixes, cover }
    }

    /// The prefixes in the order in which they were given; one empty prefix for everything.
    pub fn prefixes(&self) -> &[String] {
        &self.prefixes
    }

    /// Whether every partition is within the filter.
    pub fn is_everything(&self) -> bool {
        self.cover[0].is_empty()
    }

    /// Whether a partition starts with one of the prefixes.
    pub fn contains(&self, partition: &str) -> bool {
        let after = self.cover.partition_point(|prefix| prefix.as_str() <= partition);
        after > 0 && partition.starts_with(&self.cover[after - 1])
    }

    /// Whether everything within this filter is also within the other.
    pub fn is_subset_of(&self, other: &Self) -> bool {
        self.cover.iter().all(|prefix| other.contains(prefix))
    }

    /// The same filter without the prefixes that another one covers, sorted.
    #[must_use]
    pub fn minimized(&self) -> Self {
        Self { prefixes: self.cover.clone(), cover: self.cover.clone() }
    }

    /// What is within this filter or the other, minimized.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let both: Vec<String> = self.cover.iter().chain(&other.cover).cloned().collect();
        let cover = cover(&both);
        Self { prefixes: cover.clone(), cover }
    }
}

/// The prefixes that no other one covers, sorted. A prefix sorts before all that start with it, and these follow it
/// without a gap, so comparing with the last one kept is enough.
fn cover(prefixes: &[String]) -> Vec<String> {
    let mut sorted: Vec<&String> = prefixes.iter().collect();
    sorted.sort_unstable();
    let mut cover: Vec<String> = Vec::with_capacity(sorted.len());
    for prefix in sorted {
        if cover.last().is_none_or(|last| !prefix.starts_with(last.as_str())) {
            cover.push(prefix.clone());
        }
    }
    cover
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.cover == other.cover
    }
}

impl Eq for Filter {}

impl fmt::Display for Filter {
    /// For a reader; [`Filter::to_wire`] is for peers.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_everything() {
            return formatter.write_str("everything");
        }
        formatter.write_str(&self.prefixes.join(" "))
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Filter").field(&self.prefixes).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::testing::Dice;

    fn filter(prefixes: &[&str]) -> Filter {
        Filter::new(prefixes.iter().copied()).expect("good prefixes")
    }

    #[test]
    fn a_filter_contains_what_starts_with_a_prefix_and_knows_no_wildcards() {
        let filter = filter(&["F1", "a_b"]);
        assert!(filter.contains("F1:x") && filter.contains("F10") && filter.contains("a_b:c"));
        for outside in ["f1", "axb", "A_B", "F", ""] {
            assert!(!filter.contains(outside), "{outside}");
        }
    }

    #[test]
    fn nothing_falls_open_by_accident() {
        assert_eq!(Filter::new(Vec::<String>::new()), Err(ScopeError::FilterEmpty));
        assert_eq!(Filter::new(["a", ""]), Err(ScopeError::Blank));
        assert_eq!(Filter::new(["\n"]), Err(ScopeError::Blank));
        assert!(Filter::new(["a b"]).is_err());
        assert!(Filter::new(vec!["a"; limits::FILTER_PREFIXES_MAX]).is_ok());
        assert!(Filter::new(vec!["a"; limits::FILTER_PREFIXES_MAX + 1]).is_err());
    }

    #[test]
    fn filters_are_equal_where_they_contain_the_same_and_tell_what_that_is() {
        assert_eq!(filter(&["b", "a", "a:c"]), filter(&["a", "b"]));
        for (one, other) in [(filter(&["a"]), filter(&["b"])), (filter(&["a"]), filter(&["a", "b"]))] {
            assert_ne!(one, other);
            assert_ne!(one, Filter::everything());
            assert!(!one.is_everything());
        }
        let both = filter(&["b", "a"]);
        assert_eq!((both.to_string().as_str(), format!("{both:?}").as_str()), ("b a", r#"Filter(["b", "a"])"#));
        assert_eq!(Filter::everything().to_string(), "everything");
    }

    #[test]
    fn the_wire_form_is_one_prefix_per_line_and_empty_for_everything() {
        let read = Filter::from_wire(" b\r\n a\u{1c}c\n").expect("a filter");
        assert_eq!(read.prefixes(), ["b", "a", "c"]);
        assert_eq!(read.to_wire(), "b\na\nc");
        assert_eq!(Filter::from_wire(" \n").expect("blank is everything"), Filter::everything());
        assert_eq!(Filter::everything().to_wire(), "");
        assert_eq!(Filter::everything().prefixes(), [""]);
        assert!(Filter::everything().contains(""));
    }

    #[test]
    fn a_minimized_filter_contains_the_same_with_fewer_prefixes() {
        let filter = filter(&["b", "a:c", "a", "a", "aa"]);
        assert_eq!(filter.minimized().prefixes(), ["a", "b"]);
        assert_eq!(filter.minimized(), filter);
        assert!(filter.union(&Filter::everything()).is_everything());
    }

    #[test]
    fn containment_and_subsets_agree_with_the_plain_definition() {
        let mut dice = Dice::seeded(77);
        let mut any = || {
            let prefixes: Vec<String> = (0..=dice.below(6)).map(|_| format!("{}a", dice.text(3))).collect();
            Filter::new(prefixes).expect("good prefixes")
        };
        for _ in 0..5_000 {
            let (one, other) = (any(), any());
            let plain = |text: &str| other.prefixes().iter().any(|prefix| text.starts_with(prefix.as_str()));
            for prefix in one.prefixes() {
                assert_eq!(other.contains(prefix), plain(prefix), "{one:?} {other:?}");
            }
            assert_eq!(one.is_subset_of(&other), one.prefixes().iter().all(|prefix| plain(prefix)));
            assert!(one.is_subset_of(&one.union(&other)) && other.is_subset_of(&one.union(&other)));
        }
    }
}
