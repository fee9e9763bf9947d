//! SQLite and PostgreSQL for morango, through Diesel.

mod backend;
mod certificates;
mod counters;
mod created;
mod dequeue;
mod deserialize;
mod error;
mod incoming;
mod instance;
mod models;
mod pool;
mod queue;
mod receive;
mod records;
mod rows;
mod schema;
mod serialize;
mod sessions;
mod statement;
mod storage;
mod transaction;
mod triggers;

pub use morango_derive::{Syncable, scope_definitions};
pub use rows::{ApplyError, Load, LoadedRow, RecordConnection, RecordRow, Rows, Syncable, TableModel};

#[cfg(feature = "sqlite")]
pub use rows::SqliteModel;
#[cfg(feature = "sqlite")]
pub use storage::{SqliteStorage, SqliteStorageBuilder};

/// What the derive's output names. It may change in any version.
#[doc(hidden)]
pub mod __private {
    pub use crate::rows::{Insert, Upsert, field};
    pub use diesel;
    pub use inventory;
    pub use morango;
    pub use serde_json;
}
