//! A storage in memory, and what a story has to say otherwise of it.

use morango_memory::{MemoryModel, MemoryStorage};

pub(crate) type Storage = MemoryStorage;
/// The application comes to its rows by the storage itself.
pub(crate) type Connection = MemoryStorage;
/// The type of the columns that hold ids, where Diesel is to know of the models.
pub(crate) type Key = diesel::sql_types::Text;

/// A model of the application.
macro_rules! model {
    ($model:ident in $table:ident: $($item:tt)*) => {
        #[derive(Debug, Clone, PartialEq, Queryable, Selectable, Syncable)]
        #[diesel(table_name = $table)]
        $($item)*
    };
}
pub(crate) use model;

/// What hangs on a device: here that is nothing.
pub(crate) struct Database;

/// The application's tables: its models with the constraints that they have.
pub(crate) type Tables = fn() -> Vec<MemoryModel>;

/// The tables as this storage takes them.
pub(crate) const fn tables(_: &'static str, models: fn() -> Vec<MemoryModel>) -> Tables {
    models
}

/// So many as this storage does in the time that a database takes for all of them: what is slow and obvious looks at every row for
/// each row.
pub(crate) const fn many(number: usize) -> usize {
    number.div_ceil(30)
}
