//! Marks: which rows changed, as the triggers note it.

use std::fmt;

use diesel::deserialize::{self, FromSql, FromSqlRow};
#[cfg(feature = "postgres")]
use diesel::pg::{Pg, PgValue};
use diesel::sql_types::{BigInt, Binary, Nullable, Text};
#[cfg(feature = "sqlite")]
use diesel::sqlite::{Sqlite, SqliteType, SqliteValue};
use morango::id::SyncId;

use crate::backend;
use crate::connection::Connection;
use crate::error::Fault;
use crate::models::InstalledModel;
use crate::statement::{Statement, sql};
use crate::value::Value;

/// The id of a row as its column has it: anything that SQLite can hold.
#[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "elsewhere every id is marked as a text"))]
#[derive(Debug, Clone, PartialEq, FromSqlRow)]
pub(super) enum RowId {
    Text(String),
    Bytes(Vec<u8>),
    Integer(i64),
    Real(f64),
}

impl RowId {
    /// The record's id, if it is one: 32 digits or 16 bytes.
    pub(super) fn record_id(&self) -> Option<SyncId> {
        match self {
            Self::Text(text) => text.parse().ok(),
            Self::Bytes(bytes) => bytes.as_slice().try_into().ok().map(SyncId::from_bytes),
            Self::Integer(_) | Self::Real(_) => None,
        }
    }
}

impl fmt::Display for RowId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => formatter.write_str(text),
            Self::Bytes(bytes) => bytes.iter().try_for_each(|byte| write!(formatter, "{byte:02x}")),
            Self::Integer(number) => number.fmt(formatter),
            Self::Real(number) => number.fmt(formatter),
        }
    }
}

impl<'a> From<&'a RowId> for Value<'a> {
    fn from(id: &'a RowId) -> Self {
        match id {
            RowId::Text(text) => Value::from(text),
            RowId::Bytes(bytes) => Value::from(bytes.as_slice()),
            RowId::Integer(number) => Value::from(*number),
            RowId::Real(number) => Value::Real(*number),
        }
    }
}

/// SQLite's values carry their own types; which one Diesel is told does not matter.
#[cfg(feature = "sqlite")]
impl FromSql<Binary, Sqlite> for RowId {
    fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Ok(match value.value_type() {
            Some(SqliteType::Text) => Self::Text(value.read_text().to_owned()),
            Some(SqliteType::Integer | SqliteType::SmallInt | SqliteType::Long) => Self::Integer(value.read_long()),
            Some(SqliteType::Float | SqliteType::Double) => Self::Real(value.read_double()),
            Some(SqliteType::Binary) | None => Self::Bytes(value.read_blob().to_vec()),
        })
    }
}

/// On PostgreSQL triggers mark rows under a text, whose bytes are the same whatever Diesel is told.
#[cfg(feature = "postgres")]
impl FromSql<Binary, Pg> for RowId {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self::Text(std::str::from_utf8(value.as_bytes())?.to_owned()))
    }
}

/// Marks that one statement reads.
const MARKS_READ: usize = 500;

/// Marks that one statement removes.
const MARKS_REMOVED: usize = 50;

/// Which marks are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// All, also those of rows that were set aside before.
    All,
    /// Those of rows that changed since they were last tried.
    Untried,
}

/// One mark.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mark {
    pub(super) row_id: RowId,
    /// Whether it was deleted for good since, be it there again or not.
    pub(super) is_hard: bool,
    /// Source id and partition, where `create` fixed them.
    pub(super) origin: Option<(String, String)>,
}

/// How many rows of these models are marked.
pub(super) fn count(connection: &mut Connection<'_>, models: &[InstalledModel]) -> Result<u64, Fault> {
    let count = sql("SELECT count(*) FROM morango_mark WHERE model IN (")
        .bind_all(models.iter().map(|model| model.number))
        .sql(")")
        .returns::<BigInt>()
        .get_result::<i64>(connection)?;
    Ok(count.unsigned_abs())
}

/// The next marks of a model, in the order of their ids; but none that somebody is just writing, whose change is yet to come.
///
/// Until the transaction ends nobody marks these rows anew: so a change that is made after its row was read gets a mark of its own.
pub(super) fn page(
    connection: &mut Connection<'_>,
    model: &InstalledModel,
    which: Which,
    after: Option<&RowId>,
    limit: usize,
) -> Result<Vec<Mark>, Fault> {
    type Row = (RowId, i64, Option<String>, Option<String>);
    let mut marks =
        sql("SELECT row_id, is_hard, source_id, partition FROM morango_mark WHERE model = ").bind(model.number);
    if let Some(after) = after {
        marks = marks.sql(" AND row_id > ").bind(after);
    }
    if which == Which::Untried {
        marks = marks.sql(" AND reason IS NULL");
    }
    let rows = marks
        .sql(" ORDER BY row_id")
        .limit(limit)
        .for_update_unlocked()
        .returns::<(Binary, BigInt, Nullable<Text>, Nullable<Text>)>()
        .load::<Row>(connection)?;
    let mark = |(row_id, is_hard, source_id, partition): Row| Mark {
        row_id,
        is_hard: is_hard != 0,
        origin: source_id.zip(partition),
    };
    Ok(rows.into_iter().map(mark).collect())
}

/// What stays marked after serializing.
pub(crate) struct LeftMark {
    /// The record's id, or the one that it would have.
    pub(crate) id: SyncId,
    /// The partition, where `create` fixed it.
    pub(crate) partition: Option<String>,
}

/// The marks of a model whose rows could not be serialized; but none of a row whose id no record can have.
pub(crate) fn marks_left(connection: &mut Connection<'_>, model: &InstalledModel) -> Result<Vec<LeftMark>, Fault> {
    let mut left = Vec::new();
    let mut after: Option<RowId> = None;
    loop {
        let marks = page(connection, model, Which::All, after.as_ref(), MARKS_READ)?;
        let is_last = marks.len() < MARKS_READ;
        for mark in marks {
            if let Some(id) = mark.row_id.record_id() {
                left.push(LeftMark { id, partition: mark.origin.map(|(_, partition)| partition) });
            }
            after = Some(mark.row_id);
        }
        if is_last {
            return Ok(left);
        }
    }
}

/// Whether the table has a row of this id, however the model reads it.
pub(super) fn has_row(connection: &mut Connection<'_>, model: &InstalledModel, row_id: &RowId) -> Result<bool, Fault> {
    let found = sql("SELECT count(*) FROM ").identifier(model.definition.table).sql(" WHERE ");
    let id_column = (model.definition.id_column, model.id_form);
    let found = backend::is_marked_row(connection, found, id_column, row_id.into());
    Ok(found.returns::<BigInt>().get_result::<i64>(connection)? > 0)
}

/// Whether the row of a record was changed and is not serialized yet.
pub(crate) fn has_mark(connection: &mut Connection<'_>, model: &InstalledModel, id: &SyncId) -> Result<bool, Fault> {
    let marks = sql("SELECT count(*) FROM morango_mark WHERE model = ").bind(model.number).sql(" AND ");
    let marks = backend::has_row_id(connection, marks, id).returns::<BigInt>();
    Ok(marks.get_result::<i64>(connection)? != 0)
}

/// Takes marks of a model away: what they stand for is in the store. The last statement is filled up, so that it stays the same.
pub(super) fn remove_all(
    connection: &mut Connection<'_>,
    model: &InstalledModel,
    row_ids: &[&RowId],
) -> Result<(), Fault> {
    for page in row_ids.chunks(MARKS_REMOVED) {
        let last = *page.last().expect("a chunk is not empty");
        let filled = page.iter().copied().chain(std::iter::repeat_n(last, MARKS_REMOVED - page.len()));
        sql("DELETE FROM morango_mark WHERE model = ")
            .bind(model.number)
            .sql(" AND row_id IN (")
            .bind_all(filled)
            .sql(")")
            .execute(connection)?;
    }
    Ok(())
}

/// Takes the mark of a record's row away though what it stands for is not in the store, and says whether there was one. A row that
/// has no record yet keeps its mark, which alone knows where the record is to belong.
pub(super) fn forget(connection: &mut Connection<'_>, model: &InstalledModel, id: &SyncId) -> Result<bool, Fault> {
    let mark = sql("DELETE FROM morango_mark WHERE model = ").bind(model.number).sql(" AND ");
    let mark = backend::has_row_id(connection, mark, id)
        .sql(" AND EXISTS (SELECT 1 FROM morango_store WHERE record_id = ")
        .bind(id)
        .sql(")");
    Ok(mark.execute(connection)? > 0)
}

/// Notes why a row was set aside; nothing is written where that is known already.
pub(super) fn set_aside(
    connection: &mut Connection<'_>,
    model: &InstalledModel,
    mark: &Mark,
    reason: &str,
) -> Result<(), Fault> {
    of(sql("UPDATE morango_mark SET reason = ").bind(Value::content(reason)), model, &mark.row_id)
        .sql(" AND reason IS DISTINCT FROM ")
        .bind(Value::content(reason))
        .execute(connection)?;
    Ok(())
}

fn of<'a>(statement: Statement<'a>, model: &InstalledModel, row_id: &'a RowId) -> Statement<'a> {
    statement.sql(" WHERE model = ").bind(model.number).sql(" AND row_id = ").bind(row_id)
}
