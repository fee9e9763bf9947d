//! Filter-specific instance counters, version 1: one counter per instance, without partitions, for peers that know no other.
//!
//! Such a map speaks for every prefix of a filter at once. One that claims no more than is true of each of them is at the same
//! time the [`Fsic`] in which each prefix has this map: that is how the engine computes with it.

use std::collections::BTreeMap;
use std::convert::Infallible;

use serde::{Deserialize, Serialize};

use super::ancestry::Ancestry;
use super::stamp::check_counter;
use super::weight::{ENTRY_BYTES, weight_of_one};
use super::{CounterError, DatabaseMaxCounters, Fsic, PartitionCounters, Stamp};
use crate::id::InstanceId;
use crate::limits;
use crate::scope::Filter;

/// What one side has under a filter, as one counter per instance.
///
/// *Shape*: `{instance: counter}`.
///
/// # Source
/// Protocol, chapter 6, version 1.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<InstanceId, i64>")]
pub struct FsicV1(BTreeMap<InstanceId, i64>);

impl TryFrom<BTreeMap<InstanceId, i64>> for FsicV1 {
    type Error = CounterError;

    fn try_from(mut counters: BTreeMap<InstanceId, i64>) -> Result<Self, CounterError> {
        counters.values().try_for_each(|counter| check_counter(*counter))?;
        // To have nothing of an instance is what is said of those that are not named.
        counters.retain(|_, counter| *counter != 0);
        Ok(Self(counters))
    }
}

impl FsicV1 {
    /// Reads the JSON text that a peer sent.
    ///
    /// # Errors
    /// [`CounterError::Malformed`] for another shape, or a counter out of range.
    pub fn from_json(text: &str) -> Result<Self, CounterError> {
        let counters: BTreeMap<InstanceId, i64> =
            serde_json::from_str(text).map_err(|error| CounterError::Malformed { problem: error.to_string() })?;
        Self::try_from(counters)
    }

    /// The JSON text for a peer.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.0).expect("a map with text keys is JSON")
    }

    /// The counter of each instance.
    pub fn counters(&self) -> &BTreeMap<InstanceId, i64> {
        &self.0
    }

    /// What is true of every prefix of a filter at once, by counters that are told per partition.
    ///
    /// # Errors
    /// As [`of_receiver`](Self::of_receiver).
    pub fn of(fsic: &Fsic, filter: &Filter) -> Result<Self, CounterError> {
        let mut database = DatabaseMaxCounters::new();
        database.raise_all(&fsic.super_);
        database.raise_all(&fsic.sub);
        Self::of_receiver(&database, filter)
    }

    /// What all these partitions have in common: of the instances that every one of them has the lowest counter.
    pub fn common(partitions: &PartitionCounters) -> Self {
        let mut partitions = partitions.values();
        let mut lowest = partitions.next().cloned().unwrap_or_default();
        for counters in partitions {
            lowest.retain(|instance, counter| {
                let other = counters.get(instance).copied();
                *counter = other.map_or(*counter, |other| other.min(*counter));
                other.is_some()
            });
        }
        Self(lowest)
    }

    /// The same told per partition: every prefix of the filter has this map.
    ///
    /// # Errors
    /// [`CounterError::TooMuch`] where that takes more than [`limits::FSIC_SPREAD_BYTES_MAX`]: a long map over a filter of many
    /// prefixes is little to say and much to keep.
    pub fn spread_over(&self, filter: &Filter) -> Result<Fsic, CounterError> {
        let filter = filter.minimized();
        let bytes: usize = filter.prefixes().iter().map(|prefix| weight_of_one(prefix, &self.0)).sum();
        if bytes > limits::FSIC_SPREAD_BYTES_MAX {
            return Err(CounterError::TooMuch { max: limits::FSIC_SPREAD_BYTES_MAX });
        }
        let each = filter.prefixes().iter().map(|prefix| (prefix.clone(), self.0.clone())).collect();
        Ok(Fsic { sub: each, ..Fsic::default() })
    }

    /// The same with one instance alone.
    #[must_use]
    pub fn only(mut self, instance: Option<InstanceId>) -> Self {
        self.0.retain(|known, _| Some(*known) == instance);
        self
    }

    /// What an existing producer says that it has: of each instance the highest counter of any prefix of the filter. Of the
    /// prefixes that have less this claims too much, so ours says [what is true of all](Self::of).
    pub fn of_producer(database: &DatabaseMaxCounters, filter: &Filter) -> Self {
        let mut result: BTreeMap<InstanceId, i64> = BTreeMap::new();
        let taken_in = for_each_prefix(database, filter, |here| {
            for (instance, counter) in here.all() {
                result.entry(instance).and_modify(|highest| *highest = counter.max(*highest)).or_insert(counter);
            }
            Ok::<_, Infallible>(())
        });
        let Ok(()) = taken_in;
        Self(result)
    }

    /// What a receiver has: of the instances that it knows under every prefix of the filter the lowest counter, so that it
    /// claims no more than it has.
    ///
    /// # Errors
    /// [`CounterError::TooMuch`] where to look at all of these under each prefix is to look at more than what
    /// [`limits::FSIC_SPREAD_BYTES_MAX`] hold.
    pub fn of_receiver(database: &DatabaseMaxCounters, filter: &Filter) -> Result<Self, CounterError> {
        let mut result: Option<BTreeMap<InstanceId, i64>> = None;
        let mut bytes = 0;
        for_each_prefix(database, filter, |here| {
            match &mut result {
                None => result = Some(here.all().collect()),
                Some(lowest) => lowest.retain(|instance, counter| match here.highest(instance) {
                    Some(other) => {
                        *counter = other.min(*counter);
                        true
                    }
                    None => false,
                }),
            }
            bytes += ENTRY_BYTES * result.as_ref().map_or(0, BTreeMap::len);
            if bytes > limits::FSIC_SPREAD_BYTES_MAX {
                return Err(CounterError::TooMuch { max: limits::FSIC_SPREAD_BYTES_MAX });
            }
            Ok(())
        })?;
        Ok(Self(result.unwrap_or_default()))
    }

    /// What the receiver lacks: of each instance the records saved after the counter.
    pub fn difference(sender: &Self, receiver: &Self) -> Vec<Stamp> {
        let has = |instance| receiver.0.get(instance).copied().unwrap_or(0);
        let lacks = sender.0.iter().filter(|(instance, sent)| has(instance) < **sent);
        lacks.map(|(instance, _)| Stamp::new(*instance, has(instance))).collect()
    }
}

/// Visits each prefix of the filter with the counters of the partitions that are a prefix of it or are it.
fn for_each_prefix<E>(
    database: &DatabaseMaxCounters,
    filter: &Filter,
    mut visit: impl FnMut(&Ancestry<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut prefixes: Vec<&String> = filter.prefixes().iter().collect();
    prefixes.sort_unstable();
    let mut partitions = database.partitions().iter().peekable();
    let mut ancestry = Ancestry::default();
    for prefix in prefixes {
        while let Some((partition, counters)) = partitions.next_if(|(partition, _)| *partition <= prefix) {
            ancestry.enter(partition, counters);
        }
        ancestry.go_to(prefix);
        visit(&ancestry)?;
    }
    Ok(())
}
