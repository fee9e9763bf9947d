//! Database max counters: per partition prefix, up to which count of each instance this database has everything.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::{FsicV1, Stamp};
use crate::id::InstanceId;
use crate::scope::Filter;

/// Counters of instances, per partition prefix.
pub type PartitionCounters = BTreeMap<String, BTreeMap<InstanceId, i64>>;

/// What a database has: an entry (prefix, instance, counter) says that every record under the prefix which that instance saved up
/// to the counter has arrived here, or has been overwritten by a later one that did.
///
/// # Source
/// Protocol, chapter 6.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DatabaseMaxCounters(PartitionCounters);

impl DatabaseMaxCounters {
    /// Those of an empty database.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Raises an entry, and says whether that changed anything. An entry is never lowered.
    pub fn raise(&mut self, partition: &str, stamp: Stamp) -> bool {
        if !self.0.contains_key(partition) {
            self.0.insert(partition.to_owned(), BTreeMap::new());
        }
        let counters = self.0.get_mut(partition).expect("it was put there");
        match counters.get_mut(&stamp.instance) {
            Some(counter) if *counter >= stamp.counter => false,
            Some(counter) => {
                *counter = stamp.counter;
                true
            }
            None => {
                counters.insert(stamp.instance, stamp.counter);
                true
            }
        }
    }

    /// Raises the entries to those of a sender whose records have been merged: the `sub` part of its exchange, as sent.
    pub fn raise_all(&mut self, received: &PartitionCounters) {
        for (partition, counters) in received {
            for (instance, counter) in counters {
                self.raise(partition, Stamp::new(*instance, *counter));
            }
        }
    }

    /// The same for a sender that knows version 1 only: its counters hold for every prefix of the filter.
    pub fn raise_all_v1(&mut self, filter: &Filter, received: &FsicV1) {
        for prefix in filter.prefixes() {
            for (instance, counter) in received.counters() {
                self.raise(prefix, Stamp::new(*instance, *counter));
            }
        }
    }

    /// The counter of an instance under exactly this prefix.
    pub fn get(&self, partition: &str, instance: &InstanceId) -> Option<i64> {
        self.0.get(partition)?.get(instance).copied()
    }

    /// Whether an entry of the partition or of a prefix of it reaches what the stamp saved there.
    pub fn covers(&self, partition: &str, stamp: Stamp) -> bool {
        covers(&self.0, partition, stamp)
    }

    /// Up to which counter the entries of the partition and of its prefixes reach, where any of them is of that instance.
    pub fn reaching(&self, partition: &str, instance: &InstanceId) -> Option<i64> {
        let of_prefixes = self.0.iter().filter(|(prefix, _)| partition.starts_with(prefix.as_str()));
        of_prefixes.filter_map(|(_, counters)| counters.get(instance)).max().copied()
    }

    /// All entries, sorted by prefix and instance.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Stamp)> {
        self.0.iter().flat_map(|(partition, counters)| {
            counters.iter().map(move |(instance, counter)| (partition.as_str(), Stamp::new(*instance, *counter)))
        })
    }

    /// The entries per prefix.
    pub fn into_partitions(self) -> PartitionCounters {
        self.0
    }

    /// The entries per prefix.
    pub fn partitions(&self) -> &PartitionCounters {
        &self.0
    }

    /// The entries whose partition starts with a prefix of the filter.
    pub fn under(&self, filter: &Filter) -> PartitionCounters {
        let mut found = BTreeMap::new();
        for prefix in filter.minimized().prefixes() {
            let from = (Bound::Included(prefix.as_str()), Bound::Unbounded);
            let range = self.0.range::<str, _>(from).take_while(|(partition, _)| partition.starts_with(prefix));
            found.extend(range.map(|(partition, counters)| (partition.clone(), counters.clone())));
        }
        found
    }

    /// The entries whose partition is a proper prefix of a prefix of the filter.
    pub fn above(&self, filter: &Filter) -> PartitionCounters {
        let mut prefixes: Vec<&str> = filter.prefixes().iter().map(String::as_str).collect();
        prefixes.sort_unstable();
        let mut partitions = self.0.iter().peekable();
        let mut found = BTreeMap::new();
        // The partitions that are prefixes of the current one, and whether they were found already. Where one was, so were all below it.
        let mut open: Vec<(&String, &BTreeMap<InstanceId, i64>, bool)> = Vec::new();
        for prefix in prefixes {
            while let Some((partition, counters)) = partitions.next_if(|(partition, _)| partition.as_str() < prefix) {
                open.truncate(open.partition_point(|(outer, ..)| partition.starts_with(outer.as_str())));
                open.push((partition, counters, false));
            }
            open.truncate(open.partition_point(|(outer, ..)| prefix.starts_with(outer.as_str())));
            for (partition, counters, is_found) in open.iter_mut().rev().take_while(|(_, _, is_found)| !is_found) {
                found.insert((*partition).clone(), (*counters).clone());
                *is_found = true;
            }
        }
        found
    }
}

/// Whether an entry of the partition or of a prefix of it says that what the stamp saved there is here.
///
/// From text to text the search leaps backwards: the last entry up to a text is a prefix of it, or there is none between what
/// the two have in common and the text.
pub(super) fn covers(entries: &PartitionCounters, partition: &str, stamp: Stamp) -> bool {
    let mut up_to = partition;
    while let Some((last, counters)) = entries.range::<str, _>((Bound::Unbounded, Bound::Included(up_to))).next_back() {
        let common = common_prefix(up_to, last);
        if common.len() < last.len() {
            up_to = common;
            continue;
        }
        if counters.get(&stamp.instance).is_some_and(|counter| *counter >= stamp.counter) {
            return true;
        }
        let Some((shorter, _)) = common.char_indices().next_back() else { return false };
        up_to = &common[..shorter];
    }
    false
}

fn common_prefix<'a>(text: &'a str, other: &str) -> &'a str {
    let differing = text.char_indices().zip(other.chars()).find(|((_, one), two)| one != two);
    let end = differing.map_or(text.len().min(other.len()), |((index, _), _)| index);
    &text[..end]
}
