//! Records in which ours gave way, where this instance may not write: they are saved anew before they leave.
//!
//! Such a record stands under another's stamp, of which somebody else holds another state. It is noted by its place, with the stamp that it
//! bears. The note counts as long as the record bears that stamp, so whatever replaces the record has nothing to clear.

use std::collections::BTreeMap;

use diesel::sql_types::{BigInt, Binary, Text};
use morango::counter::{RecordMaxCounters, Stamp};
use morango::id::InstanceId;
use morango::limits;
use morango::scope::Filter;

use crate::backend::Lock;
use crate::connection::Connection;
use crate::counters::Reaching;
use crate::error::Fault;
use crate::merged::{self, Overwritten};
use crate::renewal::restamp;
use crate::statement::sql;
use crate::transaction::raise_counter;
use crate::transactions::Transactions;

/// Notes that one statement writes or reads. The last page is filled up, so that the statement stays the same.
const PAGE_NOTES: usize = 100;

/// Notes that ours gave way in the records at these places.
///
/// Before: they stand as they are to stay. After: each has one note, which counts. No counter moves.
pub(crate) fn note(connection: &mut Connection<'_>, sequences: &[i64]) -> Result<(), Fault> {
    for page in sequences.chunks(PAGE_NOTES) {
        sql("INSERT INTO morango_gave_way (sequence, last_saved_instance, last_saved_counter)
             SELECT sequence, last_saved_instance, last_saved_counter FROM morango_store WHERE sequence IN (")
        .bind_all(filled(page))
        .sql(
            ") ON CONFLICT (sequence) DO UPDATE SET last_saved_instance = excluded.last_saved_instance,
             last_saved_counter = excluded.last_saved_counter",
        )
        .execute(connection)?;
    }
    Ok(())
}

/// Saves anew, as the current instance, what gave way of a profile under a filter; says how many records that were.
///
/// Before: any state. After: none of them is noted. The counter moves by one with each transaction, and where there is none nothing is
/// written.
pub(crate) fn save_anew(storage: &Transactions<'_>, profile: &str, filter: &Filter) -> morango::Result<u64> {
    const OPERATION: &str = "save what gave way anew";
    let place = Place { profile, filter };
    if !storage.read(OPERATION, |connection| place.has_any(connection))? {
        return Ok(0);
    }
    let mut saved = 0;
    let mut after = Some(0);
    while let Some(sequence) = after {
        let step = storage.write_locked(OPERATION, Lock::Partitions { profile, filter }, |connection| {
            place.save_part(connection, sequence)
        })?;
        saved += step.saved;
        after = step.after;
    }
    Ok(saved)
}

/// Where the records lie that are meant.
struct Place<'a> {
    profile: &'a str,
    filter: &'a Filter,
}

/// What one transaction saved, and after which place the next goes on, if there is more.
struct Step {
    saved: u64,
    after: Option<i64>,
}

impl Place<'_> {
    fn has_any(&self, connection: &mut Connection<'_>) -> Result<bool, Fault> {
        let mut after = 0;
        while let Some(page) = self.page(connection, after)? {
            if page.noted.iter().any(|noted| noted.counters.is_some()) {
                return Ok(true);
            }
            after = page.last;
        }
        Ok(false)
    }

    /// Saves as many as one transaction takes. Notes that count no more go with those of what is saved. Where somebody else has
    /// replaced all of them meanwhile, only the counter moves.
    fn save_part(&self, connection: &mut Connection<'_>, mut after: i64) -> Result<Step, Fault> {
        let stamp = raise_counter(connection)?;
        let (mut saved, mut reaching) = (0, Reaching::default());
        while let Some(page) = self.page(connection, after)? {
            after = page.last;
            let overwritten = page.noted.iter().filter_map(Noted::overwritten);
            merged::note_unreached(connection, &mut reaching, stamp.instance, overwritten)?;
            for Noted { sequence, gave_way_at, counters, .. } in page.noted {
                if let Some(counters) = counters {
                    let mut counters = RecordMaxCounters::from_bytes(&counters)?;
                    counters.raise(stamp);
                    restamp(connection, sequence, &counters, stamp)?;
                    saved += 1;
                }
                clear(connection, sequence, gave_way_at)?;
            }
            if saved >= limits::TRANSACTION_RECORDS_MAX as u64 {
                return Ok(Step { saved, after: Some(after) });
            }
        }
        Ok(Step { saved, after: None })
    }

    /// The next notes after a place, as far as their records are meant.
    fn page(&self, connection: &mut Connection<'_>, after: i64) -> Result<Option<Page>, Fault> {
        let notes = next_notes(connection, after)?;
        let Some((last, _)) = notes.last_key_value() else { return Ok(None) };
        let sequences: Vec<i64> = notes.keys().copied().collect();
        let records = sql("SELECT sequence, partition, last_saved_instance, last_saved_counter, record_max_counters
             FROM morango_store WHERE profile = ")
        .bind(self.profile)
        .sql(" AND sequence IN (")
        .bind_all(filled(&sequences))
        .sql(") ORDER BY sequence")
        .returns::<(BigInt, Text, Binary, BigInt, Binary)>()
        .load::<(i64, String, InstanceId, i64, Vec<u8>)>(connection)?;
        let mut page = Page { noted: Vec::new(), last: *last };
        for (sequence, partition, instance, counter, counters) in records {
            if self.filter.contains(&partition) {
                let gave_way_at = notes[&sequence];
                let still_counts = gave_way_at == Stamp::new(instance, counter);
                let counters = still_counts.then_some(counters);
                page.noted.push(Noted { sequence, partition, gave_way_at, counters });
            }
        }
        Ok(Some(page))
    }
}

/// Notes of records that are meant, and the place of the last one that was looked at.
struct Page {
    noted: Vec<Noted>,
    last: i64,
}

/// A note of a record that is meant.
struct Noted {
    sequence: i64,
    partition: String,
    gave_way_at: Stamp,
    /// The record max counters of the record, where the note still counts.
    counters: Option<Vec<u8>>,
}

impl Noted {
    /// The record, where it is about to be saved anew.
    fn overwritten(&self) -> Option<Overwritten<'_>> {
        let overwritten = Overwritten { sequence: self.sequence, partition: &self.partition, saved: self.gave_way_at };
        self.counters.is_some().then_some(overwritten)
    }
}

/// The next notes after a place: where each record lies, and the stamp that it bore when ours gave way.
fn next_notes(connection: &mut Connection<'_>, after: i64) -> Result<BTreeMap<i64, Stamp>, Fault> {
    let notes = sql("SELECT sequence, last_saved_instance, last_saved_counter FROM morango_gave_way WHERE sequence > ")
        .bind(after)
        .sql(" ORDER BY sequence")
        .limit(PAGE_NOTES)
        .returns::<(BigInt, Binary, BigInt)>()
        .load::<(i64, InstanceId, i64)>(connection)?;
    let stamp = |(sequence, instance, counter)| (sequence, Stamp::new(instance, counter));
    Ok(notes.into_iter().map(stamp).collect())
}

/// Takes a note away. One that says something else by now stays.
fn clear(connection: &mut Connection<'_>, sequence: i64, gave_way_at: Stamp) -> Result<(), Fault> {
    sql("DELETE FROM morango_gave_way WHERE sequence = ")
        .bind(sequence)
        .sql(" AND last_saved_instance = ")
        .bind(&gave_way_at.instance)
        .sql(" AND last_saved_counter = ")
        .bind(gave_way_at.counter)
        .execute(connection)?;
    Ok(())
}

fn filled(page: &[i64]) -> impl Iterator<Item = i64> {
    let last = *page.last().expect("a chunk is not empty");
    page.iter().copied().chain(std::iter::repeat_n(last, PAGE_NOTES - page.len()))
}
