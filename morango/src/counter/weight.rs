//! What counters take in memory. They are bounded by that and not by their number: a school of a million records may have as many
//! partitions as people, and none of them is too many.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use super::PartitionCounters;
use crate::id::InstanceId;
use crate::limits;

/// Bytes that a partition takes beside its text: its place in the map, and the first page of its own map.
const PARTITION_BYTES: usize = 400;

/// Bytes that an entry takes.
pub(super) const ENTRY_BYTES: usize = 40;

/// About how many bytes these counters take.
pub(super) fn weight(partitions: &PartitionCounters) -> usize {
    partitions.iter().map(|(partition, counters)| weight_of_one(partition, counters)).sum()
}

/// About how many bytes the counters of one partition take.
pub(super) fn weight_of_one(partition: &str, counters: &BTreeMap<InstanceId, i64>) -> usize {
    PARTITION_BYTES + partition.len() + ENTRY_BYTES * counters.len()
}

/// Counters as they are read: those that go beyond [`limits::FSIC_BYTES_MAX`] are counted and not kept, and those that say nothing
/// are left out: whatever is computed with counters takes at most as long as it takes memory.
pub(super) struct Weighed {
    pub(super) partitions: PartitionCounters,
    pub(super) bytes: usize,
}

impl Weighed {
    pub(super) fn is_too_much(&self) -> bool {
        self.bytes > limits::FSIC_BYTES_MAX
    }
}

impl<'de> Deserialize<'de> for Weighed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Weighed;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("counters of instances, per partition")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Weighed, A::Error> {
        let mut weighed = Weighed { partitions: PartitionCounters::new(), bytes: 0 };
        while let Some((partition, mut counters)) = map.next_entry::<String, BTreeMap<InstanceId, i64>>()? {
            // To have nothing of an instance is what is said of those that are not named.
            counters.retain(|_, counter| *counter != 0);
            weighed.bytes += weight_of_one(&partition, &counters);
            if !weighed.is_too_much() {
                weighed.partitions.insert(partition, counters);
            }
        }
        Ok(weighed)
    }
}
