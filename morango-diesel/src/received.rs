//! How received records get into the store: as new ones, or in the place of ours, many with one statement where the database takes
//! values for many rows at once.
//!
//! What may go there is decided before; see [`receive`](crate::receive) and [`dequeue`](crate::dequeue).

use std::borrow::Cow;
use std::collections::HashSet;

use diesel::sql_types::Binary;
use morango::counter::RecordMaxCounters;
use morango::id::{SyncId, TransferSessionId};
use morango::record::StoreRecord;

use crate::backend;
use crate::connection::Connection;
use crate::error::Fault;
use crate::statement::sql;
use crate::value::Value;

/// Inserts received records, to become rows, and says which were new. Of two with the same id only the first can be.
///
/// Before: the records belong to the session. After: each is in the store as it came, or nothing has changed. No counter moves.
pub(crate) fn insert_all_new(
    connection: &mut Connection<'_>,
    session: &TransferSessionId,
    records: &[&StoreRecord],
) -> Result<HashSet<SyncId>, Fault> {
    let mut new = HashSet::with_capacity(records.len());
    for page in records.chunks(backend::rows_written_max(connection)) {
        match page {
            [record] => new.extend(insert_new(connection, session, record)?.then_some(record.id)),
            _ => new.extend(insert_many_new(connection, session, page)?),
        }
    }
    Ok(new)
}

const INSERT: &str = "INSERT INTO morango_store (record_id, profile, model_name, partition, source_id,
     last_saved_instance, last_saved_counter, is_deleted, is_hard_deleted, self_reference,
     record_max_counters, serialized, conflicting_serialized_data, row_serialized, is_dirty, transfer_session) ";

/// Inserts a received record, to become a row, and says whether it was new; see [`insert_all_new`].
pub(crate) fn insert_new(
    connection: &mut Connection<'_>,
    session: &TransferSessionId,
    theirs: &StoreRecord,
) -> Result<bool, Fault> {
    struct InsertNew;

    let insert = sql(INSERT)
        .sql("VALUES (")
        .bind(&theirs.id)
        .sql(", ")
        .bind_all([&theirs.profile, &theirs.model_name, &theirs.partition, &theirs.source_id])
        .sql(", ")
        .bind(&theirs.last_saved.instance)
        .sql(", ")
        .bind(theirs.last_saved.counter)
        .sql(", ")
        .bind(theirs.deleted)
        .sql(", ")
        .bind(theirs.hard_deleted)
        .sql(", ")
        .bind(&theirs.self_ref_fk)
        .sql(", ")
        .bind(theirs.counters.to_bytes())
        .sql(", ")
        .bind(Value::content(&theirs.serialized))
        .sql(", ")
        .bind(Value::content(&theirs.conflicting_serialized_data))
        .sql(", '', 1, ")
        .bind(session)
        .sql(") ON CONFLICT (record_id) DO NOTHING");
    Ok(insert.execute_as::<InsertNew>(connection)? == 1)
}

/// The same for many, by those of them that were new.
fn insert_many_new(
    connection: &mut Connection<'_>,
    session: &TransferSessionId,
    records: &[&StoreRecord],
) -> Result<Vec<SyncId>, Fault> {
    let records = || records.iter().copied();
    let insert = sql(INSERT)
        .sql("SELECT new.*, '', 1, ")
        .bind(session)
        .sql(" FROM unnest(")
        .bind_all([
            Value::ids(records().map(|record| *record.id.as_bytes())),
            Value::texts(records().map(|record| record.profile.as_str())),
            Value::texts(records().map(|record| record.model_name.as_str())),
            Value::texts(records().map(|record| record.partition.as_str())),
            Value::texts(records().map(|record| record.source_id.as_str())),
            Value::ids(records().map(|record| *record.last_saved.instance.as_bytes())),
            Value::integers(records().map(|record| record.last_saved.counter)),
            Value::integers(records().map(|record| record.deleted)),
            Value::integers(records().map(|record| record.hard_deleted)),
            Value::texts(records().map(|record| record.self_ref_fk.as_str())),
            Value::blobs(records().map(|record| record.counters.to_bytes())),
            Value::contents(records().map(|record| record.serialized.as_str())),
            Value::contents(records().map(|record| record.conflicting_serialized_data.as_str())),
        ])
        .sql(") AS new ON CONFLICT (record_id) DO NOTHING RETURNING record_id");
    Ok(insert.returns::<Binary>().load(connection)?)
}

/// What is to stand in the place of a record of ours.
#[derive(Debug)]
pub(crate) struct Replacement<'a> {
    /// Where ours lies.
    pub(crate) sequence: i64,
    /// What came, or what both were merged to.
    pub(crate) record: Cow<'a, StoreRecord>,
    /// The counters of both.
    pub(crate) counters: RecordMaxCounters,
}

/// Puts records in the place of ours, no two of which are the same, to become rows. Where they belong stays what it was.
pub(crate) fn replace_all(
    connection: &mut Connection<'_>,
    session: &TransferSessionId,
    replacements: &[Replacement<'_>],
) -> Result<(), Fault> {
    for page in replacements.chunks(backend::rows_written_max(connection)) {
        match page {
            [replacement] => replace(connection, session, replacement)?,
            _ => replace_many(connection, session, page)?,
        }
    }
    Ok(())
}

const REPLACE: &str = "UPDATE morango_store SET is_dirty = 1, failure_kind = NULL, failure_reason = NULL, ";

/// Keeps what the row of a record that is to wait says: what the record says until then, unless it waits already.
pub(crate) const KEEP_ROW: &str =
    "row_serialized = CASE WHEN morango_store.is_dirty <> 0 THEN morango_store.row_serialized
     WHEN morango_store.is_deleted = 0 THEN morango_store.serialized ELSE '' END";

fn replace(
    connection: &mut Connection<'_>,
    session: &TransferSessionId,
    replacement: &Replacement<'_>,
) -> Result<(), Fault> {
    struct Replace;

    let record = &replacement.record;
    sql(REPLACE)
        .sql(KEEP_ROW)
        .sql(", transfer_session = ")
        .bind(session)
        .sql(", last_saved_instance = ")
        .bind(&record.last_saved.instance)
        .sql(", last_saved_counter = ")
        .bind(record.last_saved.counter)
        .sql(", is_deleted = ")
        .bind(record.deleted)
        .sql(", is_hard_deleted = ")
        .bind(record.hard_deleted)
        .sql(", self_reference = ")
        .bind(&record.self_ref_fk)
        .sql(", record_max_counters = ")
        .bind(replacement.counters.to_bytes())
        .sql(", serialized = ")
        .bind(Value::content(&record.serialized))
        .sql(", conflicting_serialized_data = ")
        .bind(Value::content(&record.conflicting_serialized_data))
        .sql(" WHERE sequence = ")
        .bind(replacement.sequence)
        .execute_as::<Replace>(connection)?;
    Ok(())
}

fn replace_many(
    connection: &mut Connection<'_>,
    session: &TransferSessionId,
    replacements: &[Replacement<'_>],
) -> Result<(), Fault> {
    struct ReplaceMany;

    let records = || replacements.iter().map(|replacement| &*replacement.record);
    sql(REPLACE)
        .sql(KEEP_ROW)
        .sql(", transfer_session = ")
        .bind(session)
        .sql(
            ", last_saved_instance = new.last_saved_instance, last_saved_counter = new.last_saved_counter,
             is_deleted = new.is_deleted, is_hard_deleted = new.is_hard_deleted, self_reference = new.self_reference,
             record_max_counters = new.record_max_counters, serialized = new.serialized,
             conflicting_serialized_data = new.conflicting_serialized_data FROM unnest(",
        )
        .bind_all([
            Value::integers(replacements.iter().map(|replacement| replacement.sequence)),
            Value::ids(records().map(|record| *record.last_saved.instance.as_bytes())),
            Value::integers(records().map(|record| record.last_saved.counter)),
            Value::integers(records().map(|record| record.deleted)),
            Value::integers(records().map(|record| record.hard_deleted)),
            Value::texts(records().map(|record| record.self_ref_fk.as_str())),
            Value::blobs(replacements.iter().map(|replacement| replacement.counters.to_bytes())),
            Value::contents(records().map(|record| record.serialized.as_str())),
            Value::contents(records().map(|record| record.conflicting_serialized_data.as_str())),
        ])
        .sql(
            ") AS new (sequence, last_saved_instance, last_saved_counter, is_deleted, is_hard_deleted, self_reference,
             record_max_counters, serialized, conflicting_serialized_data) WHERE morango_store.sequence = new.sequence",
        )
        .execute_as::<ReplaceMany>(connection)?;
    Ok(())
}
