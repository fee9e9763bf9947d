//! Which path and method leads where.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, any, on};

use super::answer::http_refusal;
use super::bridge::{self, Work};
use super::{buffers, certificates, info, nonces, sync_sessions, transfer_sessions};
use crate::engine::Engine;
use crate::limits;
use crate::port::Accounts;
use crate::transfer::Responder;

/// The answering side as a router, to be merged into an application's own.
///
/// Its paths are those of the protocol, `/api/morango/v1/…/`. It brings no fallback and no layers. Where the application serves
/// with connect info (`into_make_service_with_connect_info::<SocketAddr>()`), sessions are kept with the caller's address.
pub fn router(responder: Responder) -> Router {
    let path = |path: &str| format!("/{}{path}", crate::wire::BASE_PATH);
    let (small, counters) = (limits::SMALL_BODY_BYTES_MAX, limits::COUNTERS_BODY_BYTES_MAX);
    Router::new()
        .route(&path("morangoinfo/{number}/"), get(info::show))
        .route(&path("nonces/"), post(nonces::create, small))
        .route(&path("certificates/"), get(certificates::list).merge(post(certificates::create, small)))
        .route(&path("publickey/"), get(certificates::share_key))
        .route(&path("certificatechain/"), post(certificates::take_pushed, small))
        .route(&path("syncsessions/"), post(sync_sessions::create, small))
        .route(&path("syncsessions/{id}/"), get(sync_sessions::show).merge(delete(sync_sessions::close)))
        .route(&path("transfersessions/"), post(transfer_sessions::create, counters))
        .route(
            &path("transfersessions/{id}/"),
            get(transfer_sessions::show)
                .merge(method(MethodFilter::PATCH, transfer_sessions::proceed, counters))
                .merge(delete(transfer_sessions::close)),
        )
        .route(&path("buffers/"), get(buffers::list).merge(post(buffers::create, limits::BODY_BYTES_MAX)))
        .route(&path(""), any(no_such_path))
        .route(&path("{*rest}"), any(no_such_path))
        .method_not_allowed_fallback(no_such_method)
        .with_state(responder)
}

impl Engine {
    /// The answering side of this engine as a router, to be merged into an application's own; see [`router`].
    ///
    /// `accounts` decides who is given certificates; [`NoAccounts`](crate::port::NoAccounts) gives none to anybody.
    pub fn router(&self, accounts: impl Accounts) -> Router {
        router(self.responder(accounts))
    }
}

/// Work that is done for a request of this method.
fn method(method: MethodFilter, work: Work, body_bytes_max: usize) -> MethodRouter<Responder> {
    on(method, move |State(responder): State<Responder>, request: Request| {
        bridge::answer(responder, request, body_bytes_max, work)
    })
}

fn get(work: Work) -> MethodRouter<Responder> {
    method(MethodFilter::GET, work, 0)
}

fn post(work: Work, body_bytes_max: usize) -> MethodRouter<Responder> {
    method(MethodFilter::POST, work, body_bytes_max)
}

fn delete(work: Work) -> MethodRouter<Responder> {
    method(MethodFilter::DELETE, work, 0)
}

async fn no_such_path() -> Response {
    http_refusal(StatusCode::NOT_FOUND, "there is nothing at this path", "not-found")
}

async fn no_such_method(request: Request) -> Response {
    let detail = format!("{} is not allowed here", request.method());
    http_refusal(StatusCode::METHOD_NOT_ALLOWED, &detail, "method-not-allowed")
}
