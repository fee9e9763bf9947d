//! The one place that sends: headers, counting, bounds, and what a status means.
//!
//! Whatever answers is not trusted. A body is read up to a bound on the line and another one in memory; a redirect is an
//! error, since the peer's address is part of what was agreed; an answer that no Morango peer gives is said to be one.

use std::fmt;
use std::io::Read;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use reqwest::blocking::{Client, Request, RequestBuilder, Response};
use reqwest::{Method, StatusCode, Url, header};

use super::outgoing::{Outgoing, Patience, Timeouts};
use super::retry::{Failure, RetryPolicy};
use super::tls::{self, Trust};
use crate::port::{Clock, Traffic};
use crate::session::Capabilities;
use crate::wire::{self, Call};
use crate::{Error, ErrorKind, Result, limits};

/// Bytes taken from the line at once.
const READ_BYTES: usize = 64 * 1024;

/// Seconds between two questions of TCP whether the other end is still there.
const KEEPALIVE_SECONDS: u64 = 15;

/// Bytes a second that even a bad line carries: so much longer than usual may a large body take to be sent.
const LINE_BYTES_PER_SECOND_MIN: usize = 2 * 1024;

/// A connection to one peer. The lines below it are kept open and shared by threads.
pub(super) struct Connection {
    client: Client,
    base: Url,
    /// What we announce, as the header says it.
    announced: RwLock<header::HeaderValue>,
    accepts_gzip: bool,
    retry: RetryPolicy,
    timeouts: Timeouts,
    clock: Arc<dyn Clock>,
    has_answered: AtomicBool,
    requests: AtomicU64,
    bytes_sent: AtomicU64,
    bytes_received: AtomicU64,
}

impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Connection").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

/// What a connection is made of.
pub(super) struct Settings {
    pub(super) base: Url,
    pub(super) trust: Trust,
    pub(super) accepts_gzip: bool,
    pub(super) retry: RetryPolicy,
    pub(super) timeouts: Timeouts,
    pub(super) clock: Arc<dyn Clock>,
}

impl Connection {
    pub(super) fn open(settings: Settings) -> Result<Self> {
        let tls = tls::config(&settings.base, &settings.trust)?;
        let builder = Client::builder()
            .user_agent(concat!("morango-rust/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(settings.timeouts.connect)
            .tcp_keepalive(Duration::from_secs(KEEPALIVE_SECONDS))
            .http1_only();
        // The client starts a thread of its own and waits for it, which an async caller's thread may not do; ours may.
        let client = std::thread::scope(|scope| scope.spawn(|| builder.build()).join())
            .map_err(|_| Error::new(ErrorKind::Internal, "start the HTTP client: its thread panicked"))?
            .map_err(|error| Error::new(ErrorKind::Configuration, "start the HTTP client").with_source(error))?;
        Ok(Self {
            client,
            base: settings.base,
            announced: RwLock::new(header_of(&Capabilities::ours())),
            accepts_gzip: settings.accepts_gzip,
            retry: settings.retry,
            timeouts: settings.timeouts,
            clock: settings.clock,
            has_answered: false.into(),
            requests: AtomicU64::new(0),
            bytes_sent: AtomicU64::new(0),
            bytes_received: AtomicU64::new(0),
        })
    }

    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    pub(super) fn announce(&self, capabilities: &Capabilities) {
        *self.announced.write().expect("no writer panics") = header_of(capabilities);
    }

    pub(super) fn traffic(&self) -> Traffic {
        Traffic {
            requests: self.requests.load(Ordering::Relaxed),
            bytes_sent: self.bytes_sent.load(Ordering::Relaxed),
            bytes_received: self.bytes_received.load(Ordering::Relaxed),
        }
    }

    /// Makes a call and returns the body of the peer's answer, decompressed. Any answer but a success is an error.
    pub(super) fn send(&self, outgoing: &Outgoing<'_>) -> Result<Vec<u8>> {
        // Where nobody has answered yet there may be nobody, and a person waits to hear that.
        let retry = if self.has_answered.load(Ordering::Relaxed) { self.retry } else { self.retry.at_most(2) };
        retry.run(&*self.clock, outgoing.repeat, || self.send_once(outgoing))
    }

    fn send_once(&self, outgoing: &Outgoing<'_>) -> Result<Vec<u8>, Failure> {
        let request = self.request(outgoing).map_err(Failure::before_sending)?;
        let sent = outgoing.body.as_ref().map_or(0, |body| body.bytes.len());
        self.requests.fetch_add(1, Ordering::Relaxed);
        let mut response = self.client.execute(request).map_err(|error| Failure {
            was_sent: !error.is_connect(),
            ..Failure::after_sending(self.connection_error(outgoing.call, error))
        })?;
        self.has_answered.store(true, Ordering::Relaxed);
        self.bytes_sent.fetch_add(u64::try_from(sent).unwrap_or(u64::MAX), Ordering::Relaxed);
        let retry_after = retry_after(&response);
        self.answer(outgoing, &mut response).map_err(|error| Failure { retry_after, ..Failure::after_sending(error) })
    }

    fn request(&self, outgoing: &Outgoing<'_>) -> Result<Request> {
        let mut url = self
            .base
            .join(wire::BASE_PATH)
            .and_then(|base| base.join(outgoing.path))
            .expect("a path of the protocol is a path below any address");
        if !outgoing.query.is_empty() {
            url.query_pairs_mut().extend_pairs(outgoing.query);
        }
        let length = outgoing.body.as_ref().map_or(0, |body| body.bytes.len());
        let extra = Duration::from_secs((length / LINE_BYTES_PER_SECOND_MIN) as u64);
        let patience = match outgoing.patience {
            Patience::Usual => self.timeouts.answer,
            Patience::Stage => self.timeouts.stage,
        };
        let announced = self.announced.read().expect("no writer panics").clone();
        let mut builder: RequestBuilder = self
            .client
            .request(outgoing.method.clone(), url)
            .timeout(patience + extra)
            .header(header::ACCEPT, "application/json")
            .header(wire::CAPABILITIES_HEADER, announced);
        if self.accepts_gzip {
            builder = builder.header(header::ACCEPT_ENCODING, "gzip");
        }
        if let Some(authorization) = &outgoing.authorization {
            builder = builder.header(header::AUTHORIZATION, authorization.clone());
        }
        if let Some(body) = &outgoing.body {
            builder = builder.header(header::CONTENT_TYPE, body.content_type).body(body.bytes.clone());
        } else if outgoing.method == Method::POST {
            // Some servers refuse a POST that does not say how long it is.
            builder = builder.header(header::CONTENT_LENGTH, "0");
        }
        builder.build().map_err(|error| {
            Error::new(ErrorKind::Internal, format!("{}: make the request", outgoing.call.as_str())).with_source(error)
        })
    }

    fn answer(&self, outgoing: &Outgoing<'_>, response: &mut Response) -> Result<Vec<u8>> {
        let call = outgoing.call;
        let status = response.status();
        if status.is_redirection() {
            return Err(self.redirected(call, status, response));
        }
        let body = self.body(outgoing, response)?;
        if status.is_success() { Ok(body) } else { Err(wire::error_of_answer(call, status.as_u16(), &body)) }
    }

    fn redirected(&self, call: Call, status: StatusCode, response: &Response) -> Error {
        let target =
            response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok()).unwrap_or("nowhere");
        let target = wire::excerpt_of_answer(target.as_bytes());
        let what = format!("{}: the peer answered {} and points to {target:?}", call.as_str(), status.as_u16());
        Error::new(ErrorKind::PeerAnswerUnexpected, what).with_hint(format!(
            "redirects are not followed from {}: if the other address is the peer's, use it",
            self.base
        ))
    }

    /// Reads a body within its bounds, counts it, and decompresses it.
    fn body(&self, outgoing: &Outgoing<'_>, response: &mut Response) -> Result<Vec<u8>> {
        let call = outgoing.call;
        let on_line_max = outgoing.answer_bytes_max.min(limits::BODY_COMPRESSED_BYTES_MAX);
        let too_long = || {
            let what = format!("{}: the answer is longer than {on_line_max} bytes", call.as_str());
            Error::new(ErrorKind::LimitExceeded, what)
        };
        let announced = response.content_length().and_then(|length| usize::try_from(length).ok());
        if announced.is_some_and(|length| length > on_line_max) {
            return Err(too_long());
        }
        let mut body = Vec::with_capacity(announced.unwrap_or(READ_BYTES));
        let began = self.clock.elapsed();
        let mut piece = vec![0; READ_BYTES];
        loop {
            let read = response.read(&mut piece).map_err(|error| self.reading_error(call, error))?;
            if read == 0 {
                break;
            }
            self.bytes_received.fetch_add(read as u64, Ordering::Relaxed);
            if body.len() + read > on_line_max {
                return Err(too_long());
            }
            body.extend_from_slice(&piece[..read]);
            if self.clock.elapsed().saturating_sub(began).as_secs() > limits::ANSWER_BODY_SECONDS_MAX {
                let what = format!("{}: the peer at {} dribbles its answer", call.as_str(), self.base);
                return Err(Error::new(ErrorKind::Timeout, what));
            }
        }
        match response.headers().get(header::CONTENT_ENCODING).map(header::HeaderValue::as_bytes) {
            None | Some(b"" | b"identity") => Ok(body),
            Some(b"gzip" | b"x-gzip") => {
                wire::decompress(&body, outgoing.answer_bytes_max).map_err(|error| unexpected(call, error))
            }
            Some(other) => {
                let other = wire::excerpt_of_answer(other);
                let what = format!("{}: the answer is encoded as {other:?}, which nobody asked for", call.as_str());
                Err(Error::new(ErrorKind::PeerAnswerUnexpected, what))
            }
        }
    }

    fn connection_error(&self, call: Call, error: reqwest::Error) -> Error {
        let (kind, what) = if tls::is_untrusted(&error) {
            (ErrorKind::PeerUntrusted, "is not trusted")
        } else if error.is_connect() {
            (ErrorKind::Connection, "cannot be reached")
        } else if error.is_timeout() {
            (ErrorKind::Timeout, "does not answer in time")
        } else {
            (ErrorKind::Connection, "was lost")
        };
        let error = error.without_url();
        let told = Error::new(kind, format!("{}: the peer at {} {what}", call.as_str(), self.base)).with_source(error);
        match kind {
            ErrorKind::PeerUntrusted => told.with_hint(
                "look whether the address is the peer's and the clock is right; `HttpPeerBuilder::trust_only` trusts an authority of one's own",
            ),
            _ => told,
        }
    }

    fn reading_error(&self, call: Call, error: std::io::Error) -> Error {
        let is_timeout = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<reqwest::Error>())
            .is_some_and(reqwest::Error::is_timeout);
        let kind = if is_timeout { ErrorKind::Timeout } else { ErrorKind::Connection };
        let what = format!("{}: the answer of the peer at {} breaks off", call.as_str(), self.base);
        Error::new(kind, what).with_source(error)
    }
}

/// The pause for which an answer asks before the next try, where it names seconds. A date is passed over: clocks differ.
fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

fn header_of(capabilities: &Capabilities) -> header::HeaderValue {
    header::HeaderValue::from_str(&capabilities.to_string()).expect("names of capabilities are plain letters")
}

/// The error for an answer that was a success and yet cannot be read.
pub(super) fn unexpected(call: Call, error: wire::WireError) -> Error {
    let kind = match &error {
        wire::WireError::Malformed { .. } => ErrorKind::PeerAnswerUnexpected,
        wire::WireError::TooMuch { .. } => ErrorKind::LimitExceeded,
    };
    Error::new(kind, format!("{}: the peer's answer cannot be taken", call.as_str())).with_source(error)
}
