//! Transfer sessions. The counters of the two sides may be megabytes of text: they are written where they changed, only.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};
use morango::counter::KeptFsic;
use morango::id::{SyncSessionId, TransferSessionId};
use morango::scope::Filter;
use morango::session::{Direction, Stage, StageStatus, TransferSession};
use morango::{Error, ErrorKind};

use super::columns::{count, damaged, direction, milliseconds, number, side, side_text, time};
use crate::connection::Connection;
use crate::error::Fault;
use crate::statement::{Statement, sql};
use crate::storage::DieselStorage;
use crate::transactions::Transactions;
use crate::value::Value;

/// Keeps a new transfer session, or takes up the open one of the same sync session and direction.
pub(crate) fn create_transfer_session(
    storage: &Transactions<'_>,
    session: &TransferSession,
) -> morango::Result<TransferSession> {
    storage.write_buffered("create a transfer session", |connection| {
        if let Some(open) = open(connection, &session.sync_session, session.direction)? {
            return Ok(open);
        }
        let refused = |kind, why: &str| {
            Fault::from(Error::new(kind, format!("create the transfer session {}: {why}", session.id)))
        };
        if load(connection, &session.id)?.is_some() {
            return Err(refused(ErrorKind::SessionConflict, "there is one with this id"));
        }
        let used = sql("UPDATE morango_sync_session SET last_activity_at = ")
            .bind(milliseconds(session.last_activity_at))
            .sql(" WHERE is_active = 1 AND id = ")
            .bind(&session.sync_session)
            .execute(connection)?;
        if used == 0 {
            return Err(refused(ErrorKind::SessionUnknown, "its sync session is unknown or closed"));
        }
        if insert(connection, session)? {
            return Ok(session.clone());
        }
        // Another program was just before us.
        open(connection, &session.sync_session, session.direction)?
            .ok_or_else(|| refused(ErrorKind::SessionConflict, "there is one with this id"))
    })
}

/// One transfer session, open or closed.
pub(crate) fn transfer_session(
    storage: &DieselStorage,
    id: &TransferSessionId,
) -> morango::Result<Option<TransferSession>> {
    storage.read("read a transfer session", |connection| load(connection, id))
}

/// Transfer sessions of a sync session: the open ones, then the closed ones, of both the newest first.
pub(crate) fn transfer_sessions(
    storage: &DieselStorage,
    sync_session: &SyncSessionId,
    limit: usize,
) -> morango::Result<Vec<TransferSession>> {
    storage.read("list transfer sessions", |connection| {
        let found = select().sql("sync_session = ").bind(sync_session);
        let found = found.sql(" ORDER BY is_active DESC, started_at DESC, id").limit(limit).returns::<Types>();
        found.load::<Row>(connection)?.into_iter().map(Row::into_session).collect()
    })
}

/// Changes a transfer session in one transaction. Id, sync session, side, direction and profile stay what they are.
pub(crate) fn update_transfer_session(
    storage: &Transactions<'_>,
    id: &TransferSessionId,
    change: &mut dyn FnMut(&mut TransferSession),
) -> morango::Result<Option<TransferSession>> {
    storage.write_buffered("change a transfer session", |connection| {
        let Some(before) = first(connection, select().sql("id = ").bind(id).for_update())? else { return Ok(None) };
        let mut after = before.clone();
        change(&mut after);
        after.id = before.id;
        after.sync_session = before.sync_session;
        after.side = before.side;
        after.direction = before.direction;
        after.profile.clone_from(&before.profile);
        save_changes(connection, &before, &after)?;
        Ok(Some(after))
    })
}

/// Keeps others from changing an open transfer session until the transaction ends, and says how it stands: its stage with the status
/// of that, and the number of its records where it is known.
///
/// # Errors
/// [`ErrorKind::SessionUnknown`] where there is none, or it is closed.
pub(crate) fn lock_open_transfer(
    connection: &mut Connection<'_>,
    id: &TransferSessionId,
) -> Result<((Stage, StageStatus), Option<u64>), Fault> {
    let found = sql("SELECT stage, status, records_total FROM morango_transfer_session WHERE is_active = 1 AND id = ")
        .bind(id)
        .for_update()
        .returns::<(Text, Text, Nullable<BigInt>)>()
        .get_result::<(String, String, Option<i64>)>(connection)
        .optional()?;
    let (stage, status, total) = found.ok_or_else(|| closed(id))?;
    let stage = stage.parse().map_err(|_| damaged("stage", &stage))?;
    let status = status.parse().map_err(|_| damaged("status", &status))?;
    Ok(((stage, status), total.map(number).transpose()?))
}

/// Whether a transfer session is open, as far as one who only reads can tell.
///
/// # Errors
/// [`ErrorKind::SessionUnknown`] where there is none, or it is closed.
pub(crate) fn check_open(connection: &mut Connection<'_>, id: &TransferSessionId) -> Result<(), Fault> {
    match load(connection, id)? {
        Some(session) if session.is_active => Ok(()),
        _ => Err(closed(id).into()),
    }
}

fn closed(id: &TransferSessionId) -> Error {
    let message = format!("find the transfer session {id}: there is none, or it was closed meanwhile");
    Error::new(ErrorKind::SessionUnknown, message)
}

/// Notes how many records were queued for a session, and for which counters.
pub(crate) fn note_queued(connection: &mut Connection<'_>, session: &TransferSession, total: u64) -> Result<(), Fault> {
    sql("UPDATE morango_transfer_session SET records_total = ")
        .bind(count(total))
        .sql(", client_fsic = ")
        .bind(session.client_fsic.text())
        .sql(", server_fsic = ")
        .bind(session.server_fsic.text())
        .sql(" WHERE id = ")
        .bind(&session.id)
        .execute(connection)?;
    Ok(())
}

/// Inserts a session, and says whether no other was in its place.
fn insert(connection: &mut Connection<'_>, session: &TransferSession) -> Result<bool, Fault> {
    let inserted = sql("INSERT INTO morango_transfer_session (id, sync_session, side, direction, profile")
        .sql(columns(|_| true))
        .sql(") VALUES (")
        .bind(&session.id)
        .sql(", ")
        .bind(&session.sync_session)
        .sql(", ")
        .bind_all([side_text(session.side), session.direction.as_str(), &session.profile])
        .sql(", ")
        .bind_all(CHANGING.iter().map(|column| (column.value)(session)))
        .sql(") ON CONFLICT DO NOTHING")
        .execute(connection)?;
    Ok(inserted == 1)
}

fn columns(is_taken: impl Fn(&Column) -> bool) -> String {
    CHANGING.iter().filter(|column| is_taken(column)).flat_map(|column| [", ", column.name]).collect()
}

fn save_changes(
    connection: &mut Connection<'_>,
    before: &TransferSession,
    after: &TransferSession,
) -> Result<(), Fault> {
    let mut update = sql("UPDATE morango_transfer_session SET ");
    let mut changed = 0;
    for column in CHANGING.iter().filter(|column| (column.differs)(before, after)) {
        update =
            update.sql(if changed == 0 { "" } else { ", " }).sql(column.name).sql(" = ").bind((column.value)(after));
        changed += 1;
    }
    if changed > 0 {
        update.sql(" WHERE id = ").bind(&after.id).execute(connection)?;
    }
    Ok(())
}

/// A column that changes: whether it did, and what it then holds.
struct Column {
    name: &'static str,
    differs: fn(&TransferSession, &TransferSession) -> bool,
    value: fn(&TransferSession) -> Value<'static>,
}

/// One column for the field of the same name.
macro_rules! column {
    ($field:ident, |$session:ident| $value:expr) => {
        Column {
            name: stringify!($field),
            differs: |before, after| before.$field != after.$field,
            value: |$session| Value::from($value),
        }
    };
}

const CHANGING: [Column; 13] = [
    column!(filter, |session| session.filter.to_wire()),
    column!(stage, |session| session.stage.as_str()),
    column!(status, |session| session.status.as_str()),
    Column {
        name: "error",
        differs: |before, after| before.error != after.error,
        value: |session| Value::Content(session.error.clone().map(Into::into)),
    },
    column!(records_total, |session| session.records_total.map(count)),
    column!(records_transferred, |session| count(session.records_transferred)),
    column!(bytes_sent, |session| count(session.bytes_sent)),
    column!(bytes_received, |session| count(session.bytes_received)),
    column!(client_fsic, |session| session.client_fsic.text().to_owned()),
    column!(server_fsic, |session| session.server_fsic.text().to_owned()),
    column!(started_at, |session| milliseconds(session.started_at)),
    column!(last_activity_at, |session| milliseconds(session.last_activity_at)),
    column!(is_active, |session| session.is_active),
];

fn load(connection: &mut Connection<'_>, id: &TransferSessionId) -> Result<Option<TransferSession>, Fault> {
    first(connection, select().sql("id = ").bind(id))
}

fn open(
    connection: &mut Connection<'_>,
    sync_session: &SyncSessionId,
    direction: Direction,
) -> Result<Option<TransferSession>, Fault> {
    let found = select().sql("is_active = 1 AND sync_session = ").bind(sync_session);
    first(connection, found.sql(" AND direction = ").bind(direction.as_str()))
}

fn select<'a>() -> Statement<'a> {
    sql("SELECT id, sync_session, side, direction, profile, filter, stage, status, error, records_total,
         records_transferred, bytes_sent, bytes_received, client_fsic, server_fsic, started_at, last_activity_at,
         is_active FROM morango_transfer_session WHERE ")
}

fn first(connection: &mut Connection<'_>, statement: Statement<'_>) -> Result<Option<TransferSession>, Fault> {
    let found = statement.returns::<Types>().get_result::<Row>(connection).optional()?;
    found.map(Row::into_session).transpose()
}

type Types = (
    Binary,
    Binary,
    Text,
    Text,
    Text,
    Text,
    Text,
    Text,
    Nullable<Text>,
    Nullable<BigInt>,
    BigInt,
    BigInt,
    BigInt,
    Text,
    Text,
    BigInt,
    BigInt,
    BigInt,
);

#[derive(Queryable)]
struct Row {
    id: TransferSessionId,
    sync_session: SyncSessionId,
    side: String,
    direction: String,
    profile: String,
    filter: String,
    stage: String,
    status: String,
    error: Option<String>,
    records_total: Option<i64>,
    records_transferred: i64,
    bytes_sent: i64,
    bytes_received: i64,
    client_fsic: String,
    server_fsic: String,
    started_at: i64,
    last_activity_at: i64,
    is_active: i64,
}

impl Row {
    fn into_session(self) -> Result<TransferSession, Fault> {
        Ok(TransferSession {
            id: self.id,
            sync_session: self.sync_session,
            side: side(&self.side)?,
            direction: direction(&self.direction)?,
            profile: self.profile,
            filter: Filter::from_wire(&self.filter).map_err(|error| damaged("filter", error))?,
            stage: self.stage.parse().map_err(|_| damaged("stage", &self.stage))?,
            status: self.status.parse().map_err(|_| damaged("status", &self.status))?,
            error: self.error,
            records_total: self.records_total.map(number).transpose()?,
            records_transferred: number(self.records_transferred)?,
            bytes_sent: number(self.bytes_sent)?,
            bytes_received: number(self.bytes_received)?,
            client_fsic: KeptFsic::of_text(self.client_fsic),
            server_fsic: KeptFsic::of_text(self.server_fsic),
            started_at: time(self.started_at)?,
            last_activity_at: time(self.last_activity_at)?,
            is_active: self.is_active == 1,
        })
    }
}
