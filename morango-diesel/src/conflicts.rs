//! Conflicts: the records that keep texts that lost are listed, and one is ended as the application decided.
//!
//! What a decision makes of a record is [`StoreRecord::resolved`]'s; here it is carried out, with the row, in one transaction.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Text};
use morango::counter::Stamp;
use morango::id::SyncId;
use morango::record::StoreRecord;
use morango::scope::Filter;
use morango::{Error, ErrorKind, limits};

use crate::backend::Lock;
use crate::connection::Connection;
use crate::counters::Reaching;
use crate::deserialize;
use crate::error::Fault;
use crate::merged::{self, Overwritten};
use crate::models::InstalledModels;
use crate::received::KEEP_ROW;
use crate::records::{RecordRow, select_records};
use crate::serialize::{fold_apart, has_mark};
use crate::statement::sql;
use crate::storage::DieselStorage;
use crate::transaction::{fold_changes, raise_counter, without_capture};
use crate::value::Value;

/// Records whose places are looked up at one time.
const PLACES_LOADED: usize = 100;

/// The records under a filter that keep texts that lost, from the one after `after` on.
pub(crate) fn conflicts(
    storage: &DieselStorage,
    profile: &str,
    filter: &Filter,
    after: Option<&SyncId>,
    limit: usize,
) -> morango::Result<Vec<StoreRecord>> {
    storage.read(&format!("list the conflicts of {profile:?}"), |connection| {
        let mut records = Vec::new();
        let mut bytes = 0;
        let mut after = after.copied();
        loop {
            let places = places(connection, profile, after.as_ref())?;
            for (id, partition) in &places {
                after = Some(*id);
                if !filter.contains(partition) {
                    continue;
                }
                // One by one: a page of large records is never in memory beyond what it may hold.
                let record = select_records("WHERE record_id = ").bind(id);
                let record = record.get_result::<RecordRow>(connection)?.into_record()?;
                bytes += record.serialized.len() + record.conflicting_serialized_data.len();
                records.push(record);
                if records.len() >= limit || bytes >= limits::CHUNK_BYTES_TARGET {
                    return Ok(records);
                }
            }
            if places.len() < PLACES_LOADED {
                return Ok(records);
            }
        }
    })
}

/// The ids and partitions of the next records in conflict.
fn places(
    connection: &mut Connection<'_>,
    profile: &str,
    after: Option<&SyncId>,
) -> Result<Vec<(SyncId, String)>, Fault> {
    let mut places = sql("SELECT record_id, partition FROM morango_store
         WHERE conflicting_serialized_data <> '' AND is_hard_deleted = 0 AND profile = ")
    .bind(profile);
    if let Some(after) = after {
        places = places.sql(" AND record_id > ").bind(after);
    }
    let places = places.sql(" ORDER BY record_id").limit(PLACES_LOADED).returns::<(Binary, Text)>();
    Ok(places.load(connection)?)
}

/// Ends the conflict of a record, as long as it is as it was when it was listed.
///
/// Before: the record keeps texts that lost. After: it keeps none, is saved at this instance's raised counter, and is what the
/// row says, where it was given content.
pub(crate) fn resolve(
    storage: &DieselStorage,
    id: &SyncId,
    listed: &Stamp,
    content: Option<&str>,
) -> morango::Result<()> {
    let operation = format!("resolve the conflict of the record {id}");
    let models = storage.models()?;
    fold_apart(storage, &operation)?;
    storage.write_locked(&operation, Lock::Rows, |connection| {
        resolve_one(connection, &models, &operation, (id, listed), content)
    })
}

fn resolve_one(
    connection: &mut Connection<'_>,
    models: &InstalledModels,
    operation: &str,
    (id, listed): (&SyncId, &Stamp),
    content: Option<&str>,
) -> Result<(), Fault> {
    let changed = |what: &str| {
        Fault::from(
            Error::new(ErrorKind::RecordChanged, format!("{operation}: {what}"))
                .with_hint("list the conflicts again, and decide on what is there now"),
        )
    };
    let found = select_records("WHERE record_id = ").bind(id).get_result::<RecordRow>(connection).optional()?;
    let record = found.ok_or_else(|| changed("it is not in the store"))?.into_record()?;
    if record.last_saved != *listed {
        return Err(changed("it was changed since it was listed"));
    }
    if record.hard_deleted || record.conflicting_serialized_data.is_empty() {
        return Err(changed("it is in no conflict"));
    }
    let model = models.of_name(&record.profile, &record.model_name);
    fold_changes(connection)?;
    if let Some(model) = model
        && has_mark(connection, model, id)?
    {
        return Err(changed("its row was changed here, and the change is not serialized yet"));
    }
    let saved = raise_counter(connection)?;
    let resolved = record.resolved(content, model.map(|model| model.definition), saved);
    let sequence = place_of(connection, id)?;
    let overwritten = Overwritten { sequence, partition: &resolved.partition, saved: *listed };
    merged::note_unreached(connection, &mut Reaching::default(), saved.instance, [overwritten])?;
    save(connection, &resolved, content.is_some())?;
    let (Some(model), Some(_)) = (model, content) else { return Ok(()) };
    without_capture(connection, |connection| deserialize::write_one(connection, models, model, id))?.map_err(|reason| {
        Error::new(ErrorKind::InvalidInput, format!("{operation}: its content cannot be the row: {reason}")).into()
    })
}

fn place_of(connection: &mut Connection<'_>, id: &SyncId) -> Result<i64, Fault> {
    let place = sql("SELECT sequence FROM morango_store WHERE record_id = ").bind(id);
    Ok(place.returns::<BigInt>().get_result(connection)?)
}

/// Keeps a record whose conflict has ended. With new content it waits to become a row.
fn save(connection: &mut Connection<'_>, record: &StoreRecord, has_new_content: bool) -> Result<(), Fault> {
    let mut update = sql("UPDATE morango_store SET conflicting_serialized_data = '', transfer_session = NULL,
         last_saved_instance = ")
    .bind(&record.last_saved.instance)
    .sql(", last_saved_counter = ")
    .bind(record.last_saved.counter)
    .sql(", record_max_counters = ")
    .bind(record.counters.to_bytes());
    if has_new_content {
        update = update
            .sql(", ")
            .sql(KEEP_ROW)
            .sql(", is_dirty = 1, is_deleted = 0, failure_kind = NULL, failure_reason = NULL, self_reference = ")
            .bind(&record.self_ref_fk)
            .sql(", serialized = ")
            .bind(Value::content(&record.serialized));
    }
    update.sql(" WHERE record_id = ").bind(&record.id).execute(connection)?;
    Ok(())
}
