//! What follows from two exchanged sets of counters: the list of what the receiver lacks.

use super::ancestry::Ancestry;
use super::weight::{ENTRY_BYTES, weight};
use super::{CounterError, Fsic, PartitionCounters, Stamp};
use crate::id::InstanceId;
use crate::limits;
use crate::scope::Filter;

/// How many times what was told may be kept of it, and how much in any case.
const UNDER_TIMES_MAX: usize = 4;
/// See [`UNDER_TIMES_MAX`].
const UNDER_BYTES_MIN: usize = 16 * 1024 * 1024;

/// An [`Fsic`] made ready for comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExpandedFsic(PartitionCounters);

impl ExpandedFsic {
    /// The counters per partition.
    pub fn partitions(&self) -> &PartitionCounters {
        &self.0
    }

    /// The counters per partition.
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
    /// Many instances above a filter of many prefixes would be that many times as many entries. Where these would take more than
    /// [`limits::FSIC_BYTES_MAX`], what is above the filter stays there: then more is found lacking than is, and never less.
    ///
    /// # Errors
    /// [`CounterError::OutsideFilter`] where a `sub` partition is not within the filter.
    pub fn expand_for_use(&self, filter: &Filter) -> Result<ExpandedFsic, CounterError> {
        self.check_within(filter)?;
        Ok(self.drawn_down(filter, limits::FSIC_BYTES_MAX).unwrap_or_else(|| self.as_it_stands()))
    }

    /// The same of a receiver, which nothing needs to be drawn down for: what it has under a partition is looked for in the
    /// prefixes of that as well.
    ///
    /// # Errors
    /// As [`expand_for_use`](Self::expand_for_use).
    pub fn of_receiver(&self, filter: &Filter) -> Result<ExpandedFsic, CounterError> {
        self.check_within(filter)?;
        Ok(self.as_it_stands())
    }

    /// What this side has under a filter: what it has above, it has there too, and what it says of other partitions is passed over.
    ///
    /// Where that would be many times what was told, for many instances above a filter of many prefixes, it is what was told of the
    /// filter alone: somebody is about to keep it.
    pub fn under(&self, filter: &Filter) -> PartitionCounters {
        let mut within = self.sub.clone();
        within.retain(|partition, _| filter.contains(partition));
        let told = Self { super_: self.super_.clone(), sub: within };
        let bytes_max = UNDER_BYTES_MIN + UNDER_TIMES_MAX * (weight(&told.sub) + weight(&told.super_));
        match told.drawn_down(filter, bytes_max) {
            Some(ExpandedFsic(under)) => under,
            None => told.sub,
        }
    }

    fn check_within(&self, filter: &Filter) -> Result<(), CounterError> {
        match self.sub.keys().find(|partition| !filter.contains(partition)) {
            Some(outside) => Err(CounterError::outside_filter(outside)),
            None => Ok(()),
        }
    }

    fn as_it_stands(&self) -> ExpandedFsic {
        let mut both = ExpandedFsic(self.sub.clone()).and_unclaimed(self.super_.clone());
        both.0.retain(|_, counters| !counters.is_empty());
        both
    }

    /// None where that would take more than so many bytes.
    pub(super) fn drawn_down(&self, filter: &Filter, bytes_max: usize) -> Option<ExpandedFsic> {
        let mut expanded = self.sub.clone();
        let mut bytes = weight(&expanded);
        let mut above = self.super_.iter().peekable();
        let mut ancestry = Ancestry::default();
        // Every `sub` partition is within the filter, so those with no other above them are the filter's own uncovered prefixes.
        for prefix in filter.minimized().prefixes() {
            while let Some((partition, counters)) = above.next_if(|(partition, _)| *partition <= prefix) {
                ancestry.enter(partition, counters);
            }
            ancestry.go_to(prefix);
            let counters = expanded.entry(prefix.clone()).or_default();
            for (instance, counter) in ancestry.all() {
                let known = counters.get(&instance).copied();
                if counter > known.unwrap_or(0) {
                    counters.insert(instance, counter);
                    bytes += if known.is_none() { ENTRY_BYTES } else { 0 };
                }
            }
            if bytes > bytes_max {
                return None;
            }
        }
        expanded.retain(|_, counters| !counters.is_empty());
        Some(ExpandedFsic(expanded))
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

/// What the receiver lacks of all that a sender has under a filter: of what the sender claims, of what it has beyond that, and of all
/// that its own instance saved up to its counter, `own`. It saves some of that without claiming it at once: what it merges, and what
/// somebody decides.
///
/// # Errors
/// As [`Fsic::expand_for_use`].
pub fn lacking(
    claimed: &Fsic,
    mut unclaimed: PartitionCounters,
    own: Stamp,
    receiver: &ExpandedFsic,
    filter: &Filter,
) -> Result<Vec<Lack>, CounterError> {
    for prefix in filter.minimized().prefixes() {
        let known = unclaimed.entry(prefix.clone()).or_default().entry(own.instance).or_default();
        *known = own.counter.max(*known);
    }
    Ok(difference(&claimed.expand_for_use(filter)?.and_unclaimed(unclaimed), receiver))
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
