//! What can be wrong with counters that come from a peer or a database.

use std::fmt;

use crate::error::{Error, ErrorKind};
use crate::id::excerpt;

/// Why counters cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CounterError {
    /// A counter is negative, or so high that counting could not go on after it.
    OutOfRange {
        /// The counter.
        counter: i64,
    },
    /// There are more counters than this peer takes.
    TooMany {
        /// The limit.
        max: usize,
    },
    /// The counters take more memory than this peer gives them.
    TooMuch {
        /// The limit in bytes.
        max: usize,
    },
    /// Stored record max counters are damaged: a wrong length, or not sorted.
    Bytes {
        /// How many bytes there are.
        length: usize,
    },
    /// Counters that a session keeps are damaged.
    Kept {
        /// What the parser says.
        problem: String,
    },
    /// The text is not of the shape that the protocol gives to an exchange of counters.
    Malformed {
        /// What the parser says.
        problem: String,
    },
    /// A peer speaks of a partition that is not within the transfer session's filter.
    OutsideFilter {
        /// The start of the partition.
        partition: String,
    },
}

impl CounterError {
    /// A [`CounterError::OutsideFilter`] that quotes only the start of the partition.
    pub(super) fn outside_filter(partition: &str) -> Self {
        Self::OutsideFilter { partition: excerpt(partition) }
    }
}

impl fmt::Display for CounterError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange { counter } => write!(formatter, "take the counter {counter}: it is out of range"),
            Self::TooMuch { max } => write!(formatter, "take the counters: they need more than {max} bytes"),
            Self::TooMany { max } => write!(formatter, "take the counters: there are more than {max}"),
            Self::Bytes { length } => write!(formatter, "read record max counters out of {length} damaged bytes"),
            Self::Kept { problem } => write!(formatter, "read the counters of a session: {problem}"),
            Self::Malformed { problem } => write!(formatter, "read an exchange of counters: {problem}"),
            Self::OutsideFilter { partition } => {
                write!(formatter, "take counters of the partition {partition:?}: it is outside the filter")
            }
        }
    }
}

impl std::error::Error for CounterError {}

impl From<CounterError> for Error {
    fn from(error: CounterError) -> Self {
        let kind = match &error {
            CounterError::TooMany { .. } | CounterError::TooMuch { .. } => ErrorKind::LimitExceeded,
            CounterError::Bytes { .. } | CounterError::Kept { .. } => ErrorKind::StorageCorrupt,
            CounterError::OutOfRange { .. } | CounterError::Malformed { .. } | CounterError::OutsideFilter { .. } => {
                ErrorKind::MessageMalformed
            }
        };
        Self::new(kind, error.to_string())
    }
}
