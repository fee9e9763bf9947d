//! What is SQLite's own: how a file is opened, what each connection is told, and what the file must be like.
//!
//! A sibling for another database has the same items in the same order.

pub(crate) mod capture;
pub(crate) mod change;
pub(crate) mod constraints;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use diesel::connection::Connection as _;
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::SqliteConnection;
use morango::id::SyncId;
use morango::model::ModelDefinition;
use morango::{Error, ErrorKind};

use super::{Column, Durability, IdForm, Lock, Occupant, Table, Transaction};
use crate::connection::{AsConnection as _, Connection};
use crate::error::{Fault, Reason, from_connection_error, from_diesel, kind_of};
use crate::rows::{SqliteModel, TableRows};
use crate::statement::{Statement, sql};
use crate::value::Value;

/// What kind of database it is, in [`Storage::kind`](morango::port::Storage::kind).
pub(crate) const KIND: &str = "sqlite";

/// SQLite lets one connection write.
pub(crate) const HAS_ONE_WRITER: bool = true;

/// What takes a database from one version to the next, from the empty one on.
///
/// Once published, one of these never changes; a new one is added at the end. State in the commit what an older program
/// does with the new tables.
pub(crate) const MIGRATIONS: &[&str] = &[
    include_str!("sqlite.sql"),
    super::RESUME_SQL,
    super::WAITING_SQL,
    super::CONFLICTS_SQL,
    super::HOUSEKEEPING_SQL,
    include_str!("sqlite/completed.sql"),
    include_str!("sqlite/handed_over.sql"),
    include_str!("sqlite/change.sql"),
    include_str!("sqlite/gave_way.sql"),
    include_str!("sqlite/row_before.sql"),
];

/// Which index finds an instance's latest records.
pub(crate) const BY_COUNTER: &str = " INDEXED BY morango_store_by_counter";

/// Where what waits, or was dropped, is found by model: an index over what waits serves it.
pub(crate) const WAITING: &str = "morango_store";

/// The same with all that the store has of these records, under the name `held`.
pub(crate) const WAITING_RECORDS: &str = "morango_store AS held";

/// Rows that one statement inserts or changes: a prepared one for each is as fast as any.
pub(crate) const ROWS_WRITTEN_MAX: usize = 1;

/// The function that gives the lesser of two numbers.
pub(crate) const LEAST: &str = "min";

/// The function that gives the greater of two numbers.
pub(crate) const GREATEST: &str = "max";

/// The function that says where in some bytes others begin, counted from 1.
pub(crate) const POSITION: &str = "instr";

/// Connections that are open at one time.
pub(crate) const CONNECTIONS_MAX: usize = 8;

/// Pages of the cache of one connection, in KiB: what one connection may keep in memory.
const CACHE_KIBIBYTES: u32 = 8 * 1024;

/// Bytes of the write-ahead log after which it is copied into the database. Long work changes the same pages of its indices again and
/// again, and each of them is copied once for all of that.
const CHECKPOINT_BYTES: i64 = 32 * 1024 * 1024;

/// Bytes of the write-ahead log after which it is cut back at the next checkpoint.
const JOURNAL_BYTES_KEPT_MAX: u32 = 64 * 1024 * 1024;

/// How long to wait before asking again for what SQLite refuses at once instead of waiting itself.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// A SQLite file, and how a connection to it waits.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// The file.
    pub(crate) path: PathBuf,
    /// How long a statement waits for another connection's lock.
    pub(crate) busy_timeout: Duration,
}

impl Target {
    /// Where it is, for people.
    pub(crate) fn location(&self) -> String {
        self.path.display().to_string()
    }

    /// How long to wait for what another holds.
    pub(crate) fn patience(&self) -> Duration {
        self.busy_timeout
    }

    /// Which file is there now, where the system tells: so that one that takes its place is noticed.
    pub(crate) fn occupant(&self) -> Option<Occupant> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            std::fs::metadata(&self.path).ok().map(|file| Occupant { device: file.dev(), number: file.ino() })
        }
        #[cfg(not(unix))]
        None
    }
}

/// The rows of a model that registered itself.
///
/// # Errors
/// It has none on SQLite.
pub(crate) fn registered_rows(definition: &'static ModelDefinition) -> morango::Result<TableRows> {
    let is_same = |rows: &SqliteModel| ((rows.definition)().type_id)() == (definition.type_id)();
    inventory::iter::<SqliteModel>().copied().find(is_same).map(TableRows::Sqlite).ok_or_else(|| {
        Error::new(
            ErrorKind::Configuration,
            format!("keep the rows of {} in SQLite: they were not derived for it", definition.describe()),
        )
        .with_hint("derive `morango_diesel::Syncable` with the feature `sqlite` of `morango-diesel`")
    })
}

/// Opens a connection to the file, which is created if it is not there.
pub(crate) fn connect(target: &Target) -> morango::Result<SqliteConnection> {
    let path = target.path.as_path();
    check_path(path)?;
    let operation = || format!("open the database {}", path.display());
    let text = path.to_str().ok_or_else(|| {
        Error::new(ErrorKind::StorageUnavailable, format!("{}: its path is not Unicode", operation()))
    })?;
    let mut connection =
        SqliteConnection::establish(text).map_err(|error| from_connection_error(operation(), error))?;
    prepare(&mut connection, target.busy_timeout).map_err(|error| from_diesel(operation(), error))?;
    check_text_encoding(&mut connection, path)?;
    Ok(connection)
}

/// Begins a transaction that only reads, and sees one state throughout, whoever writes: it needs no lock.
pub(crate) fn read_transaction<R>(
    connection: &mut SqliteConnection,
    _: Lock<'_>,
    work: impl FnOnce(&mut SqliteConnection) -> Result<R, Fault>,
) -> Result<R, Fault> {
    let mut reason = Reason::default();
    let outcome = connection.transaction(|connection| reason.keep(work(connection)));
    reason.tell(outcome)
}

/// Begins a write transaction, in which nobody else writes: it needs no lock beside.
pub(crate) fn write_transaction<R>(
    connection: &mut SqliteConnection,
    transaction: Transaction<'_>,
    work: impl FnOnce(&mut SqliteConnection) -> Result<R, Fault>,
) -> Result<R, Fault> {
    set_durability(connection, transaction.durability)?;
    let mut reason = Reason::default();
    let outcome = connection.immediate_transaction(|connection| reason.keep(work(connection)));
    reason.tell(outcome)
}

/// A number that is another one when another connection has written since.
pub(crate) fn version_seen(connection: &mut Connection<'_>) -> Result<i64, Fault> {
    Ok(sql("PRAGMA data_version").returns::<BigInt>().get_result(connection)?)
}

/// What there is under a name. Names are the same in upper and lower case.
pub(crate) fn table(connection: &mut Connection<'_>, name: &str) -> Result<Table, Fault> {
    let kinds = sql("SELECT type FROM sqlite_schema WHERE type IN ('table', 'view') AND lower(name) = lower(")
        .bind(name)
        .sql(")")
        .returns::<Text>()
        .load::<String>(connection)?;
    match kinds.first().map(String::as_str) {
        Some("table") => {}
        Some(_) => return Ok(Table::View),
        None => return Ok(Table::Missing),
    }
    let columns = sql("SELECT name, pk FROM pragma_table_info(").bind(name).sql(")").returns::<(Text, BigInt)>();
    let columns = columns.load::<(String, i64)>(connection)?;
    Ok(Table::Columns(columns.into_iter().map(|(name, pk)| column(name, pk)).collect()))
}

/// Whatever the column says of its type, each of its rows may have a value of another one.
fn column(name: String, key: i64) -> Column {
    Column { name, is_in_key: key > 0, id_form: IdForm::Other }
}

/// Whether two names of columns are the same one.
pub(crate) fn is_same_name(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// Whether the engine's own tables are there.
pub(crate) fn has_own_tables(connection: &mut Connection<'_>) -> Result<bool, Fault> {
    let tables = sql("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'morango_fact'");
    Ok(tables.returns::<BigInt>().get_result::<i64>(connection)? > 0)
}

/// What tells this file apart from its copies: when it was made, where the system notes that. Not which file it is on its disk, which
/// some file systems tell differently each time; and not where it is, since a file may be moved.
pub(crate) fn identity(target: &Target) -> Vec<(&'static str, String)> {
    let created = std::fs::metadata(&target.path).and_then(|file| file.created()).ok();
    let since_epoch = created.and_then(|created| created.duration_since(std::time::UNIX_EPOCH).ok());
    since_epoch.map(|since| ("created", since.as_nanos().to_string())).into_iter().collect()
}

/// Adds the condition that a mark is of the row of this record: a column may hold its id as text or as bytes.
pub(crate) fn has_row_id<'a>(statement: Statement<'a>, id: &'a SyncId) -> Statement<'a> {
    statement.sql("row_id IN (").bind(id.to_string()).sql(", ").bind(id).sql(")")
}

/// Adds the condition that a row of the application is the one that was marked under this id: triggers mark one without an id
/// under the empty text.
pub(crate) fn is_marked_row<'a>(
    statement: Statement<'a>,
    (id_column, _): (&'static str, IdForm),
    row_id: Value<'a>,
) -> Statement<'a> {
    let is_empty = row_id == Value::from("");
    let marked = statement.identifier(id_column).sql(" = ").bind(row_id);
    if is_empty { marked.sql(" OR ").identifier(id_column).sql(" IS NULL") } else { marked }
}

/// Says how durable the next commits are. It is said outside of a transaction.
fn set_durability(connection: &mut SqliteConnection, durability: Durability) -> QueryResult<()> {
    connection.batch_execute(match durability {
        Durability::Durable => "PRAGMA synchronous = FULL",
        Durability::Buffered => "PRAGMA synchronous = NORMAL",
    })
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

fn prepare(connection: &mut SqliteConnection, busy_timeout: Duration) -> QueryResult<()> {
    let busy_milliseconds = busy_timeout.as_millis();
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
    use_write_ahead_log(connection, busy_timeout)?;
    let page_bytes = sql("PRAGMA page_size").returns::<BigInt>().get_result::<i64>(&mut connection.as_connection())?;
    connection.batch_execute(&format!("PRAGMA wal_autocheckpoint = {}", CHECKPOINT_BYTES / page_bytes.max(512)))
}

/// Readers and a writer at the same time need the write-ahead log. SQLite does not wait while it changes to it.
fn use_write_ahead_log(connection: &mut SqliteConnection, busy_timeout: Duration) -> QueryResult<()> {
    let started = Instant::now();
    loop {
        match sql("PRAGMA journal_mode = WAL").returns::<Text>().get_result::<String>(&mut connection.as_connection()) {
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
        .get_result::<String>(&mut connection.as_connection())
        .map_err(|error| from_diesel(format!("open the database {}", path.display()), error))?;
    if encoding == "UTF-8" {
        return Ok(());
    }
    let message = format!("open the database {}: its texts are in {encoding}", path.display());
    Err(Error::new(ErrorKind::StorageUnavailable, message)
        .with_hint("make a new database, whose texts are in UTF-8, and copy the tables into it"))
}

/// The kind of an error that is told by its message only, as far as Diesel passes it on.
pub(crate) fn kind_of_message(message: &str) -> Option<ErrorKind> {
    let is_one_of = |texts: &[&str]| texts.iter().any(|text| message.starts_with(text));
    if is_one_of(&["database is locked", "database table is locked", "database schema is locked"]) {
        Some(ErrorKind::StorageBusy)
    } else if is_one_of(&["database or disk is full"]) {
        Some(ErrorKind::StorageFull)
    } else if is_one_of(&["database disk image is malformed", "file is not a database", "malformed database schema"]) {
        Some(ErrorKind::StorageCorrupt)
    } else if is_one_of(&[
        "attempt to write a readonly database",
        "unable to open database file",
        "disk I/O error",
        "access permission denied",
        "authorization denied",
    ]) {
        Some(ErrorKind::StorageUnavailable)
    } else {
        None
    }
}

/// Whether a transaction was refused because it met another one: on SQLite the one waits for the other instead.
pub(crate) fn is_conflict(_: &DieselError) -> bool {
    false
}
