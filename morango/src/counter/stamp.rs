//! Stamps: which instance saved something, at which of its counts.

use std::fmt;

use super::CounterError;
use crate::id::InstanceId;
use crate::limits;

/// An instance with a count of its counter: when, on its own clock of changes, it saved something.
///
/// Stamps of two instances cannot be compared; [`RecordMaxCounters`](super::RecordMaxCounters) say who has seen which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    /// The instance that saved.
    pub instance: InstanceId,
    /// Its counter at that time.
    pub counter: i64,
}

impl Stamp {
    /// The stamp of an instance at a count.
    pub const fn new(instance: InstanceId, counter: i64) -> Self {
        Self { instance, counter }
    }

    /// The same stamp, if its counter can be believed.
    ///
    /// # Errors
    /// [`CounterError::OutOfRange`] for one below 0 or over [`limits::COUNTER_MAX`].
    pub fn checked(self) -> Result<Self, CounterError> {
        check_counter(self.counter).map(|()| self)
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}@{}", self.instance, self.counter)
    }
}

/// Checks that a counter is one that an honest peer may have, and that leaves us room to count on.
pub(super) fn check_counter(counter: i64) -> Result<(), CounterError> {
    if (0..=limits::COUNTER_MAX).contains(&counter) { Ok(()) } else { Err(CounterError::OutOfRange { counter }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_says_who_saved_at_which_count_and_is_believed_within_the_limits() {
        let stamp = |counter| Stamp::new(InstanceId::from_bytes([0xa0; 16]), counter);
        assert_eq!(stamp(7).to_string(), "a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0@7");
        for (counter, is_good) in
            [(-1, false), (0, true), (limits::COUNTER_MAX, true), (limits::COUNTER_MAX + 1, false)]
        {
            assert_eq!(stamp(counter).checked().is_ok(), is_good, "{counter}");
        }
    }
}
