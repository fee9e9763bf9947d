//! Counters that two peers exchange: what they claim is true, and what one side lacks is found, held against the plain definition.

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use morango::counter::{DatabaseMaxCounters, Fsic, FsicV1, KeptFsic, PartitionCounters, Stamp, difference};
use morango::id::InstanceId;
use morango::scope::Filter;
use morango_fuzz::{FewStamps, INSTANCES, Path, instance, is_good_prefix};

#[derive(Debug, Arbitrary)]
struct Input {
    sender: Vec<(Path, FewStamps)>,
    receiver: Vec<(Path, FewStamps)>,
    filter: Vec<Path>,
    probes: Vec<(Path, FewStamps)>,
}

fuzz_target!(|input: Input| {
    let prefixes = input.filter.iter().map(|path| path.0.as_str()).filter(|prefix| is_good_prefix(prefix));
    let filter = Filter::new(prefixes).unwrap_or_else(|_| Filter::everything());
    let (sender, receiver) = (database(&input.sender), database(&input.receiver));
    let told = claims_what_the_database_has(&sender, &filter, &input.probes);
    let known = claims_what_the_database_has(&receiver, &filter, &input.probes);
    what_is_lacking_is_found(&told, &known, &filter, &input.probes);
    who_took_all_in_lacks_nothing(&told, receiver.clone(), &filter);
    one_map_for_all_is_true_of_each(&sender, &filter);
    of_two_maps_the_difference_is_plain(&sender, &receiver, &filter);
});

fn database(entries: &[(Path, FewStamps)]) -> DatabaseMaxCounters {
    let mut database = DatabaseMaxCounters::new();
    for (Path(partition), FewStamps(stamp)) in entries {
        let before = database.get(partition, &stamp.instance);
        let is_raised = database.raise(partition, *stamp);
        assert_eq!(is_raised, before.is_none_or(|before| before < stamp.counter));
    }
    database
}

/// The highest counter of an instance in a partition or a prefix of it.
fn highest(partitions: &PartitionCounters, partition: &str, instance: &InstanceId) -> Option<i64> {
    let above = partitions.iter().filter(|(outer, _)| partition.starts_with(outer.as_str()));
    above.filter_map(|(_, counters)| counters.get(instance).copied()).max()
}

fn has(partitions: &PartitionCounters, partition: &str, stamp: Stamp) -> bool {
    highest(partitions, partition, &stamp.instance).is_some_and(|highest| highest >= stamp.counter)
}

fn claims_what_the_database_has(database: &DatabaseMaxCounters, filter: &Filter, probes: &[(Path, FewStamps)]) -> Fsic {
    let fsic = Fsic::calculate(database, filter, &|_, _| true);
    for (Path(partition), FewStamps(stamp)) in probes {
        let is_here = has(database.partitions(), partition, *stamp);
        assert_eq!(database.covers(partition, *stamp), is_here, "{partition:?} {stamp}");
        if filter.contains(partition) {
            assert_eq!(fsic.covers(partition, *stamp), is_here, "{partition:?} {stamp} {fsic:?}");
        }
    }
    assert_eq!(fsic.clone().without_redundant(), fsic);
    let mut entries = database.under(filter);
    entries.extend(database.above(filter));
    let mut looked_up = DatabaseMaxCounters::new();
    looked_up.raise_all(&entries);
    assert_eq!(Fsic::of_entries(looked_up, filter), fsic);
    assert_eq!(Fsic::from_json(&fsic.to_json()).as_ref(), Ok(&fsic));
    let kept = KeptFsic::of_text(fsic.to_json());
    assert_eq!(**kept.fsic().expect("what we wrote"), fsic);
    fsic
}

fn what_is_lacking_is_found(sender: &Fsic, receiver: &Fsic, filter: &Filter, probes: &[(Path, FewStamps)]) {
    let sent = sender.expand_for_use(filter).expect("it is within the filter");
    let known = receiver.of_receiver(filter).expect("it is within the filter");
    let lacks = difference(&sent, &known);
    let entries: usize = sent.partitions().values().map(BTreeMap::len).sum();
    assert!(lacks.len() <= entries, "{} of {entries}", lacks.len());
    for lack in &lacks {
        let sent = sent.partitions()[&lack.partition][&lack.instance];
        let has = highest(known.partitions(), &lack.partition, &lack.instance).unwrap_or(0);
        assert!(lack.counter == has && has < sent && filter.contains(&lack.partition), "{lack:?}");
    }
    for (Path(partition), FewStamps(stamp)) in probes.iter().filter(|(partition, _)| filter.contains(&partition.0)) {
        let is_lacking = sender.covers(partition, *stamp) && !receiver.covers(partition, *stamp);
        let is_found = lacks.iter().any(|lack| {
            partition.starts_with(&lack.partition) && lack.instance == stamp.instance && lack.counter < stamp.counter
        });
        assert!(!is_lacking || is_found, "{partition:?} {stamp} {lacks:?}");
    }
}

fn who_took_all_in_lacks_nothing(sender: &Fsic, mut receiver: DatabaseMaxCounters, filter: &Filter) {
    let under = sender.under(filter);
    assert!(under.keys().all(|partition| filter.contains(partition)));
    receiver.raise_all(&under);
    let known = Fsic::calculate(&receiver, filter, &|_, _| true);
    let sent = sender.expand_for_use(filter).expect("it is within the filter");
    let lacks = difference(&sent, &known.of_receiver(filter).expect("it is within the filter"));
    assert!(lacks.is_empty(), "{lacks:?}");
}

fn one_map_for_all_is_true_of_each(database: &DatabaseMaxCounters, filter: &Filter) {
    let all = database.partitions();
    let flat = FsicV1::of_receiver(database, filter).expect("they are few");
    let most = FsicV1::of_producer(database, filter);
    for instance in (0..INSTANCES).map(instance) {
        let of_each: Vec<Option<i64>> =
            filter.prefixes().iter().map(|prefix| highest(all, prefix, &instance)).collect();
        let lowest = of_each.iter().copied().min().flatten();
        assert_eq!(flat.counters().get(&instance).copied(), lowest, "{instance} {filter:?}");
        assert_eq!(most.counters().get(&instance).copied(), of_each.into_iter().max().flatten());
    }
    assert_eq!(FsicV1::from_json(&flat.to_json()).as_ref(), Ok(&flat));
    let told = Fsic::calculate(database, filter, &|_, _| true);
    assert_eq!(FsicV1::of(&told, filter).as_ref(), Ok(&flat), "{told:?} {filter:?}");
    let spread = flat.spread_over(filter).expect("they are few");
    assert_eq!(FsicV1::common(&spread.sub), flat);
    for (prefix, counters) in &spread.sub {
        counters.iter().for_each(|(instance, counter)| assert!(has(all, prefix, Stamp::new(*instance, *counter))));
    }
}

fn of_two_maps_the_difference_is_plain(sender: &DatabaseMaxCounters, receiver: &DatabaseMaxCounters, filter: &Filter) {
    let sent = FsicV1::of_producer(sender, filter);
    let known = FsicV1::of_receiver(receiver, filter).expect("they are few");
    let lacks: Vec<Stamp> = FsicV1::difference(&sent, &known);
    for (instance, counter) in sent.counters() {
        let has = known.counters().get(instance).copied().unwrap_or(0);
        assert_eq!(lacks.contains(&Stamp::new(*instance, has)), has < *counter);
    }
    assert!(lacks.len() <= sent.counters().len());
}
