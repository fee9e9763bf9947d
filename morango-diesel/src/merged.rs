//! What records held, before all was here that was known to whoever saved that, when this database saved them as its own.
//!
//! Whoever merges two records, changes what came from another or decides about it saves the outcome, and claims what it saved: so no claim
//! tells that it may hold a part only of what somebody else knew. Until the database max counters reach what came, that is noted here. A
//! note too many keeps a deletion from being carried on.

use std::collections::BTreeMap;

use diesel::sql_types::{BigInt, Binary, Text};
use morango::counter::Stamp;
use morango::id::InstanceId;

use crate::connection::Connection;
use crate::counters::Reaching;
use crate::error::Fault;
use crate::statement::sql;
use crate::transactions::Transactions;

/// Notes that are read at one time.
const NOTES_READ: usize = 1_000;

/// Notes of records, by their places, at which stamps what was merged to them was saved: all but what the current instance saved.
pub(crate) fn note(
    connection: &mut Connection<'_>,
    current: InstanceId,
    merged: Vec<(i64, Stamp)>,
) -> Result<(), Fault> {
    let mut latest = BTreeMap::new();
    for (sequence, stamp) in merged.into_iter().filter(|(_, stamp)| stamp.instance != current) {
        let counter: &mut i64 = latest.entry((sequence, stamp.instance)).or_default();
        *counter = stamp.counter.max(*counter);
    }
    if latest.is_empty() {
        return Ok(());
    }
    let mut insert = sql("INSERT INTO morango_merged (sequence, instance, counter) VALUES (");
    for (number, ((sequence, instance), counter)) in latest.iter().enumerate() {
        insert = insert.sql(if number == 0 { "" } else { "), (" });
        insert = insert.bind(*sequence).sql(", ").bind(instance).sql(", ").bind(*counter);
    }
    insert
        .sql(
            ") ON CONFLICT (sequence, instance) DO UPDATE SET counter = excluded.counter
             WHERE excluded.counter > morango_merged.counter",
        )
        .execute(connection)?;
    Ok(())
}

/// A record that is saved as this database's own, by its place, and the stamp that it bore before.
#[derive(Debug)]
pub(crate) struct Overwritten<'p> {
    pub(crate) sequence: i64,
    pub(crate) partition: &'p str,
    pub(crate) saved: Stamp,
}

/// The same of records that are saved anew, as far as the database max counters do not reach what they bore.
pub(crate) fn note_unreached<'p>(
    connection: &mut Connection<'_>,
    reaching: &mut Reaching,
    current: InstanceId,
    overwritten: impl IntoIterator<Item = Overwritten<'p>>,
) -> Result<(), Fault> {
    let mut unreached = Vec::new();
    for Overwritten { sequence, partition, saved } in overwritten {
        if saved.instance != current
            && reaching.of(connection, partition, saved.instance)?.is_none_or(|claimed| claimed < saved.counter)
        {
            unreached.push((sequence, saved));
        }
    }
    note(connection, current, unreached)
}

/// The stamps of what was merged into a record.
pub(crate) fn of(connection: &mut Connection<'_>, sequence: i64) -> Result<Vec<Stamp>, Fault> {
    let noted = sql("SELECT instance, counter FROM morango_merged WHERE sequence = ").bind(sequence);
    let noted = noted.returns::<(Binary, BigInt)>().load::<(InstanceId, i64)>(connection)?;
    Ok(noted.into_iter().map(|(instance, counter)| Stamp::new(instance, counter)).collect())
}

/// Whether anything is noted at all.
fn is_any(connection: &mut Connection<'_>) -> Result<bool, Fault> {
    let found = sql("SELECT count(*) FROM (SELECT 1 FROM morango_merged LIMIT 1) AS noted").returns::<BigInt>();
    Ok(found.get_result::<i64>(connection)? > 0)
}

/// Forgets what the database max counters reach, a page in each transaction. What is left is little: it came with what was given up.
pub(crate) fn forget_reached(storage: &Transactions<'_>, operation: &str) -> morango::Result<()> {
    let mut next = storage.read(operation, is_any)?.then_some(0);
    while let Some(after) = next {
        next = storage.write_buffered(operation, |connection| forget_page(connection, after))?;
    }
    Ok(())
}

/// The same of the next notes after a place. Says where to go on, if there may be more.
fn forget_page(connection: &mut Connection<'_>, after: i64) -> Result<Option<i64>, Fault> {
    let mut reaching = Reaching::default();
    let page = sql("SELECT noted.sequence, partition, instance, counter FROM morango_merged AS noted
         JOIN morango_store AS record ON record.sequence = noted.sequence WHERE noted.sequence > ")
    .bind(after)
    .sql(" ORDER BY noted.sequence")
    .limit(NOTES_READ)
    .returns::<(BigInt, Text, Binary, BigInt)>()
    .load::<(i64, String, InstanceId, i64)>(connection)?;
    let Some((last, ..)) = page.last() else { return Ok(None) };
    // Of one record there may be several: those that are cut off come again with the next page.
    let end = if page[0].0 < *last { last - 1 } else { *last };
    let next = (page.len() == NOTES_READ).then_some(end);
    for (sequence, partition, instance, counter) in page {
        let claimed = reaching.of(connection, &partition, instance)?;
        if let Some(claimed) = claimed.filter(|claimed| *claimed >= counter) {
            sql("DELETE FROM morango_merged WHERE sequence = ")
                .bind(sequence)
                .sql(" AND instance = ")
                .bind(&instance)
                .sql(" AND counter <= ")
                .bind(claimed)
                .execute(connection)?;
        }
    }
    Ok(next)
}
