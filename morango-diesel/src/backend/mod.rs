//! What differs between databases: one folder for each, with the same items in the same order, so that a comparison of the
//! two is the list of differences. Here the one that a connection asks for is chosen, and nothing else happens.

#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;

use morango::id::SyncId;
use morango::model::ModelDefinition;

use crate::connection::{Connection, OwnedConnection};
use crate::error::Fault;
use crate::models::{InstalledModel, InstalledModels};
use crate::rows::TableRows;
use crate::statement::Statement;

/// Where a database is, and how a connection to it is set up.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// A SQLite file.
    #[cfg(feature = "sqlite")]
    Sqlite(sqlite::Target),
}

/// What a commit promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// It is on the disk when the commit returns: for everything that raises a counter or that a peer builds upon.
    Durable,
    /// It survives the program, and a power failure takes it back together with everything after it, or not at all:
    /// for what can be fetched again from where it stopped.
    Buffered,
}

/// What change capture does with the changes of one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Capture {
    /// Changes are marked.
    On,
    /// The engine itself writes rows: nothing is marked.
    Off,
    /// Changes are marked, and deletions as hard ones.
    Hard,
}

/// What is found under the name of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Table {
    /// A table with these columns.
    Columns(Vec<Column>),
    /// A view, whose changes nobody can capture.
    View,
    /// Nothing.
    Missing,
}

/// A column of one of the application's tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    /// Its name.
    pub(crate) name: String,
    /// Whether it is in the primary key.
    pub(crate) is_in_key: bool,
}

impl Target {
    /// What kind of database it is, in [`Storage::kind`](morango::port::Storage::kind).
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => sqlite::KIND,
        }
    }

    /// Where it is, for people; without any secret.
    pub(crate) fn location(&self) -> String {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(target) => target.location(),
        }
    }

    /// How long to wait for what another holds.
    pub(crate) fn patience(&self) -> std::time::Duration {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(target) => target.patience(),
        }
    }

    /// A new connection.
    pub(crate) fn connect(&self) -> morango::Result<OwnedConnection> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(target) => sqlite::connect(target).map(OwnedConnection::Sqlite),
        }
    }

    /// Whether its write transactions queue for one turn in this program, since the database lets only one of them write.
    pub(crate) fn has_one_writer(&self) -> bool {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => sqlite::HAS_ONE_WRITER,
        }
    }

    /// The rows of a model that registered itself for this kind of database.
    ///
    /// # Errors
    /// It did not.
    pub(crate) fn registered_rows(&self, definition: &'static ModelDefinition) -> morango::Result<TableRows> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => sqlite::registered_rows(definition),
        }
    }
}

/// What brings the engine's own tables from one version to the next, from the empty database on.
pub(crate) fn migrations(connection: &Connection<'_>) -> &'static [&'static str] {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::MIGRATIONS,
    }
}

/// Runs work that only reads, and sees one state throughout.
pub(crate) fn read_transaction<R>(
    connection: &mut Connection<'_>,
    work: impl FnOnce(&mut Connection<'_>) -> Result<R, Fault>,
) -> Result<R, Fault> {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(connection) => {
            sqlite::read_transaction(connection, |connection| work(&mut Connection::Sqlite(connection)))
        }
    }
}

/// Runs work that writes, in one transaction of this durability.
pub(crate) fn write_transaction<R>(
    connection: &mut Connection<'_>,
    durability: Durability,
    work: impl FnOnce(&mut Connection<'_>) -> Result<R, Fault>,
) -> Result<R, Fault> {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(connection) => {
            sqlite::set_durability(connection, durability)?;
            sqlite::write_transaction(connection, |connection| work(&mut Connection::Sqlite(connection)))
        }
    }
}

/// What there is under the name of one of the application's tables.
pub(crate) fn table(connection: &mut Connection<'_>, name: &str) -> Result<Table, Fault> {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::table(connection, name),
    }
}

/// Whether the engine's own tables are there, whatever their version.
pub(crate) fn has_own_tables(connection: &mut Connection<'_>) -> Result<bool, Fault> {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::has_own_tables(connection),
    }
}

/// Adds the condition that a mark is of the row of this record, in whatever form its column has the id.
pub(crate) fn has_row_id<'a>(connection: &Connection<'_>, statement: Statement<'a>, id: &'a SyncId) -> Statement<'a> {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::has_row_id(statement, id),
    }
}

/// Says which index finds an instance's latest records, where the database has to be told.
pub(crate) fn by_counter(connection: &Connection<'_>) -> &'static str {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::BY_COUNTER,
    }
}

/// The function that gives the lesser of two numbers.
pub(crate) fn least(connection: &Connection<'_>) -> &'static str {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::LEAST,
    }
}

/// The function that gives the greater of two numbers.
pub(crate) fn greatest(connection: &Connection<'_>) -> &'static str {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::GREATEST,
    }
}

/// What taking a broken-off sync up again needs of any database: a step of [`migrations`].
pub(crate) const RESUME_SQL: &str = include_str!("resume.sql");

/// Installs change capture for these models and for no others, within a write transaction.
///
/// Where a model's table had no capture so far, or lost it, all of its rows are marked: they were there before, or may have
/// changed meanwhile. A row that did not change is found to be the same when it is serialized, and keeps its stamp.
pub(crate) fn install_capture(connection: &mut Connection<'_>, models: &InstalledModels) -> Result<(), Fault> {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::capture::install(connection, models),
    }
}

/// Switches change capture for the rest of this transaction, and says how it was before.
pub(crate) fn switch_capture(connection: &mut Connection<'_>, capture: Capture) -> Result<Capture, Fault> {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::capture::switch(connection, capture),
    }
}

/// Marks the rows that are gone without a trace: records that live in the store, wait for nothing, and have no row.
/// Returns how many were marked.
pub(crate) fn mark_displaced(connection: &mut Connection<'_>, model: &InstalledModel) -> Result<u64, Fault> {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::capture::mark_displaced(connection, model),
    }
}
