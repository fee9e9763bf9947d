//! What is SQLite's own: how a file is opened, what each connection is told, and what the file must be like.
//!
//! A sibling for another database has the same items in the same order.

use std::path::Path;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::sql_types::Text;
use diesel::sqlite::SqliteConnection;
use morango::{Error, ErrorKind};

use crate::error::{from_connection_error, from_diesel, kind_of};
use crate::statement::sql;

/// What kind of database it is, in [`Storage::kind`](morango::port::Storage::kind).
pub(crate) const KIND: &str = "sqlite";

/// The engine's own tables.
pub(crate) const SCHEMA: &str = include_str!("sqlite.sql");

/// Pages of the cache of one connection, in KiB: what one connection may keep in memory.
const CACHE_KIBIBYTES: u32 = 8 * 1024;

/// Bytes of the write-ahead log after which it is cut back at the next checkpoint.
const JOURNAL_BYTES_KEPT_MAX: u32 = 64 * 1024 * 1024;

/// How long to wait before asking again for what SQLite refuses at once instead of waiting itself.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// How a connection waits and what it may expect of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConnectionOptions {
    /// How long a statement waits for another connection's lock.
    pub(crate) busy_timeout: Duration,
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

/// Opens a connection to the file, which is created if it is not there.
pub(crate) fn connect(path: &Path, options: ConnectionOptions) -> morango::Result<SqliteConnection> {
    check_path(path)?;
    let operation = || format!("open the database {}", path.display());
    let text = path.to_str().ok_or_else(|| {
        Error::new(ErrorKind::StorageUnavailable, format!("{}: its path is not Unicode", operation()))
    })?;
    let mut connection =
        SqliteConnection::establish(text).map_err(|error| from_connection_error(operation(), error))?;
    prepare(&mut connection, options).map_err(|error| from_diesel(operation(), error))?;
    check_text_encoding(&mut connection, path)?;
    Ok(connection)
}

/// Says how durable the next commits are. It is said outside of a transaction.
pub(crate) fn set_durability(connection: &mut SqliteConnection, durability: Durability) -> QueryResult<()> {
    connection.batch_execute(match durability {
        Durability::Durable => "PRAGMA synchronous = FULL",
        Durability::Buffered => "PRAGMA synchronous = NORMAL",
    })
}

/// Begins a write transaction, in which nobody else writes.
pub(crate) fn write_transaction<R, E: From<DieselError>>(
    connection: &mut SqliteConnection,
    work: impl FnOnce(&mut SqliteConnection) -> Result<R, E>,
) -> Result<R, E> {
    connection.immediate_transaction(work)
}

/// Begins a transaction that only reads, and sees one state throughout.
pub(crate) fn read_transaction<R, E: From<DieselError>>(
    connection: &mut SqliteConnection,
    work: impl FnOnce(&mut SqliteConnection) -> Result<R, E>,
) -> Result<R, E> {
    connection.transaction(work)
}

fn check_path(path: &Path) -> morango::Result<()> {
    let unavailable =
        |why: &str| Error::new(ErrorKind::StorageUnavailable, format!("open the database {}: {why}", path.display()));
    if path.is_dir() {
        return Err(unavailable("it is a directory").with_hint("give the path of a file in it"));
    }
    match path.parent() {
        Some(parent) if !parent.is_dir() => Err(unavailable("its directory is not there")
            .with_hint(format!("create the directory {} first", parent.display()))),
        _ => Ok(()),
    }
}

fn prepare(connection: &mut SqliteConnection, options: ConnectionOptions) -> QueryResult<()> {
    let busy_milliseconds = options.busy_timeout.as_millis();
    // The time to wait comes first: the others may already have to wait. Cascades and replacements fire triggers. On Apple's
    // systems a disk says that it has what is still in its own cache, unless it is asked for more; elsewhere that changes nothing.
    connection.batch_execute(&format!(
        "PRAGMA busy_timeout = {busy_milliseconds};
         PRAGMA foreign_keys = ON;
         PRAGMA recursive_triggers = ON;
         PRAGMA synchronous = FULL;
         PRAGMA fullfsync = ON;
         PRAGMA checkpoint_fullfsync = ON;
         PRAGMA cache_size = -{CACHE_KIBIBYTES};
         PRAGMA journal_size_limit = {JOURNAL_BYTES_KEPT_MAX};
         PRAGMA temp_store = MEMORY;"
    ))?;
    use_write_ahead_log(connection, options.busy_timeout)
}

/// Readers and a writer at the same time need the write-ahead log. SQLite does not wait while it changes to it.
fn use_write_ahead_log(connection: &mut SqliteConnection, busy_timeout: Duration) -> QueryResult<()> {
    let started = Instant::now();
    loop {
        match sql("PRAGMA journal_mode = WAL").returns::<Text>().get_result::<String>(connection) {
            Ok(mode) if mode.eq_ignore_ascii_case("wal") => return Ok(()),
            Ok(mode) => {
                let message = format!("unable to open database file with a write-ahead log: its journal stays {mode}");
                return Err(DieselError::DatabaseError(DatabaseErrorKind::Unknown, Box::new(message)));
            }
            Err(error) if kind_of(&error) == ErrorKind::StorageBusy && started.elapsed() < busy_timeout => {
                std::thread::sleep(RETRY_PAUSE);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Prefixes are ranges of bytes, which are in the order of characters in UTF-8 and in no other encoding.
fn check_text_encoding(connection: &mut SqliteConnection, path: &Path) -> morango::Result<()> {
    let encoding = sql("PRAGMA encoding")
        .returns::<Text>()
        .get_result::<String>(connection)
        .map_err(|error| from_diesel(format!("open the database {}", path.display()), error))?;
    if encoding == "UTF-8" {
        return Ok(());
    }
    let message = format!("open the database {}: its texts are in {encoding}", path.display());
    Err(Error::new(ErrorKind::StorageUnavailable, message)
        .with_hint("make a new database, whose texts are in UTF-8, and copy the tables into it"))
}
