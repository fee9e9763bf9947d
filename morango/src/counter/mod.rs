//! Who has seen what: stamps, and the counters that say up to which stamp somebody has everything.
//!
//! A counter belongs to one instance and only grows. This room adds and compares; it never raises an instance's own counter
//! (a storage does that, in its transaction), and it reads no database.

mod ancestry;
mod database;
mod error;
mod expanded;
mod fsic;
mod fsic_v1;
mod kept;
mod record;
mod stamp;
#[cfg(test)]
mod tests;
mod weight;

pub use database::{DatabaseMaxCounters, PartitionCounters};
pub use error::CounterError;
pub use expanded::{ExpandedFsic, Lack, difference, lacking};
pub use fsic::{Fsic, Instances};
pub use fsic_v1::FsicV1;
pub use kept::KeptFsic;
pub use record::RecordMaxCounters;
pub use stamp::Stamp;
