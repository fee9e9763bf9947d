//! The buffer of a receiver: chunks that came and what was refused of them, until they are dequeued or cleaned up.
//!
//! Whether a record may pass was decided before. A chunk is kept with its digest, so that one that is sent again changes nothing.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use morango::counter::Stamp;
use morango::id::TransferSessionId;
use morango::port::{ReceivedChunk, Rejection};
use morango::record::{BufferRecord, StoreRecord};
use morango::scope::Filter;
use morango::{Error, ErrorKind, limits};

use crate::backend::{self, Lock};
use crate::connection::Connection;
use crate::dequeue::Place;
use crate::error::Fault;
use crate::incoming::{encode, encoded_length};
use crate::queue::delete_queue;
use crate::received::insert_all_new;
use crate::renewal::own;
use crate::statement::{Statement, sql};
use crate::storage::DieselStorage;
use crate::transactions::Transactions;
use crate::value::Value;

/// Puts a received chunk aside with what was refused of it, and counts both as transferred; returns how many were so far.
///
/// Before: the session is open. After: the chunk is in the buffer and on the disk, in parts that one transaction of dequeuing can take;
/// if it was there already, nothing has changed.
pub(crate) fn buffer_chunk(storage: &DieselStorage, chunk: &ReceivedChunk<'_>) -> morango::Result<u64> {
    let operation = begin(chunk)?;
    storage.write(&operation, |connection| {
        place(connection, chunk.session)?;
        let (believed, unbelieved) = believed(chunk.records, own(connection)?.told_stamp());
        for (number, part) in (0_u32..).zip(parts_of(&believed)) {
            let digest = part_digest(chunk.digest, number);
            if records_here(connection, chunk.session, &digest)?.is_some() {
                return transferred(connection, chunk.session);
            }
            let all: Vec<&BufferRecord> = part.iter().collect();
            insert_part(connection, chunk.session, &digest, &all, 0)?;
        }
        count(connection, chunk, &unbelieved)
    })
}

/// Keeps a received chunk and what was refused of it, counts both as transferred, and returns how many were so far.
///
/// A record that is new here has nothing to be merged with and goes into the store at once; nothing is claimed of it before all have come
/// and the database max counters are raised. Only the others wait in the buffer for dequeuing, which may have to stamp what it merges.
///
/// Before: the session is open; the chunk may have been put aside. After: it is in the store and the buffer, there in parts that one
/// transaction of dequeuing can take; if it was there already, nothing has changed. It is on the disk, as is what was put aside before.
pub(crate) fn receive_chunk(storage: &DieselStorage, chunk: &ReceivedChunk<'_>) -> morango::Result<u64> {
    let operation = begin(chunk)?;
    let is_aside = storage.read(&operation, |connection| records_here(connection, chunk.session, chunk.digest))?;
    let lock = chunk.records.first().map_or(Lock::None, |first| Lock::Beside { profile: &first.record().profile });
    let keep = |connection: &mut Connection<'_>| keep(connection, chunk);
    match is_aside {
        Some(_) => storage.write_part(&operation, lock, keep),
        None => storage.write_locked(&operation, lock, keep),
    }
}

/// What is done with a chunk, once it is known to be of one session.
fn begin(chunk: &ReceivedChunk<'_>) -> morango::Result<String> {
    let operation = format!("keep a received chunk of transfer session {}", chunk.session);
    match chunk.records.iter().find(|received| received.transfer_session_id() != *chunk.session) {
        None => Ok(operation),
        Some(stray) => {
            let message = format!("{operation}: its record {} is of another session", stray.record().id);
            Err(Error::new(ErrorKind::RecordRejected, message))
        }
    }
}

fn keep(connection: &mut Connection<'_>, chunk: &ReceivedChunk<'_>) -> Result<u64, Fault> {
    let place = place(connection, chunk.session)?;
    let (believed, unbelieved) = believed(chunk.records, own(connection)?.told_stamp());
    let mut is_counted = false;
    for (number, part) in (0_u32..).zip(parts_of(&believed)) {
        match keep_part(connection, chunk.session, &place, &part_digest(chunk.digest, number), part)? {
            Kept::Now => {}
            Kept::FromBuffer => is_counted = true,
            Kept::Before => return transferred(connection, chunk.session),
        }
    }
    if is_counted { transferred(connection, chunk.session) } else { count(connection, chunk, &unbelieved) }
}

/// Counts a chunk that was kept, and keeps what was refused of it.
fn count(connection: &mut Connection<'_>, chunk: &ReceivedChunk<'_>, unbelieved: &[Rejection]) -> Result<u64, Fault> {
    let mut kept = Rejections::of(chunk.session);
    for rejection in chunk.rejections.iter().chain(unbelieved) {
        kept.keep(connection, rejection)?;
    }
    let bytes = chunk.records.iter().map(|received| encoded_length(received.record())).sum();
    match count_as_transferred(connection, chunk, count_of(bytes))? {
        Some(transferred) => Ok(transferred),
        // Either the session is not open, or this chunk is not its turn, which the chunk itself tells.
        None => Ok(chunk.count(transferred(connection, chunk.session)?)?),
    }
}

/// The records as this instance believes them, after what it told, and what it refuses of them. Next to always that is all of them, as
/// they are.
fn believed(records: &[BufferRecord], told: Stamp) -> (Cow<'_, [BufferRecord]>, Vec<Rejection>) {
    let mut refused = Vec::new();
    if !records.iter().any(|received| received.exceeds(told)) {
        return (Cow::Borrowed(records), refused);
    }
    let mut taken = Vec::with_capacity(records.len());
    for received in records {
        match received.clone().believed_by(told) {
            Ok(believed) => taken.push(believed),
            Err(error) => refused.push(Rejection {
                claimed_id: received.record().id.to_string(),
                reason: error.to_string(),
                received: received.record().serialized.clone(),
            }),
        }
    }
    (Cow::Owned(taken), refused)
}

/// Where the records of an open session belong. The same chunk may come twice at one time: the second waits for the first here.
fn place(connection: &mut Connection<'_>, session: &TransferSessionId) -> Result<Place, Fault> {
    let found = sql("SELECT profile, filter FROM morango_transfer_session WHERE is_active = 1 AND id = ")
        .bind(session)
        .for_update()
        .returns::<(Text, Text)>()
        .get_result::<(String, String)>(connection)
        .optional()?;
    let (profile, filter) = found.ok_or_else(|| not_open(session))?;
    let filter = Filter::from_wire(&filter).map_err(|error| {
        Error::new(ErrorKind::StorageCorrupt, format!("read the filter of transfer session {session}"))
            .with_source(error)
    })?;
    Ok(Place { profile, filter })
}

fn count_of(length: usize) -> i64 {
    i64::try_from(length).expect("a chunk in memory has fewer records than there are numbers")
}

/// The chunk in parts that each fit one transaction of dequeuing. One that holds no records has one empty part, which keeps its digest.
fn parts_of(records: &[BufferRecord]) -> impl Iterator<Item = &[BufferRecord]> {
    let mut rest = Some(records);
    std::iter::from_fn(move || {
        let records = rest?;
        let mut bytes = 0;
        let fitting = records.iter().take(limits::TRANSACTION_RECORDS_MAX).take_while(|received| {
            bytes += encoded_length(received.record());
            bytes <= limits::TRANSACTION_BYTES_MAX
        });
        let (part, after) = records.split_at(fitting.count().max(1).min(records.len()));
        rest = (!after.is_empty()).then_some(after);
        Some(part)
    })
}

/// The digest of a chunk's part: that of the chunk, with the part's number after it from the second on.
fn part_digest(digest: &[u8; 32], number: u32) -> Cow<'_, [u8]> {
    match number {
        0 => Cow::Borrowed(digest),
        _ => Cow::Owned([&digest[..], &number.to_be_bytes()].concat()),
    }
}

/// What became of a part.
enum Kept {
    /// It was not there yet.
    Now,
    /// It was put aside before, and counted then.
    FromBuffer,
    /// It was kept before.
    Before,
}

/// Keeps one part: what is new of it in the store, the rest in the buffer.
fn keep_part(
    connection: &mut Connection<'_>,
    session: &TransferSessionId,
    place: &Place,
    digest: &[u8],
    part: &[BufferRecord],
) -> Result<Kept, Fault> {
    let here = records_here(connection, session, digest)?;
    if here.is_some_and(|records| records < count_of(part.len())) {
        return Ok(Kept::Before);
    }
    let held: Vec<&StoreRecord> = part.iter().map(BufferRecord::record).filter(|record| place.holds(record)).collect();
    let mut new = insert_all_new(connection, session, &held)?;
    // Of two with the same id one was inserted, and the other is merged with it.
    let mut is_inserted = |record: &StoreRecord| place.holds(record) && new.remove(&record.id);
    let others: Vec<&BufferRecord> = part.iter().filter(|received| !is_inserted(received.record())).collect();
    let inserted = part.len() - others.len();
    if here.is_none() {
        insert_part(connection, session, digest, &others, inserted)?;
        return Ok(Kept::Now);
    }
    sql("UPDATE morango_incoming SET records = ")
        .bind(count_of(others.len()))
        .sql(", content = ")
        .bind(encode(inserted as u64, &others))
        .sql(" WHERE transfer_session = ")
        .bind(session)
        .sql(" AND digest = ")
        .bind(digest)
        .execute(connection)?;
    Ok(Kept::FromBuffer)
}

/// How many records of a part wait in the buffer; all of them where it was only put aside. None where it is not there.
fn records_here(
    connection: &mut Connection<'_>,
    session: &TransferSessionId,
    digest: &[u8],
) -> Result<Option<i64>, Fault> {
    let found = sql("SELECT records FROM morango_incoming WHERE transfer_session = ")
        .bind(session)
        .sql(" AND digest = ")
        .bind(digest)
        .returns::<BigInt>()
        .get_result::<i64>(connection);
    Ok(found.optional()?)
}

fn insert_part(
    connection: &mut Connection<'_>,
    session: &TransferSessionId,
    digest: &[u8],
    others: &[&BufferRecord],
    inserted: usize,
) -> Result<(), Fault> {
    sql("INSERT INTO morango_incoming (transfer_session, digest, records, content) VALUES (")
        .bind(session)
        .sql(", ")
        .bind(digest)
        .sql(", ")
        .bind(count_of(others.len()))
        .sql(", ")
        .bind(encode(inserted as u64, others))
        .sql(")")
        .execute(connection)?;
    Ok(())
}

/// Adds to what an open session transferred, as [`ReceivedChunk::count`] does; never beyond its total, where that is known. None
/// where the session is not open, or records before the chunk are missing.
fn count_as_transferred(
    connection: &mut Connection<'_>,
    chunk: &ReceivedChunk<'_>,
    bytes: i64,
) -> Result<Option<u64>, Fault> {
    let length = count_of(chunk.records.len() + chunk.rejections.len());
    let offset = chunk.offset.map(|offset| i64::try_from(offset).unwrap_or(i64::MAX));
    let (least, greatest) = (backend::least(connection), backend::greatest(connection));
    let update = sql("UPDATE morango_transfer_session SET last_activity_at = ")
        .bind(chunk.received_at.timestamp_millis())
        .sql(", received_bytes = received_bytes + ")
        .bind(bytes)
        .sql(", records_transferred = ")
        .sql(least)
        .sql("(coalesce(records_total, ")
        .bind(i64::MAX)
        .sql("), ");
    let update = match offset {
        None => update.sql("records_transferred + ").bind(length),
        Some(offset) => update.sql(greatest).sql("(records_transferred, ").bind(offset.saturating_add(length)).sql(")"),
    };
    let counted = update
        .sql(") WHERE is_active = 1 AND id = ")
        .bind(chunk.session)
        .sql(" AND records_transferred >= ")
        .bind(offset.unwrap_or(0))
        .sql(" RETURNING records_transferred, received_bytes")
        .returns::<(BigInt, BigInt)>()
        .get_result::<(i64, i64)>(connection)
        .optional()?;
    let Some((transferred, buffered)) = counted else { return Ok(None) };
    if buffered > limits::TRANSFER_BYTES_MAX {
        let message =
            format!("take more than {} bytes for transfer session {}", limits::TRANSFER_BYTES_MAX, chunk.session);
        return Err(Error::new(ErrorKind::LimitExceeded, message)
            .with_hint("sync in parts: under narrower filters, one after another")
            .into());
    }
    Ok(Some(u64::try_from(transferred).unwrap_or(0)))
}

fn transferred(connection: &mut Connection<'_>, session: &TransferSessionId) -> Result<u64, Fault> {
    let transferred = sql("SELECT records_transferred FROM morango_transfer_session WHERE is_active = 1 AND id = ")
        .bind(session)
        .returns::<BigInt>()
        .get_result::<i64>(connection)
        .optional()?;
    unsigned(session, transferred)
}

fn unsigned(session: &TransferSessionId, transferred: Option<i64>) -> Result<u64, Fault> {
    let transferred = transferred.ok_or_else(|| not_open(session))?;
    Ok(u64::try_from(transferred).unwrap_or(0))
}

fn not_open(session: &TransferSessionId) -> Error {
    Error::new(ErrorKind::SessionUnknown, format!("keep records for transfer session {session}: none is open"))
}

/// The refused records of a session, as one transaction adds to them.
///
/// A peer that sends nothing but refuse fills a bounded place only: past the session's number or bytes nothing more is kept for
/// it, and past the number for all sessions the oldest give way. What is there is counted once, when the first one comes.
pub(crate) struct Rejections<'a> {
    session: &'a TransferSessionId,
    /// Their number and bytes, once they are counted.
    there: Option<(i64, i64)>,
}

impl<'a> Rejections<'a> {
    /// Those of a session.
    pub(crate) fn of(session: &'a TransferSessionId) -> Self {
        Self { session, there: None }
    }

    /// Keeps a refused record with its reason, where there is room for it.
    pub(crate) fn keep(&mut self, connection: &mut Connection<'_>, rejection: &Rejection) -> Result<(), Fault> {
        let (number, bytes) = match self.there {
            Some(there) => there,
            None => count_rejections(connection, self.session)?,
        };
        let is_full = number >= limits::REJECTIONS_PER_SESSION_MAX || bytes >= limits::REJECTIONS_BYTES_PER_SESSION_MAX;
        if is_full {
            self.there = Some((number, bytes));
            return Ok(());
        }
        self.there = Some((number + 1, bytes + count_of(rejection.received.len())));
        sql("INSERT INTO morango_rejection (transfer_session, claimed_id, reason, received) VALUES (")
            .bind(self.session)
            .sql(", ")
            .bind(Value::content(&rejection.claimed_id))
            .sql(", ")
            .bind(Value::content(&rejection.reason))
            .sql(", ")
            .bind(Value::content(&rejection.received))
            .sql(")")
            .execute(connection)?;
        sql("DELETE FROM morango_rejection WHERE number <= (SELECT max(number) FROM morango_rejection) - ")
            .bind(limits::REJECTIONS_MAX)
            .execute(connection)?;
        Ok(())
    }
}

fn count_rejections(connection: &mut Connection<'_>, session: &TransferSessionId) -> Result<(i64, i64), Fault> {
    let there = sql("SELECT count(*), CAST(coalesce(sum(octet_length(received)), 0) AS BIGINT) FROM morango_rejection
         WHERE transfer_session = ")
    .bind(session);
    Ok(there.returns::<(BigInt, BigInt)>().get_result(connection)?)
}

/// The refused records of a session, newest first.
pub(crate) fn rejections(
    storage: &DieselStorage,
    session: &TransferSessionId,
    limit: usize,
) -> morango::Result<Vec<Rejection>> {
    storage.read(&format!("list what transfer session {session} refused"), |connection| {
        let rows = sql("SELECT claimed_id, reason, received FROM morango_rejection WHERE transfer_session = ")
            .bind(session)
            .sql(" ORDER BY number DESC")
            .limit(limit)
            .returns::<(Text, Text, Text)>()
            .load::<(String, String, String)>(connection)?;
        let rejection = |(claimed_id, reason, received)| Rejection { claimed_id, reason, received };
        Ok(rows.into_iter().map(rejection).collect())
    })
}

/// How many records wait in the buffers of a session, on their way out or in.
pub(crate) fn buffered(storage: &DieselStorage, session: &TransferSessionId) -> morango::Result<u64> {
    storage.read(&format!("count the buffered records of transfer session {session}"), |connection| {
        let of_session = |statement: &'static str| sql(statement).sql(" WHERE transfer_session = ").bind(session);
        let incoming = number(connection, of_session(INCOMING_RECORDS))?;
        Ok(incoming + number(connection, of_session(OUTGOING_RECORDS))?)
    })
}

/// Deletes what is in buffers of no open session, and says how many records that were. What was refused stays.
pub(crate) fn delete_orphaned_buffers(storage: &DieselStorage) -> morango::Result<u64> {
    const ORPHANED: &str =
        " WHERE transfer_session NOT IN (SELECT id FROM morango_transfer_session WHERE is_active = 1)";
    storage.write_buffered("delete the buffers of no session", |connection| {
        let mut records = 0;
        for (count, delete) in
            [(INCOMING_RECORDS, "DELETE FROM morango_incoming"), (OUTGOING_RECORDS, "DELETE FROM morango_outgoing")]
        {
            records += number(connection, sql(count).sql(ORPHANED))?;
            sql(delete).sql(ORPHANED).execute(connection)?;
        }
        Ok(records)
    })
}

const INCOMING_RECORDS: &str = "SELECT CAST(coalesce(sum(records), 0) AS BIGINT) FROM morango_incoming";

/// A queued record is a number of 8 bytes.
const OUTGOING_RECORDS: &str =
    "SELECT CAST(coalesce(sum(octet_length(sequences) / 8), 0) AS BIGINT) FROM morango_outgoing";

fn number(connection: &mut Connection<'_>, statement: Statement<'_>) -> Result<u64, Fault> {
    let number = statement.returns::<BigInt>().get_result::<i64>(connection)?;
    Ok(u64::try_from(number).unwrap_or(0))
}

/// Deletes the session's buffers and closes it. What was refused stays, with its reasons, for whoever looks for it.
pub(crate) fn clean_up(
    storage: &Transactions<'_>,
    session: &TransferSessionId,
    now: DateTime<Utc>,
) -> morango::Result<()> {
    storage.write_buffered(&format!("clean up transfer session {session}"), |connection| {
        // The session first: whoever is at work in it holds it, and finds it closed after.
        sql("UPDATE morango_transfer_session SET is_active = 0, last_activity_at = ")
            .bind(now.timestamp_millis())
            .sql(" WHERE id = ")
            .bind(session)
            .execute(connection)?;
        delete_queue(connection, session)?;
        sql("DELETE FROM morango_incoming WHERE transfer_session = ").bind(session).execute(connection)?;
        sql("DELETE FROM morango_session_memory WHERE session = ").bind(session).execute(connection)?;
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use morango::counter::RecordMaxCounters;
    use morango::id::{InstanceId, SyncId};

    fn received(bytes: usize) -> BufferRecord {
        let record = StoreRecord {
            id: SyncId::unset(),
            profile: String::new(),
            model_name: String::new(),
            partition: String::new(),
            source_id: String::new(),
            serialized: "x".repeat(bytes),
            conflicting_serialized_data: String::new(),
            deleted: false,
            hard_deleted: false,
            last_saved: Stamp::new(InstanceId::hash_of("a"), 1),
            self_ref_fk: String::new(),
            counters: RecordMaxCounters::new(),
        };
        BufferRecord::from_store(TransferSessionId::hash_of("session"), record)
    }

    #[test]
    fn a_chunk_is_cut_into_parts_that_one_transaction_can_take() {
        let lengths = |records: &[BufferRecord]| parts_of(records).map(<[_]>::len).collect::<Vec<_>>();
        assert_eq!(lengths(&[]), [0]);
        assert_eq!(lengths(&vec![received(1); 2]), [2]);
        assert_eq!(lengths(&vec![received(1); 2 * limits::TRANSACTION_RECORDS_MAX + 1]), [2_000, 2_000, 1]);
        let large = received(limits::TRANSACTION_BYTES_MAX);
        assert_eq!(lengths(&[received(1), large.clone(), large, received(1)]), [1, 1, 1, 1]);
    }
}
