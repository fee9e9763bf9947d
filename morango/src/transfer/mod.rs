//! The engine at work: one transfer, stage by stage, on the side that calls and on the side that answers.
//!
//! The seven stages have a file each, with what is done locally. The *controller* leads a transfer from the client's side
//! and asks the peer for its part; the *responder* is that peer. This room works on ports alone: it knows neither SQL nor
//! HTTP, and nothing of how a record is written on the wire.

mod cancel;
pub(crate) mod certificates;
mod chunk_size;
mod context;
mod controller;
mod fsic;
mod gate;
mod guests;
mod handover;
mod hooks;
mod info;
mod lease;
mod local;
mod operation;
mod operation_context;
mod operations;
mod order;
mod pauses;
mod remote;
mod renewal;
mod report;
mod responder;
mod stages;
mod upkeep;
mod work;
mod workers;

pub use cancel::CancelToken;
#[doc(hidden)]
pub use guests::LinkedGuest;
pub use local::LocalPeer;
pub use operation::{Operation, StageOperation, StageOutcome, StagePart};
pub use operation_context::OperationContext;
pub use report::TransferReport;
pub use responder::{Caller, Responder};
pub use upkeep::{CleanUpReport, SessionSelection};

pub(crate) use context::{Home, Occasion};
pub(crate) use controller::transfer;
pub(crate) use guests::Guests;
pub(crate) use hooks::closing;
pub(crate) use info::SingleUserScope;
pub(crate) use lease::{Lease, Takeover, gone, hold_of, is_at_work};
pub(crate) use order::{BreakingOff, Order, Widening};
pub(crate) use renewal::{CurrentInstance, known_elsewhere, renew, take_up_as_asked};
pub(crate) use upkeep::{Upkeep, clean_up, look_after};
pub(crate) use workers::Workers;
