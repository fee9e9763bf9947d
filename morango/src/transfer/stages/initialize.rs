//! *Initialize*: the transfer session is made, or the open one of the same sync session and direction is taken up.

use crate::Result;
use crate::counter::Fsic;
use crate::id::TransferSessionId;
use crate::scope::Filter;
use crate::session::{Direction, Stage, StageStatus, SyncSession, TransferSession};
use crate::transfer::context::Home;

/// What is known of a transfer session before there is one.
pub(in crate::transfer) struct NewTransfer<'a> {
    pub(in crate::transfer) id: TransferSessionId,
    pub(in crate::transfer) sync_session: &'a SyncSession,
    pub(in crate::transfer) direction: Direction,
    pub(in crate::transfer) filter: &'a Filter,
    pub(in crate::transfer) records_total: Option<u64>,
}

/// Makes the session on this side. What comes back may be an older one, with another id.
pub(in crate::transfer) fn run(home: &Home, new: &NewTransfer<'_>) -> Result<TransferSession> {
    let now = home.clock.now();
    home.storage.create_transfer_session(&TransferSession {
        id: new.id,
        sync_session: new.sync_session.id,
        side: new.sync_session.side,
        direction: new.direction,
        profile: new.sync_session.profile.clone(),
        filter: new.filter.clone(),
        stage: Stage::Initializing,
        status: StageStatus::Completed,
        error: None,
        records_total: new.records_total,
        records_transferred: 0,
        bytes_sent: 0,
        bytes_received: 0,
        client_fsic: Fsic::default(),
        server_fsic: Fsic::default(),
        started_at: now,
        last_activity_at: now,
        is_active: true,
    })
}
