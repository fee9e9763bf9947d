//! Where a device keeps its data: which database, its storage, and how a story reaches the application's own tables in it.
//!
//! Stories are written once and told on each database: what differs between the databases differs here.

use std::collections::BTreeSet;
use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Binary, Text};
use diesel::sqlite::SqliteConnection;
use morango::engine::EngineBuilder;
use morango::prelude::*;
use morango_diesel::{Rows, SqliteStorage, Syncable};
use morango_examples::school;

/// A kind of database that a device may be on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// A file.
    Sqlite,
}

/// A row that is at home in every kind of database.
pub trait AnyRow: Syncable + Rows<SqliteConnection> {}

impl<M: Syncable + Rows<SqliteConnection>> AnyRow for M {}

/// The storage of a device.
#[derive(Debug, Clone)]
pub(crate) enum Home {
    Sqlite(SqliteStorage),
}

/// A connection of an application to its database.
pub(crate) enum Connection {
    Sqlite(SqliteConnection),
}

/// Does something with a connection, whichever it is.
macro_rules! over {
    ($connection:expr, $name:ident => $work:expr) => {
        match $connection {
            $crate::database::Connection::Sqlite($name) => $work,
        }
    };
}
pub(crate) use over;

impl Home {
    /// Makes a database of this kind, with the application's tables; a file lies in `folder`.
    pub(crate) fn new(kind: Database, folder: &Path) -> Self {
        match kind {
            Database::Sqlite => {
                let storage = SqliteStorage::open(folder.join("school.db")).expect("a database file");
                let mut connection = storage.connect().expect("a connection to it");
                school::create_tables(&mut connection).expect("the school's tables");
                crate::sampler::create_table(&mut connection).expect("the sampler's table");
                Self::Sqlite(storage)
            }
        }
    }

    /// An engine on this storage.
    pub(crate) fn engine(&self) -> Engine {
        self.builder().build().expect("an engine on the database")
    }

    /// The beginning of an engine on this storage.
    pub(crate) fn builder(&self) -> EngineBuilder {
        match self {
            Self::Sqlite(storage) => Engine::builder(storage.clone()),
        }
    }

    pub(crate) fn connect(&self) -> Connection {
        match self {
            Self::Sqlite(storage) => Connection::Sqlite(storage.connect().expect("a connection to the database")),
        }
    }
}

impl Connection {
    /// Runs SQL as any program could that knows nothing of the engine.
    pub(crate) fn run(&mut self, statements: &str) -> QueryResult<()> {
        over!(self, connection => connection.batch_execute(statements))
    }

    /// Runs one statement; how many rows it touched.
    pub(crate) fn execute(&mut self, statement: &str) -> QueryResult<usize> {
        over!(self, connection => sql_query(statement).execute(connection))
    }

    /// The records in the store whose rows wait.
    pub(crate) fn waiting(&mut self) -> BTreeSet<SyncId> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = Binary)]
            record_id: SyncId,
        }
        match self {
            Self::Sqlite(connection) => {
                let rows: QueryResult<Vec<Row>> =
                    sql_query("SELECT record_id FROM morango_store WHERE is_dirty = 1").load(connection);
                rows.expect("the store can be read").into_iter().map(|row| row.record_id).collect()
            }
        }
    }

    /// The database max counters: partition, instance, counter.
    pub(crate) fn counters(&mut self) -> BTreeSet<(String, String, i64)> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = Text)]
            partition: String,
            #[diesel(sql_type = Binary)]
            instance: InstanceId,
            #[diesel(sql_type = BigInt)]
            counter: i64,
        }
        match self {
            Self::Sqlite(connection) => {
                let rows: QueryResult<Vec<Row>> =
                    sql_query("SELECT partition, instance, counter FROM morango_database_max_counter").load(connection);
                let rows = rows.expect("the counters can be read").into_iter();
                rows.map(|row| (row.partition, row.instance.to_string(), row.counter)).collect()
            }
        }
    }
}

/// Makes a row on the connection of an operation, on whichever database it is.
///
/// # Errors
/// The row cannot be made.
pub fn create_within<M: AnyRow>(context: &mut OperationContext<'_>, database: Database, row: M) -> morango::Result<M> {
    match database {
        Database::Sqlite => row.create(context.connection::<SqliteConnection>()?),
    }
}

/// Runs SQL on the connection of an operation, on whichever database it is.
///
/// # Errors
/// The database refuses it.
pub fn run_within(context: &mut OperationContext<'_>, database: Database, statements: &str) -> Result<(), GuestError> {
    match database {
        Database::Sqlite => Ok(context.connection::<SqliteConnection>()?.batch_execute(statements)?),
    }
}

/// A text as it stands in a statement.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
