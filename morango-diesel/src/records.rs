//! Store records as they lie in `morango_store`: which columns they are, and how they are read.
//!
//! Writing is left to the stage that writes: each sets other columns beside the record's own.

use std::ops::ControlFlow;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};
use morango::counter::{RecordMaxCounters, Stamp};
use morango::id::{InstanceId, SyncId, TransferSessionId};
use morango::port::{TouchedRecord, WaitingKind};
use morango::record::StoreRecord;
use morango::scope::Filter;

use crate::connection::Connection;
use crate::error::Fault;
use crate::statement::{Statement, sql};
use crate::storage::DieselStorage;

/// The SQL types of [`RecordRow`].
pub(crate) type RecordTypes =
    (Binary, Text, Text, Text, Text, Text, Text, BigInt, BigInt, Binary, BigInt, Text, Binary);

/// A row of the store as it is read.
#[derive(Queryable)]
pub(crate) struct RecordRow {
    id: SyncId,
    profile: String,
    model_name: String,
    partition: String,
    source_id: String,
    serialized: String,
    conflicting_serialized_data: String,
    is_deleted: i64,
    is_hard_deleted: i64,
    last_saved_instance: InstanceId,
    last_saved_counter: i64,
    self_reference: String,
    record_max_counters: Vec<u8>,
}

impl RecordRow {
    /// The record.
    pub(crate) fn into_record(self) -> Result<StoreRecord, Fault> {
        Ok(StoreRecord {
            id: self.id,
            profile: self.profile,
            model_name: self.model_name,
            partition: self.partition,
            source_id: self.source_id,
            serialized: self.serialized,
            conflicting_serialized_data: self.conflicting_serialized_data,
            deleted: self.is_deleted != 0,
            hard_deleted: self.is_hard_deleted != 0,
            last_saved: Stamp::new(self.last_saved_instance, self.last_saved_counter),
            self_ref_fk: self.self_reference,
            counters: RecordMaxCounters::from_bytes(&self.record_max_counters)?,
        })
    }
}

/// The beginning of a statement that reads whole records; what follows says which, and in what order.
pub(crate) fn select_records<'a>(rest: &'static str) -> Statement<'a, RecordTypes> {
    sql("SELECT record_id, profile, model_name, partition, source_id, serialized, conflicting_serialized_data,
         is_deleted, is_hard_deleted, last_saved_instance, last_saved_counter, self_reference, record_max_counters
         FROM morango_store ")
    .sql(rest)
    .returns()
}

/// One record.
pub(crate) fn record(connection: &mut Connection<'_>, id: &SyncId) -> Result<Option<StoreRecord>, Fault> {
    let found = select_records("WHERE record_id = ").bind(id).get_result::<RecordRow>(connection).optional()?;
    found.map(RecordRow::into_record).transpose()
}

/// The records of a model that a transfer changed and nobody since, in the order of their ids.
pub(crate) fn touched(
    connection: &mut Connection<'_>,
    session: &TransferSessionId,
    model: &str,
    after: Option<&SyncId>,
    limit: usize,
) -> Result<Vec<TouchedRecord>, Fault> {
    type Row = (SyncId, i64, i64, i64, Option<String>);
    let found = sql("SELECT record_id, is_deleted, is_hard_deleted, is_dirty, failure_kind FROM morango_store
         WHERE transfer_session = ")
    .bind(session)
    .sql(" AND model_name = ")
    .bind(model);
    let found = match after {
        Some(after) => found.sql(" AND record_id > ").bind(after),
        None => found,
    };
    let found = found.sql(" ORDER BY record_id").limit(limit);
    let rows = found.returns::<(Binary, BigInt, BigInt, BigInt, Nullable<Text>)>().load::<Row>(connection)?;
    let record = |(id, deleted, hard_deleted, waits, kind): Row| TouchedRecord {
        id,
        deleted: deleted != 0,
        hard_deleted: hard_deleted != 0,
        waiting: (waits != 0)
            .then(|| kind.as_deref().and_then(WaitingKind::from_code).unwrap_or(WaitingKind::NotTried)),
    };
    Ok(rows.into_iter().map(record).collect())
}

/// Hands over every record of a profile under a filter, in the order of their ids.
///
/// One statement reads them all, one after another: so the caller sees one state of the store, however long it takes.
pub(crate) fn for_each_record(
    storage: &DieselStorage,
    profile: &str,
    filter: &Filter,
    each: &mut dyn FnMut(StoreRecord) -> morango::Result<()>,
) -> morango::Result<()> {
    storage.read(&format!("read the records of {profile:?}"), |connection| {
        let records = select_records("WHERE profile = ").bind(profile).sql(" ORDER BY record_id");
        records.for_each(connection, |row: RecordRow| {
            if filter.contains(&row.partition) {
                each(row.into_record()?)?;
            }
            Ok(ControlFlow::Continue(()))
        })
    })
}
