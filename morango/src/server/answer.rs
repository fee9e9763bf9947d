//! What goes back: statuses, bodies, and errors as bodies.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use crate::wire::{self, Problem};
use crate::{Error, ErrorKind};

/// The gzip level of answers: a page is compressed while the client waits for it.
const COMPRESSION_LEVEL: u32 = 1;

/// Bytes of the smallest body that is worth compressing.
const COMPRESSED_BYTES_MIN: usize = 1024;

/// An answer before it is an HTTP response.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    status: StatusCode,
    /// JSON, or nothing.
    body: Vec<u8>,
    is_gzipped: bool,
}

impl Answer {
    /// 200 with a JSON body.
    pub(super) fn ok(body: Vec<u8>) -> Self {
        Self { status: StatusCode::OK, body, is_gzipped: false }
    }

    /// 201 with a JSON body, or with an empty one.
    pub(super) fn created(body: Vec<u8>) -> Self {
        Self { status: StatusCode::CREATED, ..Self::ok(body) }
    }

    /// 202 with a JSON body: it is begun and not finished.
    pub(super) fn accepted(body: Vec<u8>) -> Self {
        Self { status: StatusCode::ACCEPTED, ..Self::ok(body) }
    }

    /// 204: it is done, and there is nothing to say.
    pub(super) fn nothing() -> Self {
        Self { status: StatusCode::NO_CONTENT, ..Self::ok(Vec::new()) }
    }

    /// The same with a body that is gzipped where that is worth it.
    pub(super) fn gzipped(self) -> Self {
        if self.body.len() < COMPRESSED_BYTES_MIN {
            return self;
        }
        Self { body: wire::compress(&self.body, COMPRESSION_LEVEL), is_gzipped: true, ..self }
    }

    pub(super) fn into_response(self) -> Response {
        let mut headers = Vec::new();
        if !self.body.is_empty() {
            headers.push((header::CONTENT_TYPE, HeaderValue::from_static("application/json")));
        }
        if self.is_gzipped {
            headers.push((header::CONTENT_ENCODING, HeaderValue::from_static("gzip")));
        }
        if self.is_gzipped || self.body.len() >= COMPRESSED_BYTES_MIN {
            headers.push((header::VARY, HeaderValue::from_static("Accept-Encoding")));
        }
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        response.headers_mut().extend(headers);
        response
    }
}

/// An error as a response: a status, and a body with a code.
pub(super) fn refusal(error: &Error) -> Response {
    let status = StatusCode::from_u16(wire::status_of(error.kind())).expect("the table holds statuses");
    if status.is_server_error() {
        tracing::error!(error = error.report(), "a request failed");
    } else {
        tracing::debug!(error = error.report(), "a request is refused");
    }
    let mut response = Answer { status, ..Answer::ok(wire::problem_body(error)) }.into_response();
    if error.kind() == ErrorKind::Unauthenticated {
        let scheme = HeaderValue::from_static("Basic realm=\"api\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
    }
    response
}

/// A refusal of HTTP's own: no such path, no such method.
pub(super) fn http_refusal(status: StatusCode, detail: &str, code: &str) -> Response {
    let problem = Problem { detail: detail.to_owned(), code: code.to_owned() };
    let body = serde_json::to_vec(&problem).expect("texts are JSON");
    Answer { status, ..Answer::ok(body) }.into_response()
}
