//! Database max counters: what this database says it has, and how a merged transfer raises that.
//!
//! Every question is a seek or a short range in an index: the work grows with the entries that are meant, times a logarithm,
//! never with entries times prefixes. What the numbers mean is told by [`morango::counter`].

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};
use morango::counter::{DatabaseMaxCounters, Fsic, Instances, PartitionCounters, Stamp};
use morango::id::InstanceId;
use morango::scope::Filter;

use crate::connection::Connection;
use crate::error::Fault;
use crate::instance;
use crate::statement::sql;
use crate::transactions::Transactions;

/// The filter specific instance counters of this database.
///
/// A receiver asks for those of all instances. It could leave out those in no record max counter below the partition, but these
/// counters lie inside the records, and finding one out would mean to read them all. To leave them in is harmless: what the entry
/// claims is true, since nothing ever leaves the store.
pub(crate) fn fsic(
    storage: &Transactions<'_>,
    profile: &str,
    filter: &Filter,
    instances: Instances,
) -> morango::Result<Fsic> {
    storage.read("compute the counters", |connection| claimed(connection, profile, filter, instances))
}

/// The same in the state of the database that a transaction sees.
pub(crate) fn claimed(
    connection: &mut Connection<'_>,
    profile: &str,
    filter: &Filter,
    instances: Instances,
) -> Result<Fsic, Fault> {
    let mut database = DatabaseMaxCounters::new();
    let own = match instances {
        Instances::WithRecords => instance::all_own(connection)?,
        Instances::All => HashSet::new(),
    };
    for (partition, stamp) in entries_of(connection, filter)? {
        let is_kept = match instances {
            Instances::WithRecords => {
                own.contains(&stamp.instance) || has_record_of(connection, profile, &partition, &stamp.instance)?
            }
            Instances::All => true,
        };
        if is_kept {
            database.raise(&partition, stamp);
        }
    }
    Ok(Fsic::of_entries(database, filter))
}

/// The beginning of a statement that reads entries.
const ENTRIES: &str = "SELECT partition, instance, counter FROM morango_database_max_counter WHERE ";

/// The entries under the filter and above it.
fn entries_of(connection: &mut Connection<'_>, filter: &Filter) -> Result<Vec<(String, Stamp)>, Fault> {
    let mut entries = Vec::new();
    let mut take = |rows: Vec<(String, InstanceId, i64)>| {
        entries
            .extend(rows.into_iter().map(|(partition, instance, counter)| (partition, Stamp::new(instance, counter))));
    };
    let minimized = filter.minimized();
    let prefixes = minimized.prefixes();
    for partition in partitions_above(connection, prefixes.iter().map(String::as_str))? {
        let found = sql(ENTRIES).sql("partition = ").bind(&partition);
        take(found.returns::<(Text, Binary, BigInt)>().load(connection)?);
    }
    for prefix in prefixes {
        let found = sql(ENTRIES).starts_with("partition", prefix);
        take(found.returns::<(Text, Binary, BigInt)>().load(connection)?);
    }
    Ok(entries)
}

/// The partitions with an entry that are proper prefixes of one of these.
///
/// From each prefix the search leaps backwards through the sorted partitions. The last partition up to a text either is a prefix of
/// it, or no partition between what the two have in common and the text is one. Where one search comes to a text that an earlier one
/// came to, it ends: prefixes of one kind share their way, so that ten thousand of them cost about as many seeks.
fn partitions_above<'p>(
    connection: &mut Connection<'_>,
    prefixes: impl IntoIterator<Item = &'p str>,
) -> Result<HashSet<String>, Fault> {
    let mut above = HashSet::new();
    let mut searched = HashSet::new();
    for prefix in prefixes {
        let mut up_to = without_last(prefix);
        while let Some(text) = up_to {
            if !searched.insert(text.to_owned()) {
                break;
            }
            let Some(last) = last_partition(connection, text)? else {
                break;
            };
            let common = common_prefix(text, &last);
            up_to = if common.len() == last.len() {
                above.insert(last);
                without_last(common)
            } else {
                Some(common)
            };
        }
    }
    Ok(above)
}

fn without_last(text: &str) -> Option<&str> {
    let (last, _) = text.char_indices().next_back()?;
    Some(&text[..last])
}

fn common_prefix<'a>(text: &'a str, other: &str) -> &'a str {
    let differing = text.char_indices().zip(other.chars()).find(|((_, one), two)| one != two);
    let end = differing.map_or(text.len().min(other.len()), |((index, _), _)| index);
    &text[..end]
}

/// The greatest partition with an entry that is not greater than this text.
fn last_partition(connection: &mut Connection<'_>, text: &str) -> Result<Option<String>, Fault> {
    let last = sql("SELECT max(partition) FROM morango_database_max_counter WHERE partition <= ").bind(text);
    Ok(last.returns::<Nullable<Text>>().get_result(connection)?)
}

/// Whether the store has a record of the profile under a partition that this instance saved last.
pub(crate) fn has_record_of(
    connection: &mut Connection<'_>,
    profile: &str,
    partition: &str,
    instance: &InstanceId,
) -> Result<bool, Fault> {
    let found = sql("SELECT count(*) FROM (SELECT 1 FROM morango_store WHERE last_saved_instance = ")
        .bind(instance)
        .sql(" AND profile = ")
        .bind(profile)
        .sql(" AND ")
        .starts_with("partition", partition)
        .sql(" LIMIT 1) AS found");
    Ok(found.returns::<BigInt>().get_result::<i64>(connection)? == 1)
}

/// Of the entries that a producer sent, those that would raise ours.
///
/// The engine checked them on arrival. What could harm us is looked at again here, where it would be written: an entry outside
/// the session's filter, a counter that nobody can have reached, and one of our own instance beyond our own counter, which would
/// have us pass over our own later changes.
pub(crate) fn raising(
    connection: &mut Connection<'_>,
    filter: &Filter,
    ours: Stamp,
    received: &PartitionCounters,
) -> Result<Vec<(String, Stamp)>, Fault> {
    let mut raising = Vec::new();
    for (partition, counters) in received {
        for (instance, counter) in counters {
            let stamp = Stamp::new(*instance, *counter);
            let is_own_future = stamp.instance == ours.instance && stamp.counter > ours.counter;
            if is_own_future || stamp.checked().is_err() || !filter.contains(partition) {
                tracing::warn!(partition, %stamp, "a producer's counter cannot be true and is passed over");
            } else if counter_of(connection, partition, instance)?.is_none_or(|counter| counter < stamp.counter) {
                raising.push((partition.clone(), stamp));
            }
        }
    }
    Ok(raising)
}

/// The entry of one instance under one partition, where there is one.
pub(crate) fn counter_of(
    connection: &mut Connection<'_>,
    partition: &str,
    instance: &InstanceId,
) -> Result<Option<i64>, Fault> {
    let found = sql("SELECT counter FROM morango_database_max_counter WHERE partition = ")
        .bind(partition)
        .sql(" AND instance = ")
        .bind(instance);
    Ok(found.returns::<BigInt>().get_result(connection).optional()?)
}

/// Up to which counter of an instance everything is here of a partition: the highest entry of the partition or of a prefix of it. None
/// where there is no such entry.
pub(crate) fn reaching(
    connection: &mut Connection<'_>,
    partition: &str,
    instance: &InstanceId,
) -> Result<Option<i64>, Fault> {
    let mut highest = counter_of(connection, partition, instance)?;
    for above in partitions_above(connection, [partition])? {
        highest = highest.max(counter_of(connection, &above, instance)?);
    }
    Ok(highest)
}

/// The same for many questions within one transaction, in which nobody raises anything: each is asked of the database once.
#[derive(Debug, Default)]
pub(crate) struct Reaching(HashMap<(String, InstanceId), Option<i64>>);

impl Reaching {
    pub(crate) fn of(
        &mut self,
        connection: &mut Connection<'_>,
        partition: &str,
        instance: InstanceId,
    ) -> Result<Option<i64>, Fault> {
        let place = (partition.to_owned(), instance);
        if let Some(known) = self.0.get(&place) {
            return Ok(*known);
        }
        let found = reaching(connection, partition, &instance)?;
        self.0.insert(place, found);
        Ok(found)
    }
}

/// Raises one entry; one that is as high or higher stays.
pub(crate) fn raise(connection: &mut Connection<'_>, partition: &str, stamp: Stamp) -> Result<(), Fault> {
    sql("INSERT INTO morango_database_max_counter (partition, instance, counter) VALUES (")
        .bind(partition)
        .sql(", ")
        .bind(&stamp.instance)
        .sql(", ")
        .bind(stamp.counter)
        .sql(
            ") ON CONFLICT (partition, instance) DO UPDATE SET counter = excluded.counter
             WHERE excluded.counter > morango_database_max_counter.counter",
        )
        .execute(connection)?;
    Ok(())
}
