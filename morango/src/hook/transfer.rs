//! Hooks: an application's own code that is told before and after a transfer, and can never stop one.
//!
//! What a hook does wrong, down to a panic, is caught and reported: as an [`Event`](super::Event), in the client's report
//! and in the log. Who has to work *within* a stage, or to stop it, is an [`Operation`](crate::transfer::Operation).

use std::fmt;

use serde_json::{Map, Value};

use super::event::Totals;
use crate::Result;
use crate::id::{CertificateId, InstanceId, TransferSessionId};
use crate::port::{Storage, TouchedRecord, in_pages};
use crate::scope::{Filter, ScopeParams};
use crate::session::{Direction, Role, Side, Stage, SyncSession};

/// What an application's own code may fail with: anything that is an error, also a mere text.
pub type GuestError = Box<dyn std::error::Error + Send + Sync>;

/// Somebody who is told before and after each transfer, on the side that calls and on the side that is called.
///
/// For each transfer `before_transfer` is called once, and `after_transfer` once where the transfer came to an end that this
/// side learnt of; closing its sync session, or cleaning up, is such an end too. A transfer that is broken off and stays open has not
/// ended: neither is called again until it is taken up and ends. They run on the engine's threads, outside of any transaction, and the transfer waits for them.
pub trait Hook: Send + Sync + 'static {
    /// What it is called in reports and logs.
    fn name(&self) -> &str;

    /// A transfer is about to begin. On the client it has no session yet; on the server it has.
    ///
    /// # Errors
    /// Whatever went wrong: it is reported, and the transfer goes on.
    fn before_transfer(&self, transfer: &TransferInfo) -> Result<(), GuestError> {
        let _ = transfer;
        Ok(())
    }

    /// A transfer has ended, well or not: its buffers are gone, and its session is closed.
    ///
    /// # Errors
    /// Whatever went wrong: it is reported, and the sync goes on.
    fn after_transfer(&self, transfer: &TransferInfo, end: &TransferEnd<'_>) -> Result<(), GuestError> {
        let _ = (transfer, end);
        Ok(())
    }
}

/// What is known of a transfer before and while it runs.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TransferInfo {
    /// The sync session, with what both peers said of themselves as JSON texts.
    pub sync_session: SyncSession,
    /// The transfer session; none before there is one.
    pub transfer_session: Option<TransferSessionId>,
    /// Push or pull.
    pub direction: Direction,
    /// What is synced.
    pub filter: Filter,
    /// This peer, by the certificate in whose name it speaks.
    pub local: Party,
    /// The other peer.
    pub remote: Party,
}

impl TransferInfo {
    /// Which end we are.
    pub fn side(&self) -> Side {
        self.sync_session.side
    }

    /// Whether we send or receive.
    pub fn role(&self) -> Role {
        self.direction.role_of(self.side())
    }

    /// The partition under which all that our certificate reaches lies: the id of the root above it.
    pub fn root_partition(&self) -> CertificateId {
        self.local.root
    }

    /// The user for whom this transfer is, where one of the two certificates is a single user's; the other peer's goes first.
    pub fn single_user_id(&self) -> Option<&str> {
        self.remote.single_user_id().or_else(|| self.local.single_user_id())
    }
}

/// One of the two peers of a transfer.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Party {
    /// The certificate in whose name it speaks.
    pub certificate: CertificateId,
    /// The root above that certificate.
    pub root: CertificateId,
    /// The id of the certificate's scope definition.
    pub scope_definition: String,
    /// The values in its scope.
    pub scope_params: ScopeParams,
    /// Its instance, where it said so.
    pub instance: Option<InstanceId>,
    /// What it says of itself, the application's own keys among it.
    pub instance_info: Map<String, Value>,
    /// The scope parameter that names the user, of a single user's certificate.
    pub(crate) user_parameter: Option<String>,
}

impl Party {
    /// Whether its certificate is a single user's: one of a scope definition that was named with
    /// [`EngineBuilder::single_user_scope`](crate::engine::EngineBuilder::single_user_scope).
    pub fn is_single_user(&self) -> bool {
        self.user_parameter.is_some()
    }

    /// That user's id.
    pub fn single_user_id(&self) -> Option<&str> {
        self.scope_params.get(self.user_parameter.as_deref()?)
    }
}

/// How a transfer ended on this side.
#[non_exhaustive]
pub struct TransferEnd<'a> {
    /// The stage that this side had reached.
    pub stage: Stage,
    /// What went over.
    pub totals: Totals,
    /// Why the transfer came to nothing, where it did.
    pub failure: Option<String>,
    pub(crate) session: Option<TransferSessionId>,
    pub(crate) storage: &'a dyn Storage,
}

impl TransferEnd<'_> {
    /// Hands over the records of a model that the transfer has changed in the store and nobody since, in the order of their ids.
    ///
    /// # Errors
    /// Those of `each`, or the database fails.
    pub fn for_each_touched(&self, model: &str, each: &mut dyn FnMut(TouchedRecord) -> Result<()>) -> Result<()> {
        let Some(session) = &self.session else { return Ok(()) };
        in_pages(|after, limit| self.storage.touched(session, model, after, limit), each)
    }
}

impl fmt::Debug for TransferEnd<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TransferEnd")
            .field("stage", &self.stage)
            .field("totals", &self.totals)
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

/// When a hook was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HookMoment {
    /// Before a transfer.
    Before,
    /// After it.
    After,
}

/// What a hook did wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookFailure {
    /// The hook's name.
    pub hook: String,
    /// When it was called.
    pub moment: HookMoment,
    /// What went wrong.
    pub reason: String,
}
