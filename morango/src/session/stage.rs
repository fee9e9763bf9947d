//! The seven stages of a transfer, in their order, and how far one of them is.

use std::fmt;
use std::str::FromStr;

/// One of the seven stages of a transfer. A later stage is greater than an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The transfer session is made on both sides.
    Initializing,
    /// The application's changes are brought into the store, and the counters are computed.
    Serializing,
    /// What the receiver lacks is queued.
    Queuing,
    /// Chunks travel.
    Transferring,
    /// What came is merged into the store.
    Dequeuing,
    /// The store's changes become rows.
    Deserializing,
    /// Buffers are deleted and the transfer session is closed.
    Cleanup,
}

impl Stage {
    /// All stages in their order.
    pub const ALL: [Self; 7] = [
        Self::Initializing,
        Self::Serializing,
        Self::Queuing,
        Self::Transferring,
        Self::Dequeuing,
        Self::Deserializing,
        Self::Cleanup,
    ];

    /// The stage's name on the wire, for example `queuing`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Initializing => "initializing",
            Self::Serializing => "serializing",
            Self::Queuing => "queuing",
            Self::Transferring => "transferring",
            Self::Dequeuing => "dequeuing",
            Self::Deserializing => "deserializing",
            Self::Cleanup => "cleanup",
        }
    }

    /// The stages that come after this one.
    pub fn following(self) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |stage| *stage > self)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for Stage {
    type Err = crate::Error;

    /// Reads a stage's name on the wire.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == text).ok_or_else(|| unknown("stage", text))
    }
}

/// How far a stage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StageStatus {
    /// It waits to be begun or gone on with.
    Pending,
    /// It is at work in the background.
    Started,
    /// It is done.
    Completed,
    /// It failed; the session is of no more use.
    Errored,
}

impl StageStatus {
    const ALL: [Self; 4] = [Self::Pending, Self::Started, Self::Completed, Self::Errored];

    /// A stage goes from one to the next.
    const fn rank(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Started => 1,
            Self::Completed => 2,
            Self::Errored => 3,
        }
    }

    /// The status as it is named on the wire, for example `completed`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Started => "started",
            Self::Completed => "completed",
            Self::Errored => "errored",
        }
    }
}

impl fmt::Display for StageStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for StageStatus {
    type Err = crate::Error;

    /// Reads a status as it is named on the wire.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| unknown("stage status", text))
    }
}

/// Whether somebody who has reached one status of a stage is beyond another one. Whoever errored goes nowhere any more.
pub fn is_beyond(reached: (Stage, StageStatus), mark: (Stage, StageStatus)) -> bool {
    let is_later = reached.0 == mark.0 && reached.1.rank() > mark.1.rank();
    reached.1 == StageStatus::Errored || reached.0 > mark.0 || is_later
}

fn unknown(what: &str, text: &str) -> crate::Error {
    crate::Error::new(
        crate::ErrorKind::MessageMalformed,
        format!("read {:?} as a {what}: there is none of that name", crate::id::excerpt(text)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_is_left_behind_by_its_own_end_and_by_any_later_stage() {
        use StageStatus::{Completed, Errored, Pending, Started};
        let queued = (Stage::Queuing, Completed);
        for behind in [(Stage::Queuing, Started), (Stage::Queuing, Pending), (Stage::Serializing, Completed)] {
            assert!(is_beyond(queued, behind), "{behind:?}");
        }
        for ahead in [queued, (Stage::Transferring, Pending), (Stage::Cleanup, Completed)] {
            assert!(!is_beyond(queued, ahead), "{ahead:?}");
        }
        assert!(is_beyond((Stage::Serializing, Errored), queued));
    }

    #[test]
    fn stages_are_ordered_as_data_flows_and_read_as_they_are_written() {
        assert!(Stage::ALL.is_sorted());
        for stage in Stage::ALL {
            assert_eq!(stage.to_string().parse::<Stage>().expect("its own name"), stage);
        }
        assert!("serialising".parse::<Stage>().is_err());
        assert_eq!(Stage::Dequeuing.following().collect::<Vec<_>>(), [Stage::Deserializing, Stage::Cleanup]);
    }
}
