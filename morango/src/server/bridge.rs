//! The one place where a request crosses to a thread that may block: the engine reads and writes its database on that thread.

use axum::extract::Request;
use axum::http::Uri;
use axum::response::Response;

use super::answer::{Answer, refusal};
use super::asked::{self, Asked};
use super::room::Room;
use crate::transfer::Responder;
use crate::{Error, ErrorKind, Result};

/// What a resource does with a request. It may block.
pub(super) type Work = fn(&Responder, &Asked) -> Result<Answer>;

/// What is looked up of somebody who comes with a long body, before it is read. It may block.
pub(super) type Lookup = fn(&Responder, &Uri) -> Result<()>;

/// How requests of one kind are answered.
#[derive(Clone, Copy)]
pub(super) struct Task {
    pub(super) work: Work,
    /// Bytes of the longest body, on the line and decompressed.
    pub(super) body_bytes_max: usize,
    pub(super) lookup: Option<Lookup>,
}

/// Where requests are answered: the peer, and the room that there is for what they bring.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) responder: Responder,
    pub(super) room: Room,
}

/// Reads the request, has the work done on a thread that may block, and makes a response of what comes of it.
pub(super) async fn answer(place: Place, request: Request, task: Task) -> Response {
    let Place { responder, room } = place;
    if let Some(lookup) = task.lookup
        && asked::may_be_long(&request)
    {
        let (responder, uri) = (responder.clone(), asked::uri_of(&request));
        if let Err(error) = blocking(move || lookup(&responder, &uri)).await {
            return refusal(&error);
        }
    }
    let asked = match Asked::read(request, task.body_bytes_max, room).await {
        Ok(asked) => asked,
        Err(unread) => return unread.into_response(),
    };
    let answered = blocking(move || {
        let answer = (task.work)(&responder, &asked)?;
        Ok(if asked.accepts_gzip() { answer.gzipped() } else { answer })
    });
    answered.await.map_or_else(|error| refusal(&error), Answer::into_response)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|failure| {
        Err(Error::new(ErrorKind::Internal, "answer a request: the work panicked").with_source(failure))
    })
}
