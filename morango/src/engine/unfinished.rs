//! Syncs that were broken off, as an application lists them before it goes on with one.

use chrono::{DateTime, Utc};

use super::run::is_unfinished;
use crate::id::{CertificateId, InstanceId, SyncSessionId};
use crate::scope::Filter;
use crate::session::{Direction, Side, SyncSession, SyncSessionQuery, TransferSession};
use crate::transfer::{Home, is_at_work};
use crate::{Result, limits};

/// A sync whose session is open: one that was broken off, one that was kept open, or one that is at work.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct UnfinishedSync {
    /// Its session: what [`Engine::resume`](super::Engine::resume) is given.
    pub sync_session: SyncSessionId,
    /// Where the peer was found.
    pub peer: String,
    /// Which instance the peer is, where it said so.
    pub peer_instance: Option<InstanceId>,
    /// The certificate in whose name we speak.
    pub certificate: CertificateId,
    /// The certificate in whose name the peer speaks.
    pub server_certificate: CertificateId,
    /// What is synced; without one, all that both certificates allow.
    pub filter: Option<Filter>,
    /// The directions that are not done yet. None of a session that was kept open after a sync.
    pub left: Vec<Direction>,
    /// The transfers that were begun and are not done, with their stages and the records that went over so far.
    pub transfers: Vec<TransferSession>,
    /// Whether somebody is at work in it now.
    pub is_at_work: bool,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it was last used.
    pub last_activity_at: DateTime<Utc>,
}

/// The open sessions in which we are the client, those that were used last first.
pub(super) fn list(home: &Home) -> Result<Vec<UnfinishedSync>> {
    let query = SyncSessionQuery { is_active: Some(true), side: Some(Side::Client), ..SyncSessionQuery::default() };
    let open = home.storage.sync_sessions(&query, limits::SESSIONS_LISTED_MAX)?;
    open.into_iter().map(|session| unfinished(home, session)).collect()
}

fn unfinished(home: &Home, session: SyncSession) -> Result<UnfinishedSync> {
    let now = home.clock.now();
    let mut transfers = home.storage.transfer_sessions(&session.id, limits::TRANSFERS_LISTED_MAX)?;
    transfers.retain(is_unfinished);
    let (left, filter) = session.plan.map_or((Vec::new(), None), |plan| (plan.left, plan.filter));
    Ok(UnfinishedSync {
        sync_session: session.id,
        peer: session.connection_path,
        peer_instance: session.server_instance,
        certificate: session.client_certificate,
        server_certificate: session.server_certificate,
        filter,
        left,
        transfers,
        is_at_work: session.holder.is_some_and(|holder| is_at_work(&holder, now)),
        started_at: session.started_at,
        last_activity_at: session.last_activity_at,
    })
}
