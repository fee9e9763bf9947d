//! The application's rows: the one place where its own tables are read and written.
//!
//! What a row is to records (fields, ids, partition) is told by [`morango::model::Model`]. Here a row gets its database:
//! the derive implements [`Rows`] for each database that is switched on, in plain typed Diesel, and registers the same
//! verbs once more without the type, as a [`TableModel`], which is what the storage works by. This room knows nothing of
//! the tables of ours: what has to be remembered beside a row it asks of [`RecordConnection`].

mod broken;
mod connection;
pub mod field;
mod postgres;
mod sqlite;
mod statement;
mod syncable;
mod table_model;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod table_rows;
mod typed;

pub use connection::RecordConnection;
pub use statement::{Insert, Upsert};
pub use syncable::Syncable;
pub use table_model::{Apply, ApplyAll, ApplyError, Load, LoadedRow, Received, RecordRow, Rivals, TableModel};
pub use typed::{RIVALS_MAX, ROWS_FEW, ROWS_MANY, Rows};

#[cfg(feature = "postgres")]
pub use postgres::PostgresModel;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteModel;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) use table_rows::TableRows;

/// Does a model's rows for every database that is switched on. The derive calls it and knows no database.
///
/// The columns stand with the fields that they belong to, the id first:
///
/// ```text
/// model = Note, table = notes::table, id = notes::id, columns = [notes::id => id, notes::title => title]
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! __rows {
    ($($model:tt)*) => {
        $crate::__sqlite_rows! { $($model)* }
        $crate::__postgres_rows! { $($model)* }
    };
}
