//! What somebody else has of what was saved here is noted, so that it can be told what would be lost if it were deleted here.
//!
//! That something was queued, or even sent, says nothing: it is there once it was merged, or when the other side says that it has it.
//! A note that cannot be made is none: then more counts as unsent than is.

use super::context::Home;
use crate::Error;
use crate::counter::{CounterError, PartitionCounters};
use crate::session::{Role, TransferSession};

/// Notes what the other side of a transfer says it has.
pub(super) fn note_what_they_have(home: &Home, session: &TransferSession) {
    let theirs = match session.role() {
        Role::Producer => session.receiver_fsic(),
        Role::Receiver => session.producer_fsic(),
    };
    note(home, session, theirs.map(|theirs| theirs.under(&session.filter)));
}

/// Notes that the other side has merged all that was queued for it.
pub(super) fn note_merged(home: &Home, session: &TransferSession) {
    note(home, session, session.completed_by());
}

fn note(home: &Home, session: &TransferSession, entries: Result<PartitionCounters, CounterError>) {
    let entries = entries.map_err(Error::from);
    if let Err(error) = entries.and_then(|entries| home.storage.note_handed_over(&entries)) {
        tracing::warn!(transfer_session = %session.id, error = %error.report(), "could not note what was handed over");
    }
}
