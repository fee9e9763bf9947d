//! SQLite and PostgreSQL for morango, through Diesel.

mod error;
mod rows;

pub use morango_derive::{Syncable, scope_definitions};
pub use rows::{ApplyError, Load, LoadedRow, RecordConnection, RecordRow, Rows, Syncable, TableModel};

#[cfg(feature = "sqlite")]
pub use rows::SqliteModel;

/// What the derive's output names. It may change in any version.
#[doc(hidden)]
pub mod __private {
    pub use crate::rows::{Insert, Upsert, field};
    pub use diesel;
    pub use inventory;
    pub use morango;
    pub use serde_json;
}
