//! The stories on PostgreSQL, with those that are its own.

pub(crate) mod database;

mod capturing;
mod concurrency;

#[path = "../capture.rs"]
mod capture;
#[path = "../certificates.rs"]
mod certificates;
#[path = "../conflicts.rs"]
mod conflicts;
#[path = "../dequeue.rs"]
mod dequeue;
#[path = "../deserialize.rs"]
mod deserialize;
#[path = "../library.rs"]
mod library;
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
#[path = "../unclaimed.rs"]
mod unclaimed;
#[path = "../upkeep.rs"]
mod upkeep;
