//! What differs between databases: one folder for each, with the same items in the same order, so that a comparison of the
//! two is the list of differences. Here the one that a connection asks for is chosen, and nothing else happens.

#[cfg(feature = "postgres")]
pub(crate) mod postgres;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
mod terms;

use diesel::result::{Error as DieselError, QueryResult};
use morango::ErrorKind;
use morango::id::SyncId;
use morango::model::{ModelDefinition, Origin};

use crate::connection::{Connection, OwnedConnection};
use crate::error::Fault;
use crate::models::{InstalledModel, InstalledModels};
use crate::rows::TableRows;
use crate::statement::Statement;
use crate::value::Value;

pub(crate) use terms::{
    Capture, Column, Deferred, Durability, Folded, IdForm, Lock, Occupant, Stopgap, Table, Transaction, UniqueColumn,
    UniqueKey,
};

/// Where a database is, and how a connection to it is set up.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// A SQLite file.
    #[cfg(feature = "sqlite")]
    Sqlite(sqlite::Target),
    /// A database on a PostgreSQL server.
    #[cfg(feature = "postgres")]
    Postgres(postgres::Target),
}

impl Target {
    /// What kind of database it is, in [`Storage::kind`](morango::port::Storage::kind).
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => sqlite::KIND,
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => postgres::KIND,
        }
    }

    /// Where it is, for people; without any secret.
    pub(crate) fn location(&self) -> String {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(target) => target.location(),
            #[cfg(feature = "postgres")]
            Self::Postgres(target) => target.location(),
        }
    }

    /// How long to wait for what another holds.
    pub(crate) fn patience(&self) -> std::time::Duration {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(target) => target.patience(),
            #[cfg(feature = "postgres")]
            Self::Postgres(target) => target.patience(),
        }
    }

    /// Which file is there now, where it is one and the system tells.
    pub(crate) fn occupant(&self) -> Option<Occupant> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(target) => target.occupant(),
            #[cfg(feature = "postgres")]
            Self::Postgres(target) => target.occupant(),
        }
    }

    /// A new connection.
    pub(crate) fn connect(&self) -> morango::Result<OwnedConnection> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(target) => sqlite::connect(target).map(OwnedConnection::Sqlite),
            #[cfg(feature = "postgres")]
            Self::Postgres(target) => postgres::connect_own(target).map(OwnedConnection::Postgres),
        }
    }

    /// Connections that are open at one time.
    pub(crate) fn connections_max(&self) -> usize {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => sqlite::CONNECTIONS_MAX,
            #[cfg(feature = "postgres")]
            Self::Postgres(target) => target.connections_max,
        }
    }

    /// A connection for the application's own use.
    #[cfg(feature = "postgres")]
    pub(crate) fn connect_postgres(&self) -> morango::Result<diesel::pg::PgConnection> {
        match self {
            Self::Postgres(target) => postgres::connect(target),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => unreachable!("a storage over PostgreSQL is over no file"),
        }
    }

    /// A connection for the application's own use.
    #[cfg(feature = "sqlite")]
    pub(crate) fn connect_sqlite(&self) -> morango::Result<diesel::sqlite::SqliteConnection> {
        match self {
            Self::Sqlite(target) => sqlite::connect(target),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => unreachable!("a storage over a file is over no server"),
        }
    }

    /// Whether its write transactions queue for one turn in this program, since the database lets only one of them write.
    pub(crate) fn has_one_writer(&self) -> bool {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => sqlite::HAS_ONE_WRITER,
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => postgres::HAS_ONE_WRITER,
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
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => postgres::registered_rows(definition),
        }
    }
}

/// What brings the engine's own tables from one version to the next, from the empty database on.
pub(crate) fn migrations(connection: &Connection<'_>) -> &'static [&'static str] {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::MIGRATIONS,
        #[cfg(feature = "postgres")]
        Connection::Postgres(_) => postgres::MIGRATIONS,
    }
}

/// Runs work that only reads, and sees one state throughout.
pub(crate) fn read_transaction<R>(
    connection: &mut Connection<'_>,
    lock: Lock<'_>,
    work: impl FnOnce(&mut Connection<'_>) -> Result<R, Fault>,
) -> Result<R, Fault> {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(connection) => {
            sqlite::read_transaction(connection, lock, |connection| work(&mut Connection::Sqlite(connection)))
        }
        #[cfg(feature = "postgres")]
        Connection::Postgres(connection) => {
            postgres::read_transaction(connection, lock, |connection| work(&mut Connection::Postgres(connection)))
        }
    }
}

/// Runs work that writes, in one transaction.
pub(crate) fn write_transaction<R>(
    connection: &mut Connection<'_>,
    transaction: Transaction<'_>,
    work: impl FnOnce(&mut Connection<'_>) -> Result<R, Fault>,
) -> Result<R, Fault> {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(connection) => {
            sqlite::write_transaction(connection, transaction, |connection| work(&mut Connection::Sqlite(connection)))
        }
        #[cfg(feature = "postgres")]
        Connection::Postgres(connection) => postgres::write_transaction(connection, transaction, |connection| {
            work(&mut Connection::Postgres(connection))
        }),
    }
}

/// A number that is another one when another connection has written since, where writers queue for one turn.
pub(crate) fn version_seen(connection: &mut Connection<'_>) -> Result<i64, Fault> {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::version_seen(connection),
        #[cfg(feature = "postgres")]
        Connection::Postgres(_) => postgres::version_seen(connection),
    }
}

/// What there is under the name of one of the application's tables.
pub(crate) fn table(connection: &mut Connection<'_>, name: &str) -> Result<Table, Fault> {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::table(connection, name),
        #[cfg(feature = "postgres")]
        Connection::Postgres(_) => postgres::table(connection, name),
    }
}

/// Whether the engine's own tables are there, whatever their version.
pub(crate) fn has_own_tables(connection: &mut Connection<'_>) -> Result<bool, Fault> {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::has_own_tables(connection),
        #[cfg(feature = "postgres")]
        Connection::Postgres(_) => postgres::has_own_tables(connection),
    }
}

/// What tells this database apart from its copies, by name, as far as it can be found out.
pub(crate) fn identity(connection: &mut Connection<'_>, target: &Target) -> Result<Vec<(&'static str, String)>, Fault> {
    match (connection, target) {
        #[cfg(feature = "sqlite")]
        (Connection::Sqlite(_), Target::Sqlite(target)) => Ok(sqlite::identity(target)),
        #[cfg(feature = "postgres")]
        (connection @ Connection::Postgres(_), Target::Postgres(_)) => postgres::identity(connection),
        #[cfg(all(feature = "sqlite", feature = "postgres"))]
        (Connection::Sqlite(_), Target::Postgres(_)) | (Connection::Postgres(_), Target::Sqlite(_)) => {
            unreachable!("a connection leads to its storage's database")
        }
    }
}

/// Adds the condition that a mark is of the row of this record, in whatever form its column has the id.
pub(crate) fn has_row_id<'a>(connection: &Connection<'_>, statement: Statement<'a>, id: &'a SyncId) -> Statement<'a> {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::has_row_id(statement, id),
        #[cfg(feature = "postgres")]
        Connection::Postgres(_) => postgres::has_row_id(statement, id),
    }
}

/// Adds the condition that a row of the application is the one that was marked under this id.
pub(crate) fn is_marked_row<'a>(
    connection: &Connection<'_>,
    statement: Statement<'a>,
    id_column: (&'static str, IdForm),
    row_id: Value<'a>,
) -> Statement<'a> {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::is_marked_row(statement, id_column, row_id),
        #[cfg(feature = "postgres")]
        Connection::Postgres(_) => postgres::is_marked_row(statement, id_column, row_id),
    }
}

/// Whether two names of columns are the same one.
pub(crate) fn is_same_name(connection: &Connection<'_>, one: &str, other: &str) -> bool {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::is_same_name(one, other),
        #[cfg(feature = "postgres")]
        Connection::Postgres(_) => postgres::is_same_name(one, other),
    }
}

/// Whether a transaction was refused because it met another one: run again, it may succeed.
pub(crate) fn is_conflict(error: &DieselError) -> bool {
    #[cfg(feature = "postgres")]
    if postgres::is_conflict(error) {
        return true;
    }
    #[cfg(feature = "sqlite")]
    if sqlite::is_conflict(error) {
        return true;
    }
    false
}

/// The kind of an error that is told by its message only.
pub(crate) fn kind_of_message(message: &str) -> ErrorKind {
    let mut kind = None;
    #[cfg(feature = "sqlite")]
    {
        kind = kind.or_else(|| sqlite::kind_of_message(message));
    }
    #[cfg(feature = "postgres")]
    {
        kind = kind.or_else(|| postgres::kind_of_message(message));
    }
    kind.unwrap_or(ErrorKind::Storage)
}

/// Says which index finds an instance's latest records, where the database has to be told.
pub(crate) fn by_counter(connection: &Connection<'_>) -> &'static str {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::BY_COUNTER,
        #[cfg(feature = "postgres")]
        Connection::Postgres(_) => postgres::BY_COUNTER,
    }
}

/// Where records that wait, or were dropped, are found by `is_dirty`, profile, `model_name`, `is_deleted` and sequence, and by
/// nothing else.
pub(crate) fn waiting(connection: &Connection<'_>) -> &'static str {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::WAITING,
        #[cfg(feature = "postgres")]
        Connection::Postgres(_) => postgres::WAITING,
    }
}

/// The same with all that the store has of these records, under the name `held`.
pub(crate) fn waiting_records(connection: &Connection<'_>) -> &'static str {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::WAITING_RECORDS,
        #[cfg(feature = "postgres")]
        Connection::Postgres(_) => postgres::WAITING_RECORDS,
    }
}

/// Rows that one statement inserts or changes. Where it is more than one, values can be bound for many rows at once.
pub(crate) fn rows_written_max(connection: &Connection<'_>) -> usize {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::ROWS_WRITTEN_MAX,
        #[cfg(feature = "postgres")]
        Connection::Postgres(_) => postgres::ROWS_WRITTEN_MAX,
    }
}

/// The function that gives the lesser of two numbers.
pub(crate) fn least(connection: &Connection<'_>) -> &'static str {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::LEAST,
        #[cfg(feature = "postgres")]
        Connection::Postgres(_) => postgres::LEAST,
    }
}

/// The function that gives the greater of two numbers.
pub(crate) fn greatest(connection: &Connection<'_>) -> &'static str {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::GREATEST,
        #[cfg(feature = "postgres")]
        Connection::Postgres(_) => postgres::GREATEST,
    }
}

/// The function that says where in some bytes others begin, counted from 1; 0 where they are not in it.
pub(crate) fn position_of(connection: &Connection<'_>) -> &'static str {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::POSITION,
        #[cfg(feature = "postgres")]
        Connection::Postgres(_) => postgres::POSITION,
    }
}

/// What taking a broken-off sync up again needs of any database: a step of [`migrations`].
pub(crate) const RESUME_SQL: &str = include_str!("resume.sql");

/// What telling of records that wait needs of any database: a step of [`migrations`].
pub(crate) const WAITING_SQL: &str = include_str!("waiting.sql");

/// What finding out restored databases and forgetting old sessions need of any database: a step of [`migrations`].
pub(crate) const HOUSEKEEPING_SQL: &str = include_str!("housekeeping.sql");

/// What listing conflicts needs of any database: a step of [`migrations`].
pub(crate) const CONFLICTS_SQL: &str = include_str!("conflicts.sql");

/// Installs change capture for these models, within a write transaction. That of models that other programs have here stays.
///
/// Where a model's table had no capture so far, or lost it, all of its rows are marked: they were there before, or may have
/// changed meanwhile. A row that did not change is found to be the same when it is serialized, and keeps its stamp.
pub(crate) fn install_capture(connection: &mut Connection<'_>, models: &InstalledModels) -> Result<(), Fault> {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::capture::install(connection, models),
        #[cfg(feature = "postgres")]
        Connection::Postgres(_) => postgres::capture::install(connection, models),
    }
}

/// Switches change capture for the rest of this transaction, and says how it was before.
pub(crate) fn switch_capture(connection: &mut Connection<'_>, capture: Capture) -> Result<Capture, Fault> {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::capture::switch(connection, capture),
        #[cfg(feature = "postgres")]
        Connection::Postgres(_) => postgres::capture::switch(connection, capture),
    }
}

/// How many times [`fold_changes`] is to be called until all changes that are there now are marks.
pub(crate) fn folds_needed(connection: &mut Connection<'_>) -> Result<u64, Fault> {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::change::folds_needed(connection),
        #[cfg(feature = "postgres")]
        Connection::Postgres(_) => Ok(postgres::change::FOLDS_NEEDED),
    }
}

/// Makes marks of changes that triggers noted, of a bounded number of them, within a write transaction.
pub(crate) fn fold_changes(connection: &mut Connection<'_>) -> Result<Folded, Fault> {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::change::fold(connection),
        #[cfg(feature = "postgres")]
        Connection::Postgres(_) => Ok(postgres::change::FOLDED),
    }
}

/// Notes with their marks how new rows were identified, in the transaction that inserted them, and says of how many of them the
/// insertion was noticed.
pub(crate) fn note_origins(
    connection: &mut Connection<'_>,
    model_number: i64,
    origins: &[Origin],
) -> Result<usize, Fault> {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::change::note_origins(connection, model_number, origins),
        #[cfg(feature = "postgres")]
        Connection::Postgres(_) => postgres::change::note_origins(connection, model_number, origins),
    }
}

/// Marks the rows that are gone without a trace: records that live in the store, wait for nothing, and have no row.
///
/// Before: all changes are folded. Returns how many were marked.
pub(crate) fn mark_displaced(connection: &mut Connection<'_>, model: &InstalledModel) -> Result<u64, Fault> {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::capture::mark_displaced(connection, model),
        #[cfg(feature = "postgres")]
        Connection::Postgres(_) => postgres::capture::mark_displaced(connection, model),
    }
}

/// The keys of a table that are unique beside its primary key.
pub(crate) fn unique_keys(connection: &mut Connection<'_>, table: &str) -> Result<Vec<UniqueKey>, Fault> {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::constraints::unique_keys(connection, table),
        #[cfg(feature = "postgres")]
        Connection::Postgres(_) => postgres::constraints::unique_keys(connection, table),
    }
}

/// Has a row hold a stopgap in one column, within a write transaction that gives the row its next values. Says how many rows
/// that were.
pub(crate) fn hold_stopgap(
    connection: &mut Connection<'_>,
    model: &InstalledModel,
    id: &SyncId,
    column: &str,
    stopgap: Stopgap,
) -> QueryResult<usize> {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::constraints::hold_stopgap(connection, model, id, column, stopgap),
        #[cfg(feature = "postgres")]
        Connection::Postgres(_) => postgres::constraints::hold_stopgap(connection, model, id, column, stopgap),
    }
}

/// Whether a statement on this table has to stand in a savepoint, so that an error of it undoes nothing else and leaves nothing.
pub(crate) fn needs_savepoint(connection: &mut Connection<'_>, table: &str) -> Result<bool, Fault> {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::constraints::needs_savepoint(connection, table),
        #[cfg(feature = "postgres")]
        Connection::Postgres(_) => postgres::constraints::needs_savepoint(connection, table),
    }
}

/// Whether this table has triggers of the application.
pub(crate) fn has_triggers(connection: &mut Connection<'_>, table: &str) -> Result<bool, Fault> {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::constraints::has_triggers(connection, table),
        #[cfg(feature = "postgres")]
        Connection::Postgres(_) => postgres::constraints::has_triggers(connection, table),
    }
}

/// Whether this table deletes the rows that hold what may stand in one row only where another is to have it.
pub(crate) fn replaces_rivals(connection: &mut Connection<'_>, table: &str) -> Result<bool, Fault> {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::constraints::replaces_rivals(connection, table),
        #[cfg(feature = "postgres")]
        Connection::Postgres(_) => postgres::constraints::replaces_rivals(connection, table),
    }
}

/// What is checked at the commit alone where rows of a table change, as it stands now. None where nothing is, or where somebody's work has violated it already, so that
/// it cannot be told whose fault more of it is.
pub(crate) fn deferred(connection: &mut Connection<'_>, table: &'static str) -> Result<Option<Deferred>, Fault> {
    #[cfg(not(feature = "sqlite"))]
    let _ = table;
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::constraints::deferred(connection, table),
        #[cfg(feature = "postgres")]
        Connection::Postgres(_) => postgres::constraints::deferred(connection),
    }
}

/// Checks now what is checked at the commit alone, within a savepoint, and says how it stands; it is left to the commit again after that.
///
/// # Errors
/// Something violates it that did not before.
pub(crate) fn check_deferred(connection: &mut Connection<'_>, before: &Deferred) -> QueryResult<Deferred> {
    match before {
        #[cfg(feature = "sqlite")]
        Deferred::Violations { table, rows } => sqlite::constraints::check_deferred(connection, (table, *rows)),
        #[cfg(feature = "postgres")]
        Deferred::Constraints(names) => postgres::constraints::check_deferred(connection, names),
    }
}

/// Whether the deletion of a row of this table may change other rows.
pub(crate) fn deletion_reaches_further(connection: &mut Connection<'_>, table: &str) -> Result<bool, Fault> {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::constraints::deletion_reaches_further(connection, table),
        #[cfg(feature = "postgres")]
        Connection::Postgres(_) => postgres::constraints::deletion_reaches_further(connection, table),
    }
}

/// Whether the database has already undone the transaction in which a statement failed. Then a new and empty one is begun in
/// its place, for whoever is about to undo it.
pub(crate) fn has_lost_transaction(connection: &mut Connection<'_>) -> bool {
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => sqlite::constraints::has_lost_transaction(connection),
        #[cfg(feature = "postgres")]
        Connection::Postgres(_) => postgres::constraints::has_lost_transaction(connection),
    }
}
