//! How a peer is to be called: its address, and settings where the defaults do not fit.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;

use super::connection::{Connection, Settings};
use super::http_peer::HttpPeer;
use super::outgoing::Timeouts;
use super::retry::RetryPolicy;
use super::tls::Trust;
use crate::port::{Clock, SystemClock};
use crate::{Error, ErrorKind, Result};

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
    pub(super) fn new(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            trust: Trust::System,
            compression: Compression::ByDistance,
            retry: RetryPolicy::default(),
            timeouts: Timeouts::default(),
            clock: Arc::new(SystemClock::default()),
        }
    }

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
        Ok(HttpPeer::of(connection, compression_level))
    }
}

/// An address as the base of all calls: `http` or `https`, ending in a slash, with nothing behind its path.
fn base_of(address: &str) -> Result<Url> {
    // What stands before an @ may be a password, so such an address is not repeated.
    let shown =
        if address.contains('@') { "what was given".to_owned() } else { format!("{:?}", crate::id::excerpt(address)) };
    let refused = |why: &str| {
        Error::new(ErrorKind::InvalidInput, format!("take {shown} as a peer's address: {why}"))
            .with_hint("an address looks like http://192.0.2.7:8080/")
    };
    let mut url = Url::parse(address.trim()).map_err(|error| refused(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refused("it begins neither with http:// nor with https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        let hint = "credentials are given where a certificate is asked for";
        return Err(refused("it has credentials in it").with_hint(hint));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::Peer;

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
        for address in [
            "",
            "192.0.2.7:8080",
            "ftp://a/",
            "http://",
            "http://a/?b",
            "http://user:secret@a/",
            "ftp://user:secret@a/",
            "http://user:secret@a b/",
        ] {
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
}
