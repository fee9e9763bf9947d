//! What a peer can be asked: the calls of the protocol, in the engine's words.
//!
//! The HTTP client implements this port for a peer elsewhere; the engine's own answering side implements it for tests
//! and simulations. Nothing here knows HTTP or JSON shapes; texts that were signed stay texts.

use std::fmt;
use std::sync::Arc;

use crate::Result;
use crate::counter::Fsic;
use crate::id::{CertificateId, SyncSessionId, TransferSessionId};
use crate::identity::{CertificateRequest, PublicKey, UnverifiedCertificate};
use crate::record::StoreRecord;
use crate::scope::Filter;
use crate::session::{Capabilities, Direction, Stage, StageStatus};

use super::accounts::Credentials;

/// What a peer says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerInfo {
    /// Its instance id, as it wrote it.
    pub instance_id: String,
    /// The pronounceable form of it.
    pub instance_hash: String,
    /// The version of its software, for example `0.8.15`.
    pub version: String,
    /// Its operating system, for people.
    pub system_os: String,
    /// What it can do.
    pub capabilities: Capabilities,
}

/// Which certificates are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateQuery {
    /// Those that the peer holds the private key of, of one profile or of all.
    Owned {
        /// The profile, or all of them.
        profile: Option<String>,
    },
    /// The certificate of this id and all below it that the peer holds the private key of.
    Below {
        /// The id of the root, which is the primary partition.
        primary_partition: CertificateId,
        /// The profile, or all of them.
        profile: Option<String>,
    },
    /// The chain of one that the peer holds the private key of, root first.
    AncestorsOf {
        /// The id of the last certificate of the chain.
        id: CertificateId,
        /// The profile, or all of them.
        profile: Option<String>,
    },
}

/// A client's request for a sync session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncSessionRequest {
    /// The id that the client drew.
    pub id: SyncSessionId,
    /// The certificate in whose name the server is to speak.
    pub server_certificate: CertificateId,
    /// The certificate in whose name the client speaks.
    pub client_certificate: CertificateId,
    /// The profile of both.
    pub profile: String,
    /// The chain of the client's certificate, root first.
    pub certificate_chain: Vec<UnverifiedCertificate>,
    /// Where the client found the server.
    pub connection_path: String,
    /// What the client says of itself, as JSON text.
    pub instance: String,
    /// The nonce that the server gave.
    pub nonce: String,
    /// The client's address as it knows it.
    pub client_ip: String,
    /// The server's address as the client knows it.
    pub server_ip: String,
    /// The client certificate's signature over nonce and id.
    pub signature: String,
}

/// A server's answer to a request for a sync session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncSessionAnswer {
    /// The server certificate's signature over the same text.
    pub signature: String,
    /// What the server says of itself, as JSON text.
    pub server_instance: String,
}

/// A client's request for a transfer session.
#[derive(Debug, Clone, PartialEq)]
pub struct TransferSessionRequest {
    /// The id that the client drew.
    pub id: TransferSessionId,
    /// The sync session that it belongs to.
    pub sync_session: SyncSessionId,
    /// Push or pull.
    pub direction: Direction,
    /// What is to be synced.
    pub filter: Filter,
    /// The client's counters, where they are known already.
    pub client_fsic: Option<Fsic>,
    /// How many records a push will send: only for peers without asynchronous operations.
    pub records_total: Option<u64>,
}

/// A client's request that the server proceed to a stage, or take note of numbers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProceedRequest {
    /// The stage to proceed to.
    pub stage: Option<Stage>,
    /// The client's counters: with the serializing stage.
    pub client_fsic: Option<Arc<Fsic>>,
    /// How many records a push will send.
    pub records_total: Option<u64>,
    /// How many records a pull has received so far.
    pub records_transferred: Option<u64>,
    /// Bytes that the server has sent, as the client counted them.
    pub bytes_sent: Option<u64>,
    /// Bytes that the server has received, as the client counted them.
    pub bytes_received: Option<u64>,
}

/// A transfer session as the server tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoteTransfer {
    /// Its id: not the one asked for where the server took up an older session.
    pub id: TransferSessionId,
    /// Its filter, which a server may have widened.
    pub filter: Filter,
    /// The stage that the server has reached; `None` from a peer that does not say.
    pub stage: Option<Stage>,
    /// How far that stage is.
    pub status: Option<StageStatus>,
    /// How many records there are; not known before queuing.
    pub records_total: Option<u64>,
    /// How many were transferred as the server counts.
    pub records_transferred: u64,
    /// The server's counters, once it has serialized.
    pub server_fsic: Option<Arc<Fsic>>,
}

/// A record as it came from a peer: nothing of it is checked yet but that it can be read at all.
#[derive(Debug, Clone, PartialEq)]
pub enum ReceivedRecord {
    /// It has all the parts of a record.
    Readable(Box<crate::record::LooseRecord>),
    /// It has not.
    Unreadable {
        /// The record as it came.
        received: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// What went over the line to and from a peer so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Requests made.
    pub requests: u64,
    /// Bytes of bodies sent, as they went over the line.
    pub bytes_sent: u64,
    /// Bytes of bodies received, as they came over the line.
    pub bytes_received: u64,
}

impl std::ops::Sub for Traffic {
    type Output = Self;

    /// What went over the line since an earlier reading.
    fn sub(self, earlier: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(earlier.requests),
            bytes_sent: self.bytes_sent.saturating_sub(earlier.bytes_sent),
            bytes_received: self.bytes_received.saturating_sub(earlier.bytes_received),
        }
    }
}

/// Another peer, seen by the client that calls it.
///
/// One peer serves the two threads of a transfer at once. Every call either succeeds, or says in its error whether the
/// same call may be made again.
pub trait Peer: Send + Sync + fmt::Debug {
    /// Where the peer is, for people and for `connection_path`.
    fn location(&self) -> String;

    /// What the peer says of itself. It is asked once and remembered.
    ///
    /// # Errors
    /// The peer cannot be reached, or is no Morango peer.
    fn info(&self) -> Result<PeerInfo>;

    /// What this side says it can do; the two sides use what both have.
    fn announce(&self, ours: &Capabilities);

    /// Asks for a nonce: a text to be signed within a minute.
    ///
    /// # Errors
    /// As with any call: the connection, a refusal, an answer that is none.
    fn nonce(&self) -> Result<String>;

    /// Asks for certificates.
    ///
    /// # Errors
    /// As with any call.
    fn certificates(&self, query: &CertificateQuery) -> Result<Vec<UnverifiedCertificate>>;

    /// Asks for a certificate to be signed, below one that the peer holds the private key of.
    ///
    /// # Errors
    /// [`Unauthenticated`](crate::ErrorKind::Unauthenticated) or [`Forbidden`](crate::ErrorKind::Forbidden) where the
    /// credentials do not suffice; otherwise as with any call.
    fn request_certificate(
        &self,
        credentials: &Credentials,
        parent: &CertificateId,
        request: &CertificateRequest,
    ) -> Result<UnverifiedCertificate>;

    /// Asks for the key that a certificate must have which is pushed to the peer.
    ///
    /// # Errors
    /// [`Forbidden`](crate::ErrorKind::Forbidden) where it does not allow pushing; otherwise as with any call.
    fn shared_public_key(&self) -> Result<PublicKey>;

    /// Pushes a chain of certificates, root first, of which the last was made for the peer's shared key, with a nonce of its as salt.
    ///
    /// # Errors
    /// [`Forbidden`](crate::ErrorKind::Forbidden) where it does not allow pushing; otherwise as with any call.
    fn push_certificate_chain(&self, chain: &[UnverifiedCertificate]) -> Result<()>;

    /// Opens a sync session.
    ///
    /// # Errors
    /// As with any call.
    fn create_sync_session(&self, request: &SyncSessionRequest) -> Result<SyncSessionAnswer>;

    /// Asks whether a sync session is open there.
    ///
    /// # Errors
    /// [`SessionUnknown`](crate::ErrorKind::SessionUnknown) where it is not; otherwise as with any call.
    fn sync_session(&self, id: &SyncSessionId) -> Result<()>;

    /// Closes a sync session. One that is closed already is no error.
    ///
    /// # Errors
    /// As with any call.
    fn close_sync_session(&self, id: &SyncSessionId) -> Result<()>;

    /// Opens a transfer session, or takes up the open one of the same sync session and direction.
    ///
    /// # Errors
    /// [`FilterOutsideScope`](crate::ErrorKind::FilterOutsideScope) where the certificates do not allow the filter;
    /// otherwise as with any call.
    fn create_transfer_session(&self, request: &TransferSessionRequest) -> Result<RemoteTransfer>;

    /// Asks how a transfer session stands.
    ///
    /// # Errors
    /// [`SessionUnknown`](crate::ErrorKind::SessionUnknown) where it is closed; otherwise as with any call.
    fn transfer_session(&self, id: &TransferSessionId) -> Result<RemoteTransfer>;

    /// Asks the server to proceed. The answer tells how it stands then, which may be `started`. Where the answer is lost, the
    /// server may have proceeded.
    ///
    /// # Errors
    /// As with any call.
    fn proceed(&self, id: &TransferSessionId, request: &ProceedRequest) -> Result<RemoteTransfer>;

    /// Closes a transfer session after its cleanup. One that is closed already is no error.
    ///
    /// # Errors
    /// As with any call.
    fn close_transfer_session(&self, id: &TransferSessionId) -> Result<()>;

    /// Sends records of a push, which stand at `offset` among those of the session. Sending the same ones again is harmless.
    ///
    /// # Errors
    /// As with any call.
    fn send_chunk(&self, id: &TransferSessionId, offset: u64, records: &[StoreRecord]) -> Result<()>;

    /// Fetches records of a pull, from `offset` on, at most `limit`.
    ///
    /// # Errors
    /// As with any call. A single record that cannot be read is no error.
    fn fetch_chunk(&self, id: &TransferSessionId, offset: u64, limit: usize) -> Result<Vec<ReceivedRecord>>;

    /// What went over the line so far.
    fn traffic(&self) -> Traffic;
}
