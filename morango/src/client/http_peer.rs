//! A peer elsewhere, as the engine sees one.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use reqwest::{Method, Url};

use super::connection::{Body, Connection, Outgoing, Patience, Settings, Timeouts, unexpected};
use super::retry::{Repeat, RetryPolicy};
use super::tls::Trust;
use super::{pull, push};
use crate::id::{CertificateId, SyncSessionId, TransferSessionId};
use crate::identity::{CertificateRequest, UnverifiedCertificate};
use crate::port::{
    CertificateQuery, Clock, Credentials, Peer, PeerInfo, ProceedRequest, ReceivedRecord, RemoteTransfer,
    SyncSessionAnswer, SyncSessionRequest, SystemClock, Traffic, TransferSessionRequest,
};
use crate::record::StoreRecord;
use crate::session::{Capabilities, Capability};
use crate::wire::{self, Call};
use crate::{Error, ErrorKind, Result};

/// The gzip level of sent records. Level 1 leaves half as many bytes again, higher ones save a few per cent for a third more time.
const COMPRESSION_LEVEL_DEFAULT: u32 = 2;

/// Whether records are compressed on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compression {
    /// Unless the peer is on this machine, where bytes cost nothing and compressing them takes as long as reading them.
    ByDistance,
    /// At this level.
    Level(u32),
    /// Never.
    Off,
}

impl Compression {
    /// The level for the peer at this address.
    fn level(self, base: &Url) -> Option<u32> {
        match self {
            Self::ByDistance => (!is_this_machine(base)).then_some(COMPRESSION_LEVEL_DEFAULT),
            Self::Level(level) => Some(level),
            Self::Off => None,
        }
    }
}

fn is_this_machine(base: &Url) -> bool {
    let host = base.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

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

/// How a peer is to be called, where the defaults do not fit.
#[derive(Clone)]
pub struct HttpPeerBuilder {
    address: String,
    trust: Trust,
    compression: Compression,
    retry: RetryPolicy,
    timeouts: Timeouts,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for HttpPeerBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("HttpPeerBuilder").field("address", &self.address).finish_non_exhaustive()
    }
}

impl HttpPeerBuilder {
    /// How long to wait for a connection, and for an answer of a peer that has little to do. The defaults are
    /// [`limits::CONNECT_SECONDS_MAX`](crate::limits::CONNECT_SECONDS_MAX) and
    /// [`limits::ANSWER_SECONDS_MAX`](crate::limits::ANSWER_SECONDS_MAX).
    #[must_use]
    pub fn timeouts(mut self, connect: Duration, answer: Duration) -> Self {
        self.timeouts = Timeouts { connect, answer, ..self.timeouts };
        self
    }

    /// How long to wait for an answer to a call for which the peer may run whole stages: opening a transfer session, having it
    /// proceed, closing it. Python peers answer when the stage is done.
    #[must_use]
    pub fn stage_timeout(mut self, stage: Duration) -> Self {
        self.timeouts.stage = stage;
        self
    }

    /// How often a failed call is made again.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// The gzip level of records that are sent to a peer that takes gzip: 1 (fast) to 9 (small). Without this, records to and from
    /// a peer on this same machine are not compressed.
    #[must_use]
    pub fn compression_level(mut self, level: u32) -> Self {
        self.compression = Compression::Level(level.clamp(1, 9));
        self
    }

    /// Neither sends nor asks for compressed records: for a line that is faster than the processors.
    #[must_use]
    pub fn without_compression(mut self) -> Self {
        self.compression = Compression::Off;
        self
    }

    /// Trusts only the authorities of this PEM text, and not those of the operating system: for a school with one of its own.
    #[must_use]
    pub fn trust_only(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.trust = Trust::Only(pem.into());
        self
    }

    /// The clock for pauses and bounds of time.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The peer. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for an address that is none, [`ErrorKind::Configuration`] where TLS cannot be set up.
    pub fn build(self) -> Result<HttpPeer> {
        let base = base_of(&self.address)?;
        let compression_level = self.compression.level(&base);
        let connection = Connection::open(Settings {
            base,
            trust: self.trust,
            accepts_gzip: compression_level.is_some(),
            retry: self.retry,
            timeouts: self.timeouts,
            clock: self.clock,
        })?;
        Ok(HttpPeer { connection, compression_level, ours: Mutex::new(Capabilities::ours()), info: Mutex::new(None) })
    }
}

/// An address as the base of all calls: `http` or `https`, ending in a slash, with nothing behind its path.
fn base_of(address: &str) -> Result<Url> {
    let refused = |why: &str| {
        Error::new(
            ErrorKind::InvalidInput,
            format!("take {:?} as a peer's address: {why}", crate::id::excerpt(address)),
        )
        .with_hint("an address looks like http://192.0.2.7:8080/")
    };
    let mut url = Url::parse(address.trim()).map_err(|error| refused(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refused("it begins neither with http:// nor with https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        // Not even quoted: what stands there may be a password.
        return Err(Error::new(ErrorKind::InvalidInput, "take a peer's address: it has credentials in it")
            .with_hint("credentials are given where a certificate is asked for"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused("it has a query or a fragment"));
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
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
        HttpPeerBuilder {
            address: address.to_owned(),
            trust: Trust::System,
            compression: Compression::ByDistance,
            retry: RetryPolicy::default(),
            timeouts: Timeouts::default(),
            clock: Arc::new(SystemClock::default()),
        }
    }

    /// What both sides can do.
    fn shared(&self) -> Result<Capabilities> {
        let theirs = self.info()?.capabilities;
        Ok(self.ours.lock().expect("no holder panics").shared_with(&theirs))
    }

    fn transfer(&self, outgoing: &Outgoing<'_>) -> Result<RemoteTransfer> {
        let body = self.connection.send(outgoing)?;
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

    fn create_sync_session(&self, request: &SyncSessionRequest) -> Result<SyncSessionAnswer> {
        let body = Some(Body::json(wire::write_sync_session_request(request)?));
        // The nonce is used up by the first try.
        let outgoing = Outgoing::send(Call::CreateSyncSession, Method::POST, "syncsessions/", body, Repeat::Never);
        let body = self.connection.send(&outgoing)?;
        wire::read_sync_session_answer(&body).map_err(|error| unexpected(Call::CreateSyncSession, error))
    }

    fn close_sync_session(&self, id: &SyncSessionId) -> Result<()> {
        let path = format!("syncsessions/{id}/");
        self.close(&Outgoing::send(Call::CloseSyncSession, Method::DELETE, &path, None, Repeat::Safe))
    }

    fn create_transfer_session(&self, request: &TransferSessionRequest) -> Result<RemoteTransfer> {
        let body = Some(Body::json(wire::write_transfer_session_request(request, &self.shared()?)));
        // A second one takes up the first.
        let path = "transfersessions/";
        self.transfer(&Outgoing {
            patience: Patience::Stage,
            ..Outgoing::send(Call::CreateTransferSession, Method::POST, path, body, Repeat::Safe)
        })
    }

    fn transfer_session(&self, id: &TransferSessionId) -> Result<RemoteTransfer> {
        self.transfer(&Outgoing::get(Call::TransferSession, &format!("transfersessions/{id}/")))
    }

    fn proceed(&self, id: &TransferSessionId, request: &ProceedRequest) -> Result<RemoteTransfer> {
        let body = Some(Body::json(wire::write_proceed(request, &self.shared()?)));
        let path = format!("transfersessions/{id}/");
        self.transfer(&Outgoing {
            patience: Patience::Stage,
            ..Outgoing::send(Call::Proceed, Method::PATCH, &path, body, Repeat::Safe)
        })
    }

    fn close_transfer_session(&self, id: &TransferSessionId) -> Result<()> {
        let path = format!("transfersessions/{id}/");
        self.close(&Outgoing {
            patience: Patience::Stage,
            ..Outgoing::send(Call::CloseTransferSession, Method::DELETE, &path, None, Repeat::Safe)
        })
    }

    fn send_chunk(&self, id: &TransferSessionId, records: &[StoreRecord]) -> Result<()> {
        let takes_gzip = self.shared()?.has(Capability::GzipBufferPost);
        push::send_chunk(&self.connection, id, records, self.compression_level.filter(|_| takes_gzip))
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
    fn an_address_becomes_the_base_of_all_calls() {
        for (address, base) in [
            ("http://192.0.2.7:8080", "http://192.0.2.7:8080/"),
            (" https://school.example/sync ", "https://school.example/sync/"),
            ("http://[2001:db8::1]/", "http://[2001:db8::1]/"),
        ] {
            assert_eq!(HttpPeer::new(address).expect("a good address").location(), base);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_and_a_password_in_it_is_not_repeated() {
        for address in ["", "192.0.2.7:8080", "ftp://a/", "http://", "http://a/?b", "http://user:secret@a/"] {
            let error = HttpPeer::new(address).expect_err(address);
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{address}");
            assert!(!error.report().contains("secret"));
        }
    }

    #[test]
    fn records_are_compressed_unless_the_peer_is_on_this_machine_or_somebody_says_otherwise() {
        let level = |address: &str, compression: Compression| compression.level(&base_of(address).expect("an address"));
        for near in ["http://127.0.0.1:80/", "http://localhost/", "http://[::1]:8080/"] {
            assert_eq!(level(near, Compression::ByDistance), None);
            assert_eq!(level(near, Compression::Level(9)), Some(9));
        }
        assert_eq!(level("http://192.0.2.7/", Compression::ByDistance), Some(COMPRESSION_LEVEL_DEFAULT));
        assert_eq!(level("http://192.0.2.7/", Compression::Off), None);
    }

    #[test]
    fn the_user_part_travels_as_it_is() {
        let header = basic_auth(&Credentials::new("username=ada&facility=1%2", "pass:word"));
        let text = header.to_str().expect("plain letters").strip_prefix("Basic ").expect("the scheme").to_owned();
        assert_eq!(STANDARD.decode(text).expect("base64"), b"username=ada&facility=1%2:pass:word");
        assert!(header.is_sensitive());
    }
}
