//! What an application holds: an engine, made once, with which it syncs and answers others.
//!
//! The engine knows its storage only through the [`Storage`] port and its peers through [`Peer`]; what happens in a
//! transfer is [`transfer`](crate::transfer)'s. An engine is cheap to copy, and all its copies are one.

mod agreement;
mod builder;
mod certificates;
mod conflicts;
mod connection;
mod forgetting;
mod options;
mod pushing;
mod report;
mod run;
mod task;
mod unfinished;
mod waiting;

use std::fmt;
use std::sync::Arc;

use crate::id::{CertificateId, SyncSessionId};
use crate::identity::Instance;
use crate::model::Registry;
use crate::port::{Accounts, Peer, Renewed, SerializeReport, Storage};
use crate::scope::Filter;
use crate::session::Capabilities;
use crate::transfer::{Home, Responder, clean_up, renew};
use crate::{Result, limits};

pub use crate::transfer::{CancelToken, CleanUpReport, SessionSelection, TransferReport};
pub use builder::EngineBuilder;
pub use options::SyncOptions;
pub use report::SyncReport;
pub use task::SyncTask;
pub use unfinished::UnfinishedSync;

/// An application's engine. Copies are cheap, and all of them are one.
#[derive(Clone)]
pub struct Engine {
    home: Arc<Home>,
}

/// Syncs with a peer: [`Engine::sync`] as a function.
///
/// # Errors
/// As [`Engine::sync`].
pub fn sync(
    engine: &Engine,
    peer: &dyn Peer,
    certificate: impl Into<CertificateId>,
    options: SyncOptions,
) -> Result<SyncReport> {
    engine.sync(peer, certificate, options)
}

impl Engine {
    /// Begins to make an engine on this storage.
    pub fn builder(storage: impl Storage) -> EngineBuilder {
        EngineBuilder::new(Arc::new(storage))
    }

    /// The storage.
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.home.storage
    }

    /// The models and scope definitions of this application.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.home.registry
    }

    /// This database on this machine, as other peers know it.
    pub fn instance(&self) -> Arc<Instance> {
        self.home.instance()
    }

    /// Gives this database a new id, and makes this engine the instance that goes with it. What nobody was told of yet is saved
    /// anew in its name.
    ///
    /// That is for a database that was copied or restored where the engine could not find it out by itself: a copy that was
    /// written over the same file, and whose peers do not know more of it than it does itself. To ask once too often costs
    /// one instance more, and nothing else.
    ///
    /// # Errors
    /// The storage fails.
    pub fn renew_database_id(&self) -> Result<Renewed> {
        renew(&self.home)
    }

    /// What this peer can do.
    pub fn capabilities(&self) -> &Capabilities {
        &self.home.capabilities
    }

    /// The answering side of this engine. `accounts` says which users may be given which certificates;
    /// [`NoAccounts`](crate::port::NoAccounts) gives out none.
    pub fn responder(&self, accounts: impl Accounts) -> Responder {
        Responder::new(Arc::clone(&self.home), Arc::new(accounts))
    }

    /// Syncs with a peer in the name of a certificate whose private key is here: pulls, then pushes, as the options say.
    ///
    /// It runs on the caller's thread until all is done; see [`sync_in_background`](Self::sync_in_background) for callers
    /// that may not block.
    ///
    /// # Errors
    /// [`CertificateUnknown`](crate::ErrorKind::CertificateUnknown) or
    /// [`PrivateKeyMissing`](crate::ErrorKind::PrivateKeyMissing) where we cannot speak as the certificate;
    /// [`FilterOutsideScope`](crate::ErrorKind::FilterOutsideScope) where the certificates do not allow what is asked, or
    /// have nothing in common; and whatever fails on the way, here, there or between. What was done before stays done. Where
    /// the reason may pass, such as a lost connection, the session stays open for [`resume`](Self::resume):
    /// [`Error::sync_session`](crate::Error::sync_session) then names it.
    #[expect(clippy::needless_pass_by_value, reason = "callers make options where they use them up")]
    pub fn sync(
        &self,
        peer: &dyn Peer,
        certificate: impl Into<CertificateId>,
        options: SyncOptions,
    ) -> Result<SyncReport> {
        run::sync(&self.home, peer, &certificate.into(), &options)
    }

    /// Goes on with a sync that was broken off: by a lost connection, an ended process, or a machine without power. Nothing
    /// that went over goes over again, but at most one chunk.
    ///
    /// Of the directions in the options, those are done that are left of the sync; where none of them is left, as in a session
    /// that was [kept open](SyncOptions::keep_open), all of them are done anew. Filter and size of chunks are those with which
    /// the sync was begun, unless the options name others: a transfer that was begun keeps its filter. The report tells of what
    /// was done now.
    ///
    /// # Errors
    /// [`SessionGone`](crate::ErrorKind::SessionGone) where the session is closed on this side or the other, or its transfer has
    /// failed there: begin a new sync.
    /// [`SessionHeld`](crate::ErrorKind::SessionHeld) where somebody is at work in it; see [`SyncOptions::take_over`].
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) where the peer is not the one with which it was begun. Otherwise as
    /// [`sync`](Self::sync).
    #[expect(clippy::needless_pass_by_value, reason = "callers make options where they use them up")]
    pub fn resume(&self, peer: &dyn Peer, sync_session: SyncSessionId, options: SyncOptions) -> Result<SyncReport> {
        run::resume(&self.home, peer, sync_session, &options)
    }

    /// The syncs of ours whose sessions are open, those that were used last first: what [`resume`](Self::resume) can go on with.
    ///
    /// # Errors
    /// The storage fails.
    pub fn unfinished(&self) -> Result<Vec<UnfinishedSync>> {
        unfinished::list(&self.home)
    }

    /// Closes sessions in which nobody is at work, of both sides, and frees what waits in their buffers: those that the selection
    /// names, at most [`limits::SESSIONS_LISTED_MAX`] of them at once.
    ///
    /// The engine does this by itself for sessions that were left for
    /// [a long time](EngineBuilder::close_sessions_idle_for).
    ///
    /// # Errors
    /// The storage fails. What was closed before stays closed.
    pub fn clean_up_sessions(&self, selection: &SessionSelection) -> Result<CleanUpReport> {
        let mut report = clean_up(&self.home, selection, limits::SESSIONS_LISTED_MAX)?;
        report.records_freed += self.home.storage.delete_orphaned_buffers()?;
        Ok(report)
    }

    /// Syncs on a thread of its own. The task can be joined from blocking code and awaited from any async runtime.
    pub fn sync_in_background(
        &self,
        peer: Arc<dyn Peer>,
        certificate: impl Into<CertificateId>,
        options: SyncOptions,
    ) -> SyncTask {
        let (engine, certificate) = (self.clone(), certificate.into());
        let cancel = options.cancel_token();
        SyncTask::spawn(cancel, move || engine.sync(&*peer, certificate, options))
    }

    /// Brings the application's changes under a filter into the store, apart from a sync.
    ///
    /// # Errors
    /// The storage fails.
    pub fn serialize(&self, profile: &str, filter: &Filter) -> Result<SerializeReport> {
        self.home.storage.serialize(profile, filter, &|_| std::ops::ControlFlow::Continue(()))
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Engine").field("home", &self.home).finish()
    }
}
