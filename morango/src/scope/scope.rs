//! Scopes: what one certificate may read and what it may write.
//!
//! A side that a definition does not mention reaches nothing. That is a state of its own here, because an empty filter is
//! everything to peers, and the two must never be mistaken for one another.

use super::Filter;

/// How far one side of a scope reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// No partition at all.
    Nothing,
    /// The partitions within this filter.
    Within(Filter),
}

impl Reach {
    /// Every partition.
    pub fn everything() -> Self {
        Self::Within(Filter::everything())
    }

    /// The filter, where there is one.
    pub fn filter(&self) -> Option<&Filter> {
        match self {
            Self::Nothing => None,
            Self::Within(filter) => Some(filter),
        }
    }

    /// Whether a partition is within reach.
    pub fn contains(&self, partition: &str) -> bool {
        self.filter().is_some_and(|filter| filter.contains(partition))
    }

    /// Whether everything within a filter is within reach.
    pub fn allows(&self, filter: &Filter) -> bool {
        self.filter().is_some_and(|within| filter.is_subset_of(within))
    }

    /// Whether this reaches no further than the other.
    pub fn is_subset_of(&self, other: &Self) -> bool {
        match self {
            Self::Nothing => true,
            Self::Within(filter) => other.allows(filter),
        }
    }

    /// What is within reach of this or of the other.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Nothing, reach) | (reach, Self::Nothing) => reach.clone(),
            (Self::Within(one), Self::Within(two)) => Self::Within(one.union(two)),
        }
    }
}

/// What a certificate may read and what it may write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    read: Reach,
    write: Reach,
}

impl Scope {
    pub(super) fn new(read: Reach, write: Reach) -> Self {
        Self { read, write }
    }

    /// What may be read.
    pub fn read(&self) -> &Reach {
        &self.read
    }

    /// What may be written.
    pub fn write(&self) -> &Reach {
        &self.write
    }

    /// Whether this scope allows nothing that the other does not.
    pub fn is_subset_of(&self, other: &Self) -> bool {
        self.read.is_subset_of(&other.read) && self.write.is_subset_of(&other.write)
    }

    /// Whether everything within the filter may be read.
    pub fn allows_read(&self, filter: &Filter) -> bool {
        self.read.allows(filter)
    }

    /// Whether everything within the filter may be written.
    pub fn allows_write(&self, filter: &Filter) -> bool {
        self.write.allows(filter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(prefix: &str) -> Reach {
        Reach::Within(Filter::new([prefix]).expect("a prefix"))
    }

    #[test]
    fn a_side_that_reaches_nothing_allows_nothing() {
        let scope = Scope::new(within("a"), Reach::Nothing);
        let filter = Filter::new(["a:b"]).expect("a prefix");
        assert!(scope.allows_read(&filter) && !scope.allows_write(&filter));
        assert!(!scope.allows_read(&Filter::everything()));
        assert!(!Reach::Nothing.contains("") && !Reach::Nothing.allows(&Filter::everything()));
        let scope = Scope::new(Reach::Nothing, within("a"));
        assert!(scope.allows_write(&filter) && !scope.allows_read(&filter));
        assert!(!scope.allows_write(&Filter::everything()));
    }

    #[test]
    fn what_reaches_a_prefix_contains_what_begins_with_it_and_everything_contains_all() {
        let both = within("a").union(&within("b"));
        for (partition, expected) in [("a:b", true), ("b", true), ("c", false), ("", false)] {
            assert_eq!(both.contains(partition), expected, "{partition:?}");
            assert!(Reach::everything().contains(partition), "{partition:?}");
        }
        assert_eq!(within("a").union(&Reach::Nothing), within("a"));
        assert_eq!(Reach::Nothing.union(&within("a")), within("a"));
        assert_eq!(Reach::Nothing.union(&Reach::Nothing), Reach::Nothing);
    }

    #[test]
    fn a_scope_is_within_another_when_both_sides_are() {
        let wide = Scope::new(within("a"), within("a"));
        for (read, write, expected) in [
            (within("a:b"), Reach::Nothing, true),
            (within("a"), within("a:c"), true),
            (within("b"), Reach::Nothing, false),
            (Reach::Nothing, Reach::Within(Filter::everything()), false),
        ] {
            assert_eq!(Scope::new(read.clone(), write.clone()).is_subset_of(&wide), expected, "{read:?} {write:?}");
        }
    }
}
