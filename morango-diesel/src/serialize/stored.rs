//! The records in the store that marked rows belong to: read a page at a time, and written as many at once as the database takes.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError, QueryResult};
use diesel::sql_types::{BigInt, Binary, Nullable, Text};
use morango::counter::{CounterError, RecordMaxCounters, Stamp};
use morango::id::{InstanceId, SyncId};
use morango::model::Origin;

use super::decide::{Content, Deletion};
use crate::backend;
use crate::connection::Connection;
use crate::error::Fault;
use crate::merged::Overwritten;
use crate::models::InstalledModel;
use crate::statement::{Statement, sql};
use crate::value::Value;

/// Records that one statement loads. The last page is filled up, so that the statement stays the same.
const RECORDS_LOADED: usize = 100;

/// What serializing has to know of a record that is in the store.
#[derive(Debug)]
pub(super) struct Stored {
    sequence: i64,
    profile: String,
    model_name: String,
    pub(super) partition: String,
    pub(super) source_id: String,
    pub(super) is_deleted: bool,
    pub(super) is_hard_deleted: bool,
    pub(super) is_dirty: bool,
    /// What the row says as long as nobody changes it, where the record waits and that is known. An empty text: there is no row.
    pub(super) row_before: Option<String>,
    last_saved: Stamp,
    counters: Result<RecordMaxCounters, CounterError>,
    pub(super) serialized: String,
    /// The id of the record's parent of the same model, or nothing.
    pub(super) self_reference: String,
    /// Texts that lost earlier; read only where another one will join them.
    pub(super) conflicting_while_dirty: String,
}

impl Stored {
    /// Whether its row, if it has the same content, leaves nothing to be done.
    pub(super) fn is_live_and_clean(&self) -> bool {
        !self.is_deleted && !self.is_hard_deleted && !self.is_dirty
    }

    /// Whether it waits and had no row that the application did not make meanwhile.
    pub(super) fn had_no_row(&self) -> bool {
        self.is_dirty && self.row_before.as_deref() == Some("")
    }

    /// Why it cannot be the record of a row of this model.
    pub(super) fn reason_against(&self, model: &InstalledModel) -> Option<String> {
        let (profile, name) = (model.definition.profile, model.definition.name);
        if self.profile != profile || self.model_name != name {
            let other = format!("{}/{}", self.profile, self.model_name);
            return Some(format!("serialize the row: the store has a record of this id, of {other}"));
        }
        self.counters.as_ref().err().map(|error| format!("serialize the row: its record is damaged: {error}"))
    }

    /// The record, which is about to be saved anew.
    pub(super) fn overwritten(&self) -> Overwritten<'_> {
        Overwritten { sequence: self.sequence, partition: &self.partition, saved: self.last_saved }
    }

    fn counters_with(&self, stamp: Stamp) -> Vec<u8> {
        let mut counters = self.counters.clone().expect("a damaged record is set aside before it is written");
        counters.raise(stamp);
        counters.to_bytes()
    }
}

#[derive(Queryable)]
struct Row {
    sequence: i64,
    id: SyncId,
    profile: String,
    model_name: String,
    partition: String,
    source_id: String,
    is_deleted: i64,
    is_hard_deleted: i64,
    is_dirty: i64,
    text_before: Option<String>,
    last_saved_instance: InstanceId,
    last_saved_counter: i64,
    record_max_counters: Vec<u8>,
    serialized: String,
    self_reference: String,
    conflicting_while_dirty: String,
}

type Types = (
    BigInt,
    Binary,
    Text,
    Text,
    Text,
    Text,
    BigInt,
    BigInt,
    BigInt,
    Nullable<Text>,
    Binary,
    BigInt,
    Binary,
    Text,
    Text,
    Text,
);

/// The records with these ids.
pub(super) fn load(connection: &mut Connection<'_>, ids: &[SyncId]) -> Result<HashMap<SyncId, Stored>, Fault> {
    let mut found = HashMap::with_capacity(ids.len());
    for page in ids.chunks(RECORDS_LOADED) {
        let last = page.last().expect("a chunk is not empty");
        let filled = page.iter().chain(std::iter::repeat_n(last, RECORDS_LOADED - page.len()));
        let rows =
            sql("SELECT sequence, record_id, profile, model_name, partition, source_id, is_deleted, is_hard_deleted,
             is_dirty, CASE WHEN is_dirty <> 0 THEN row_serialized END, last_saved_instance, last_saved_counter,
             record_max_counters, serialized, self_reference, CASE WHEN is_dirty <> 0 THEN conflicting_serialized_data ELSE '' END
             FROM morango_store WHERE record_id IN (")
            .bind_all(filled)
            .sql(")")
            .returns::<Types>()
            .load::<Row>(connection)?;
        found.extend(rows.into_iter().map(|row| (row.id, Stored::from(row))));
    }
    Ok(found)
}

impl From<Row> for Stored {
    fn from(row: Row) -> Self {
        Self {
            sequence: row.sequence,
            profile: row.profile,
            model_name: row.model_name,
            partition: row.partition,
            source_id: row.source_id,
            is_deleted: row.is_deleted != 0,
            is_hard_deleted: row.is_hard_deleted != 0,
            is_dirty: row.is_dirty != 0,
            row_before: row.text_before,
            last_saved: Stamp::new(row.last_saved_instance, row.last_saved_counter),
            counters: RecordMaxCounters::from_bytes(&row.record_max_counters),
            serialized: row.serialized,
            self_reference: row.self_reference,
            conflicting_while_dirty: row.conflicting_while_dirty,
        }
    }
}

/// Puts new records into the store, in their order.
///
/// Before: none of these ids. After: one of each, clean, saved at the stamp.
pub(super) fn insert_all(
    connection: &mut Connection<'_>,
    model: &InstalledModel,
    records: &[(Origin, Content)],
    stamp: Stamp,
) -> Result<(), Fault> {
    let mut counters = RecordMaxCounters::new();
    counters.raise(stamp);
    let counters = counters.to_bytes();
    for page in records.chunks(backend::rows_written_max(connection)) {
        let inserted = match page {
            [(origin, content)] => insert_one(connection, model, (origin, content), (stamp, &counters))?,
            _ => insert_many(connection, model, page, (stamp, &counters))?,
        };
        if inserted < page.len() {
            return Err(met_another());
        }
    }
    Ok(())
}

const INSERT: &str = "INSERT INTO morango_store (last_saved_instance, record_max_counters, last_saved_counter, profile,
     model_name, conflicting_serialized_data, is_deleted, is_hard_deleted, is_dirty, record_id, partition, source_id,
     self_reference, serialized) ";

fn insert_one(
    connection: &mut Connection<'_>,
    model: &InstalledModel,
    (origin, content): (&Origin, &Content),
    (stamp, counters): (Stamp, &[u8]),
) -> QueryResult<usize> {
    struct InsertOne;

    saved_values(sql(INSERT).sql("VALUES ("), model, stamp, counters)
        .bind(&origin.id)
        .sql(", ")
        .bind_all([&origin.partition, &origin.source_id, &content.self_reference])
        .sql(", ")
        .bind(Value::content(&content.serialized))
        .sql(") ON CONFLICT (record_id) DO NOTHING")
        .execute_as::<InsertOne>(connection)
}

/// The same for many with one statement, where the database takes values for many rows at once.
fn insert_many(
    connection: &mut Connection<'_>,
    model: &InstalledModel,
    records: &[(Origin, Content)],
    (stamp, counters): (Stamp, &[u8]),
) -> QueryResult<usize> {
    struct InsertMany;

    let (origins, contents) =
        (|| records.iter().map(|(origin, _)| origin), || records.iter().map(|(_, content)| content));
    saved_values(sql(INSERT).sql("SELECT "), model, stamp, counters)
        .sql("new.* FROM unnest(")
        .bind_all([
            Value::ids(origins().map(|origin| *origin.id.as_bytes())),
            Value::texts(origins().map(|origin| origin.partition.as_str())),
            Value::texts(origins().map(|origin| origin.source_id.as_str())),
            Value::texts(contents().map(|content| content.self_reference.as_str())),
            Value::contents(contents().map(|content| content.serialized.as_str())),
        ])
        .sql(") AS new ON CONFLICT (record_id) DO NOTHING")
        .execute_as::<InsertMany>(connection)
}

/// The values that all new records have in common, in the order of [`INSERT`].
fn saved_values<'a>(insert: Statement<'a>, model: &InstalledModel, stamp: Stamp, counters: &'a [u8]) -> Statement<'a> {
    insert
        .bind(&stamp.instance)
        .sql(", ")
        .bind(counters)
        .sql(", ")
        .bind(stamp.counter)
        .sql(", ")
        .bind_all([model.definition.profile, model.definition.name])
        .sql(", '', 0, 0, 0, ")
}

/// The record was not there when this transaction looked, and now is: it came from a peer meanwhile.
fn met_another() -> Fault {
    let message = "a record came while the row of the same id was serialized".to_owned();
    DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, Box::new(message)).into()
}

/// What every change of a record by this instance sets: where it comes from, why it waited, and what its row is if it waits.
const SAVED: &str = "UPDATE morango_store SET transfer_session = NULL, failure_kind = NULL, failure_reason = NULL,
     waiting_since = NULL, row_serialized = ";

/// Gives records their rows' contents.
///
/// Before: any state. After: live, saved at the stamp, and clean; where a merge policy gave one something of what had arrived and
/// was not yet a row, it waits to become the row. What of either is not in it went before the texts that lost earlier.
pub(super) fn update_all(
    connection: &mut Connection<'_>,
    updates: &[(&Stored, Content)],
    stamp: Stamp,
) -> Result<(), Fault> {
    // What met something that had arrived is rare, and changes more.
    let (met, plain): (Vec<_>, Vec<_>) = updates.iter().partition(|(_, content)| content.conflicting.is_some());
    for (stored, content) in met {
        update(connection, stored, content, stamp)?;
    }
    for page in plain.chunks(backend::rows_written_max(connection)) {
        match page {
            [(stored, content)] => update(connection, stored, content, stamp)?,
            _ => update_many(connection, page, stamp)?,
        }
    }
    Ok(())
}

fn update(connection: &mut Connection<'_>, stored: &Stored, content: &Content, stamp: Stamp) -> Result<(), Fault> {
    let mut update = sql(SAVED)
        .bind(Value::Content(content.row.as_deref().map(Into::into)))
        .sql(", is_dirty = ")
        .bind(content.row.is_some())
        .sql(", last_saved_instance = ")
        .bind(&stamp.instance)
        .sql(", last_saved_counter = ")
        .bind(stamp.counter)
        .sql(", record_max_counters = ")
        .bind(stored.counters_with(stamp))
        .sql(", is_deleted = 0, is_hard_deleted = 0, self_reference = ")
        .bind(&content.self_reference)
        .sql(", serialized = ")
        .bind(Value::content(&content.serialized));
    if let Some(conflicting) = &content.conflicting {
        update = update.sql(", conflicting_serialized_data = ").bind(Value::content(conflicting));
    }
    update.sql(" WHERE sequence = ").bind(stored.sequence).execute(connection)?;
    Ok(())
}

/// The same for many that keep the texts that lost, with one statement, where the database takes values for many rows at once.
fn update_many(connection: &mut Connection<'_>, updates: &[&(&Stored, Content)], stamp: Stamp) -> Result<(), Fault> {
    struct UpdateMany;

    let (stored, contents) =
        (|| updates.iter().map(|(stored, _)| *stored), || updates.iter().map(|(_, content)| content));
    sql(SAVED)
        .sql("NULL, is_dirty = 0, last_saved_instance = ")
        .bind(&stamp.instance)
        .sql(", last_saved_counter = ")
        .bind(stamp.counter)
        .sql(
            ", is_deleted = 0, is_hard_deleted = 0, record_max_counters = new.record_max_counters,
             self_reference = new.self_reference, serialized = new.serialized FROM unnest(",
        )
        .bind_all([
            Value::integers(stored().map(|stored| stored.sequence)),
            Value::blobs(stored().map(|stored| stored.counters_with(stamp))),
            Value::texts(contents().map(|content| content.self_reference.as_str())),
            Value::contents(contents().map(|content| content.serialized.as_str())),
        ])
        .sql(
            ") AS new (sequence, record_max_counters, self_reference, serialized)
             WHERE morango_store.sequence = new.sequence",
        )
        .execute_as::<UpdateMany>(connection)?;
    Ok(())
}

/// Marks a record deleted.
///
/// Before: any state. After: deleted and clean, saved at the stamp; after a hard deletion without any content.
pub(super) fn delete(
    connection: &mut Connection<'_>,
    stored: &Stored,
    deletion: Deletion,
    stamp: Stamp,
) -> Result<(), Fault> {
    sql(SAVED)
        .sql("NULL, is_dirty = 0, last_saved_instance = ")
        .bind(&stamp.instance)
        .sql(", last_saved_counter = ")
        .bind(stamp.counter)
        .sql(", record_max_counters = ")
        .bind(stored.counters_with(stamp))
        .sql(match deletion {
            Deletion::Plain => ", is_deleted = 1",
            Deletion::Hard => {
                ", is_deleted = 1, is_hard_deleted = 1, serialized = '{}', conflicting_serialized_data = ''"
            }
        })
        .sql(" WHERE sequence = ")
        .bind(stored.sequence)
        .execute(connection)?;
    Ok(())
}
