//! Events: what happens in a sync, as it happens, for progress bars and logs.

use std::sync::Arc;

use crate::id::{SyncSessionId, TransferSessionId};
use crate::port::Progress;
use crate::session::{Direction, Side, Stage};

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

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A sync session was opened.
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
    },
    /// A sync session was closed.
    SessionClosed {
        /// The session.
        sync_session: SyncSessionId,
        /// Which end we are.
        side: Side,
    },
}

/// Whoever is told of events. It is called on the engine's threads and should return soon.
pub type Watcher = Arc<dyn Fn(&Event) + Send + Sync>;
