//! We call: the port [`Peer`](crate::port::Peer) over HTTP.
//!
//! One file sends (`connection`); the others say what to send and what the answer means. Nothing here knows how a transfer
//! proceeds, and nothing knows the answering side.

mod builder;
mod connection;
mod http_peer;
mod outgoing;
mod pull;
mod push;
mod retry;
#[cfg(test)]
mod tests;
mod tls;

pub use builder::HttpPeerBuilder;
pub use http_peer::HttpPeer;
pub use retry::RetryPolicy;
