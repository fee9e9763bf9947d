//! What was asked, read from the line within its bounds and before anything is believed.

use std::pin::Pin;

use axum::body::{Body, HttpBody};
use axum::extract::{OriginalUri, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri, header};

use super::auth;
use crate::transfer::Caller;
use crate::wire::{self, GZIP_TYPE};
use crate::{Error, ErrorKind, Result, limits};

/// A request whose body has arrived.
pub(super) struct Asked {
    pub(super) caller: Caller,
    pub(super) headers: HeaderMap,
    pub(super) uri: Uri,
    on_line: Vec<u8>,
    bytes_max: usize,
}

impl Asked {
    /// Reads a request whose body may be of so many bytes, compressed and decompressed.
    pub(super) async fn read(request: Request, bytes_max: usize) -> Result<Self> {
        let (parts, body) = request.into_parts();
        let on_line_max = bytes_max.min(limits::BODY_COMPRESSED_BYTES_MAX);
        let on_line = read_body(&parts.headers, body, on_line_max).await?;
        let caller = auth::caller(&parts);
        Ok(Self { caller, uri: uri_of(&parts), headers: parts.headers, on_line, bytes_max })
    }

    /// The body, decompressed.
    pub(super) fn body(&self) -> Result<std::borrow::Cow<'_, [u8]>> {
        let header = |name| self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().trim();
        let is_gzip_type = header(header::CONTENT_TYPE).split(';').next().is_some_and(|kind| kind.trim() == GZIP_TYPE);
        let is_gzipped = match header(header::CONTENT_ENCODING) {
            "" | "identity" => is_gzip_type,
            "gzip" | "x-gzip" => true,
            other => {
                let what = format!("read a body that is encoded as {:?}", crate::id::excerpt(other));
                return Err(Error::new(ErrorKind::MessageMalformed, what));
            }
        };
        if is_gzipped {
            Ok(wire::decompress(&self.on_line, self.bytes_max)?.into())
        } else {
            Ok((&*self.on_line).into())
        }
    }

    /// The last part of the path, for example the id in `transfersessions/ID/`.
    ///
    /// # Errors
    /// [`ErrorKind::SessionUnknown`]: what is no id is the id of nothing.
    pub(super) fn id<T: std::str::FromStr>(&self) -> Result<T> {
        let last = self.uri.path().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        last.parse().map_err(|_| {
            Error::new(ErrorKind::SessionUnknown, format!("find {:?}: it is no id", crate::id::excerpt(last)))
        })
    }

    /// The values behind the question mark.
    pub(super) fn query(&self) -> Result<Vec<(String, String)>> {
        Query::try_from_uri(&self.uri).map(|Query(pairs)| pairs).map_err(|problem| {
            Error::new(ErrorKind::InvalidInput, "read what stands behind the question mark").with_source(problem)
        })
    }

    /// Whether the caller takes gzipped answers.
    pub(super) fn accepts_gzip(&self) -> bool {
        let values = self.headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|coding| {
            let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
            let weight: String = weight.chars().filter(|character| !character.is_whitespace()).collect();
            let is_refused = weight.strip_prefix("q=").is_some_and(|number| number.parse() == Ok(0.0_f32));
            name.trim().eq_ignore_ascii_case("gzip") && !is_refused
        })
    }
}

/// The address as the caller wrote it, wherever the application mounts the router.
fn uri_of(parts: &Parts) -> Uri {
    parts.extensions.get::<OriginalUri>().map_or_else(|| parts.uri.clone(), |OriginalUri(uri)| uri.clone())
}

async fn read_body(headers: &HeaderMap, mut body: Body, bytes_max: usize) -> Result<Vec<u8>> {
    let too_long = || Error::new(ErrorKind::LimitExceeded, format!("read a body of more than {bytes_max} bytes"));
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > bytes_max) {
        return Err(too_long());
    }
    let mut bytes = Vec::new();
    while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|error| Error::new(ErrorKind::MessageMalformed, "read a body").with_source(error))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > bytes_max {
            return Err(too_long());
        }
        if bytes.is_empty() {
            // What was announced is asked for once; a caller that announces much and sends little gets no more than this.
            bytes.reserve(announced.unwrap_or(0).clamp(data.len(), 1024 * 1024));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(request: Request, bytes_max: usize) -> Result<Asked> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(Asked::read(request, bytes_max))
    }

    fn post(headers: &[(&str, &str)], body: impl Into<Body>) -> Request {
        let mut builder = Request::post("/api/morango/v1/transfersessions/0123456789abcdef0123456789abcdef/?a=b+c&a=d");
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(body.into()).expect("a request")
    }

    #[test]
    fn a_body_is_read_plain_or_gzipped_in_both_ways_of_saying_so() {
        let gzipped = wire::compress(b"[1]", 6);
        for request in [
            post(&[("content-type", "application/json")], "[1]"),
            post(&[("content-type", "application/gzip")], gzipped.clone()),
            post(
                &[("content-type", "application/gzip; charset=binary"), ("content-encoding", "identity")],
                gzipped.clone(),
            ),
            post(&[("content-type", "application/json"), ("content-encoding", "gzip")], gzipped.clone()),
        ] {
            assert_eq!(&*read(request, 100).expect("short").body().expect("readable"), b"[1]");
        }
        let asked = read(post(&[("content-encoding", "br")], gzipped), 100).expect("short");
        assert_eq!(asked.body().expect_err("nobody speaks that").kind(), ErrorKind::MessageMalformed);
    }

    #[test]
    fn a_body_over_the_bound_is_refused_on_the_line_and_in_memory() {
        let kind = |result: Result<Asked>| result.map(|_| ()).expect_err("too long").kind();
        assert_eq!(kind(read(post(&[("content-length", "101")], Body::empty()), 100)), ErrorKind::LimitExceeded);
        assert_eq!(kind(read(post(&[], vec![b' '; 101]), 100)), ErrorKind::LimitExceeded);
        let bomb = wire::compress(&[b' '; 10_000], 9);
        let asked = read(post(&[("content-type", "application/gzip")], bomb), 1_000).expect("short on the line");
        assert_eq!(asked.body().expect_err("a bomb").kind(), ErrorKind::LimitExceeded);
    }

    #[test]
    fn the_path_and_the_query_are_read() {
        let asked = read(post(&[], ""), 100).expect("nothing");
        let id: crate::id::TransferSessionId = asked.id().expect("an id");
        assert_eq!(id.to_string(), "0123456789abcdef0123456789abcdef");
        let pairs = [("a", "b c"), ("a", "d")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(asked.query().expect("well-formed"), pairs);
        let elsewhere = Request::get("/api/morango/v1/transfersessions/none/").body(Body::empty()).expect("a request");
        let error = read(elsewhere, 100).expect("nothing").id::<crate::id::TransferSessionId>().expect_err("no id");
        assert_eq!(error.kind(), ErrorKind::SessionUnknown);
    }

    #[test]
    fn an_answer_is_gzipped_for_those_who_take_it() {
        for (value, expected) in
            [("gzip, deflate", true), ("deflate;q=1, GZIP ; q=0.5", true), ("gzip;q=0", false), ("br", false)]
        {
            assert_eq!(read(post(&[("accept-encoding", value)], ""), 1).expect("nothing").accepts_gzip(), expected);
        }
    }
}
