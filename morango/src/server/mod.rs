//! We are called: the answering side of the engine over HTTP, as an axum router.
//!
//! One file for each resource says what is asked and what is answered; it blocks, as the engine does. `bridge` is the one place
//! where a request crosses from axum's threads to those that may block. Nothing here knows the calling side.

mod answer;
mod asked;
mod auth;
mod bridge;
mod buffers;
mod certificates;
mod info;
mod nonces;
mod room;
mod router;
mod serve;
mod sync_sessions;
mod transfer_sessions;

pub use router::router;
pub use serve::Server;
