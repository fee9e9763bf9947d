//! Counters of both sides: what we tell of ours, and what is believed of a peer's on their arrival.
//!
//! A peer that claims too much of *another* instance harms the exchange of records that its own certificate reaches. That it
//! has seen more of *this* instance than there is, we know to be wrong, and do not believe.
//!
//! Peers that share no counters per partition exchange one map for the whole filter. Ours says what is true of every prefix.
//! An existing peer that sends records says the most of any prefix, and would have us believe that of all of them.

use std::sync::Arc;

use super::context::Home;
use super::work::Work;
use crate::Result;
use crate::counter::{CounterError, Fsic, FsicV1, Instances, PartitionCounters};
use crate::id::{InstanceId, excerpt};
use crate::limits;
use crate::port::OwnCounters;
use crate::scope::Filter;
use crate::session::{Direction, FsicForm, Role, Side, SyncSession, TransferSession};

/// What an exchange of counters is about, and with whom it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exchange<'a> {
    pub(super) profile: &'a str,
    pub(super) filter: &'a Filter,
    pub(super) form: FsicForm,
    /// What this side does.
    pub(super) role: Role,
    /// The other side's instance, where it said which it is.
    pub(super) other: Option<InstanceId>,
}

impl<'a> Exchange<'a> {
    /// The exchange in a transfer session.
    pub(super) fn of(sync_session: &'a SyncSession, session: &'a TransferSession) -> Self {
        Self::to_come(sync_session, session.direction, &session.filter)
    }

    /// The exchange in a transfer session that is yet to be made.
    pub(super) fn to_come(sync_session: &'a SyncSession, direction: Direction, filter: &'a Filter) -> Self {
        Self {
            profile: &sync_session.profile,
            filter,
            form: sync_session.capabilities.fsic_form(),
            role: direction.role_of(sync_session.side),
            other: other_instance(sync_session),
        }
    }
}

/// The instance on the other side.
fn other_instance(sync_session: &SyncSession) -> Option<InstanceId> {
    match sync_session.side {
        Side::Client => sync_session.server_instance,
        Side::Server => sync_session.client_instance,
    }
}

/// What this side tells of its counters. A receiver leaves nothing out, nor does one map for all.
pub(super) fn ours(home: &Home, work: &mut Work<'_>, exchange: &Exchange<'_>) -> Result<Fsic> {
    let own = work.own_counters()?;
    let mut of = |instances| {
        let all = work.fsic(exchange.profile, exchange.filter, instances)?;
        Ok(match exchange.role {
            Role::Producer => all,
            Role::Receiver => up_to_told(all, &own),
        })
    };
    match exchange.form {
        FsicForm::PerPartition => of(match exchange.role {
            Role::Producer => home.instances_told,
            Role::Receiver => Instances::All,
        }),
        FsicForm::Flat => Ok(FsicV1::of(&of(Instances::All)?, exchange.filter)?.spread_over(exchange.filter)?),
    }
}

/// What a receiver says of itself: that it has what it told others of. Nobody else has more of it, unless another database counts
/// as the same instance; and then this one lacks what that one saved under the numbers that here are still unknown to others.
fn up_to_told(mut fsic: Fsic, own: &OwnCounters) -> Fsic {
    for counters in fsic.sub.values_mut().chain(fsic.super_.values_mut()) {
        if own.told == 0 {
            counters.remove(&own.instance);
        } else if let Some(counter) = counters.get_mut(&own.instance) {
            *counter = own.told.min(*counter);
        }
    }
    fsic
}

/// What is believed of a peer's counters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Accepted {
    pub(super) fsic: Arc<Fsic>,
    /// A counter of this instance that the peer knows of, and this database told nobody of.
    pub(super) beyond: Option<i64>,
}

/// Checks a peer's counters, and passes over those that say more of this instance than this instance says of itself.
///
/// To pass over a claim is always safe: a sender sends a record too many, a receiver claims an entry less. To lower it to what
/// there is would not be: as long as our counter is below the claim, every change of ours would count as one that the peer has,
/// and none would ever be sent. So it would be after this database was restored from a backup, or where a third peer lied.
///
/// # Errors
/// [`CounterError::OutsideFilter`], [`CounterError::OutOfRange`], and [`CounterError::TooMuch`] for one map for many prefixes.
pub(super) fn accept(
    exchange: &Exchange<'_>,
    mut theirs: Arc<Fsic>,
    own: &OwnCounters,
    ours: &Fsic,
) -> Result<Accepted, CounterError> {
    if let Some(outside) = theirs.sub.keys().find(|partition| !exchange.filter.contains(partition)) {
        return Err(CounterError::OutsideFilter { partition: excerpt(outside) });
    }
    for counters in theirs.sub.values().chain(theirs.super_.values()) {
        if let Some(counter) = counters.values().find(|counter| !(0..=limits::COUNTER_MAX).contains(*counter)) {
            return Err(CounterError::OutOfRange { counter: *counter });
        }
    }
    let instance = &own.instance;
    let ceiling = highest(&ours.sub, instance).max(highest(&ours.super_, instance));
    let ceiling = ceiling.map_or(0, |ceiling| ceiling.min(own.told));
    let claimed = highest(&theirs.sub, instance).max(highest(&theirs.super_, instance));
    if let Some(claimed) = claimed.filter(|claimed| *claimed > ceiling) {
        tracing::warn!(claimed, ceiling, "a peer says that it has more of this instance than there is");
        let theirs = Arc::make_mut(&mut theirs);
        for counters in theirs.sub.values_mut().chain(theirs.super_.values_mut()) {
            if counters.get(instance).is_some_and(|claimed| *claimed > ceiling) {
                counters.remove(instance);
            }
        }
    }
    let beyond = claimed.filter(|claimed| *claimed > ceiling.max(own.told));
    let fsic = match exchange.form {
        FsicForm::PerPartition => theirs,
        FsicForm::Flat => Arc::new(certain(exchange, &theirs)?),
    };
    Ok(Accepted { fsic, beyond })
}

/// Of one map for all, what is certain of each prefix of the filter.
///
/// What a receiver says holds for each of them, and so does what anybody says of a single prefix. What a sender says of several
/// may be true of one of them alone, but for its own instance, of which it has everything: the rest is not believed. What comes
/// of it is kept and passed on without a claim to be complete, and comes again the next time.
fn certain(exchange: &Exchange<'_>, theirs: &Fsic) -> Result<Fsic, CounterError> {
    let map = FsicV1::of(theirs, exchange.filter)?;
    let is_certain = exchange.role == Role::Producer || exchange.filter.minimized().prefixes().len() == 1;
    let map = if is_certain { map } else { map.only(exchange.other) };
    map.spread_over(exchange.filter)
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
        let exchange = exchange(&filter, FsicForm::PerPartition, Role::Receiver);
        super::accept(&exchange, theirs.into(), &own(), ours).map(|accepted| Arc::unwrap_or_clone(accepted.fsic))
    }

    fn own() -> OwnCounters {
        OwnCounters { instance: InstanceId::hash_of("us"), counter: 9, told: 7 }
    }

    fn exchange(filter: &Filter, form: FsicForm, role: Role) -> Exchange<'_> {
        Exchange { profile: "school", filter, form, role, other: Some(InstanceId::hash_of("them")) }
    }

    #[test]
    fn one_map_for_several_prefixes_is_believed_of_the_sender_itself_alone() {
        let told = fsic("", &[("them", 5), ("third", 9)]);
        let told = Fsic { super_: told.sub, ..Fsic::default() };
        let believed = |prefixes: &[&str], role| {
            let filter = Filter::new(prefixes.iter().copied()).expect("prefixes");
            let exchange = exchange(&filter, FsicForm::Flat, role);
            super::accept(&exchange, told.clone().into(), &own(), &Fsic::default())
                .expect("it is flat")
                .fsic
                .sub
                .clone()
        };
        let all = fsic("school", &[("them", 5), ("third", 9)]).sub;
        assert_eq!(believed(&["school"], Role::Receiver), all, "they send, and there is one prefix");
        assert_eq!(believed(&["school", "school:a"], Role::Receiver), all, "one of them covers the other");
        assert_eq!(believed(&["school"], Role::Producer), all, "they receive");
        let [a, b] = ["a", "b"].map(|prefix| fsic(prefix, &[("them", 5), ("third", 9)]).sub);
        assert_eq!(believed(&["a", "b"], Role::Producer), a.into_iter().chain(b).collect(), "they receive under both");
        let [a, b] = ["a", "b"].map(|prefix| fsic(prefix, &[("them", 5)]).sub);
        assert_eq!(believed(&["a", "b"], Role::Receiver), a.into_iter().chain(b).collect(), "they send under both");
    }

    #[test]
    fn one_map_for_many_prefixes_is_not_kept_once_for_each() {
        let accepts = |instances: usize, prefixes: usize| {
            let map = (0..instances).map(|number| (InstanceId::hash_of(&number.to_string()), 1)).collect();
            let told = Fsic { super_: BTreeMap::from([(String::new(), map)]), ..Fsic::default() };
            let filter = Filter::new((0..prefixes).map(|number| format!("{number:05}"))).expect("prefixes");
            let exchange = exchange(&filter, FsicForm::Flat, Role::Producer);
            super::accept(&exchange, told.into(), &own(), &Fsic::default()).map(|accepted| accepted.fsic.sub.len())
        };
        assert_eq!(accepts(1_000, 1_000), Ok(1_000));
        for (instances, prefixes) in [(1_000, 10_000), (10_000, 1_000), (10_000, 10_000)] {
            assert!(matches!(accepts(instances, prefixes), Err(CounterError::TooMuch { .. })), "{instances}");
        }
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
    fn what_was_told_to_nobody_is_known_to_nobody() {
        let filter = Filter::new(["school"]).expect("a prefix");
        let exchange = exchange(&filter, FsicForm::PerPartition, Role::Producer);
        let ours = fsic("school", &[("us", 9)]);
        for (claimed, beyond) in [(7, None), (8, Some(8)), (900, Some(900))] {
            let theirs = fsic("school:a", &[("us", claimed)]);
            let accepted = super::accept(&exchange, theirs.into(), &own(), &ours).expect("within the filter");
            assert_eq!(accepted.beyond, beyond, "{claimed}");
        }
        assert_eq!(up_to_told(ours, &own()), fsic("school", &[("us", 7)]), "nor do we claim it where we receive");
        let unheard = OwnCounters { told: 0, ..own() };
        assert_eq!(up_to_told(fsic("school", &[("us", 9)]), &unheard), fsic("school", &[]));
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
