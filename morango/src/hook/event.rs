//! Events: what happens in a sync, as it happens, for progress bars and logs.
//!
//! For each stage of a transfer that a side goes through, it tells that the stage started, then how far it is, then that it
//! completed or errored; and the next stage starts after that. A stage that an operation keeps pending has started once: each time
//! that it is tried tells how far it is. Only one that was broken off, and is done once more by another process or sync, starts again.
//!
//! A stage of one step, as initializing and cleanup are, tells once how far it is; so does one that found nothing to do.

use std::sync::Arc;

use super::transfer::HookFailure;
use crate::id::{InstanceId, SyncSessionId, TransferSessionId};
use crate::port::Progress;
use crate::session::{Direction, Side, Stage, TransferSession};

/// How far a stage is on this side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// The stage begins.
    Started,
    /// Some of it is done.
    InProgress(Progress),
    /// It is done.
    Completed,
    /// It failed; the text says why.
    Errored(String),
}

/// What has gone over in a transfer so far, as this side knows it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// How many records there are to send; not known before queuing.
    pub records_total: Option<u64>,
    /// How many have been sent or received.
    pub records_transferred: u64,
    /// Bytes of bodies that we sent.
    pub bytes_sent: u64,
    /// Bytes of bodies that we received.
    pub bytes_received: u64,
}

impl Totals {
    /// What a transfer session says.
    pub(crate) fn of(session: &TransferSession) -> Self {
        Self {
            records_total: session.records_total,
            records_transferred: session.records_transferred,
            bytes_sent: session.bytes_sent,
            bytes_received: session.bytes_received,
        }
    }
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A sync session was opened, or taken up again.
    SessionOpened {
        /// The session.
        sync_session: SyncSessionId,
        /// Which end we are.
        side: Side,
    },
    /// A stage of a transfer came to a phase.
    Stage {
        /// The transfer.
        transfer_session: TransferSessionId,
        /// Which end we are.
        side: Side,
        /// Push or pull.
        direction: Direction,
        /// The stage.
        stage: Stage,
        /// What happened to it.
        phase: Phase,
        /// What has gone over so far.
        totals: Totals,
    },
    /// A hook failed. The transfer goes on all the same.
    HookFailed {
        /// The sync session.
        sync_session: SyncSessionId,
        /// The transfer; none where it has not begun.
        transfer_session: Option<TransferSessionId>,
        /// What the hook did wrong.
        failure: HookFailure,
    },
    /// A sync was broken off by what may pass, and its session stays open: it can be taken up again.
    SessionInterrupted {
        /// The session.
        sync_session: SyncSessionId,
        /// Which end we are.
        side: Side,
    },
    /// This database has a new id and is another instance, because it is a copy or was restored, or on request. What others
    /// had of the former one stays; from here on nothing is saved under its name.
    InstanceRenewed {
        /// What it was, where that is known.
        former: Option<InstanceId>,
        /// What it is.
        current: InstanceId,
        /// How that came.
        cause: RenewalCause,
    },
    /// A sync session was closed.
    SessionClosed {
        /// The session.
        sync_session: SyncSessionId,
        /// Which end we are.
        side: Side,
    },
}

/// Why a database got a new id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RenewalCause {
    /// It was found to be another one than before when the engine was built.
    Copied,
    /// Others know more of its former instance, or of one that it was earlier and would be again, than this database told anybody of.
    KnownElsewhere,
    /// The application asked for it.
    Asked,
}

/// Whoever is told of events. It is called on the engine's threads and should return soon.
pub type Watcher = Arc<dyn Fn(&Event) + Send + Sync>;
