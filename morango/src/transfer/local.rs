//! A peer in the same process: the client's port, answered by a responder without a line between.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::responder::{Caller, Responder};
use crate::ErrorKind;
use crate::Result;
use crate::id::{CertificateId, SyncSessionId, TransferSessionId};
use crate::identity::{CertificateRequest, PublicKey, UnverifiedCertificate};
use crate::port::{
    CertificateQuery, Credentials, Peer, PeerInfo, ProceedRequest, ReceivedRecord, RemoteTransfer, SyncSessionAnswer,
    SyncSessionRequest, Traffic, TransferSessionRequest,
};
use crate::record::{LooseRecord, StoreRecord};
use crate::session::{Capabilities, Stage, StageStatus, TransferSession};

/// Another engine of this process as a peer: for examples, tests and simulations.
#[derive(Debug)]
pub struct LocalPeer {
    responder: Responder,
    announced: Mutex<Capabilities>,
    requests: AtomicU64,
}

impl LocalPeer {
    /// The peer that this responder answers for.
    pub fn new(responder: Responder) -> Self {
        Self { responder, announced: Mutex::default(), requests: AtomicU64::new(0) }
    }

    /// Counts a call and passes it on.
    fn call(&self) -> &Responder {
        self.requests.fetch_add(1, Ordering::Relaxed);
        &self.responder
    }

    fn caller(&self) -> Caller {
        let capabilities = self.announced.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Caller { capabilities, ip: "127.0.0.1".to_owned() }
    }
}

/// What is closed already needs no closing.
fn unless_closed(outcome: Result<()>) -> Result<()> {
    match outcome {
        Err(error) if error.kind() == ErrorKind::SessionUnknown => Ok(()),
        outcome => outcome,
    }
}

impl TryFrom<TransferSession> for RemoteTransfer {
    type Error = crate::Error;

    fn try_from(session: TransferSession) -> Result<Self> {
        let has_serialized = session.stage > Stage::Serializing
            || (session.stage, session.status) == (Stage::Serializing, StageStatus::Completed);
        let told = || session.server_fsic.fsic().cloned();
        Ok(Self {
            id: session.id,
            filter: session.filter,
            stage: Some(session.stage),
            status: Some(session.status),
            records_total: session.records_total,
            records_transferred: session.records_transferred,
            server_fsic: has_serialized.then(told).transpose()?,
        })
    }
}

impl Peer for LocalPeer {
    fn location(&self) -> String {
        format!("local:{}", self.responder.info(&Caller::default()).instance_hash)
    }

    fn info(&self) -> Result<PeerInfo> {
        Ok(self.call().info(&self.caller()))
    }

    fn announce(&self, ours: &Capabilities) {
        self.announced.lock().unwrap_or_else(PoisonError::into_inner).clone_from(ours);
    }

    fn nonce(&self) -> Result<String> {
        Ok(self.call().issue_nonce(&self.caller())?.id.to_string())
    }

    fn certificates(&self, query: &CertificateQuery) -> Result<Vec<UnverifiedCertificate>> {
        Ok(self.call().certificates(query)?.iter().map(UnverifiedCertificate::from).collect())
    }

    fn request_certificate(
        &self,
        credentials: &Credentials,
        parent: &CertificateId,
        request: &CertificateRequest,
    ) -> Result<UnverifiedCertificate> {
        Ok((&self.call().sign_certificate(&self.caller(), Some(credentials), parent, request)?).into())
    }

    fn shared_public_key(&self) -> Result<PublicKey> {
        self.call().shared_public_key()
    }

    fn push_certificate_chain(&self, chain: &[UnverifiedCertificate]) -> Result<()> {
        self.call().keep_pushed_chain(chain.to_vec()).map(drop)
    }

    fn create_sync_session(&self, request: &SyncSessionRequest) -> Result<SyncSessionAnswer> {
        self.call().create_sync_session(&self.caller(), request)
    }

    fn sync_session(&self, id: &SyncSessionId) -> Result<()> {
        self.call().sync_session(id).map(drop)
    }

    fn close_sync_session(&self, id: &SyncSessionId) -> Result<()> {
        unless_closed(self.call().close_sync_session(id))
    }

    fn create_transfer_session(&self, request: &TransferSessionRequest) -> Result<RemoteTransfer> {
        self.call().create_transfer_session(request).and_then(RemoteTransfer::try_from)
    }

    fn transfer_session(&self, id: &TransferSessionId) -> Result<RemoteTransfer> {
        self.call().transfer_session(id).and_then(RemoteTransfer::try_from)
    }

    fn proceed(&self, id: &TransferSessionId, request: &ProceedRequest) -> Result<RemoteTransfer> {
        self.call().proceed(id, request).and_then(RemoteTransfer::try_from)
    }

    fn close_transfer_session(&self, id: &TransferSessionId) -> Result<()> {
        unless_closed(self.call().close_transfer_session(id))
    }

    fn send_chunk(&self, id: &TransferSessionId, offset: u64, records: &[StoreRecord]) -> Result<()> {
        let received = records.iter().map(|record| received(record.clone(), *id)).collect();
        self.call().receive_chunk(id, Some(offset), received).map(drop)
    }

    fn fetch_chunk(&self, id: &TransferSessionId, offset: u64, limit: usize) -> Result<Vec<ReceivedRecord>> {
        let chunk = self.call().queued_chunk(id, offset, Some(limit))?;
        Ok(chunk.records.into_iter().map(|record| received(record, *id)).collect())
    }

    fn traffic(&self) -> Traffic {
        Traffic { requests: self.requests.load(Ordering::Relaxed), ..Traffic::default() }
    }
}

fn received(record: StoreRecord, session: TransferSessionId) -> ReceivedRecord {
    ReceivedRecord::Readable(Box::new(LooseRecord::from_store_record(record, session)))
}
