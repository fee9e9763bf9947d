//! What follows from two exchanged sets of counters: the list of what the receiver lacks.

use std::collections::BTreeMap;

use super::ancestry::Ancestry;
use super::{CounterError, Fsic, PartitionCounters};
use crate::id::InstanceId;
use crate::limits;
use crate::scope::Filter;

/// An [`Fsic`] made ready for comparison: what lies above the filter has been drawn down into it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExpandedFsic(PartitionCounters);

impl ExpandedFsic {
    /// The counters per partition, all within the filter.
    pub fn partitions(&self) -> &PartitionCounters {
        &self.0
    }

    /// The counters per partition, all within the filter.
    pub fn into_partitions(self) -> PartitionCounters {
        self.0
    }

    /// The same of a sender that has records beyond what it claims to have completely.
    #[must_use]
    pub fn and_unclaimed(mut self, unclaimed: PartitionCounters) -> Self {
        for (partition, counters) in unclaimed {
            let known = self.0.entry(partition).or_default();
            for (instance, counter) in counters {
                known.entry(instance).and_modify(|known| *known = counter.max(*known)).or_insert(counter);
            }
        }
        self
    }
}

impl Fsic {
    /// Draws the counters above the filter down into its prefixes.
    ///
    /// Each prefix of the filter that no other one covers takes the higher counters of the `super` partitions that it starts with;
    /// partitions without an entry fall away.
    ///
    /// # Errors
    /// [`CounterError::OutsideFilter`] where a `sub` partition is not within the filter, and [`CounterError::TooMany`] where the
    /// result is over [`limits::FSIC_ENTRIES_MAX`] entries.
    pub fn expand_for_use(&self, filter: &Filter) -> Result<ExpandedFsic, CounterError> {
        if let Some(outside) = self.sub.keys().find(|partition| !filter.contains(partition)) {
            return Err(CounterError::outside_filter(outside));
        }
        let mut expanded = self.sub.clone();
        let mut entries: usize = expanded.values().map(BTreeMap::len).sum();
        let mut above = self.super_.iter().peekable();
        let mut ancestry = Ancestry::default();
        // Every `sub` partition is within the filter, so those with no other above them are the filter's own uncovered prefixes.
        for prefix in filter.minimized().prefixes() {
            while let Some((partition, counters)) = above.next_if(|(partition, _)| *partition <= prefix) {
                ancestry.enter(partition, counters);
            }
            ancestry.go_to(prefix);
            let counters = expanded.entry(prefix.clone()).or_default();
            entries -= counters.len();
            for (instance, counter) in ancestry.all() {
                if counter > counters.get(&instance).copied().unwrap_or(0) {
                    counters.insert(instance, counter);
                }
            }
            entries += counters.len();
            if entries > limits::FSIC_ENTRIES_MAX {
                return Err(CounterError::TooMany { max: limits::FSIC_ENTRIES_MAX });
            }
        }
        expanded.retain(|_, counters| !counters.is_empty());
        Ok(ExpandedFsic(expanded))
    }
}

/// Something that the receiver lacks: the records under a partition that an instance saved after a counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// The prefix under which the records lie.
    pub partition: String,
    /// The instance that saved them last.
    pub instance: InstanceId,
    /// The counter up to which the receiver has them: those with a higher one are to be sent.
    pub counter: i64,
}

/// What the sender has and the receiver does not, sorted by partition and instance.
///
/// The receiver has of an instance what it has under the partition itself or any prefix of it.
pub fn difference(sender: &ExpandedFsic, receiver: &ExpandedFsic) -> Vec<Lack> {
    let mut lacks = Vec::new();
    let mut has_partitions = receiver.0.iter().peekable();
    let mut ancestry = Ancestry::default();
    for (partition, counters) in &sender.0 {
        while let Some((outer, counters)) = has_partitions.next_if(|(outer, _)| *outer <= partition) {
            ancestry.enter(outer, counters);
        }
        ancestry.go_to(partition);
        for (instance, sent) in counters {
            let has = ancestry.highest(instance).unwrap_or(0);
            if has < *sent {
                lacks.push(Lack { partition: partition.clone(), instance: *instance, counter: has });
            }
        }
    }
    lacks
}
