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
//! What decides about a record is [`morango::record::relation`] and, in a conflict, [`morango::record::merge`], or
//! [`morango::record::give_way`] where this instance may not write; here their decision is carried out.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};

use diesel::prelude::*;
use diesel::result::Error as DieselError;
use diesel::sql_types::{BigInt, Binary, Text};
use morango::counter::{CounterError, RecordMaxCounters, Stamp};
use morango::id::{InstanceId, SyncId, TransferSessionId};
use morango::port::{DequeueReport, Progress, Rejection, Watch};
use morango::record::{self, Merged, RecordError, Relation, StoreRecord, relation};
use morango::scope::{Filter, Reach};
use morango::session::TransferSession;
use morango::{Error, ErrorKind, limits};

use crate::backend::Lock;
use crate::connection::Connection;
use crate::counters;
use crate::error::Fault;
use crate::gave_way;
use crate::incoming;
use crate::instance;
use crate::merged;
use crate::models::InstalledModels;
use crate::receive::Rejections;
use crate::received::{Replacement, insert_new, replace_all};
use crate::records::{RecordRow, select_records};
use crate::sessions;
use crate::statement::sql;
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
    writable: &Reach,
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
        let merged = storage.write_locked(&operation, lock_of(session), |connection| {
            merge_chunks(connection, session, writable, &models)
        })?;
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

/// Records that are merged together: one statement looks up ours of the same ids.
const PAGE_RECORDS: usize = 100;

/// Merges the next chunks, as many as one transaction takes and at least one, and deletes them.
///
/// Before: the chunks hold what passed the gate. After: each record is new in the store, or has replaced ours, or is merged with it,
/// and waits to become a row; or ours stayed as it was. This instance's counter is raised, and merged records carry it.
fn merge_chunks(
    connection: &mut Connection<'_>,
    session: &TransferSession,
    writable: &Reach,
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
        for page in part.records.chunks(PAGE_RECORDS) {
            Merging {
                session,
                writable,
                models,
                saved,
                rejections: &mut rejections,
                report: &mut merged.report,
                gave_way: Vec::new(),
                merged: Vec::new(),
            }
            .merge_page(connection, page)?;
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

/// Where records are merged with ours, and what came of it so far.
struct Merging<'m, 's> {
    session: &'m TransferSession,
    writable: &'m Reach,
    models: &'m InstalledModels,
    saved: Stamp,
    rejections: &'m mut Rejections<'s>,
    report: &'m mut DequeueReport,
    /// The places of records in which ours gives way, and which are not written yet.
    gave_way: Vec<i64>,
    /// The places of records that are merged with others, with the stamps of these, and which are not written yet.
    merged: Vec<(i64, Stamp)>,
}

impl Merging<'_, '_> {
    /// Merges records with ours. What is to stand in the place of ours is written together in the end.
    fn merge_page(&mut self, connection: &mut Connection<'_>, page: &[StoreRecord]) -> Result<(), Fault> {
        let mut heads = heads(connection, page)?;
        let mut met = Vec::with_capacity(page.len());
        for theirs in page {
            // Of two with the same id the second meets what the first has become.
            let meeting = match (self.reason_against(theirs), heads.remove(&theirs.id)) {
                (Some(error), _) => Err(error),
                (None, Some(head)) => Ours::meet(head, theirs)?.map(Some),
                (None, None) => Ok(None),
            };
            match meeting {
                Ok(ours) => met.push((theirs, ours)),
                Err(error) => self.set_aside(connection, theirs, &error)?,
            }
        }
        let mut wholes = Wholes::of(met.iter().filter_map(|(_, ours)| ours.as_ref()));
        let mut replacements = Vec::new();
        for (theirs, ours) in met {
            if let Some(ours) = ours {
                replacements.extend(self.merge(connection, &mut wholes, ours, theirs)?);
                continue;
            }
            self.replace(connection, &std::mem::take(&mut replacements))?;
            // It was in the store when its chunk came. Should it have gone since, it is new.
            if insert_new(connection, &self.session.id, theirs)? {
                self.report.new += 1;
                continue;
            }
            match Ours::meet(head(connection, theirs)?, theirs)? {
                Ok(ours) => replacements.extend(self.merge(connection, &mut wholes, ours, theirs)?),
                Err(error) => self.set_aside(connection, theirs, &error)?,
            }
        }
        self.replace(connection, &replacements)
    }

    /// Puts records in the place of ours, and notes of those in which ours gave way that they may not leave as they are, and of those that
    /// were merged that they may be a part only of what the other knew.
    fn replace(&mut self, connection: &mut Connection<'_>, replacements: &[Replacement<'_>]) -> Result<(), Fault> {
        replace_all(connection, &self.session.id, replacements)?;
        merged::note(connection, self.saved.instance, std::mem::take(&mut self.merged))?;
        gave_way::note(connection, &std::mem::take(&mut self.gave_way))
    }

    /// What was checked at the gate is not checked again but for where it belongs: who may write what hangs on that.
    fn reason_against(&self, theirs: &StoreRecord) -> Option<RecordError> {
        if theirs.profile != self.session.profile {
            return Some(RecordError::Profile { profile: theirs.profile.clone() });
        }
        let is_within = self.session.filter.contains(&theirs.partition);
        (!is_within).then(|| RecordError::OutsideFilter { partition: theirs.partition.clone() })
    }

    /// Merges one record with ours, and gives what is to stand in the place of ours, if anything is.
    fn merge<'r>(
        &mut self,
        connection: &mut Connection<'_>,
        wholes: &mut Wholes,
        Ours { head, counters, relation }: Ours,
        theirs: &'r StoreRecord,
    ) -> Result<Option<Replacement<'r>>, Fault> {
        let sequence = head.sequence;
        match relation {
            Relation::AlreadySeen => {
                self.report.already_seen += 1;
                Ok(None)
            }
            Relation::FastForward => {
                self.report.fast_forwarded += 1;
                Ok(Some(Replacement { sequence, record: Cow::Borrowed(theirs), counters }))
            }
            Relation::Conflict => {
                self.report.conflicts += 1;
                let ours_whole = wholes.take(connection, &head.id)?;
                if !self.writable.contains(&theirs.partition) {
                    let is_own = instance::is_or_was(connection, &ours_whole.last_saved.instance)?;
                    let record = Cow::Owned(record::give_way(&ours_whole, theirs, is_own));
                    self.gave_way.push(sequence);
                    self.merged.push((sequence, ours_whole.last_saved));
                    return Ok(Some(Replacement { sequence, record, counters }));
                }
                let model = self.models.of_name(&theirs.profile, &theirs.model_name);
                let definition = model.map(|model| model.definition);
                let Merged { record, failure } = record::merge(definition, &ours_whole, theirs, self.saved);
                if let Some(reason) = failure {
                    let (model, id) = (&record.model_name, record.id);
                    tracing::warn!(%model, %id, reason, "no merge policy could be applied, so ours stays and theirs is kept");
                }
                let counters = record.counters.clone();
                self.merged.extend([(sequence, ours_whole.last_saved), (sequence, theirs.last_saved)]);
                Ok(Some(Replacement { sequence, record: Cow::Owned(record), counters }))
            }
            Relation::New => unreachable!("a record of ours was given"),
        }
    }

    fn set_aside(
        &mut self,
        connection: &mut Connection<'_>,
        theirs: &StoreRecord,
        error: &RecordError,
    ) -> Result<(), Fault> {
        let claimed_id = theirs.id.to_string();
        let rejection = Rejection { claimed_id, reason: error.to_string(), received: theirs.serialized.clone() };
        self.rejections.keep(connection, &rejection)
    }
}

/// A record of ours that a received one meets.
struct Ours {
    head: Head,
    /// The counters of ours, and of theirs where they are not known.
    counters: RecordMaxCounters,
    relation: Relation,
}

impl Ours {
    /// How the two stand to each other, or why theirs cannot be merged with ours.
    fn meet(head: Head, theirs: &StoreRecord) -> Result<Result<Self, RecordError>, Fault> {
        if head.identity() != identity(theirs) {
            return Ok(Err(RecordError::Displaced { id: theirs.id }));
        }
        let mut counters = RecordMaxCounters::from_bytes(&head.record_max_counters)?;
        let stamp = Stamp::new(head.last_saved_instance, head.last_saved_counter);
        let relation = relation(Some((&stamp, &counters)), (&theirs.last_saved, &theirs.counters));
        let known = counters.len();
        if relation != Relation::AlreadySeen {
            counters.merge_max(&theirs.counters);
        }
        if counters.len() > limits::RECORD_MAX_COUNTERS_MAX.max(known) {
            // Nobody would take the record with the counters of both.
            let error = CounterError::TooMany { max: limits::RECORD_MAX_COUNTERS_MAX };
            return Ok(Err(RecordError::Counter(error)));
        }
        Ok(Ok(Self { head, counters, relation }))
    }
}

/// Records of ours that are merged with others, read together as far as they are not long.
struct Wholes {
    /// Those to come, in their order, with the lengths of their texts.
    ahead: VecDeque<(SyncId, usize)>,
    read: HashMap<SyncId, StoreRecord>,
}

impl Wholes {
    fn of<'o>(ours: impl Iterator<Item = &'o Ours>) -> Self {
        let conflicting = ours.filter(|ours| ours.relation == Relation::Conflict);
        let bytes = |head: &Head| usize::try_from(head.bytes).unwrap_or(usize::MAX);
        let ahead = conflicting.map(|ours| (ours.head.id, bytes(&ours.head))).collect();
        Self { ahead, read: HashMap::new() }
    }

    /// One of them. It is read with those that come next; or, where it was written since the heads were read, by itself.
    fn take(&mut self, connection: &mut Connection<'_>, id: &SyncId) -> Result<StoreRecord, Fault> {
        if let Some(record) = self.read.remove(id) {
            return Ok(record);
        }
        let mut ids = Vec::new();
        let mut room = limits::TRANSACTION_BYTES_MAX;
        while let Some((next, bytes)) = self.ahead.front()
            && (ids.is_empty() && next == id || !ids.is_empty() && *bytes <= room)
        {
            room = room.saturating_sub(*bytes);
            ids.push(*next);
            self.ahead.pop_front();
        }
        if ids.len() < 2 {
            let record = select_records("WHERE record_id = ").bind(id);
            return record.get_result::<RecordRow>(connection)?.into_record();
        }
        let filled = ids.iter().chain(std::iter::repeat_n(id, PAGE_RECORDS - ids.len()));
        let records = select_records("WHERE record_id IN (").bind_all(filled).sql(")");
        for row in records.load::<RecordRow>(connection)? {
            let record = row.into_record()?;
            self.read.insert(record.id, record);
        }
        self.read.remove(id).ok_or_else(|| DieselError::NotFound.into())
    }
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
    /// The length of its texts.
    bytes: i64,
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
    let filled = theirs.iter().chain(std::iter::repeat_n(last, PAGE_RECORDS - theirs.len()));
    let heads = sql(HEAD).sql("IN (").bind_all(filled.map(|record| &record.id)).sql(")");
    let heads = heads.returns::<HeadTypes>().load::<Head>(connection)?;
    Ok(heads.into_iter().map(|head| (head.id, head)).collect())
}

const HEAD: &str = "SELECT record_id, sequence, profile, model_name, partition, source_id, last_saved_instance,
     last_saved_counter, record_max_counters,
     CAST(octet_length(serialized) + octet_length(conflicting_serialized_data) AS BIGINT)
     FROM morango_store WHERE record_id ";

type HeadTypes = (Binary, BigInt, Text, Text, Text, Text, Binary, BigInt, Binary, BigInt);

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
    if !raising.is_empty() {
        merged::forget_reached(storage, operation)?;
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
