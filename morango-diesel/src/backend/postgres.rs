//! What is PostgreSQL's own: how a server is reached, what each connection is told, and what the database must be like.
//!
//! A sibling for another database has the same items in the same order.

pub(crate) mod capture;
pub(crate) mod change;
pub(crate) mod constraints;
pub(crate) mod lock;

use std::time::Duration;

use diesel::connection::{Connection as _, SimpleConnection as _};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::sql_types::{BigInt, Text};
use morango::id::SyncId;
use morango::model::ModelDefinition;
use morango::{Error, ErrorKind};

use super::{Column, Durability, IdForm, Lock, Occupant, Table, Transaction};
use crate::connection::{AsConnection as _, Connection};
use crate::error::{Fault, from_connection_error, from_diesel};
use crate::rows::{PostgresModel, TableRows};
use crate::statement::{Statement, sql};
use crate::transaction::{begin_savepoint, keep_savepoint, undo_savepoint};
use crate::value::Value;

/// What kind of database it is, in [`Storage::kind`](morango::port::Storage::kind).
pub(crate) const KIND: &str = "postgresql";

/// Many connections write at one time.
pub(crate) const HAS_ONE_WRITER: bool = false;

/// What takes a database from one version to the next, from the empty one on.
///
/// Once published, one of these never changes; a new one is added at the end. State in the commit what an older program
/// does with the new tables.
pub(crate) const MIGRATIONS: &[&str] = &[
    include_str!("postgres.sql"),
    super::RESUME_SQL,
    super::WAITING_SQL,
    super::CONFLICTS_SQL,
    super::HOUSEKEEPING_SQL,
    include_str!("postgres/completed.sql"),
    include_str!("postgres/handed_over.sql"),
    include_str!("postgres/waiting.sql"),
    include_str!("postgres/gave_way.sql"),
    include_str!("postgres/row_before.sql"),
];

/// PostgreSQL finds the index by itself.
pub(crate) const BY_COUNTER: &str = "";

/// Where what waits, or was dropped, is found by model: a table of its own, so that settling a record touches no index of the store.
pub(crate) const WAITING: &str = "morango_waiting";

/// The same with all that the store has of these records, under the name `held`.
///
/// Each record is looked up by its number, whatever the server believes of how many wait: `OFFSET 0` keeps it from reading the
/// whole store beside them.
pub(crate) const WAITING_RECORDS: &str =
    "(SELECT is_dirty, profile, model_name, is_deleted, morango_waiting.sequence, record.* FROM morango_waiting CROSS JOIN LATERAL
         (SELECT record_id, partition, serialized, self_reference, is_hard_deleted, last_saved_instance, last_saved_counter,
         transfer_session, failure_kind, failure_reason, waiting_since FROM morango_store
         WHERE morango_store.sequence = morango_waiting.sequence OFFSET 0) AS record) AS held";

/// Rows that one statement inserts or changes: each statement is a way to the server and back.
pub(crate) const ROWS_WRITTEN_MAX: usize = 250;

/// The function that gives the lesser of two numbers.
pub(crate) const LEAST: &str = "least";

/// The function that gives the greater of two numbers.
pub(crate) const GREATEST: &str = "greatest";

/// The function that says where in some bytes others begin, counted from 1.
pub(crate) const POSITION: &str = "pg_catalog.position";

/// A database on a server, and how a connection to it is set up.
#[derive(Clone)]
pub(crate) struct Target {
    /// The URL, which may hold a password.
    pub(crate) url: String,
    /// The same without a password, for people.
    pub(crate) location: String,
    /// The schema that holds our tables and comes first in the search path; the user's own search path where there is none.
    pub(crate) schema: Option<String>,
    /// Connections that are open at one time.
    pub(crate) connections_max: usize,
    /// How long a statement waits for another connection's lock.
    pub(crate) lock_timeout: Duration,
    /// How long a statement may take, if that is bounded.
    pub(crate) statement_timeout: Option<Duration>,
}

impl Target {
    /// Where it is, for people.
    pub(crate) fn location(&self) -> String {
        self.location.clone()
    }

    /// How long to wait for what another holds.
    pub(crate) fn patience(&self) -> Duration {
        self.lock_timeout
    }

    /// Which database is there now: its server sees to that.
    #[expect(clippy::unused_self, reason = "the other database asks the system about its file")]
    pub(crate) fn occupant(&self) -> Option<Occupant> {
        None
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Target")
            .field("location", &self.location)
            .field("schema", &self.schema)
            .field("lock_timeout", &self.lock_timeout)
            .finish_non_exhaustive()
    }
}

/// The rows of a model that registered itself.
///
/// # Errors
/// It has none on PostgreSQL.
pub(crate) fn registered_rows(definition: &'static ModelDefinition) -> morango::Result<TableRows> {
    let is_same = |rows: &PostgresModel| ((rows.definition)().type_id)() == (definition.type_id)();
    inventory::iter::<PostgresModel>().copied().find(is_same).map(TableRows::Postgres).ok_or_else(|| {
        Error::new(
            ErrorKind::Configuration,
            format!("keep the rows of {} in PostgreSQL: they were not derived for it", definition.describe()),
        )
        .with_hint("derive `morango_diesel::Syncable` with the feature `postgres` of `morango-diesel`")
    })
}

/// Opens a connection to the server.
pub(crate) fn connect(target: &Target) -> morango::Result<PgConnection> {
    let operation = || format!("connect to the database {}", target.location);
    let mut connection = PgConnection::establish(&target.url).map_err(|error| {
        let is_final = is_final_refusal(&error.to_string());
        let told = from_connection_error(operation(), error);
        if is_final { told } else { told.retryable() }
    })?;
    prepare(&mut connection, target).map_err(|error| from_diesel(operation(), error))?;
    check_text_encoding(&mut connection, target)?;
    Ok(connection)
}

/// Opens a connection for the storage's own use.
///
/// Every statement of ours is served by an index. A table that was just filled has no statistics yet, and for one that seemed empty the
/// server would read all of it, and go on doing so for as long as the statement stays prepared. The same goes for rows that are given
/// with a statement and looked up one by one: it would rather read the whole store beside them.
pub(crate) fn connect_own(target: &Target) -> morango::Result<PgConnection> {
    let mut connection = connect(target)?;
    connection
        .batch_execute("SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off")
        .map_err(|error| from_diesel(format!("connect to the database {}", target.location), error))?;
    Ok(connection)
}

/// A server that cannot be reached may merely be starting; one that refuses the user does so again.
fn is_final_refusal(message: &str) -> bool {
    let refusals = ["authentication failed", "does not exist", "no pg_hba.conf entry", "permission denied", "invalid "];
    refusals.iter().any(|text| message.contains(text))
}

/// Begins a transaction that only reads, and sees one state throughout.
pub(crate) fn read_transaction<R>(
    connection: &mut PgConnection,
    lock: Lock<'_>,
    work: impl FnOnce(&mut PgConnection) -> Result<R, Fault>,
) -> Result<R, Fault> {
    let keys = lock::keys(lock);
    wait_for_turn(connection, &keys)?;
    connection.build_transaction().repeatable_read().read_only().run(|connection| {
        lock::take(connection, &keys)?;
        work(connection)
    })
}

/// Waits in a transaction of its own until locks are to be had. What a transaction sees is fixed by its first statement: the one that
/// takes the locks may wait, and what it saw before would be old after.
fn wait_for_turn(connection: &mut PgConnection, keys: &[lock::Key]) -> Result<(), Fault> {
    if keys.is_empty() {
        return Ok(());
    }
    connection.build_transaction().read_committed().run(|connection| lock::take(connection, keys))
}

/// Begins a write transaction. Whether one may write is left to the server: an operator who makes the database read-only for a while
/// means us too.
pub(crate) fn write_transaction<R>(
    connection: &mut PgConnection,
    transaction: Transaction<'_>,
    work: impl FnOnce(&mut PgConnection) -> Result<R, Fault>,
) -> Result<R, Fault> {
    let keys = lock::keys(transaction.lock);
    let begin = |connection: &mut PgConnection| {
        if transaction.durability == Durability::Buffered {
            connection.batch_execute("SET LOCAL synchronous_commit = off")?;
        }
        if let Lock::Forgetting { .. } = transaction.lock {
            // Before anything is read: what the transaction sees is then what there is when it has the lock.
            connection.batch_execute("LOCK TABLE morango_sync_session IN SHARE ROW EXCLUSIVE MODE")?;
        }
        lock::take(connection, &keys)
    };
    if !transaction.lock.sees_one_state() {
        return connection.build_transaction().read_committed().run(|connection| {
            begin(connection)?;
            work(connection)
        });
    }
    wait_for_turn(connection, &keys)?;
    connection.build_transaction().repeatable_read().run(|connection| {
        begin(connection)?;
        // It is the engine, not the application, that gives way where the two wait for each other's rows.
        connection.batch_execute(&format!("SET LOCAL lock_timeout = {}", lock::ROW_WAIT.as_millis()))?;
        work(connection)
    })
}

/// The same number always: many connections write, and none of them waits for a turn.
#[expect(clippy::unnecessary_wraps, reason = "its sibling can fail")]
pub(crate) fn version_seen(_: &mut Connection<'_>) -> Result<i64, Fault> {
    Ok(0)
}

/// What there is under a name. Names differ in upper and lower case.
pub(crate) fn table(connection: &mut Connection<'_>, name: &str) -> Result<Table, Fault> {
    // A trigger that fires for a statement does so only on the table that the statement names.
    let kinds = sql("SELECT CASE WHEN relkind = 'p' OR EXISTS
         (SELECT 1 FROM pg_inherits WHERE pg_class.oid IN (inhrelid, inhparent)) THEN 'divided'
         ELSE CAST(relkind AS TEXT) END FROM pg_class WHERE oid = to_regclass(")
    .bind(quoted(name))
    .sql(")")
    .returns::<Text>()
    .load::<String>(connection)?;
    match kinds.first().map(String::as_str) {
        Some("r") => {}
        Some("divided") => return Ok(Table::Divided),
        Some(_) => return Ok(Table::View),
        None => return Ok(Table::Missing),
    }
    let columns = sql("SELECT attname, typname, CAST(CASE WHEN attnum = ANY (indkey) THEN 1 ELSE 0 END AS BIGINT)
         FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
         LEFT JOIN pg_index ON indrelid = attrelid AND indisprimary
         WHERE attnum > 0 AND NOT attisdropped AND attrelid = to_regclass(")
    .bind(quoted(name))
    .sql(") ORDER BY attnum")
    .returns::<(Text, Text, BigInt)>()
    .load::<(String, String, i64)>(connection)?;
    Ok(Table::Columns(columns.into_iter().map(|(name, kind, key)| column(name, &kind, key)).collect()))
}

fn column(name: String, kind: &str, key: i64) -> Column {
    let id_form = match kind {
        "uuid" => IdForm::Uuid,
        "bytea" => IdForm::Bytes,
        "text" | "varchar" => IdForm::Text,
        _ => IdForm::Other,
    };
    Column { name, is_in_key: key > 0, id_form }
}

/// Whether two names of columns are the same one.
pub(crate) fn is_same_name(one: &str, other: &str) -> bool {
    one == other
}

/// Whether the engine's own tables are there.
pub(crate) fn has_own_tables(connection: &mut Connection<'_>) -> Result<bool, Fault> {
    let tables = sql("SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relname = 'morango_fact'
         AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())");
    Ok(tables.returns::<BigInt>().get_result::<i64>(connection)? > 0)
}

/// What tells this database apart from its copies: the cluster, its timeline, which is another one after a restore was promoted, and
/// the database and a table of ours in it, which are others after a dump was read back. What the user may not ask is left out.
pub(crate) fn identity(connection: &mut Connection<'_>) -> Result<Vec<(&'static str, String)>, Fault> {
    let asked = [
        ("system", "SELECT CAST(system_identifier AS TEXT) FROM pg_control_system()"),
        ("timeline", "SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)"),
        ("database", "SELECT CAST(oid AS TEXT) FROM pg_database WHERE datname = current_database()"),
        ("table", "SELECT CAST(CAST(to_regclass('morango_fact') AS OID) AS TEXT)"),
    ];
    let mut identity = Vec::new();
    for (name, question) in asked {
        begin_savepoint(connection)?;
        match sql(question).returns::<Text>().get_result::<String>(connection) {
            Ok(answer) => {
                keep_savepoint(connection)?;
                identity.push((name, answer));
            }
            Err(_) => undo_savepoint(connection)?,
        }
    }
    Ok(identity)
}

/// Adds the condition that a mark is of the row of this record: triggers mark it under its 32 digits, whatever its column is.
pub(crate) fn has_row_id<'a>(statement: Statement<'a>, id: &'a SyncId) -> Statement<'a> {
    statement.sql("row_id = ").bind(id.to_string())
}

/// Adds the condition that a row of the application is the one that was marked under this text.
pub(crate) fn is_marked_row<'a>(
    statement: Statement<'a>,
    (id_column, id_form): (&'static str, IdForm),
    row_id: Value<'a>,
) -> Statement<'a> {
    match id_form {
        IdForm::Text => statement.identifier(id_column).sql(" = ").bind(row_id),
        IdForm::Uuid => statement.identifier(id_column).sql(" = CAST(").bind(row_id).sql(" AS uuid)"),
        IdForm::Bytes => statement.identifier(id_column).sql(" = decode(").bind(row_id).sql(", 'hex')"),
        IdForm::Other => statement.sql("CAST(").identifier(id_column).sql(" AS TEXT) = ").bind(row_id),
    }
}

/// A name in quotes, for where it cannot be an identifier of a statement.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn prepare(connection: &mut PgConnection, target: &Target) -> QueryResult<()> {
    if let Some(schema) = &target.schema {
        let schema = quoted(schema);
        connection.batch_execute(&format!(
            "SET client_min_messages = warning; CREATE SCHEMA IF NOT EXISTS {schema}; SET search_path = {schema}, public"
        ))?;
    }
    let (lock, statement) = (target.lock_timeout, target.statement_timeout.unwrap_or_default());
    // What a commit promises is ours to say, whatever the server's default is. `IS DISTINCT FROM` keeps a stricter setting.
    connection.batch_execute(&format!(
        "SET lock_timeout = {};
         SET statement_timeout = {};
         SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';",
        lock.as_millis().max(1),
        statement.as_millis()
    ))?;
    speak_english(connection);
    Ok(())
}

/// Diesel passes on what the server says and not the number of the error, so a full disk or a lock that was not had in time is told by
/// its text. Not every user may choose the language; then such errors are told as errors of the database.
fn speak_english(connection: &mut PgConnection) {
    if let Err(error) = connection.batch_execute("SET lc_messages = 'C'") {
        tracing::debug!(%error, "the server's messages stay in its own language");
    }
}

/// Prefixes are ranges of bytes, which are in the order of characters in UTF-8 and in no other encoding.
fn check_text_encoding(connection: &mut PgConnection, target: &Target) -> morango::Result<()> {
    let operation = || format!("connect to the database {}", target.location);
    let encoding = sql("SELECT current_setting('server_encoding')")
        .returns::<Text>()
        .get_result::<String>(&mut connection.as_connection())
        .map_err(|error| from_diesel(operation(), error))?;
    if encoding == "UTF8" {
        return Ok(());
    }
    let message = format!("{}: its texts are in {encoding}", operation());
    Err(Error::new(ErrorKind::StorageUnavailable, message)
        .with_hint("make a new database with `ENCODING 'UTF8'`, and copy the tables into it"))
}

/// The kind of an error that is told by its message only.
pub(crate) fn kind_of_message(message: &str) -> Option<ErrorKind> {
    let has_one_of = |texts: &[&str]| texts.iter().any(|text| message.contains(text));
    if has_one_of(&["due to lock timeout", "due to statement timeout", "deadlock detected", "could not obtain lock"]) {
        Some(ErrorKind::StorageBusy)
    } else if has_one_of(&["No space left on device", "Disk full", "could not extend file"]) {
        Some(ErrorKind::StorageFull)
    } else if has_one_of(&["invalid page in block", "could not read block", "is corrupted"]) {
        Some(ErrorKind::StorageCorrupt)
    } else if has_one_of(&[
        "server closed the connection",
        "connection to server",
        "could not connect",
        "terminating connection",
        "the database system is",
        "too many clients",
        "too many connections",
        "remaining connection slots",
        "could not translate host name",
        "no connection to the server",
        "permission denied",
        "SSL connection has been closed",
    ]) {
        Some(ErrorKind::StorageUnavailable)
    } else {
        None
    }
}

/// Whether a transaction was refused because it met another one: run again, it may succeed.
pub(crate) fn is_conflict(error: &DieselError) -> bool {
    match error {
        DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => true,
        DieselError::DatabaseError(_, information) => information.message().contains("deadlock detected"),
        _ => false,
    }
}
