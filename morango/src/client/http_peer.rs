//! A peer elsewhere, as the engine sees one.

use std::fmt;
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use reqwest::header::HeaderValue;

use super::builder::HttpPeerBuilder;
use super::connection::{Connection, unexpected};
use super::outgoing::{Body, Outgoing, Patience};
use super::retry::Repeat;
use super::{pull, push};
use crate::id::{CertificateId, SyncSessionId, TransferSessionId};
use crate::identity::{CertificateRequest, PublicKey, UnverifiedCertificate};
use crate::port::{
    CertificateQuery, Credentials, Peer, PeerInfo, ProceedRequest, ReceivedRecord, RemoteTransfer, SyncSessionAnswer,
    SyncSessionRequest, Traffic, TransferSessionRequest,
};
use crate::record::StoreRecord;
use crate::session::{Capabilities, Capability, Stage};
use crate::wire::{self, Call, Telling};
use crate::{ErrorKind, Result, limits};

/// A peer that is called over HTTP.
///
/// It may be made anywhere; its calls block, so an async program makes them on a thread that may block
/// (`tokio::task::spawn_blocking`). One peer serves many threads.
///
/// ```no_run
/// use morango::client::HttpPeer;
/// use morango::port::Peer;
///
/// let peer = HttpPeer::new("http://192.0.2.7:8080/")?;
/// println!("{} runs version {}", peer.location(), peer.info()?.version);
/// # Ok::<(), morango::Error>(())
/// ```
pub struct HttpPeer {
    connection: Connection,
    compression_level: Option<u32>,
    ours: Mutex<Capabilities>,
    /// Asked for once.
    info: Mutex<Option<PeerInfo>>,
}

impl fmt::Debug for HttpPeer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("HttpPeer").field(&self.connection.base().as_str()).finish()
    }
}

impl HttpPeer {
    /// The peer at this address, for example `http://192.0.2.7:8080/`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for an address that is none, [`ErrorKind::Configuration`] where TLS cannot be set up.
    pub fn new(address: &str) -> Result<Self> {
        Self::builder(address).build()
    }

    /// The peer at this address, with settings of your own.
    pub fn builder(address: &str) -> HttpPeerBuilder {
        HttpPeerBuilder::new(address)
    }

    pub(super) fn of(connection: Connection, compression_level: Option<u32>) -> Self {
        Self { connection, compression_level, ours: Mutex::new(Capabilities::ours()), info: Mutex::new(None) }
    }

    /// What both sides can do.
    fn shared(&self) -> Result<Capabilities> {
        let theirs = self.info()?.capabilities;
        Ok(self.ours.lock().expect("no holder panics").shared_with(&theirs))
    }

    /// Whether a transfer session may be asked to open or to close twice. A second opening takes up the first. But a peer without
    /// asynchronous operations is at work in these calls, and may still be so when the line is lost.
    fn repeat_of_work(&self) -> Repeat {
        let theirs = self.info.lock().expect("no holder panics").as_ref().map(|info| info.capabilities.clone());
        let ours = self.ours.lock().expect("no holder panics");
        let works_in_calls = theirs.is_some_and(|theirs| !ours.shared_with(&theirs).has(Capability::AsyncOperations));
        if works_in_calls { Repeat::Never } else { Repeat::Safe }
    }

    /// Makes a call that is answered with a transfer session, of which so much will be read.
    fn transfer(&self, outgoing: Outgoing<'_>, telling: Telling) -> Result<RemoteTransfer> {
        let query: Vec<(&str, &str)> = telling.as_str().map(|value| (Telling::NAME, value)).into_iter().collect();
        let outgoing = Outgoing { query: &query, answer_bytes_max: limits::COUNTERS_BODY_BYTES_MAX, ..outgoing };
        let body = self.connection.send(&outgoing)?;
        wire::read_transfer_session(&body).map_err(|error| unexpected(outgoing.call, error))
    }

    /// Closes something. What is not there is closed.
    fn close(&self, outgoing: &Outgoing<'_>) -> Result<()> {
        match self.connection.send(outgoing) {
            Err(error) if error.kind() == ErrorKind::SessionUnknown => Ok(()),
            closed => closed.map(drop),
        }
    }
}

impl Peer for HttpPeer {
    fn location(&self) -> String {
        self.connection.base().to_string()
    }

    fn info(&self) -> Result<PeerInfo> {
        let mut known = self.info.lock().expect("no holder panics");
        if let Some(info) = &*known {
            return Ok(info.clone());
        }
        let body = self.connection.send(&Outgoing::get(Call::Info, "morangoinfo/1/"))?;
        let info = wire::read_info(&body).map_err(|error| {
            unexpected(Call::Info, error)
                .with_hint("is this the address of a Morango peer, without the path of the protocol?")
        })?;
        Ok(known.insert(info).clone())
    }

    fn announce(&self, ours: &Capabilities) {
        self.connection.announce(ours);
        self.ours.lock().expect("no holder panics").clone_from(ours);
    }

    fn nonce(&self) -> Result<String> {
        let outgoing = Outgoing::send(Call::Nonce, Method::POST, "nonces/", None, Repeat::Safe);
        let body = self.connection.send(&outgoing)?;
        wire::read_nonce(&body).map_err(|error| unexpected(Call::Nonce, error))
    }

    fn certificates(&self, query: &CertificateQuery) -> Result<Vec<UnverifiedCertificate>> {
        let (of, profile) = match query {
            CertificateQuery::Owned { profile } => (None, profile),
            CertificateQuery::Below { primary_partition, profile } => {
                (Some(("primary_partition", primary_partition.to_string())), profile)
            }
            CertificateQuery::AncestorsOf { id, profile } => (Some(("ancestors_of", id.to_string())), profile),
        };
        let of = of.iter().map(|(name, id)| (*name, id.as_str()));
        let query: Vec<(&str, &str)> = of.chain(profile.iter().map(|profile| ("profile", profile.as_str()))).collect();
        let outgoing = Outgoing { query: &query, ..Outgoing::get(Call::Certificates, "certificates/") };
        let body = self.connection.send(&outgoing)?;
        wire::read_certificates(&body).map_err(|error| unexpected(Call::Certificates, error))
    }

    fn request_certificate(
        &self,
        credentials: &Credentials,
        parent: &CertificateId,
        request: &CertificateRequest,
    ) -> Result<UnverifiedCertificate> {
        let body = Some(Body::json(wire::write_certificate_request(parent, request)));
        let outgoing = Outgoing {
            authorization: Some(basic_auth(credentials)),
            ..Outgoing::send(Call::RequestCertificate, Method::POST, "certificates/", body, Repeat::Never)
        };
        let body = self.connection.send(&outgoing)?;
        wire::read_certificate(&body).map_err(|error| unexpected(Call::RequestCertificate, error))
    }

    fn shared_public_key(&self) -> Result<PublicKey> {
        let body = self.connection.send(&Outgoing::get(Call::SharedKey, "publickey/"))?;
        wire::read_shared_key(&body).map_err(|error| unexpected(Call::SharedKey, error))
    }

    fn push_certificate_chain(&self, chain: &[UnverifiedCertificate]) -> Result<()> {
        let body = Some(Body::json(wire::write_pushed_chain(chain)?));
        // The nonce is used up by the first try.
        let path = "certificatechain/";
        let outgoing = Outgoing::send(Call::PushCertificates, Method::POST, path, body, Repeat::Never);
        self.connection.send(&outgoing).map(drop)
    }

    fn create_sync_session(&self, request: &SyncSessionRequest) -> Result<SyncSessionAnswer> {
        let body = Some(Body::json(wire::write_sync_session_request(request)?));
        // The nonce is used up by the first try.
        let outgoing = Outgoing::send(Call::CreateSyncSession, Method::POST, "syncsessions/", body, Repeat::Never);
        let body = self.connection.send(&outgoing)?;
        wire::read_sync_session_answer(&body).map_err(|error| unexpected(Call::CreateSyncSession, error))
    }

    fn sync_session(&self, id: &SyncSessionId) -> Result<()> {
        self.connection.send(&Outgoing::get(Call::SyncSession, &format!("syncsessions/{id}/"))).map(drop)
    }

    fn close_sync_session(&self, id: &SyncSessionId) -> Result<()> {
        let path = format!("syncsessions/{id}/");
        self.close(&Outgoing::send(Call::CloseSyncSession, Method::DELETE, &path, None, Repeat::Safe))
    }

    fn create_transfer_session(&self, request: &TransferSessionRequest) -> Result<RemoteTransfer> {
        let shared = self.shared()?;
        let body = Some(Body::json(wire::write_transfer_session_request(request, &shared)));
        let path = "transfersessions/";
        let outgoing = Outgoing {
            patience: Patience::Stage,
            ..Outgoing::send(Call::CreateTransferSession, Method::POST, path, body, self.repeat_of_work())
        };
        // Who does everything at once has counters to tell when the session is open.
        let is_by_stage = shared.has(Capability::AsyncOperations);
        self.transfer(outgoing, if is_by_stage { Telling::Standing } else { Telling::Counters })
    }

    fn transfer_session(&self, id: &TransferSessionId) -> Result<RemoteTransfer> {
        self.transfer(Outgoing::get(Call::TransferSession, &format!("transfersessions/{id}/")), Telling::Counters)
    }

    fn proceed(&self, id: &TransferSessionId, request: &ProceedRequest) -> Result<RemoteTransfer> {
        let body = Some(Body::json(wire::write_proceed(request, &self.shared()?)));
        let path = format!("transfersessions/{id}/");
        // A Python peer whose answer was lost may be at work still, and would do the stage a second time beside the first.
        let repeat = match request.stage {
            None | Some(Stage::Initializing | Stage::Transferring) => Repeat::Safe,
            Some(_) => Repeat::Never,
        };
        let outgoing =
            Outgoing { patience: Patience::Stage, ..Outgoing::send(Call::Proceed, Method::PATCH, &path, body, repeat) };
        // Counters are exchanged: whoever tells its own wants to know those of the peer.
        let telling = if request.client_fsic.is_some() { Telling::Counters } else { Telling::Standing };
        self.transfer(outgoing, telling)
    }

    fn close_transfer_session(&self, id: &TransferSessionId) -> Result<()> {
        let path = format!("transfersessions/{id}/");
        self.close(&Outgoing {
            patience: Patience::Stage,
            ..Outgoing::send(Call::CloseTransferSession, Method::DELETE, &path, None, self.repeat_of_work())
        })
    }

    fn send_chunk(&self, id: &TransferSessionId, offset: u64, records: &[StoreRecord]) -> Result<()> {
        let takes_gzip = self.shared()?.has(Capability::GzipBufferPost);
        push::send_chunk(&self.connection, id, offset, records, self.compression_level.filter(|_| takes_gzip))
    }

    fn fetch_chunk(&self, id: &TransferSessionId, offset: u64, limit: usize) -> Result<Vec<ReceivedRecord>> {
        pull::fetch_chunk(&self.connection, id, offset, limit)
    }

    fn traffic(&self) -> Traffic {
        self.connection.traffic()
    }
}

/// The header of Basic authentication. The user part is taken as it is: existing peers do not percent-decode it.
fn basic_auth(credentials: &Credentials) -> HeaderValue {
    let text = STANDARD.encode(format!("{}:{}", credentials.user, credentials.password));
    let mut header = HeaderValue::from_str(&format!("Basic {text}")).expect("base64 is plain letters");
    header.set_sensitive(true);
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_part_travels_as_it_is() {
        let header = basic_auth(&Credentials::new("username=ada&facility=1%2", "pass:word"));
        let text = header.to_str().expect("plain letters").strip_prefix("Basic ").expect("the scheme").to_owned();
        assert_eq!(STANDARD.decode(text).expect("base64"), b"username=ada&facility=1%2:pass:word");
        assert!(header.is_sensitive());
    }
}
