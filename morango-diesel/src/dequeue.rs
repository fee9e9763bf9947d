//! *Dequeue*: what was received is merged into the store, and at the very end the database max counters are raised.
//!
//! Records that were new when they came are in the store since then; here come those that have to be merged.
//!
//! The work is cut into transactions of whole chunks, each of which leaves a true state behind:
//! - a chunk is deleted in the transaction that merges its records, so each is merged once; and merging one twice would change nothing,
//!   since a record that was merged is from then on already seen;
//! - until the counters are raised, this database claims no more than it had before: whatever was merged by then is had without
//!   being claimed, and if the work is never finished it is merely sent again;
//! - each of them holds the session: once it is closed, what was buffered is gone and nothing may be claimed, so the work ends;
//! - the counters are raised when no chunk is left, so that what they claim is there. Each entry is true by itself, so raising many
//!   of them is cut as well.
//!
//! What decides about a record is [`morango::record::relation`] and, in a conflict, [`morango::record::merge`]; here their decision is
//! carried out.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Text};
use morango::counter::{CounterError, RecordMaxCounters, Stamp};
use morango::id::{InstanceId, SyncId, TransferSessionId};
use morango::port::{DequeueReport, Progress, Rejection, Watch};
use morango::record::{self, Merged, RecordError, Relation, StoreRecord, relation};
use morango::scope::Filter;
use morango::session::TransferSession;
use morango::{Error, ErrorKind, limits};

use crate::backend::{self, Lock};
use crate::connection::Connection;
use crate::counters;
use crate::error::Fault;
use crate::incoming;
use crate::models::InstalledModels;
use crate::receive::Rejections;
use crate::records::{RecordRow, select_records};
use crate::sessions;
use crate::statement::{Statement, Value, sql};
use crate::transaction::{current_stamp, raise_counter};
use crate::transactions::Transactions;
use crate::unclaimed;

/// Entries of the database max counters that one transaction raises.
const ENTRIES_RAISED_MAX: usize = 10_000;

/// Merges what the session received into the store, and raises the database max counters to the producer's.
///
/// Called again after it was stopped or failed, it goes on.
pub(crate) fn dequeue(
    storage: &Transactions<'_>,
    session: &TransferSession,
    watch: Watch<'_>,
) -> morango::Result<DequeueReport> {
    let operation = format!("dequeue what transfer session {} received", session.id);
    let models = storage.models()?;
    let mut report = DequeueReport::default();
    let mut waiting = storage.read(&operation, |connection| {
        sessions::check_open(connection, &session.id)?;
        waiting_records(connection, &session.id)
    })?;
    let mut progress = Progress { done: 0, total: Some(waiting.iter().sum()) };
    // A chunk that was sent twice may come late.
    while !waiting.is_empty() || raise_counters(storage, session, &operation)? == Raised::MoreCame {
        let merged = storage
            .write_locked(&operation, lock_of(session), |connection| merge_chunks(connection, session, &models))?;
        report.new += merged.report.new;
        report.fast_forwarded += merged.report.fast_forwarded;
        report.already_seen += merged.report.already_seen;
        report.conflicts += merged.report.conflicts;
        progress.done += merged.records;
        if watch(progress).is_break() {
            return Err(Error::new(ErrorKind::Cancelled, operation));
        }
        waiting = storage.read(&operation, |connection| waiting_records(connection, &session.id))?;
    }
    Ok(report)
}

fn lock_of(session: &TransferSession) -> Lock<'_> {
    Lock::Partitions { profile: &session.profile, filter: &session.filter }
}

/// The numbers of records in the chunks that wait.
fn waiting_records(connection: &mut Connection<'_>, session: &TransferSessionId) -> Result<Vec<u64>, Fault> {
    let chunks = sql("SELECT records FROM morango_incoming WHERE transfer_session = ").bind(session);
    let records = chunks.returns::<BigInt>().load::<i64>(connection)?;
    Ok(records.into_iter().map(|records| u64::try_from(records).unwrap_or(0)).collect())
}

/// What one transaction merged.
#[derive(Default)]
struct Step {
    report: DequeueReport,
    records: u64,
}

/// Records of ours that one statement looks up to be merged with.
const HEADS_LOADED: usize = 50;

/// Merges the next chunks, as many as one transaction takes and at least one, and deletes them.
///
/// Before: the chunks hold what passed the gate. After: each record is new in the store, or has replaced ours, or is merged with it,
/// and waits to become a row; or ours stayed as it was. This instance's counter is raised, and merged records carry it.
fn merge_chunks(
    connection: &mut Connection<'_>,
    session: &TransferSession,
    models: &InstalledModels,
) -> Result<Step, Fault> {
    sessions::lock_open_transfer(connection, &session.id)?;
    let saved = raise_counter(connection)?;
    let mut rejections = Rejections::of(&session.id);
    let mut merged = Step::default();
    let mut bytes = 0;
    while let Some((number, content)) = next_chunk(connection, &session.id)? {
        let part = incoming::decode(&content)?;
        bytes += content.len();
        let records_after = merged.records + part.records.len() as u64;
        let is_full = records_after > limits::TRANSACTION_RECORDS_MAX as u64 || bytes > limits::TRANSACTION_BYTES_MAX;
        if is_full && merged.records > 0 {
            break;
        }
        merged.report.new += part.inserted;
        for page in part.records.chunks(HEADS_LOADED) {
            let mut heads = heads(connection, page)?;
            for record in page {
                // Of two with the same id the second meets what the first has become.
                let ours = heads.remove(&record.id);
                match merge(connection, (session, &mut rejections), models, saved, (ours, record))? {
                    Some(Relation::New) => merged.report.new += 1,
                    Some(Relation::FastForward) => merged.report.fast_forwarded += 1,
                    Some(Relation::AlreadySeen) => merged.report.already_seen += 1,
                    Some(Relation::Conflict) => merged.report.conflicts += 1,
                    None => {}
                }
            }
        }
        merged.records = records_after;
        sql("DELETE FROM morango_incoming WHERE number = ").bind(number).execute(connection)?;
    }
    Ok(merged)
}

fn next_chunk(connection: &mut Connection<'_>, session: &TransferSessionId) -> Result<Option<(i64, Vec<u8>)>, Fault> {
    let next = sql("SELECT number, content FROM morango_incoming WHERE transfer_session = ")
        .bind(session)
        .sql(" ORDER BY number LIMIT 1");
    Ok(next.returns::<(BigInt, Binary)>().get_result(connection).optional()?)
}

/// Merges one record with ours, if that was there when it was looked for; `None` where it was set aside.
///
/// What was checked at the gate is not checked again but for where it belongs: who may write what hangs on that.
fn merge(
    connection: &mut Connection<'_>,
    (session, rejections): (&TransferSession, &mut Rejections<'_>),
    models: &InstalledModels,
    saved: Stamp,
    (ours, theirs): (Option<Head>, &StoreRecord),
) -> Result<Option<Relation>, Fault> {
    if theirs.profile != session.profile {
        return set_aside(connection, rejections, theirs, &RecordError::Profile { profile: theirs.profile.clone() });
    }
    if !session.filter.contains(&theirs.partition) {
        let error = RecordError::OutsideFilter { partition: theirs.partition.clone() };
        return set_aside(connection, rejections, theirs, &error);
    }
    let ours = match ours {
        Some(ours) => ours,
        // It was in the store when its chunk came. Should it have gone since, it is new.
        None if insert_new(connection, &session.id, theirs)? => return Ok(Some(Relation::New)),
        None => head(connection, theirs)?,
    };
    if ours.identity() != identity(theirs) {
        return set_aside(connection, rejections, theirs, &RecordError::Displaced { id: theirs.id });
    }
    let mut counters = RecordMaxCounters::from_bytes(&ours.record_max_counters)?;
    let stamp = Stamp::new(ours.last_saved_instance, ours.last_saved_counter);
    let relation = relation(Some((&stamp, &counters)), (&theirs.last_saved, &theirs.counters));
    let known = counters.len();
    if relation != Relation::AlreadySeen {
        counters.merge_max(&theirs.counters);
    }
    if counters.len() > limits::RECORD_MAX_COUNTERS_MAX.max(known) {
        // Nobody would take the record with the counters of both.
        let error = CounterError::TooMany { max: limits::RECORD_MAX_COUNTERS_MAX };
        return set_aside(connection, rejections, theirs, &RecordError::Counter(error));
    }
    match relation {
        Relation::AlreadySeen => {}
        Relation::FastForward => {
            replace(connection, session, ours.sequence, theirs, &counters)?;
        }
        Relation::Conflict => {
            let ours_whole = select_records("WHERE sequence = ").bind(ours.sequence);
            let ours_whole = ours_whole.get_result::<RecordRow>(connection)?.into_record()?;
            let definition = models.of_name(&theirs.profile, &theirs.model_name).map(|model| model.definition);
            let Merged { record, failure } = record::merge(definition, &ours_whole, theirs, saved);
            if let Some(reason) = failure {
                let (model, id) = (&record.model_name, record.id);
                tracing::warn!(%model, %id, reason, "no merge policy could be applied, so ours stays and theirs is kept");
            }
            replace(connection, session, ours.sequence, &record, &record.counters)?;
        }
        Relation::New => unreachable!("a record of ours was given"),
    }
    Ok(Some(relation))
}

/// Of a store record, what decides about a received one.
#[derive(Queryable)]
struct Head {
    id: SyncId,
    sequence: i64,
    profile: String,
    model_name: String,
    partition: String,
    source_id: String,
    last_saved_instance: InstanceId,
    last_saved_counter: i64,
    record_max_counters: Vec<u8>,
}

impl Head {
    fn identity(&self) -> [&str; 4] {
        [&self.profile, &self.model_name, &self.partition, &self.source_id]
    }
}

fn identity(record: &StoreRecord) -> [&str; 4] {
    [&record.profile, &record.model_name, &record.partition, &record.source_id]
}

fn head(connection: &mut Connection<'_>, theirs: &StoreRecord) -> Result<Head, Fault> {
    Ok(sql(HEAD).sql("= ").bind(&theirs.id).returns::<HeadTypes>().get_result(connection)?)
}

/// Ours of the same ids as theirs, by id. The statement is filled up, so that it stays the same.
fn heads(connection: &mut Connection<'_>, theirs: &[StoreRecord]) -> Result<HashMap<SyncId, Head>, Fault> {
    let last = theirs.last().expect("a chunk is not empty");
    let filled = theirs.iter().chain(std::iter::repeat_n(last, HEADS_LOADED - theirs.len()));
    let heads = sql(HEAD).sql("IN (").bind_all(filled.map(|record| &record.id)).sql(")");
    let heads = heads.returns::<HeadTypes>().load::<Head>(connection)?;
    Ok(heads.into_iter().map(|head| (head.id, head)).collect())
}

const HEAD: &str = "SELECT record_id, sequence, profile, model_name, partition, source_id, last_saved_instance,
     last_saved_counter, record_max_counters FROM morango_store WHERE record_id ";

type HeadTypes = (Binary, BigInt, Text, Text, Text, Text, Binary, BigInt, Binary);

/// Where the records of a session belong. Who may write what hangs on that, so it is asked again of what passed the gate.
pub(crate) struct Place {
    pub(crate) profile: String,
    pub(crate) filter: Filter,
}

impl Place {
    /// Whether a record belongs there.
    pub(crate) fn holds(&self, record: &StoreRecord) -> bool {
        record.profile == self.profile && self.filter.contains(&record.partition)
    }
}

/// Inserts a received record, to become a row, and says whether it was new; see [`insert_all_new`].
fn insert_new(
    connection: &mut Connection<'_>,
    session: &TransferSessionId,
    theirs: &StoreRecord,
) -> Result<bool, Fault> {
    struct InsertNew;

    let insert = values(sql(INSERT).sql("("), session, theirs).sql(") ON CONFLICT (record_id) DO NOTHING");
    Ok(insert.execute_as::<InsertNew>(connection)? == 1)
}

/// Inserts received records, to become rows, and says which were new. Of two with the same id only the first can be.
///
/// Before: the records belong to the session. After: each is in the store as it came, or nothing has changed. No counter moves.
pub(crate) fn insert_all_new(
    connection: &mut Connection<'_>,
    session: &TransferSessionId,
    records: &[&StoreRecord],
) -> Result<HashSet<SyncId>, Fault> {
    let mut new = HashSet::with_capacity(records.len());
    for page in records.chunks(backend::rows_inserted_max(connection)) {
        if let [record] = page {
            if insert_new(connection, session, record)? {
                new.insert(record.id);
            }
            continue;
        }
        let mut inserted = sql(INSERT);
        for (position, record) in page.iter().enumerate() {
            inserted = values(inserted.sql(if position == 0 { "(" } else { "), (" }), session, record);
        }
        let inserted = inserted.sql(") ON CONFLICT (record_id) DO NOTHING RETURNING record_id").returns::<Binary>();
        new.extend(inserted.load::<SyncId>(connection)?);
    }
    Ok(new)
}

const INSERT: &str = "INSERT INTO morango_store (record_id, profile, model_name, partition, source_id,
     last_saved_instance, last_saved_counter, is_deleted, is_hard_deleted, is_dirty, self_reference,
     transfer_session, record_max_counters, serialized, conflicting_serialized_data) VALUES ";

/// The values of one received record, in the order of [`INSERT`].
fn values<'a>(insert: Statement<'a>, session: &TransferSessionId, theirs: &'a StoreRecord) -> Statement<'a> {
    insert
        .bind(&theirs.id)
        .sql(", ")
        .bind_all(identity(theirs))
        .sql(", ")
        .bind(&theirs.last_saved.instance)
        .sql(", ")
        .bind(theirs.last_saved.counter)
        .sql(", ")
        .bind(theirs.deleted)
        .sql(", ")
        .bind(theirs.hard_deleted)
        .sql(", 1, ")
        .bind(&theirs.self_ref_fk)
        .sql(", ")
        .bind(session)
        .sql(", ")
        .bind(theirs.counters.to_bytes())
        .sql(", ")
        .bind(Value::content(&theirs.serialized))
        .sql(", ")
        .bind(Value::content(&theirs.conflicting_serialized_data))
}

/// Puts a record in the place of ours, to become a row. Where it belongs stays what it was.
fn replace(
    connection: &mut Connection<'_>,
    session: &TransferSession,
    sequence: i64,
    record: &StoreRecord,
    counters: &RecordMaxCounters,
) -> Result<(), Fault> {
    sql("UPDATE morango_store SET is_dirty = 1, failure_kind = NULL, failure_reason = NULL, last_saved_instance = ")
        .bind(&record.last_saved.instance)
        .sql(", last_saved_counter = ")
        .bind(record.last_saved.counter)
        .sql(", is_deleted = ")
        .bind(record.deleted)
        .sql(", is_hard_deleted = ")
        .bind(record.hard_deleted)
        .sql(", self_reference = ")
        .bind(&record.self_ref_fk)
        .sql(", transfer_session = ")
        .bind(&session.id)
        .sql(", record_max_counters = ")
        .bind(counters.to_bytes())
        .sql(", serialized = ")
        .bind(Value::content(&record.serialized))
        .sql(", conflicting_serialized_data = ")
        .bind(Value::content(&record.conflicting_serialized_data))
        .sql(" WHERE sequence = ")
        .bind(sequence)
        .execute(connection)?;
    Ok(())
}

fn set_aside(
    connection: &mut Connection<'_>,
    rejections: &mut Rejections<'_>,
    theirs: &StoreRecord,
    error: &RecordError,
) -> Result<Option<Relation>, Fault> {
    let rejection =
        Rejection { claimed_id: theirs.id.to_string(), reason: error.to_string(), received: theirs.serialized.clone() };
    rejections.keep(connection, &rejection)?;
    Ok(None)
}

/// Raises the database max counters to what the producer sent. Where nothing is higher than ours, nothing is written.
///
/// Before: every chunk of the session is merged. After: the entries under the filter are at least the producer's; or another chunk
/// has come, which is to be merged first.
fn raise_counters(storage: &Transactions<'_>, session: &TransferSession, operation: &str) -> morango::Result<Raised> {
    let raising = storage.read(operation, |connection| {
        let ours = current_stamp(connection)?;
        counters::raising(connection, &session.filter, ours, &session.completed_by()?)
    })?;
    for entries in raising.chunks(ENTRIES_RAISED_MAX) {
        let raised = storage.write_locked(operation, lock_of(session), |connection| {
            sessions::lock_open_transfer(connection, &session.id)?;
            if !waiting_records(connection, &session.id)?.is_empty() {
                return Ok(Raised::MoreCame);
            }
            let has_notes = unclaimed::is_any(connection)?;
            for (partition, stamp) in entries {
                counters::raise(connection, partition, *stamp)?;
                if has_notes {
                    unclaimed::forget(connection, partition, *stamp)?;
                }
            }
            Ok(Raised::All)
        })?;
        if raised == Raised::MoreCame {
            return Ok(raised);
        }
    }
    Ok(Raised::All)
}

/// Whether the counters were raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Raised {
    All,
    /// A chunk waits again.
    MoreCame,
}
