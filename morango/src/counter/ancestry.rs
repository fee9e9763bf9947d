//! The walk through sorted partitions that all questions about "this partition or a prefix of it" go through.
//!
//! In sorted order a partition comes before all that start with it, so the prefixes of the current one are always a stack. Of each
//! instance the highest counter on the stack is kept at hand. A walk therefore costs one sort, however deep or many the partitions are.

use std::collections::{BTreeMap, HashMap};

use crate::id::InstanceId;

/// The partitions that are prefixes of the current one, and the highest counter of each instance among them.
#[derive(Default)]
pub(super) struct Ancestry<'a> {
    open: Vec<(&'a str, &'a BTreeMap<InstanceId, i64>)>,
    /// Of each instance in an open partition: the running maximum, outermost first.
    highest: HashMap<InstanceId, Vec<i64>>,
}

impl<'a> Ancestry<'a> {
    /// Goes on to a partition, which must not sort before the last one: what is no prefix of it is left behind.
    pub(super) fn go_to(&mut self, partition: &str) {
        while let Some((open, counters)) = self.open.last() {
            if partition.starts_with(open) {
                return;
            }
            for instance in counters.keys() {
                let maxima = self.highest.get_mut(instance).expect("an open partition's instances are at hand");
                maxima.pop();
                if maxima.is_empty() {
                    self.highest.remove(instance);
                }
            }
            self.open.pop();
        }
    }

    /// Goes on to a partition and takes in its counters.
    pub(super) fn enter(&mut self, partition: &'a str, counters: &'a BTreeMap<InstanceId, i64>) {
        self.go_to(partition);
        for (instance, counter) in counters {
            let maxima = self.highest.entry(*instance).or_default();
            let maximum = maxima.last().map_or(*counter, |last| *last.max(counter));
            maxima.push(maximum);
        }
        self.open.push((partition, counters));
    }

    /// The highest counter of an instance among the open partitions.
    pub(super) fn highest(&self, instance: &InstanceId) -> Option<i64> {
        self.highest.get(instance).and_then(|maxima| maxima.last().copied())
    }

    /// The highest counter of each instance among the open partitions, in no order.
    pub(super) fn all(&self) -> impl Iterator<Item = (InstanceId, i64)> {
        self.highest.iter().filter_map(|(instance, maxima)| Some((*instance, *maxima.last()?)))
    }
}
