//! A transfer session: one push or one pull.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::stage::{Stage, StageStatus, is_beyond};
use super::sync::{Side, SyncSession};
use crate::counter::{CounterError, Fsic, KeptFsic, PartitionCounters};
use crate::id::{SyncSessionId, TransferSessionId};
use crate::scope::Filter;

/// Which way records go, seen from the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the client to the server.
    Push,
    /// From the server to the client.
    Pull,
}

/// What a peer does in a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// It sends records.
    Producer,
    /// It gets records.
    Receiver,
}

impl Direction {
    /// What the peer on this side does.
    pub const fn role_of(self, side: Side) -> Role {
        match (self, side) {
            (Self::Push, Side::Client) | (Self::Pull, Side::Server) => Role::Producer,
            (Self::Push, Side::Server) | (Self::Pull, Side::Client) => Role::Receiver,
        }
    }

    /// The direction's name, `push` or `pull`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Pull => "pull",
        }
    }
}

impl std::fmt::Display for Direction {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// A transfer session as each of the two peers keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct TransferSession {
    /// Its id, drawn by the client.
    pub id: TransferSessionId,
    /// The sync session that it belongs to.
    pub sync_session: SyncSessionId,
    /// Which end we are.
    pub side: Side,
    /// Push or pull.
    pub direction: Direction,
    /// The profile of its records.
    pub profile: String,
    /// What is synced.
    pub filter: Filter,
    /// The stage that it has reached.
    pub stage: Stage,
    /// How far that stage is.
    pub status: StageStatus,
    /// Why the stage errored, where it did.
    pub error: Option<String>,
    /// How many records there are to send; not known before queuing.
    pub records_total: Option<u64>,
    /// How many have been sent or received.
    pub records_transferred: u64,
    /// Bytes that we sent for it.
    pub bytes_sent: u64,
    /// Bytes that we received for it.
    pub bytes_received: u64,
    /// The client's counters.
    pub client_fsic: KeptFsic,
    /// The server's counters.
    pub server_fsic: KeptFsic,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it was last used.
    pub last_activity_at: DateTime<Utc>,
    /// Whether it is open.
    pub is_active: bool,
}

impl TransferSession {
    /// A transfer that begins in a sync session, and in which nothing was done but to make it.
    pub fn begin(
        sync_session: &SyncSession,
        id: TransferSessionId,
        direction: Direction,
        filter: Filter,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            sync_session: sync_session.id,
            side: sync_session.side,
            direction,
            profile: sync_session.profile.clone(),
            filter,
            stage: Stage::Initializing,
            status: StageStatus::Completed,
            error: None,
            records_total: None,
            records_transferred: 0,
            bytes_sent: 0,
            bytes_received: 0,
            client_fsic: KeptFsic::default(),
            server_fsic: KeptFsic::default(),
            started_at: now,
            last_activity_at: now,
            is_active: true,
        }
    }

    /// Whether the session has come further than this status of this stage. One that errored goes nowhere any more.
    pub fn is_beyond(&self, stage: Stage, status: StageStatus) -> bool {
        is_beyond((self.stage, self.status), (stage, status))
    }

    /// What we do in it.
    pub fn role(&self) -> Role {
        self.direction.role_of(self.side)
    }

    /// The counters of the side that sends.
    ///
    /// # Errors
    /// They were kept as a text that is damaged.
    pub fn producer_fsic(&self) -> Result<&Arc<Fsic>, CounterError> {
        match self.direction {
            Direction::Push => self.client_fsic.fsic(),
            Direction::Pull => self.server_fsic.fsic(),
        }
    }

    /// What the receiver has under the filter when all records have come, by what the sender says of itself.
    ///
    /// # Errors
    /// As [`producer_fsic`](Self::producer_fsic).
    pub fn completed_by(&self) -> Result<PartitionCounters, CounterError> {
        Ok(self.producer_fsic()?.under(&self.filter))
    }

    /// The counters of the side that receives.
    ///
    /// # Errors
    /// As [`producer_fsic`](Self::producer_fsic).
    pub fn receiver_fsic(&self) -> Result<&Arc<Fsic>, CounterError> {
        match self.direction {
            Direction::Push => self.server_fsic.fsic(),
            Direction::Pull => self.client_fsic.fsic(),
        }
    }
}
