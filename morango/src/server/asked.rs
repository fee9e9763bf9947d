//! What was asked, read from the line within its bounds and before anything is believed.

use std::borrow::Cow;
use std::ops::Deref;
use std::pin::Pin;

use axum::body::{Body, HttpBody};
use axum::extract::{OriginalUri, Query, Request};
use axum::http::{Extensions, HeaderMap, StatusCode, Uri, header};
use axum::response::Response;
use tokio::time::{Instant, timeout_at};

use super::answer::{http_refusal, refusal};
use super::auth;
use super::room::{Room, Taken};
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
    room: Room,
    /// The room that the body takes.
    _taken: Taken,
}

/// Why a body was not read.
#[derive(Debug)]
pub(super) enum Unread {
    /// It is not what it may be.
    Wrong(Error),
    /// The server holds as much for others as it can.
    NoRoom,
    /// It did not come in time.
    TooSlow,
}

impl Unread {
    pub(super) fn into_response(self) -> Response {
        match self {
            Self::Wrong(error) => refusal(&error),
            Self::NoRoom => {
                tracing::warn!("a body is refused: those of others fill the room that there is");
                let detail = "this peer is taking as much from others as it can; try again";
                http_refusal(StatusCode::SERVICE_UNAVAILABLE, detail, "busy")
            }
            Self::TooSlow => {
                http_refusal(StatusCode::REQUEST_TIMEOUT, "the body did not come in time", "request-timeout")
            }
        }
    }
}

/// A body, decompressed, and the room that it takes.
#[derive(Debug)]
pub(super) struct Bytes<'a> {
    bytes: Cow<'a, [u8]>,
    _taken: Taken,
}

impl Deref for Bytes<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Asked {
    /// Reads a request whose body may be of so many bytes, compressed and decompressed.
    pub(super) async fn read(request: Request, bytes_max: usize, room: Room) -> std::result::Result<Self, Unread> {
        let uri = uri_of(&request);
        let (parts, body) = request.into_parts();
        let on_line_max = bytes_max.min(limits::BODY_COMPRESSED_BYTES_MAX);
        let mut taken = Taken::default();
        let on_line = read_body(&parts.headers, body, on_line_max, (&room, &mut taken)).await?;
        let caller = auth::caller(&parts);
        Ok(Self { caller, uri, headers: parts.headers, on_line, bytes_max, room, _taken: taken })
    }

    /// The body, decompressed. This waits where others fill the room that there is for decompressed bodies.
    pub(super) fn body(&self) -> Result<Bytes<'_>> {
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
        if !is_gzipped {
            return Ok(Bytes { bytes: Cow::Borrowed(&self.on_line), _taken: Taken::default() });
        }
        let mut taken = self.room.wait_to_decompress(self.bytes_max);
        let bytes = wire::decompress(&self.on_line, self.bytes_max)?;
        taken.shrink(bytes.len());
        Ok(Bytes { bytes: bytes.into(), _taken: taken })
    }

    /// The last part of the path, for example the id in `transfersessions/ID/`.
    ///
    /// # Errors
    /// [`ErrorKind::SessionUnknown`]: what is no id is the id of nothing.
    pub(super) fn id<T: std::str::FromStr>(&self) -> Result<T> {
        id_in(&self.uri)
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
pub(super) fn uri_of(request: &Request) -> Uri {
    let original = Extensions::get::<OriginalUri>(request.extensions());
    original.map_or_else(|| request.uri().clone(), |OriginalUri(uri)| uri.clone())
}

/// The last part of an address's path as an id; see [`Asked::id`].
pub(super) fn id_in<T: std::str::FromStr>(uri: &Uri) -> Result<T> {
    let last = uri.path().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    last.parse()
        .map_err(|_| Error::new(ErrorKind::SessionUnknown, format!("find {:?}: it is no id", crate::id::excerpt(last))))
}

/// Whether the body of a request is long, or does not say how long it is.
pub(super) fn may_be_long(request: &Request) -> bool {
    announced(request.headers()).is_none_or(|length| length > limits::BODY_UNASKED_BYTES_MAX)
}

fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok())
}

async fn read_body(
    headers: &HeaderMap,
    mut body: Body,
    bytes_max: usize,
    (room, taken): (&Room, &mut Taken),
) -> std::result::Result<Vec<u8>, Unread> {
    let too_long =
        || Unread::Wrong(Error::new(ErrorKind::LimitExceeded, format!("read a body of more than {bytes_max} bytes")));
    let announced = announced(headers);
    if announced.is_some_and(|length| length > bytes_max) {
        return Err(too_long());
    }
    let mut bytes = Vec::new();
    let end = Instant::now() + room.whole;
    loop {
        let next = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context));
        let Some(frame) = in_time(room, end, next).await? else { break };
        let frame = frame.map_err(|error| {
            Unread::Wrong(Error::new(ErrorKind::MessageMalformed, "read a body").with_source(error))
        })?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > bytes_max {
            return Err(too_long());
        }
        if !room.grow(taken, bytes.len() + data.len()) {
            return Err(Unread::NoRoom);
        }
        if bytes.is_empty() {
            // What was announced is asked for once; a caller that announces much and sends little gets no more than this.
            bytes.reserve(announced.unwrap_or(0).clamp(data.len(), 1024 * 1024));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// Waits for the next piece of a body, which has to be there as a whole at `end`.
async fn in_time<T>(room: &Room, end: Instant, next: impl Future<Output = T>) -> std::result::Result<T, Unread> {
    timeout_at(end.min(Instant::now() + room.quiet), next).await.map_err(|_| Unread::TooSlow)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn read_in(room: &Room, request: Request, bytes_max: usize) -> std::result::Result<Asked, Unread> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(Asked::read(request, bytes_max, room.clone()))
    }

    fn read(request: Request, bytes_max: usize) -> Result<Asked> {
        read_in(&Room::new(), request, bytes_max).map_err(|unread| match unread {
            Unread::Wrong(error) => error,
            other => panic!("{other:?}"),
        })
    }

    /// Looks at a body as a thread does that may block.
    fn look<T: Send + 'static>(asked: Asked, look: impl FnOnce(Result<Bytes<'_>>) -> T + Send + 'static) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(runtime.spawn_blocking(move || look(asked.body()))).expect("it does not panic")
    }

    #[test]
    fn a_body_that_does_not_come_is_not_waited_for() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let (short, long) = (Duration::ZERO, Duration::from_secs(3_600));
        for (quiet, whole) in [(short, long), (long, short)] {
            let mut room = Room::new();
            (room.quiet, room.whole) = (quiet, whole);
            let waited = runtime.block_on(async {
                let end = Instant::now() + room.whole;
                in_time(&room, end, std::future::pending::<()>()).await
            });
            assert!(matches!(waited, Err(Unread::TooSlow)));
        }
    }

    #[test]
    fn the_bodies_of_all_callers_together_are_bounded() {
        let room = Room::of(10 * 1024, 0);
        let first = read_in(&room, post(&[], vec![b' '; 6 * 1024]), 10 * 1024).expect("there is room");
        assert!(matches!(read_in(&room, post(&[], vec![b' '; 5 * 1024]), 10 * 1024), Err(Unread::NoRoom)));
        drop(first);
        assert!(read_in(&room, post(&[], vec![b' '; 5 * 1024]), 10 * 1024).is_ok());
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
            let asked = read(request, 100).expect("short");
            look(asked, |body| assert_eq!(&*body.expect("readable"), b"[1]"));
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
        look(asked, |body| assert_eq!(body.expect_err("a bomb").kind(), ErrorKind::LimitExceeded));
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
