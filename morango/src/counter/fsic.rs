//! Filter-specific instance counters, version 2: what a peer says it has, per partition, before records are sent.
//!
//! `sub` holds what lies under the filter, `super` what lies above it. Nothing here compares every partition with every other.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::ancestry::Ancestry;
use super::database::covers;
use super::stamp::check_counter;
use super::weight::Weighed;
use super::{CounterError, DatabaseMaxCounters, PartitionCounters, Stamp};
use crate::id::InstanceId;
use crate::limits;
use crate::scope::Filter;

/// What one side has under a filter, and above it.
///
/// *Shape*: `{"super": {partition: {instance: counter}}, "sub": {…}}`. One that was parsed holds only counters that can be believed.
///
/// # Source
/// Protocol, chapter 6, version 2.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Fsic {
    /// What lies above the filter: partitions that are proper prefixes of one of its prefixes.
    #[serde(rename = "super")]
    pub super_: PartitionCounters,
    /// What lies under the filter.
    pub sub: PartitionCounters,
}

/// The same shape before its counters were looked at.
#[derive(Deserialize)]
struct Unchecked {
    #[serde(rename = "super")]
    super_: Weighed,
    sub: Weighed,
}

impl TryFrom<Unchecked> for Fsic {
    type Error = CounterError;

    fn try_from(unchecked: Unchecked) -> Result<Self, CounterError> {
        if unchecked.super_.is_too_much() || unchecked.sub.is_too_much() {
            return Err(CounterError::TooMuch { max: limits::FSIC_BYTES_MAX });
        }
        let fsic = Self { super_: unchecked.super_.partitions, sub: unchecked.sub.partitions };
        let partitions = || fsic.super_.iter().chain(&fsic.sub);
        for (partition, counters) in partitions() {
            if partition.len() > limits::PARTITION_BYTES_MAX || partition.contains('\0') {
                return Err(CounterError::outside_filter(partition));
            }
            counters.values().try_for_each(|counter| check_counter(*counter))?;
        }
        Ok(fsic)
    }
}

/// Of which instances a database tells its counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Instances {
    /// Of all that it has a counter of.
    All,
    /// Of those that were the last to save a record below the partition, since of the others there is nothing to send; and of those that
    /// the database itself is or was, since nobody else tells when all of theirs has come.
    #[default]
    WithRecords,
}

impl Fsic {
    /// Reads the JSON text that a peer sent.
    ///
    /// # Errors
    /// [`CounterError::Malformed`] for another shape, a counter out of range, or what takes more than [`limits::FSIC_BYTES_MAX`].
    pub fn from_json(text: &str) -> Result<Self, CounterError> {
        let unchecked: Unchecked =
            serde_json::from_str(text).map_err(|error| CounterError::Malformed { problem: error.to_string() })?;
        Self::try_from(unchecked)
    }

    /// The JSON text for a peer.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("maps with text keys are JSON")
    }

    /// The same of a database of which nothing but entries under and above the filter was looked up: they are not copied.
    pub fn of_entries(entries: DatabaseMaxCounters, filter: &Filter) -> Self {
        let super_ = entries.above(filter);
        let mut sub = entries.into_partitions();
        sub.retain(|partition, _| filter.contains(partition));
        Self { super_, sub }.without_redundant()
    }

    /// What this database says of itself for a filter.
    ///
    /// `keep` says of a (partition, instance) whether it still matters: a producer keeps the instances that are the last to have
    /// saved a record below the partition, and its own, a receiver those in any record max counter below it.
    pub fn calculate(
        database: &DatabaseMaxCounters,
        filter: &Filter,
        keep: &dyn Fn(&str, &InstanceId) -> bool,
    ) -> Self {
        let kept = |mut partitions: PartitionCounters| {
            partitions.retain(|partition, counters| {
                counters.retain(|instance, _| keep(partition, instance));
                !counters.is_empty()
            });
            partitions
        };
        let fsic = Self { super_: kept(database.above(filter)), sub: kept(database.under(filter)) };
        fsic.without_redundant()
    }

    /// Whether this side has what the stamp saved under a partition.
    pub fn covers(&self, partition: &str, stamp: Stamp) -> bool {
        covers(&self.sub, partition, stamp) || covers(&self.super_, partition, stamp)
    }

    /// The same without entries that say nothing new: where a proper prefix of the partition has the same instance at an equal or
    /// higher counter. Partitions left with no entry stay, empty, since they still say where data is.
    #[must_use]
    pub fn without_redundant(mut self) -> Self {
        for (partition, instance) in self.redundant() {
            for partitions in [&mut self.super_, &mut self.sub] {
                if let Some(counters) = partitions.get_mut(&partition) {
                    counters.remove(&instance);
                }
            }
        }
        self
    }

    /// The entries that say nothing new. A partition on both sides holds the same there; `sub` speaks for it.
    fn redundant(&self) -> Vec<(String, InstanceId)> {
        let mut redundant = Vec::new();
        let mut ancestry = Ancestry::default();
        let partitions: BTreeSet<&String> = self.super_.keys().chain(self.sub.keys()).collect();
        for partition in partitions {
            ancestry.go_to(partition);
            let counters = self.sub.get(partition).or_else(|| self.super_.get(partition));
            let counters = counters.expect("the partition is on one side or the other");
            let is_known = |(instance, counter): &(&InstanceId, &i64)| {
                ancestry.highest(instance).is_some_and(|highest| highest >= **counter)
            };
            let known = counters.iter().filter(is_known).map(|(instance, _)| (partition.clone(), *instance));
            redundant.extend(known);
            ancestry.enter(partition, counters);
        }
        redundant
    }
}
