//! The stories on SQLite, with those that are its own.

pub(crate) mod database;

mod displaced;
mod folding;
mod opening;
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
#[path = "../dequeue_apart.rs"]
mod dequeue_apart;
#[path = "../deserialize.rs"]
mod deserialize;
#[path = "../faults.rs"]
mod faults;
#[path = "../forgetting.rs"]
mod forgetting;
#[path = "../giving_way.rs"]
mod giving_way;
#[path = "../kept.rs"]
mod kept;
#[path = "../library.rs"]
mod library;
#[path = "../many_partitions.rs"]
mod many_partitions;
#[path = "../merging.rs"]
mod merging;
#[path = "../no_ids.rs"]
mod no_ids;
#[path = "../notebook.rs"]
mod notebook;
#[path = "../other_tables.rs"]
mod other_tables;
#[path = "../queue.rs"]
mod queue;
#[path = "../rows.rs"]
mod rows;
#[path = "../serializing.rs"]
mod serializing;
#[path = "../serializing_apart.rs"]
mod serializing_apart;
#[path = "../sessions.rs"]
mod sessions;
#[path = "../sql.rs"]
mod sql;
#[path = "../tables.rs"]
mod tables;
#[path = "../transaction.rs"]
mod transaction;
#[path = "../transfers.rs"]
mod transfers;
#[path = "../trees.rs"]
mod trees;
#[path = "../triggers.rs"]
mod triggers;
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
