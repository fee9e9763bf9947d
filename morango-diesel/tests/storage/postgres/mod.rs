//! The stories on PostgreSQL, with those that are its own.

pub(crate) mod database;

mod capturing;
mod concurrency;
mod listed;
mod refusing;

#[path = "../capture.rs"]
mod capture;
#[path = "../cascades.rs"]
mod cascades;
#[path = "../certificates.rs"]
mod certificates;
#[path = "../conflicts.rs"]
mod conflicts;
#[path = "../dequeue.rs"]
mod dequeue;
#[path = "../deserialize.rs"]
mod deserialize;
#[path = "../faults.rs"]
mod faults;
#[path = "../forgetting.rs"]
mod forgetting;
#[path = "../library.rs"]
mod library;
#[path = "../many_partitions.rs"]
mod many_partitions;
#[path = "../no_ids.rs"]
mod no_ids;
#[path = "../notebook.rs"]
mod notebook;
#[path = "../queue.rs"]
mod queue;
#[path = "../serializing.rs"]
mod serializing;
#[path = "../sessions.rs"]
mod sessions;
#[path = "../tables.rs"]
mod tables;
#[path = "../transaction.rs"]
mod transaction;
#[path = "../trees.rs"]
mod trees;
#[path = "../unclaimed.rs"]
mod unclaimed;
#[path = "../unique.rs"]
mod unique;
#[path = "../upkeep.rs"]
mod upkeep;
#[path = "../versions.rs"]
mod versions;
#[path = "../waiting.rs"]
mod waiting;
