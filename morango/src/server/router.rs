//! Which path and method leads where.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, any, on};

use super::answer::http_refusal;
use super::bridge::{self, Place, Task, Work};
use super::room::Room;
use super::{buffers, certificates, info, nonces, sync_sessions, transfer_sessions};
use crate::engine::Engine;
use crate::limits;
use crate::port::Accounts;
use crate::transfer::Responder;

/// The answering side as a router, to be merged into an application's own.
///
/// Its paths are those of the protocol, `/api/morango/v1/…/`. It brings no fallback and no layers. Where the application serves
/// with connect info (`into_make_service_with_connect_info::<SocketAddr>()`), sessions are kept with the caller's address.
///
/// What callers send is bounded, one by one and all together, and does not wait for ever: the runtime's timer must be on.
pub fn router(responder: Responder) -> Router {
    let path = |path: &str| format!("/{}{path}", crate::wire::BASE_PATH);
    let (small, counters) = (limits::SMALL_BODY_BYTES_MAX, limits::COUNTERS_BODY_BYTES_MAX);
    Router::new()
        .route(&path("morangoinfo/{number}/"), get(info::show))
        .route(&path("nonces/"), post(nonces::create, small))
        .route(&path("certificates/"), get(certificates::list).merge(post(certificates::create, small)))
        .route(&path("publickey/"), get(certificates::share_key))
        .route(&path("certificatechain/"), method(MethodFilter::POST, TAKE_PUSHED))
        .route(&path("syncsessions/"), post(sync_sessions::create, small))
        .route(&path("syncsessions/{id}/"), get(sync_sessions::show).merge(delete(sync_sessions::close)))
        .route(&path("transfersessions/"), post(transfer_sessions::create, counters))
        .route(
            &path("transfersessions/{id}/"),
            get(transfer_sessions::show)
                .merge(method(MethodFilter::PATCH, PROCEED))
                .merge(delete(transfer_sessions::close)),
        )
        .route(&path("buffers/"), get(buffers::list).merge(post(buffers::create, limits::BODY_BYTES_MAX)))
        .route(&path(""), any(no_such_path))
        .route(&path("{*rest}"), any(no_such_path))
        .method_not_allowed_fallback(no_such_method)
        .with_state(Place { responder, room: Room::new() })
}

impl Engine {
    /// The answering side of this engine as a router, to be merged into an application's own; see [`router`].
    ///
    /// `accounts` decides who is given certificates; [`NoAccounts`](crate::port::NoAccounts) gives none to anybody.
    pub fn router(&self, accounts: impl Accounts) -> Router {
        router(self.responder(accounts))
    }
}

const PROCEED: Task = Task {
    work: transfer_sessions::proceed,
    body_bytes_max: limits::COUNTERS_BODY_BYTES_MAX,
    lookup: Some(transfer_sessions::look_up),
};

const TAKE_PUSHED: Task = Task {
    work: certificates::take_pushed,
    body_bytes_max: limits::SMALL_BODY_BYTES_MAX,
    lookup: Some(certificates::look_up_pushing),
};

/// A task that is done for a request of this method.
fn method(method: MethodFilter, task: Task) -> MethodRouter<Place> {
    on(method, move |State(place): State<Place>, request: Request| bridge::answer(place, request, task))
}

fn get(work: Work) -> MethodRouter<Place> {
    method(MethodFilter::GET, Task { work, body_bytes_max: 0, lookup: None })
}

fn post(work: Work, body_bytes_max: usize) -> MethodRouter<Place> {
    method(MethodFilter::POST, Task { work, body_bytes_max, lookup: None })
}

fn delete(work: Work) -> MethodRouter<Place> {
    method(MethodFilter::DELETE, Task { work, body_bytes_max: 0, lookup: None })
}

async fn no_such_path() -> Response {
    http_refusal(StatusCode::NOT_FOUND, "there is nothing at this path", "not-found")
}

async fn no_such_method(request: Request) -> Response {
    let detail = format!("{} is not allowed here", request.method());
    http_refusal(StatusCode::METHOD_NOT_ALLOWED, &detail, "method-not-allowed")
}
