//! In what the Python package may differ from the law, and why: all of it, and as narrowly as it can be said.
//!
//! What is not of the protocol is not compared at all: ids and times of sessions, the reason why a record waits, the order in which
//! records lie in the store.

use morango::counter::Stamp;
use morango::prelude::Filter;
use morango::record::StoreRecord;
use morango_tests::database::Database;

use super::world::Counters;

/// What the Python package makes of two records of which neither knows the other, on this database: what the law says, but for three
/// things.
///
/// - Of what lost earlier, the receiver's is kept and the sender's dropped: `buffer.serialized || '\n' || store.conflicting…`.
/// - A record that is hard deleted at the receiver gets the sender's text all the same, among those that lost.
/// - On PostgreSQL a hard deletion at the sender empties both texts, but the record is not noted as hard deleted.
pub(super) fn merged_by_python(
    ours: &StoreRecord,
    theirs: &StoreRecord,
    saved: Stamp,
    database: Database,
) -> StoreRecord {
    let mut record = ours.clone();
    record.counters.merge_max(&theirs.counters);
    record.counters.raise(saved);
    record.last_saved = saved;
    record.deleted |= theirs.deleted;
    if database == Database::Sqlite {
        record.hard_deleted |= theirs.hard_deleted;
    }
    if theirs.hard_deleted {
        record.serialized.clear();
        record.conflicting_serialized_data.clear();
    } else {
        record.conflicting_serialized_data = [&theirs.serialized, "\n", &ours.conflicting_serialized_data].concat();
    }
    record
}

/// What the Python package takes over of what a sender claims: that of the filter's prefixes and below, as it is sent. What the sender
/// has above them, which is as true, it does not take over; and where that says as much, the sender does not say it again below.
pub(super) fn taken_over_by_python(sender: &Counters, filter: &Filter) -> Counters {
    let is_said_above = |(partition, instance, counter): &(String, String, i64)| {
        sender.iter().any(|(above, writer, theirs)| {
            above != partition && partition.starts_with(above) && writer == instance && theirs >= counter
        })
    };
    sender.iter().filter(|claim| filter.contains(&claim.0) && !is_said_above(claim)).cloned().collect()
}
