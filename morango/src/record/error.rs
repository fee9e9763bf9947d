//! Why a received record is set aside.
//!
//! One record set aside never stops the others: the error names the record's fault, and the rest goes on.

use std::fmt;

use crate::counter::CounterError;
use crate::error::{Error, ErrorKind};
use crate::id::{SyncId, excerpt};

/// Why a record from a peer is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordError {
    /// The id is not the one that partition, source id and model give.
    Forged {
        /// The id that the record claims.
        id: SyncId,
    },
    /// The partition is not within the filter of the transfer session.
    OutsideFilter {
        /// The start of the partition.
        partition: String,
    },
    /// The record belongs to another profile than the sync session.
    Profile {
        /// The start of the record's profile.
        profile: String,
    },
    /// The store has a record of this id with another partition, source id, model or profile, all of which never change.
    Displaced {
        /// The id.
        id: SyncId,
    },
    /// A field is empty or too long, or a name has a NUL in it.
    Field {
        /// The field's name on the wire.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A counter among the record max counters names another record or another transfer session.
    CounterElsewhere,
    /// A counter is out of range, or there are too many.
    Counter(CounterError),
    /// The record says that this instance saved it at a count of which it told nobody.
    OwnFuture {
        /// The record's counter.
        counter: i64,
    },
}

impl RecordError {
    /// A [`RecordError::OutsideFilter`] that quotes only the start of the partition.
    pub(super) fn outside_filter(partition: &str) -> Self {
        Self::OutsideFilter { partition: excerpt(partition) }
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forged { id } => {
                write!(formatter, "take the record {id}: its id is not that of its partition, source id and model")
            }
            Self::OutsideFilter { partition } => {
                write!(formatter, "take a record of the partition {partition:?}: it is outside the filter")
            }
            Self::Profile { profile } => {
                write!(formatter, "take a record of the profile {profile:?}: the session is for another")
            }
            Self::Displaced { id } => {
                write!(formatter, "take the record {id}: the store has it with another partition, source id or model")
            }
            Self::Field { field, problem } => write!(formatter, "take a record: its {field} {problem}"),
            Self::CounterElsewhere => {
                formatter.write_str("take a record: one of its counters is of another record or transfer session")
            }
            Self::Counter(_) => formatter.write_str("take a record for its counters"),
            Self::OwnFuture { counter } => {
                write!(
                    formatter,
                    "take a record that this instance saved at its count {counter}: it told nobody of that"
                )
            }
        }
    }
}

impl std::error::Error for RecordError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Counter(error) => Some(error),
            Self::Forged { .. }
            | Self::OutsideFilter { .. }
            | Self::Profile { .. }
            | Self::Displaced { .. }
            | Self::Field { .. }
            | Self::CounterElsewhere
            | Self::OwnFuture { .. } => None,
        }
    }
}

impl From<CounterError> for RecordError {
    fn from(error: CounterError) -> Self {
        Self::Counter(error)
    }
}

impl From<RecordError> for Error {
    fn from(error: RecordError) -> Self {
        let outer = Self::new(ErrorKind::RecordRejected, error.to_string());
        match error {
            RecordError::Counter(inner) => outer.with_source(inner),
            _ => outer,
        }
    }
}
