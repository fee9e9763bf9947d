//! SQLite for morango, through Diesel: the storage, the application's rows, and the derive that makes them syncable.

#[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "without a database there is nothing to fail"))]
mod error;
mod rows;

// The storage, and all of its rooms, stand on a database.
#[cfg(feature = "sqlite")]
mod backend;
#[cfg(feature = "sqlite")]
mod certificates;
#[cfg(feature = "sqlite")]
mod conflicts;
#[cfg(feature = "sqlite")]
mod connection;
#[cfg(feature = "sqlite")]
mod counters;
#[cfg(feature = "sqlite")]
mod created;
#[cfg(feature = "sqlite")]
mod dequeue;
#[cfg(feature = "sqlite")]
mod deserialize;
#[cfg(feature = "sqlite")]
mod incoming;
#[cfg(feature = "sqlite")]
mod instance;
#[cfg(feature = "sqlite")]
mod models;
#[cfg(feature = "sqlite")]
mod pool;
#[cfg(feature = "sqlite")]
mod queue;
#[cfg(feature = "sqlite")]
mod receive;
#[cfg(feature = "sqlite")]
mod records;
#[cfg(feature = "sqlite")]
mod schema;
#[cfg(feature = "sqlite")]
mod serialize;
#[cfg(feature = "sqlite")]
mod sessions;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(feature = "sqlite")]
mod statement;
#[cfg(feature = "sqlite")]
mod storage;
#[cfg(feature = "sqlite")]
mod transaction;
#[cfg(feature = "sqlite")]
mod verbs;

pub use morango_derive::{Syncable, scope_definitions};
pub use rows::{ApplyError, Load, LoadedRow, RecordConnection, RecordRow, Rows, Syncable, TableModel};

#[cfg(feature = "sqlite")]
pub use rows::SqliteModel;
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteStorage, SqliteStorageBuilder};

/// What the derive's output names. It may change in any version.
#[doc(hidden)]
pub mod __private {
    pub use crate::rows::{Insert, Upsert, field};
    pub use diesel;
    pub use inventory;
    pub use morango;
    pub use serde_json;
}
