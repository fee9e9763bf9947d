//! What records were merged with before all was here that was known to whoever saved that.
//!
//! Whoever merges two saves the outcome, and claims what it saved: so no claim tells that it may hold a part only of what somebody else
//! knew. Until the database max counters reach what came, that is noted here. A note too many keeps a deletion from being carried on.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use diesel::sql_types::{BigInt, Binary, Text};
use morango::counter::Stamp;
use morango::id::InstanceId;

use crate::connection::Connection;
use crate::counters;
use crate::error::Fault;
use crate::statement::sql;

/// Notes that are read at one time.
const NOTES_READ: usize = 1_000;

/// Notes of records, by their places, at which stamps what was merged into them was saved.
pub(crate) fn note(connection: &mut Connection<'_>, merged: &[(i64, Stamp)]) -> Result<(), Fault> {
    for (sequence, stamp) in merged {
        sql("INSERT INTO morango_merged (sequence, instance, counter) VALUES (")
            .bind(*sequence)
            .sql(", ")
            .bind(&stamp.instance)
            .sql(", ")
            .bind(stamp.counter)
            .sql(
                ") ON CONFLICT (sequence, instance) DO UPDATE SET counter = excluded.counter
                 WHERE excluded.counter > morango_merged.counter",
            )
            .execute(connection)?;
    }
    Ok(())
}

/// The stamps of what was merged into a record.
pub(crate) fn of(connection: &mut Connection<'_>, sequence: i64) -> Result<Vec<Stamp>, Fault> {
    let noted = sql("SELECT instance, counter FROM morango_merged WHERE sequence = ").bind(sequence);
    let noted = noted.returns::<(Binary, BigInt)>().load::<(InstanceId, i64)>(connection)?;
    Ok(noted.into_iter().map(|(instance, counter)| Stamp::new(instance, counter)).collect())
}

/// Whether anything is noted at all.
pub(crate) fn is_any(connection: &mut Connection<'_>) -> Result<bool, Fault> {
    let found = sql("SELECT count(*) FROM (SELECT 1 FROM morango_merged LIMIT 1) AS noted").returns::<BigInt>();
    Ok(found.get_result::<i64>(connection)? > 0)
}

/// Forgets what the database max counters reach. What is left is little: it came with what was given up.
pub(crate) fn forget_reached(connection: &mut Connection<'_>) -> Result<(), Fault> {
    let mut reaching: HashMap<(String, InstanceId), Option<i64>> = HashMap::new();
    let mut after = 0;
    loop {
        let page = sql("SELECT noted.sequence, partition, instance, counter FROM morango_merged AS noted
             JOIN morango_store AS record ON record.sequence = noted.sequence WHERE noted.sequence > ")
        .bind(after)
        .sql(" ORDER BY noted.sequence")
        .limit(NOTES_READ)
        .returns::<(BigInt, Text, Binary, BigInt)>()
        .load::<(i64, String, InstanceId, i64)>(connection)?;
        let Some((last, ..)) = page.last() else { return Ok(()) };
        // Of one record there may be several: those that are cut off come again with the next page.
        after = if page.len() == NOTES_READ && page[0].0 < *last { last - 1 } else { *last };
        for (sequence, partition, instance, counter) in page {
            let claimed = match reaching.entry((partition, instance)) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(place) => {
                    let found = counters::reaching(connection, &place.key().0, &instance)?;
                    *place.insert(found)
                }
            };
            if claimed.is_some_and(|claimed| claimed >= counter) {
                sql("DELETE FROM morango_merged WHERE sequence = ")
                    .bind(sequence)
                    .sql(" AND instance = ")
                    .bind(&instance)
                    .execute(connection)?;
            }
        }
    }
}
