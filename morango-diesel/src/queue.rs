//! *Queue*: which store records a receiver lacks, and the chunks in which they go out.
//!
//! What is queued is a list of places in the store, not a copy: a record that changes while it waits goes out as it then is. That is
//! harmless, since a receiver decides by the record's own counters and raises its database max counters to what was claimed before.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Text};
use morango::counter::{ExpandedFsic, Instances, Lack, lacking};
use morango::id::{InstanceId, TransferSessionId};
use morango::port::{Chunk, OwnCounters};
use morango::record::StoreRecord;
use morango::scope::{Filter, prefix_upper_bound};
use morango::session::{Stage, StageStatus, TransferSession, is_beyond};
use morango::{Error, ErrorKind, limits};

use crate::backend::{self, Lock};
use crate::connection::Connection;
use crate::counters;
use crate::error::Fault;
use crate::incoming::encoded_length;
use crate::records::{RecordRow, select_records};
use crate::renewal;
use crate::sessions;
use crate::statement::sql;
use crate::storage::DieselStorage;
use crate::transaction::current_stamp;
use crate::transactions::Transactions;
use crate::unclaimed;

/// Records noted in one page.
const PAGE_RECORDS: usize = 500;

/// Records of an instance that are looked at one by one to find those that are lacking.
const LATEST_RECORDS_MAX: usize = 2_000;

/// Records that one statement reads.
const RECORDS_READ: usize = 50;

/// Bytes of one number in a page.
const NUMBER_BYTES: usize = 8;

/// Notes which records of the session's profile and filter the receiver lacks, in place of what was noted before.
///
/// Before: `receiver` is what the receiver has. What is here is looked up in the state of the database in which the records are, so that
/// none is left out that another sync brought a moment ago. After: the session's pages hold the places of these records in the
/// order in which they came into the store, so that what others point at mostly goes first; the stored session says how many they are,
/// and has the counters for which they were looked up. No counter moves. Where another process completed queuing meanwhile, nothing
/// has changed.
pub(crate) fn queue(
    storage: &Transactions<'_>,
    session: &TransferSession,
    receiver: &ExpandedFsic,
) -> morango::Result<u64> {
    let operation = format!("queue records for transfer session {}", session.id);
    let (profile, filter) = (&session.profile, &session.filter);
    let minimized = filter.minimized();
    // 8 bytes a record: the numbers of a million records are held, the records never are. And the ranges of one instance at a time:
    // a lack above the filter is one under each of its prefixes.
    let mut sequences = storage.read_locked(&operation, Lock::Reading { profile, filter }, |connection| {
        let claimed = counters::claimed(connection, profile, filter, Instances::All)?;
        let own = current_stamp(connection)?;
        let mut lacks = lacking(&claimed, unclaimed::under(connection, filter)?, own, receiver, filter)?;
        lacks.sort_by_key(|lack| lack.instance);
        tracing::debug!(lacks = lacks.len(), "queuing what the receiver lacks");
        let mut sequences = Vec::new();
        for lacks in lacks.chunk_by(|one, other| one.instance == other.instance) {
            find(connection, profile, &ranges_of(lacks, &minimized), &mut sequences)?;
        }
        Ok(sequences)
    })?;
    sequences.sort_unstable();
    storage.write_buffered(&operation, |connection| {
        if let Some(total) = lock_transfer_session(connection, &session.id)? {
            return Ok(total);
        }
        delete_queue(connection, &session.id)?;
        for (page, numbers) in (0_i64..).zip(sequences.chunks(PAGE_RECORDS)) {
            let bytes: Vec<u8> = numbers.iter().copied().flat_map(i64::to_be_bytes).collect();
            sql("INSERT INTO morango_outgoing (transfer_session, page, sequences) VALUES (")
                .bind(&session.id)
                .sql(", ")
                .bind(page)
                .sql(", ")
                .bind(bytes)
                .sql(")")
                .execute(connection)?;
        }
        let total = sequences.len() as u64;
        sessions::note_queued(connection, session, total)?;
        Ok(total)
    })
}

/// Keeps others from queuing for the same session until this transaction ends. The number of records, where they are queued already.
fn lock_transfer_session(connection: &mut Connection<'_>, session: &TransferSessionId) -> Result<Option<u64>, Fault> {
    let (reached, total) = sessions::lock_open_transfer(connection, session)?;
    Ok(is_beyond(reached, (Stage::Queuing, StageStatus::Started)).then(|| total.unwrap_or(0)))
}

/// Forgets what is queued for a session.
pub(crate) fn delete_queue(connection: &mut Connection<'_>, session: &TransferSessionId) -> Result<(), Fault> {
    sql("DELETE FROM morango_outgoing WHERE transfer_session = ").bind(session).execute(connection)?;
    Ok(())
}

/// The partitions from one text up to another, and the counter after which an instance's records there are lacking.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Range {
    instance: InstanceId,
    from: String,
    /// Without an end where there is none.
    before: Option<String>,
    after: i64,
}

impl Range {
    fn holds(&self, partition: &str, counter: i64) -> bool {
        self.from.as_str() <= partition
            && self.before.as_deref().is_none_or(|before| partition < before)
            && counter > self.after
    }
}

/// What is lacking within the filter, as ranges of partitions that do not overlap, so that no record is found twice.
fn ranges_of<'a>(lacks: impl IntoIterator<Item = &'a Lack>, minimized: &'a Filter) -> Vec<Range> {
    let mut lowest: BTreeMap<(InstanceId, &str), i64> = BTreeMap::new();
    for lack in lacks {
        for prefix in within(&lack.partition, minimized) {
            lowest
                .entry((lack.instance, prefix))
                .and_modify(|known| *known = lack.counter.min(*known))
                .or_insert(lack.counter);
        }
    }
    let mut ranges = Vec::new();
    let mut sweep = Sweep::default();
    for ((instance, prefix), counter) in lowest {
        if sweep.instance != Some(instance) {
            sweep.finish(&mut ranges);
            sweep.instance = Some(instance);
        }
        sweep.enter(prefix, counter, &mut ranges);
    }
    sweep.finish(&mut ranges);
    ranges
}

/// The prefixes that are both under a partition and within a filter: the partition itself, or those of the filter that it covers.
fn within<'a>(partition: &'a str, minimized: &'a Filter) -> Vec<&'a str> {
    if minimized.contains(partition) {
        return vec![partition];
    }
    let prefixes = minimized.prefixes();
    let first = prefixes.partition_point(|prefix| prefix.as_str() < partition);
    prefixes[first..].iter().map(String::as_str).take_while(|prefix| prefix.starts_with(partition)).collect()
}

/// A walk through the sorted prefixes of one instance. Of two prefixes one lies within the other or they are apart, so those around
/// the current place are a stack, and the lowest counter on it is what counts there.
#[derive(Default)]
struct Sweep {
    instance: Option<InstanceId>,
    /// Where the walk is: everything before is in a range already.
    at: String,
    /// Ends of the prefixes around the current place, innermost last, each with the lowest counter out to there.
    open: Vec<(Option<String>, i64)>,
}

impl Sweep {
    fn enter(&mut self, prefix: &str, counter: i64, ranges: &mut Vec<Range>) {
        while let Some((Some(end), _)) = self.open.last()
            && end.as_str() <= prefix
        {
            self.leave(ranges);
        }
        if let Some((_, after)) = self.open.last() {
            self.push(Some(prefix.to_owned()), *after, ranges);
        }
        let after = self.open.last().map_or(counter, |(_, outer)| counter.min(*outer));
        self.open.push((prefix_upper_bound(prefix), after));
        prefix.clone_into(&mut self.at);
    }

    fn finish(&mut self, ranges: &mut Vec<Range>) {
        while !self.open.is_empty() {
            self.leave(ranges);
        }
    }

    fn leave(&mut self, ranges: &mut Vec<Range>) {
        let Some((end, after)) = self.open.pop() else { return };
        self.push(end.clone(), after, ranges);
        match end {
            Some(end) => self.at = end,
            // There is no place after this one, so what lies around it ends here too.
            None => self.open.clear(),
        }
    }

    fn push(&self, before: Option<String>, after: i64, ranges: &mut Vec<Range>) {
        let Some(instance) = self.instance else { return };
        if before.as_deref().is_some_and(|before| before <= self.at.as_str()) {
            return;
        }
        match ranges.last_mut() {
            Some(last)
                if last.instance == instance && last.after == after && last.before.as_ref() == Some(&self.at) =>
            {
                last.before = before;
            }
            _ => ranges.push(Range { instance, from: self.at.clone(), before, after }),
        }
    }
}

/// Adds the places of the records in one instance's ranges, which are sorted.
///
/// Mostly little is lacking of what there is: then the instance's latest records are looked at, wherever they lie. Where there are many
/// of these, each range is read out of the index over partitions: so the work grows with what is lacking, or with what the
/// ranges hold, whichever is less.
fn find(
    connection: &mut Connection<'_>,
    profile: &str,
    ranges: &[Range],
    sequences: &mut Vec<i64>,
) -> Result<(), Fault> {
    let Some(lowest) = ranges.iter().min_by_key(|range| range.after) else { return Ok(()) };
    let latest = latest(connection, profile, lowest)?;
    if latest.len() > LATEST_RECORDS_MAX {
        return ranges.iter().try_for_each(|range| find_in(connection, profile, range, sequences));
    }
    for (sequence, partition, counter) in latest {
        let later = ranges.partition_point(|range| range.from <= partition);
        if later > 0 && ranges[later - 1].holds(&partition, counter) {
            sequences.push(sequence);
        }
    }
    Ok(())
}

/// Of the records that an instance saved after a count, at most one more than [`LATEST_RECORDS_MAX`].
fn latest(connection: &mut Connection<'_>, profile: &str, lowest: &Range) -> Result<Vec<(i64, String, i64)>, Fault> {
    let found = sql("SELECT sequence, partition, last_saved_counter FROM morango_store")
        .sql(backend::by_counter(connection))
        .sql(" WHERE last_saved_instance = ")
        .bind(&lowest.instance)
        .sql(" AND last_saved_counter > ")
        .bind(lowest.after)
        .sql(" AND profile = ")
        .bind(profile)
        .limit(LATEST_RECORDS_MAX + 1);
    Ok(found.returns::<(BigInt, Text, BigInt)>().load(connection)?)
}

/// Adds the places of the records in a range, out of the index alone.
fn find_in(
    connection: &mut Connection<'_>,
    profile: &str,
    range: &Range,
    sequences: &mut Vec<i64>,
) -> Result<(), Fault> {
    let found = sql("SELECT sequence FROM morango_store WHERE last_saved_instance = ")
        .bind(&range.instance)
        .sql(" AND profile = ")
        .bind(profile)
        .sql(" AND last_saved_counter > ")
        .bind(range.after)
        .sql(" AND partition >= ")
        .bind(&range.from);
    let found = match &range.before {
        Some(before) => found.sql(" AND partition < ").bind(before),
        None => found,
    };
    found.returns::<BigInt>().for_each(connection, |sequence: i64| {
        sequences.push(sequence);
        Ok(ControlFlow::Continue(()))
    })
}

/// The queued records from `offset` on: at most `limit`, and fewer where they are large, but at least one where there is one.
pub(crate) fn queued_chunk(
    storage: &DieselStorage,
    session: &TransferSessionId,
    offset: u64,
    limit: usize,
) -> morango::Result<Chunk> {
    let transactions = Transactions::of(storage);
    loop {
        let (chunk, own) = read_chunk(storage, session, offset, limit)?;
        let is_told = |counter: i64| counter <= own.told;
        if chunk.records.iter().all(|record| record.counters.get(&own.instance).is_none_or(is_told)) {
            return Ok(chunk);
        }
        // A record that changed since it was queued leaves in its newer form, under a number that others may know from now on; unless
        // this database has become another instance meanwhile, which saved it anew.
        renewal::note_told(&transactions)?;
        if renewal::own_counters(&transactions)?.instance == own.instance {
            return Ok(chunk);
        }
    }
}

fn read_chunk(
    storage: &DieselStorage,
    session: &TransferSessionId,
    offset: u64,
    limit: usize,
) -> morango::Result<(Chunk, OwnCounters)> {
    storage.read(&format!("read what is queued for transfer session {session}"), |connection| {
        let total = count(connection, session)?;
        let mut chunk = Chunk { records: Vec::new(), total };
        let mut bytes = 0;
        for page in sequences_from(connection, session, offset, limit)?.chunks(RECORDS_READ) {
            let (before, mut is_full) = (chunk.records.len(), false);
            read_page(connection, page, |record| {
                bytes += encoded_length(&record);
                is_full = bytes > limits::CHUNK_BYTES_TARGET && !chunk.records.is_empty();
                if is_full {
                    return ControlFlow::Break(());
                }
                chunk.records.push(record);
                ControlFlow::Continue(())
            })?;
            if is_full {
                break;
            }
            if chunk.records.len() - before < page.len() {
                return Err(vanished(page).into());
            }
        }
        Ok((chunk, renewal::own(connection)?))
    })
}

/// Hands over the records in these places, which are in order, one after another, so that no more of them than one is in memory
/// beyond what the caller keeps. The last page is filled up, so that the statement stays the same.
fn read_page(
    connection: &mut Connection<'_>,
    page: &[i64],
    mut each: impl FnMut(StoreRecord) -> ControlFlow<()>,
) -> Result<(), Fault> {
    let Some(last) = page.last() else { return Ok(()) };
    let filled = page.iter().chain(std::iter::repeat_n(last, RECORDS_READ - page.len())).copied();
    select_records("WHERE sequence IN (")
        .bind_all(filled)
        .sql(") ORDER BY sequence")
        .for_each(connection, |row: RecordRow| Ok(each(row.into_record()?)))
}

fn vanished(page: &[i64]) -> Error {
    let (first, last) = (page.first().unwrap_or(&0), page.last().unwrap_or(&0));
    let message = format!("find the queued records {first} to {last}: some are no longer in the store");
    Error::new(ErrorKind::StorageCorrupt, message)
}

/// How many records are queued: all pages but the last are full.
fn count(connection: &mut Connection<'_>, session: &TransferSessionId) -> Result<u64, Fault> {
    let last =
        sql("SELECT page, CAST(octet_length(sequences) AS BIGINT) FROM morango_outgoing WHERE transfer_session = ")
            .bind(session)
            .sql(" ORDER BY page DESC LIMIT 1")
            .returns::<(BigInt, BigInt)>()
            .get_result::<(i64, i64)>(connection)
            .optional()?;
    let (page, bytes) = last.unwrap_or((0, 0));
    Ok(page.unsigned_abs() * PAGE_RECORDS as u64 + bytes.unsigned_abs() / NUMBER_BYTES as u64)
}

fn sequences_from(
    connection: &mut Connection<'_>,
    session: &TransferSessionId,
    offset: u64,
    limit: usize,
) -> Result<Vec<i64>, Fault> {
    let offset = usize::try_from(offset).unwrap_or(usize::MAX);
    let (first, skipped) = (offset / PAGE_RECORDS, offset % PAGE_RECORDS);
    let pages = sql("SELECT sequences FROM morango_outgoing WHERE transfer_session = ")
        .bind(session)
        .sql(" AND page >= ")
        .bind(i64::try_from(first).unwrap_or(i64::MAX))
        .sql(" ORDER BY page")
        .limit((skipped + limit).div_ceil(PAGE_RECORDS))
        .returns::<Binary>()
        .load::<Vec<u8>>(connection)?;
    let numbers =
        pages.iter().flat_map(|page| page.as_chunks::<NUMBER_BYTES>().0).map(|bytes| i64::from_be_bytes(*bytes));
    Ok(numbers.skip(skipped).take(limit).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lack(partition: &str, instance: u8, counter: i64) -> Lack {
        Lack { partition: partition.to_owned(), instance: InstanceId::from_bytes([instance; 16]), counter }
    }

    /// How often a record is found, by the ranges.
    fn found(ranges: &[Range], instance: u8, partition: &str, counter: i64) -> usize {
        let instance = InstanceId::from_bytes([instance; 16]);
        let is_in = |range: &&Range| range.instance == instance && range.holds(partition, counter);
        ranges.iter().filter(is_in).count()
    }

    #[test]
    fn a_record_under_several_listed_prefixes_is_found_once() {
        let lacks = [lack("a", 1, 5), lack("a:m", 1, 2), lack("a:m:x", 1, 9), lack("b", 1, 5), lack("a", 2, 0)];
        let ranges = ranges_of(&lacks, &Filter::everything());
        assert_eq!(found(&ranges, 1, "a:m:x", 3), 1);
        assert_eq!(found(&ranges, 1, "a:b", 3), 0);
        assert_eq!(found(&ranges, 1, "a:z", 6), 1);
        assert_eq!(found(&ranges, 2, "a:m", 1), 1);
        assert_eq!(found(&ranges, 2, "b", 1), 0);
        // What is alike side by side is one range.
        assert_eq!(ranges.iter().filter(|range| range.instance == InstanceId::from_bytes([2; 16])).count(), 1);
    }

    #[test]
    fn what_lies_outside_the_filter_is_never_found() {
        let filter = Filter::new(["a:1", "a:2", "c"]).expect("good prefixes");
        let ranges = ranges_of(&[lack("a", 1, 0), lack("", 2, 0), lack("b", 1, 0)], &filter.minimized());
        assert_eq!(found(&ranges, 1, "a:1:x", 1), 1);
        assert_eq!(found(&ranges, 2, "c", 1), 1);
        for outside in ["a", "a:3", "b", "a:", "d"] {
            assert_eq!(found(&ranges, 1, outside, 1) + found(&ranges, 2, outside, 1), 0, "{outside}");
        }
    }

    #[test]
    fn the_walk_agrees_with_asking_of_every_lack() {
        let mut state = 0x5eed_u64;
        let mut below = |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % bound
        };
        let text = |below: &mut dyn FnMut(u64) -> u64, length: u64| -> String {
            (0..below(length + 1))
                .map(|_| ['a', 'b', '\u{10ffff}'][usize::try_from(below(3)).expect("small")])
                .collect()
        };
        for round in 0..5_000 {
            let filter = match below(3) {
                0 => Filter::everything(),
                count => Filter::new((0..count).map(|_| format!("a{}", text(&mut below, 2)))).expect("good prefixes"),
            };
            let lacks: Vec<Lack> = (0..below(8))
                .map(|_| {
                    let instance = u8::try_from(below(2)).expect("small");
                    lack(&text(&mut below, 4), instance, i64::try_from(below(5)).expect("small"))
                })
                .collect();
            let ranges = ranges_of(&lacks, &filter.minimized());
            for _ in 0..20 {
                let (partition, counter) = (text(&mut below, 6), i64::try_from(below(6)).expect("small"));
                for instance in 0..2 {
                    let is_lacking = |lack: &&Lack| {
                        lack.instance == InstanceId::from_bytes([instance; 16])
                            && partition.starts_with(&lack.partition)
                            && counter > lack.counter
                    };
                    let expected = usize::from(filter.contains(&partition) && lacks.iter().any(|it| is_lacking(&it)));
                    assert_eq!(
                        found(&ranges, instance, &partition, counter),
                        expected,
                        "{round} {partition:?} {lacks:?} {filter:?}"
                    );
                }
            }
        }
    }
}
