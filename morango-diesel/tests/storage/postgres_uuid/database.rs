//! A PostgreSQL database, and what a story has to say otherwise where its ids are of the type that the database has for them.

pub(crate) use crate::postgres::database::{
    Connection, Database, IS_CAPTURED, MARKS, Storage, TRIGGERS, TRIGGERS_OF_MODEL, Tables, WRITES, check,
    drop_capture, id, many, tables,
};

/// The type of the columns that hold ids.
pub(crate) type Key = diesel::sql_types::Uuid;

/// A model of the application, which is at home in this database alone.
macro_rules! model {
    ($model:ident in $table:ident: $($item:tt)*) => {
        #[derive(Debug, Clone, PartialEq, Queryable, Selectable, Syncable)]
        #[diesel(table_name = $table)]
        #[morango(database = postgres)]
        $($item)*

        impl super::rows::Kept for $model {
            fn all(connection: &mut super::database::Connection) -> Vec<Self> {
                $table::table.order($table::id).select(Self::as_select()).load(connection).expect("the rows")
            }
        }
    };
}
pub(crate) use model;

/// A statement of a story as this database takes it.
pub(crate) fn dialect(statement: &str) -> String {
    crate::postgres::database::dialect(statement).replace("id TEXT", "id UUID")
}
