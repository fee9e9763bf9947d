//! The one place where a request crosses to a thread that may block: the engine reads and writes its database on that thread.

use axum::extract::Request;
use axum::response::Response;

use super::answer::{Answer, refusal};
use super::asked::Asked;
use crate::transfer::Responder;
use crate::{Error, ErrorKind, Result};

/// What a resource does with a request. It may block.
pub(super) type Work = fn(&Responder, &Asked) -> Result<Answer>;

/// Reads the request, has the work done on a thread that may block, and makes a response of what comes of it.
pub(super) async fn answer(responder: Responder, request: Request, body_bytes_max: usize, work: Work) -> Response {
    let asked = match Asked::read(request, body_bytes_max).await {
        Ok(asked) => asked,
        Err(error) => return refusal(&error),
    };
    blocking(move || {
        let answer = work(&responder, &asked)?;
        Ok(if asked.accepts_gzip() { answer.gzipped() } else { answer })
    })
    .await
}

async fn blocking(work: impl FnOnce() -> Result<Answer> + Send + 'static) -> Response {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(answer)) => answer.into_response(),
        Ok(Err(error)) => refusal(&error),
        Err(failure) => {
            refusal(&Error::new(ErrorKind::Internal, "answer a request: the work panicked").with_source(failure))
        }
    }
}
