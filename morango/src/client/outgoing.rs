//! One call before it is sent: what is asked, with which body, how long the answer may take and how long it may be.

use std::time::Duration;

use reqwest::{Method, header};

use super::retry::Repeat;
use crate::limits;
use crate::wire::{self, Call};

/// How long to wait for what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    pub(super) connect: Duration,
    pub(super) answer: Duration,
    pub(super) stage: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(limits::CONNECT_SECONDS_MAX),
            answer: Duration::from_secs(limits::ANSWER_SECONDS_MAX),
            stage: Duration::from_secs(limits::STAGE_ANSWER_SECONDS_MAX),
        }
    }
}

/// How long the answer to a call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// The peer has little to do.
    Usual,
    /// A peer may run whole stages before it answers.
    Stage,
}

/// One call to the peer.
pub(super) struct Outgoing<'a> {
    pub(super) call: Call,
    pub(super) method: Method,
    /// Below the base of the protocol, for example `nonces/`.
    pub(super) path: &'a str,
    pub(super) query: &'a [(&'a str, &'a str)],
    pub(super) body: Option<Body>,
    /// The whole `Authorization` header.
    pub(super) authorization: Option<header::HeaderValue>,
    pub(super) repeat: Repeat,
    pub(super) patience: Patience,
    pub(super) answer_bytes_max: usize,
}

/// What is sent with a call.
pub(super) struct Body {
    pub(super) bytes: Vec<u8>,
    pub(super) content_type: &'static str,
}

impl Body {
    pub(super) fn json(bytes: Vec<u8>) -> Self {
        Self { bytes, content_type: "application/json" }
    }

    pub(super) fn gzip(bytes: Vec<u8>) -> Self {
        Self { bytes, content_type: wire::GZIP_TYPE }
    }
}

impl<'a> Outgoing<'a> {
    /// A question: no body, safe to repeat.
    pub(super) fn get(call: Call, path: &'a str) -> Self {
        Self {
            call,
            method: Method::GET,
            path,
            query: &[],
            body: None,
            authorization: None,
            repeat: Repeat::Safe,
            patience: Patience::Usual,
            answer_bytes_max: limits::SMALL_BODY_BYTES_MAX,
        }
    }

    /// A body that is sent to the peer.
    pub(super) fn send(call: Call, method: Method, path: &'a str, body: Option<Body>, repeat: Repeat) -> Self {
        Self { method, body, repeat, ..Self::get(call, path) }
    }
}
