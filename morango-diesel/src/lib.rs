//! SQLite and PostgreSQL for morango, through Diesel: the storages, the application's rows, and the derive that makes them syncable.

#[cfg_attr(
    not(any(feature = "sqlite", feature = "postgres")),
    expect(dead_code, reason = "without a database there is nothing to fail")
)]
mod error;
mod rows;

// The storage, and all of its rooms, stand on a database.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod backend;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod certificates;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod conflicts;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod connection;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod counters;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod created;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod dequeue;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod deserialize;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod forgetting;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod gave_way;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod handed_over;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod incoming;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod instance;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod merged;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod models;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod pool;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod queue;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod receive;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod received;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod records;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod renewal;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod schema;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod serialize;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sessions;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod stage;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod statement;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod storage;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod transaction;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod transactions;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod turn;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod unclaimed;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod value;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod verbs;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod waiting;

pub mod sql_types;

pub use morango_derive::{Syncable, scope_definitions};
pub use rows::{
    Apply, ApplyAll, ApplyError, Load, LoadedRow, Received, RecordConnection, RecordRow, Rivals, Rows, Syncable,
    TableModel,
};

#[cfg(feature = "postgres")]
pub use postgres::{PostgresStorage, PostgresStorageBuilder};
#[cfg(feature = "postgres")]
pub use rows::PostgresModel;
#[cfg(feature = "sqlite")]
pub use rows::SqliteModel;
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteStorage, SqliteStorageBuilder};

/// What the derive's output names. It may change in any version.
#[doc(hidden)]
pub mod __private {
    pub use crate::rows::{Insert, RIVALS_MAX, ROWS_FEW, ROWS_MANY, Upsert, field};
    pub use diesel;
    pub use inventory;
    pub use morango;
    pub use serde_json;
}
