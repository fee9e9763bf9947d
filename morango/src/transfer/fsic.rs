//! A peer's counters on their arrival: what is believed of them.
//!
//! A peer that claims too much of *another* instance harms the exchange of records that its own certificate reaches. That it
//! has seen more of *this* instance than there is, we know to be wrong, and do not believe.

use crate::counter::{CounterError, Fsic, PartitionCounters};
use crate::id::{InstanceId, excerpt};
use crate::limits;
use crate::scope::Filter;

/// Checks a peer's counters, and passes over those that say more of this instance than this instance says of itself.
///
/// To pass over a claim is always safe: a sender sends a record too many, a receiver claims an entry less. To lower it to what
/// there is would not be: as long as our counter is below the claim, every change of ours would count as one that the peer has,
/// and none would ever be sent. So it would be after this database was restored from a backup, or where a third peer lied.
///
/// # Errors
/// [`CounterError::OutsideFilter`], [`CounterError::OutOfRange`] and [`CounterError::TooMany`].
pub(super) fn accept(mut theirs: Fsic, filter: &Filter, own: &InstanceId, ours: &Fsic) -> Result<Fsic, CounterError> {
    if let Some(outside) = theirs.sub.keys().find(|partition| !filter.contains(partition)) {
        return Err(CounterError::OutsideFilter { partition: excerpt(outside) });
    }
    let mut entries: usize = 0;
    for counters in theirs.sub.values().chain(theirs.super_.values()) {
        entries += counters.len() + 1;
        if entries > limits::FSIC_ENTRIES_MAX {
            return Err(CounterError::TooMany { max: limits::FSIC_ENTRIES_MAX });
        }
        if let Some(counter) = counters.values().find(|counter| !(0..=limits::COUNTER_MAX).contains(*counter)) {
            return Err(CounterError::OutOfRange { counter: *counter });
        }
    }
    let ceiling = highest(&ours.sub, own).max(highest(&ours.super_, own));
    for counters in theirs.sub.values_mut().chain(theirs.super_.values_mut()) {
        if let Some(claimed) = counters.get(own).copied()
            && ceiling.is_none_or(|ceiling| claimed > ceiling)
        {
            tracing::warn!(claimed, ?ceiling, "a peer says that it has more of this instance than there is");
            counters.remove(own);
        }
    }
    Ok(theirs)
}

fn highest(partitions: &PartitionCounters, instance: &InstanceId) -> Option<i64> {
    partitions.values().filter_map(|counters| counters.get(instance).copied()).max()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn fsic(partition: &str, entries: &[(&str, i64)]) -> Fsic {
        let counters: BTreeMap<_, _> =
            entries.iter().map(|(name, counter)| (InstanceId::hash_of(name), *counter)).collect();
        Fsic { super_: PartitionCounters::new(), sub: BTreeMap::from([(partition.to_owned(), counters)]) }
    }

    fn accept(theirs: Fsic, ours: &Fsic) -> Result<Fsic, CounterError> {
        let filter = Filter::new(["school"]).expect("a prefix");
        super::accept(theirs, &filter, &InstanceId::hash_of("us"), ours)
    }

    #[test]
    fn nobody_has_seen_more_of_us_than_there_is() {
        let ours = fsic("school", &[("us", 7), ("them", 2)]);
        let accepted = accept(fsic("school:a", &[("us", 900), ("them", 5)]), &ours).expect("within the filter");
        assert_eq!(accepted, fsic("school:a", &[("them", 5)]));
        let accepted = accept(fsic("school:a", &[("us", 900)]), &Fsic::default()).expect("within the filter");
        assert_eq!(accepted, fsic("school:a", &[]));
        let honest = fsic("school", &[("us", 3)]);
        assert_eq!(accept(honest.clone(), &ours), Ok(honest));
    }

    #[test]
    fn a_false_claim_about_us_does_not_keep_our_changes_at_home() {
        let filter = Filter::new(["school"]).expect("a prefix");
        let ours = fsic("school", &[("us", 7)]);
        let theirs = accept(fsic("school", &[("us", 900)]), &ours).expect("within the filter");
        let [has, claimed] = [&ours, &theirs].map(|fsic| fsic.expand_for_use(&filter).expect("within the filter"));
        let lacks = crate::counter::difference(&has, &claimed);
        assert_eq!(lacks.iter().map(|lack| lack.counter).collect::<Vec<_>>(), [0], "all that is ours is sent");
    }

    #[test]
    fn what_no_honest_peer_says_is_refused() {
        let nothing = Fsic::default();
        assert!(matches!(accept(fsic("home", &[]), &nothing), Err(CounterError::OutsideFilter { .. })));
        for counter in [-1, i64::MAX] {
            assert_eq!(accept(fsic("school", &[("x", counter)]), &nothing), Err(CounterError::OutOfRange { counter }));
        }
    }
}
