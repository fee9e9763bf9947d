//! The seven stages: what each of them does on this side, for whoever sends records and for whoever receives them.
//!
//! A stage works on what its [`Context`](super::context::Context) holds. What the other side does meanwhile is not its business.

pub(super) mod cleanup;
pub(super) mod dequeue;
pub(super) mod deserialize;
pub(super) mod initialize;
pub(super) mod queue;
pub(super) mod serialize;
pub(super) mod transmit;
