//! The stories on PostgreSQL of an application whose ids and foreign keys are of the database's own type for ids.
//!
//! Told are those in which ids of the application's tables are read, written or compared.

pub(crate) mod database;

mod capturing;

#[path = "../capture.rs"]
mod capture;
#[path = "../cascades.rs"]
mod cascades;
#[path = "../postgres/concurrency.rs"]
mod concurrency;
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
#[path = "../serializing.rs"]
mod serializing;
#[path = "../trees.rs"]
mod trees;
#[path = "../unique.rs"]
mod unique;
#[path = "../waiting.rs"]
mod waiting;
