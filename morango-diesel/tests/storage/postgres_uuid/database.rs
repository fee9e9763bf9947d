//! A PostgreSQL database, and what a story has to say otherwise where its ids are of the type that the database has for them.

pub(crate) use crate::postgres::database::{
    Connection, Database, IS_CAPTURED, MARKED, MARKS, Storage, TRIGGERS, TRIGGERS_OF_MODEL, WRITES, check,
    drop_capture, id,
};

/// The type of the columns that hold ids.
pub(crate) type Key = diesel::sql_types::Uuid;

/// A model of the application, which is at home in this database alone.
macro_rules! model {
    ($($item:tt)*) => {
        #[derive(Debug, Clone, PartialEq, Queryable, Selectable, Syncable)]
        #[morango(database = postgres)]
        $($item)*
    };
}
pub(crate) use model;

/// A statement of a story as this database takes it.
pub(crate) fn dialect(statement: &str) -> String {
    crate::postgres::database::dialect(statement).replace("id TEXT", "id UUID")
}
