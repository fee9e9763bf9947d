//! The stories in memory: what the law says is told as it is of a database.
//!
//! The application's rows are reached by `rows` alone, which a database answers with Diesel and this storage with its maps. Left to the
//! databases are the stories that are about them and not about a verb:
//!
//! - `tables`, `triggers` and `versions`: what a storage asks of the tables that it finds, how changes of any program are captured, and
//!   databases that earlier versions made. In memory there are no tables, no other programs, and nothing from before.
//! - `kept` and `many_partitions`: what only a statement can see or change in our own tables, and how many statements a verb takes.
//! - `no_ids` and `other_tables`: values that no typed row can hold, and tables, indexes and keys of which no model says anything.
//! - `dequeue_apart` and `serializing_apart`: what others do between the transactions of one call. In memory a call is one transaction.
//! - What is SQLite's or PostgreSQL's own: opening, folding, rows that were displaced, triggers that refuse, connections at once.

pub(crate) mod database;

mod rows;

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
#[path = "../giving_way.rs"]
mod giving_way;
#[path = "../library.rs"]
mod library;
#[path = "../merging.rs"]
mod merging;
#[expect(dead_code, reason = "what a story about tables needs of the application")]
#[path = "../notebook.rs"]
mod notebook;
#[path = "../queue.rs"]
mod queue;
#[path = "../serializing.rs"]
mod serializing;
#[path = "../sessions.rs"]
mod sessions;
#[path = "../transaction.rs"]
mod transaction;
#[path = "../transfers.rs"]
mod transfers;
#[path = "../trees.rs"]
mod trees;
#[path = "../unclaimed.rs"]
mod unclaimed;
#[path = "../unique.rs"]
mod unique;
#[path = "../upkeep.rs"]
mod upkeep;
#[path = "../waiting.rs"]
mod waiting;
