//! Many devices in one process, with everything that can go wrong between them, all of it from a seed.
//!
//! A [`Plan`] is drawn from a seed: edits, syncs, and what goes wrong in them, each at the call that it hits. Running it on real storages,
//! in a time of its own, gives a log, which is the same for the same plan, and a report of what happened. After every step what must
//! hold is looked at; a plan after which it does not is shrunk to a short one.

mod apart;
mod checks;
mod clock;
mod desk;
mod dice;
mod faults;
mod ledger;
mod line;
mod meeting;
mod node;
mod papers;
mod plan;
mod report;
mod school;
mod server;
mod shrink;
mod work;
mod world;

pub use plan::{Act, Blow, Deed, Edit, End, Kind, Mishap, Plan, Restoring, Step, Sync, Ways};
pub use report::Report;
pub use shrink::shrink;
pub use world::{Failure, Run};
