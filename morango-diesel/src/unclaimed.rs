//! What the store may hold without a claim to hold all of it.
//!
//! Records go into the store as they come, and the database max counters are raised when all have come. What lies between is
//! noted here, partition by partition, so that it is passed on to others even where the rest never comes. A note claims nothing:
//! one too many makes this database look for records that it does not have.

use diesel::sql_types::{BigInt, Binary, Text};
use morango::counter::{DatabaseMaxCounters, PartitionCounters, Stamp};
use morango::id::InstanceId;
use morango::scope::Filter;

use crate::connection::Connection;
use crate::counters::counter_of;
use crate::error::Fault;
use crate::statement::sql;
use crate::storage::DieselStorage;

/// Notes entries, but for those that the database max counters reach.
///
/// Before: no record of them need be here. After: each entry is noted, or claimed. A power failure may take the note back, and then
/// takes back the records that came after it.
pub(crate) fn note(storage: &DieselStorage, entries: &PartitionCounters) -> morango::Result<()> {
    storage.write_buffered("note what is unclaimed", |connection| {
        for (partition, counters) in entries {
            for (instance, counter) in counters {
                if counter_of(connection, partition, instance)?.is_none_or(|claimed| claimed < *counter) {
                    raise(connection, partition, Stamp::new(*instance, *counter))?;
                }
            }
        }
        Ok(())
    })
}

/// What is noted under a filter.
pub(crate) fn under(connection: &mut Connection<'_>, filter: &Filter) -> Result<PartitionCounters, Fault> {
    let mut noted = DatabaseMaxCounters::new();
    for prefix in filter.minimized().prefixes() {
        let found = sql("SELECT partition, instance, counter FROM morango_unclaimed WHERE ")
            .starts_with("partition", prefix)
            .returns::<(Text, Binary, BigInt)>()
            .load::<(String, InstanceId, i64)>(connection)?;
        for (partition, instance, counter) in found {
            noted.raise(&partition, Stamp::new(instance, counter));
        }
    }
    Ok(noted.into_partitions())
}

/// Whether anything is noted at all.
pub(crate) fn is_any(connection: &mut Connection<'_>) -> Result<bool, Fault> {
    let found = sql("SELECT count(*) FROM (SELECT 1 FROM morango_unclaimed LIMIT 1) AS noted");
    Ok(found.returns::<BigInt>().get_result::<i64>(connection)? > 0)
}

/// Forgets what the database max counters claim from now on.
pub(crate) fn forget(connection: &mut Connection<'_>, partition: &str, claimed: Stamp) -> Result<(), Fault> {
    sql("DELETE FROM morango_unclaimed WHERE instance = ")
        .bind(&claimed.instance)
        .sql(" AND counter <= ")
        .bind(claimed.counter)
        .sql(" AND ")
        .starts_with("partition", partition)
        .execute(connection)?;
    Ok(())
}

fn raise(connection: &mut Connection<'_>, partition: &str, stamp: Stamp) -> Result<(), Fault> {
    sql("INSERT INTO morango_unclaimed (partition, instance, counter) VALUES (")
        .bind(partition)
        .sql(", ")
        .bind(&stamp.instance)
        .sql(", ")
        .bind(stamp.counter)
        .sql(
            ") ON CONFLICT (partition, instance) DO UPDATE SET counter = excluded.counter
             WHERE excluded.counter > morango_unclaimed.counter",
        )
        .execute(connection)?;
    Ok(())
}
