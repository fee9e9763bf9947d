//! How often each thing happened, and which of them had to.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What happened in a run, or in several.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    counts: BTreeMap<String, u64>,
}

/// Steps after which what is not so rare must have happened.
const SOON_STEPS: u64 = 12_000;

/// Steps after which every rare thing must have happened.
const LATE_STEPS: u64 = 60_000;

/// What must happen in a run that is not all short: one in which it does not proves less than it says.
const SOON: [&str; 43] = [
    "a conflict of two edits",
    "a conflict of edit and deletion",
    "a record deleted for good elsewhere",
    "a record that lives again",
    "a resume at initializing",
    "a resume at serializing",
    "a resume at queuing",
    "a resume at transferring",
    "a resume at cleanup",
    "a sync that could not be taken up",
    "an answer lost",
    "an answer lost: proceed",
    "an answer lost: fetch_chunk",
    "an answer lost: create_transfer_session",
    "an answer lost: close_transfer_session",
    "a request lost",
    "a request doubled: proceed",
    "a request late",
    "a request that came after its sync",
    "a line cut off",
    "a slow line",
    "a sync without new capabilities",
    "a storage fails",
    "a storage is busy",
    "a crash before a call",
    "a crash within a call",
    "a crash after a call",
    "a device that is another instance with a network card, or without it",
    "a conflict resolved: ours",
    "an edit during a sync",
    "edit: ChangedBeyond",
    "edit: DeletedForGood",
    "edit: PutBack",
    "a record waits: constraint",
    "a record waits: cycle",
    "a record waits: invalid-field",
    "a record waits: unknown-model",
    "a pause",
    "a clock set back",
    "a clock set forward",
    "a backup put aside",
    "a record moved in its tree",
    "an engine whose building a storage ends",
];

/// What must happen, too, in one that is long.
const LATE: [&str; 23] = [
    "a resume at dequeuing",
    "a crash within serialize",
    "a conflict resolved: theirs",
    "a backup put back, told",
    "a crash apart from a sync",
    "a storage fails apart from a sync",
    "a resume at deserializing",
    "an answer lost: send_chunk",
    "a request doubled: send_chunk",
    "a crash after serialize",
    "a crash after queue",
    "a crash after receive_chunk",
    "a crash after dequeue",
    "a crash after deserialize",
    "a crash within dequeue",
    "a crash within deserialize",
    "a storage fails: queue",
    "a storage fails: dequeue",
    "a backup put back, noticed",
    "a backup put back, found out by a peer",
    "a device that begins as a copy",
    "a record waits: foreign-key-waits",
    "a record waits: missing-foreign-key",
];

impl Report {
    /// It happened.
    pub fn add(&mut self, what: impl Into<String>) {
        self.add_many(what, 1);
    }

    /// It happened so many times.
    pub fn add_many(&mut self, what: impl Into<String>, times: u64) {
        if times > 0 {
            *self.counts.entry(what.into()).or_default() += times;
        }
    }

    /// Takes in what happened in another run.
    pub fn merge(&mut self, other: &Self) {
        for (what, times) in &other.counts {
            self.add_many(what.clone(), *times);
        }
    }

    /// How often something happened.
    pub fn count(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or(0)
    }

    /// What had to happen in so many steps and did not.
    pub fn missing(&self, steps: u64) -> Vec<&'static str> {
        let soon = SOON.into_iter().filter(|_| steps >= SOON_STEPS);
        let late = LATE.into_iter().filter(|_| steps >= LATE_STEPS);
        soon.chain(late).filter(|what| self.count(what) == 0).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, times) in &self.counts {
            writeln!(formatter, "{times:>10}  {what}")?;
        }
        Ok(())
    }
}
