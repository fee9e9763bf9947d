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
#[path = "../dequeue_apart.rs"]
mod dequeue_apart;
#[path = "../deserialize.rs"]
mod deserialize;
#[path = "../giving_way.rs"]
mod giving_way;
#[path = "../library.rs"]
mod library;
#[path = "../merging.rs"]
mod merging;
#[path = "../notebook.rs"]
mod notebook;
#[path = "../other_tables.rs"]
mod other_tables;
#[path = "../rows.rs"]
mod rows;
#[path = "../serializing.rs"]
mod serializing;
#[path = "../serializing_apart.rs"]
mod serializing_apart;
#[path = "../sql.rs"]
mod sql;
#[path = "../transaction.rs"]
mod transaction;
#[path = "../transfers.rs"]
mod transfers;
#[path = "../trees.rs"]
mod trees;
#[path = "../triggers.rs"]
mod triggers;
#[path = "../unique.rs"]
mod unique;
#[path = "../waiting.rs"]
mod waiting;
