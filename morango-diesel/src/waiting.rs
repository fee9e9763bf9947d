//! What waits in the store, for whoever runs the device: listed a page at a time, tried again, or done without.
//!
//! How a record becomes a row is [`deserialize`](crate::deserialize)'s; here only what it left behind is read and changed.

use std::collections::{BTreeSet, HashSet};

use chrono::DateTime;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};
use morango::counter::Stamp;
use morango::id::{InstanceId, SyncId, TransferSessionId};
use morango::port::{Waiting, WaitingCursor, WaitingKind, WaitingPage, WaitingRecords, WaitingSource, WaitingState};
use morango::{Error, ErrorKind, limits};

use crate::backend;
use crate::connection::Connection;
use crate::error::Fault;
use crate::statement::{Statement, sql};
use crate::storage::DieselStorage;
use crate::value::Value;

/// Records that one statement looks at.
const LOOKED_AT: usize = 500;

/// A page of what is meant.
pub(crate) fn waiting(
    storage: &DieselStorage,
    which: &WaitingRecords,
    after: Option<&WaitingCursor>,
    limit: usize,
) -> morango::Result<WaitingPage> {
    let search = Search::new(storage, which)?;
    let limit = limit.clamp(1, limits::WAITING_PAGE_MAX);
    storage.read(&format!("list what waits of {:?}", which.profile()), |connection| {
        let mut page = WaitingPage { records: Vec::new(), next: None };
        let mut bytes = 0;
        let mut place = after.cloned();
        while let Some(found) = search.next(connection, place.as_ref())? {
            place = found.last().map(Found::cursor);
            for found in found.into_iter().filter(|found| search.is_meant(found)) {
                let is_full = page.records.len() == limit || bytes >= limits::WAITING_PAGE_BYTES_TARGET;
                let cursor = found.cursor();
                if is_full {
                    return Ok(page);
                }
                let record = found.into_waiting(connection, &search)?;
                bytes += record.serialized.len();
                page.records.push(record);
                page.next = Some(cursor);
            }
        }
        page.next = None;
        Ok(page)
    })
}

/// Has the next deserializing try these records; dropped ones wait again.
pub(crate) fn wait_again(storage: &DieselStorage, which: &WaitingRecords) -> morango::Result<u64> {
    let change = "UPDATE morango_store SET is_dirty = 1, failure_kind = NULL, failure_reason = NULL";
    change_each(storage, which, &format!("try what waits of {:?} again", which.profile()), change)
}

/// Has these records wait no longer. The reason stays with them, for whoever looks at what was dropped.
pub(crate) fn drop_waiting(storage: &DieselStorage, which: &WaitingRecords) -> morango::Result<u64> {
    if which.state() == WaitingState::Dropped {
        return Ok(0);
    }
    let change = "UPDATE morango_store SET is_dirty = 2";
    change_each(storage, which, &format!("drop what waits of {:?}", which.profile()), change)
}

/// Changes every record that is meant, in transactions of one page each. One that somebody settled, replaced, or tried again since it
/// was looked at is another than the one that was meant, and stays as it is.
fn change_each(
    storage: &DieselStorage,
    which: &WaitingRecords,
    operation: &str,
    change: &'static str,
) -> morango::Result<u64> {
    let search = Search::new(storage, which)?;
    let mut changed = 0;
    let mut place: Option<WaitingCursor> = None;
    loop {
        let done = storage.write(operation, |connection| {
            let Some(found) = search.next(connection, place.as_ref())? else { return Ok(None) };
            let mut changed = 0;
            for found in found.iter().filter(|found| search.is_meant(found)) {
                changed += search.is_still(sql(change), found).execute(connection)? as u64;
            }
            Ok(found.last().map(|last| (changed, last.cursor())))
        })?;
        let Some((changed_here, last)) = done else { return Ok(changed) };
        changed += changed_here;
        place = Some(last);
    }
}

/// What is looked for.
struct Search<'a> {
    which: &'a WaitingRecords,
    ids: Option<HashSet<SyncId>>,
    /// The names of the models that this application has.
    known_models: BTreeSet<&'static str>,
}

impl<'a> Search<'a> {
    fn new(storage: &DieselStorage, which: &'a WaitingRecords) -> morango::Result<Self> {
        let models = storage.models()?;
        let known_models = models.of_profile(which.profile()).map(|model| model.definition.name).collect();
        let ids = which.only_ids().map(|ids| ids.iter().copied().collect());
        Ok(Self { which, ids, known_models })
    }

    /// The next records of the profile and model in that state, whether they are meant or not; `None` after the last one.
    fn next(
        &self,
        connection: &mut Connection<'_>,
        after: Option<&WaitingCursor>,
    ) -> Result<Option<Vec<Found>>, Fault> {
        let mut found = sql("SELECT held.sequence, held.model_name, held.record_id, held.partition, held.failure_kind,
             held.failure_reason, held.waiting_since, held.last_saved_instance, held.last_saved_counter, held.is_deleted,
             held.is_hard_deleted, held.transfer_session, sync.side, sync.client_instance, sync.server_instance,
             sync.connection_path FROM ")
        .sql(backend::waiting_records(connection))
        .sql(
            " LEFT JOIN morango_transfer_session AS transfer ON transfer.id = held.transfer_session
             LEFT JOIN morango_sync_session AS sync ON sync.id = transfer.sync_session WHERE held.is_dirty = ",
        )
        .sql(self.state())
        .sql(" AND held.profile = ")
        .bind(self.which.profile());
        if let Some(model) = self.which.model_name() {
            found = found.sql(" AND held.model_name = ").bind(model);
        }
        if let Some(after) = after {
            found = found
                .sql(" AND (held.model_name, held.is_deleted, held.sequence) > (")
                .bind(&after.model)
                .sql(", ")
                .bind(after.is_deleted)
                .sql(", ")
                .bind(after.sequence)
                .sql(")");
        }
        let found = found
            .sql(" ORDER BY held.model_name, held.is_deleted, held.sequence")
            .limit(LOOKED_AT)
            .returns::<Types>()
            .load::<Found>(connection)?;
        Ok(if found.is_empty() { None } else { Some(found) })
    }

    /// What stands in the store for the state of these records.
    fn state(&self) -> &'static str {
        match self.which.state() {
            WaitingState::Waits => "1",
            WaitingState::Dropped => "2",
        }
    }

    /// Adds the condition that a record is as it was found.
    fn is_still<'s>(&self, statement: Statement<'s>, found: &'s Found) -> Statement<'s> {
        statement
            .sql(" WHERE sequence = ")
            .bind(found.sequence)
            .sql(" AND is_dirty = ")
            .sql(self.state())
            .sql(" AND last_saved_instance = ")
            .bind(&found.last_saved_instance)
            .sql(" AND last_saved_counter = ")
            .bind(found.last_saved_counter)
            .sql(" AND failure_kind IS NOT DISTINCT FROM ")
            .bind(Value::Text(found.failure_kind.as_deref().map(Into::into)))
    }

    fn is_meant(&self, found: &Found) -> bool {
        self.ids.as_ref().is_none_or(|ids| ids.contains(&found.id))
            && self.which.filter().contains(&found.partition)
            && self.kind_of(found).is_ok_and(|kind| self.which.is_of_kind(kind))
    }

    fn kind_of(&self, found: &Found) -> Result<WaitingKind, Fault> {
        match found.failure_kind.as_deref() {
            None if !self.known_models.contains(found.model_name.as_str()) => Ok(WaitingKind::UnknownModel),
            None => Ok(WaitingKind::NotTried),
            Some(code) => WaitingKind::from_code(code).ok_or_else(|| {
                let message = format!("read why the record {} waits: {code:?} is no reason that is known", found.id);
                Error::new(ErrorKind::StorageCorrupt, message).into()
            }),
        }
    }
}

/// A record in the store, without its content.
#[derive(Queryable)]
struct Found {
    sequence: i64,
    model_name: String,
    id: SyncId,
    partition: String,
    failure_kind: Option<String>,
    failure_reason: Option<String>,
    waiting_since: Option<i64>,
    last_saved_instance: InstanceId,
    last_saved_counter: i64,
    is_deleted: i64,
    is_hard_deleted: i64,
    transfer_session: Option<TransferSessionId>,
    side: Option<String>,
    client_instance: Option<InstanceId>,
    server_instance: Option<InstanceId>,
    connection_path: Option<String>,
}

type Types = (
    BigInt,
    Text,
    Binary,
    Text,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<BigInt>,
    Binary,
    BigInt,
    BigInt,
    BigInt,
    Nullable<Binary>,
    Nullable<Text>,
    Nullable<Binary>,
    Nullable<Binary>,
    Nullable<Text>,
);

impl Found {
    fn cursor(&self) -> WaitingCursor {
        WaitingCursor { model: self.model_name.clone(), is_deleted: self.is_deleted != 0, sequence: self.sequence }
    }

    fn into_waiting(self, connection: &mut Connection<'_>, search: &Search<'_>) -> Result<Waiting, Fault> {
        let serialized = sql("SELECT serialized FROM morango_store WHERE sequence = ").bind(self.sequence);
        let serialized = serialized.returns::<Text>().get_result::<String>(connection)?;
        let kind = search.kind_of(&self)?;
        let peer = match self.side.as_deref() {
            Some("client") => self.server_instance,
            _ => self.client_instance,
        };
        let source = self.transfer_session.map(|transfer_session| WaitingSource {
            transfer_session,
            peer,
            connection_path: self.connection_path.unwrap_or_default(),
        });
        Ok(Waiting {
            model: self.model_name,
            id: self.id,
            partition: self.partition,
            kind,
            reason: self.failure_reason.unwrap_or_default(),
            since: self.waiting_since.and_then(DateTime::from_timestamp_millis),
            last_saved: Stamp::new(self.last_saved_instance, self.last_saved_counter),
            source,
            is_deleted: self.is_deleted != 0,
            is_hard_deleted: self.is_hard_deleted != 0,
            serialized,
        })
    }
}
