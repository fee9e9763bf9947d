//! What somebody else has of what this database saved itself, as whichever instance: up to which counter, partition by partition.
//!
//! The notes say what is known, and are never more than what is: one that is missing has something count as unsent that is not.

use std::collections::HashSet;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Text};
use morango::counter::{DatabaseMaxCounters, PartitionCounters, Stamp};
use morango::id::InstanceId;

use crate::connection::Connection;
use crate::error::Fault;
use crate::statement::sql;
use crate::storage::DieselStorage;

/// Entries that are looked up one by one. Of more of them all notes are read at once.
const FEW: usize = 50;

/// Notes entries of this database's own instances.
///
/// Before: somebody else has what the entries say. After: each is noted, or one that says more. Of a few, what they cover is not noted
/// beside them any more. Where nothing is new nothing is written.
pub(crate) fn note(storage: &DieselStorage, entries: &PartitionCounters) -> morango::Result<()> {
    const OPERATION: &str = "note what was handed over";
    let news = storage.read(OPERATION, |connection| news(connection, entries))?;
    if news.is_empty() {
        return Ok(());
    }
    storage.write_buffered(OPERATION, |connection| {
        for (partition, stamp) in &news {
            raise(connection, partition, *stamp)?;
            if news.len() <= FEW {
                forget_covered(connection, partition, *stamp)?;
            }
        }
        Ok(())
    })
}

/// What this database saved, and what is known to be with somebody else.
pub(crate) struct HandedOver {
    own: HashSet<InstanceId>,
    notes: DatabaseMaxCounters,
}

impl HandedOver {
    pub(crate) fn load(connection: &mut Connection<'_>) -> Result<Self, Fault> {
        Ok(Self { own: own_instances(connection)?, notes: notes(connection)? })
    }

    /// Whether a record under a partition that was saved last at this stamp holds a change that nobody else is known to have.
    pub(crate) fn lacks(&self, partition: &str, last_saved: Stamp) -> bool {
        self.own.contains(&last_saved.instance) && !self.notes.covers(partition, last_saved)
    }
}

fn notes(connection: &mut Connection<'_>) -> Result<DatabaseMaxCounters, Fault> {
    let found = sql("SELECT partition, instance, counter FROM morango_handed_over")
        .returns::<(Text, Binary, BigInt)>()
        .load::<(String, InstanceId, i64)>(connection)?;
    let mut notes = DatabaseMaxCounters::new();
    for (partition, instance, counter) in found {
        notes.raise(&partition, Stamp::new(instance, counter));
    }
    Ok(notes)
}

/// Of the entries, those of instances that this database is or was, and that say more than what is noted of the same partition.
fn news(connection: &mut Connection<'_>, entries: &PartitionCounters) -> Result<Vec<(String, Stamp)>, Fault> {
    let own = own_instances(connection)?;
    let stamps = entries.iter().flat_map(|(partition, counters)| {
        counters.iter().map(move |(instance, counter)| (partition, Stamp::new(*instance, *counter)))
    });
    let stamps: Vec<(&String, Stamp)> = stamps.filter(|(_, stamp)| own.contains(&stamp.instance)).collect();
    let all = if stamps.len() > FEW { Some(notes(connection)?) } else { None };
    let mut news = Vec::new();
    for (partition, stamp) in stamps {
        let noted = match &all {
            Some(notes) => notes.get(partition, &stamp.instance),
            None => noted(connection, partition, &stamp.instance)?,
        };
        if noted.is_none_or(|noted| noted < stamp.counter) {
            news.push((partition.clone(), stamp));
        }
    }
    Ok(news)
}

fn noted(connection: &mut Connection<'_>, partition: &str, instance: &InstanceId) -> Result<Option<i64>, Fault> {
    let found = sql("SELECT counter FROM morango_handed_over WHERE partition = ")
        .bind(partition)
        .sql(" AND instance = ")
        .bind(instance)
        .returns::<BigInt>();
    Ok(found.get_result::<i64>(connection).optional()?)
}

/// Every instance that this database is or was.
fn own_instances(connection: &mut Connection<'_>) -> Result<HashSet<InstanceId>, Fault> {
    let own = sql("SELECT id FROM morango_instance").returns::<Binary>().load::<InstanceId>(connection)?;
    Ok(own.into_iter().collect())
}

fn raise(connection: &mut Connection<'_>, partition: &str, stamp: Stamp) -> Result<(), Fault> {
    sql("INSERT INTO morango_handed_over (partition, instance, counter) VALUES (")
        .bind(partition)
        .sql(", ")
        .bind(&stamp.instance)
        .sql(", ")
        .bind(stamp.counter)
        .sql(
            ") ON CONFLICT (partition, instance) DO UPDATE SET counter = excluded.counter
             WHERE excluded.counter > morango_handed_over.counter",
        )
        .execute(connection)?;
    Ok(())
}

/// Forgets the notes below one that says as much.
fn forget_covered(connection: &mut Connection<'_>, partition: &str, stamp: Stamp) -> Result<(), Fault> {
    sql("DELETE FROM morango_handed_over WHERE instance = ")
        .bind(&stamp.instance)
        .sql(" AND counter <= ")
        .bind(stamp.counter)
        .sql(" AND partition <> ")
        .bind(partition)
        .sql(" AND ")
        .starts_with("partition", partition)
        .execute(connection)?;
    Ok(())
}
