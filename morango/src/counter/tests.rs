//! The exchange of counters, held against what the Python package calculates and against the plain, quadratic definition.

use std::collections::BTreeMap;

use serde_json::Value;

use super::*;
use crate::id::InstanceId;
use crate::scope::Filter;
use crate::scope::testing::Dice;

/// The instances that the golden files call `a`, `b`, `c`.
fn instance(letter: &str) -> InstanceId {
    InstanceId::from_bytes([letter.as_bytes()[0]; 16])
}

fn golden() -> Value {
    serde_json::from_str(include_str!("../../../tests/fixtures/fsic.json")).expect("the golden file is JSON")
}

fn cases<'a>(golden: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    let cases = golden[name].as_array().unwrap_or_else(|| panic!("the golden file has {name}"));
    assert!(!cases.is_empty());
    cases.iter()
}

fn counters(value: &Value) -> BTreeMap<InstanceId, i64> {
    let object = value.as_object().expect("counters are an object");
    object.iter().map(|(letter, counter)| (instance(letter), counter.as_i64().expect("a whole number"))).collect()
}

fn partitions(value: &Value) -> PartitionCounters {
    let object = value.as_object().expect("partitions are an object");
    object.iter().map(|(partition, value)| (partition.clone(), counters(value))).collect()
}

fn fsic(value: &Value) -> Fsic {
    Fsic { super_: partitions(&value["super"]), sub: partitions(&value["sub"]) }
}

fn filter(value: &Value) -> Filter {
    let prefixes: Vec<&str> = value.as_array().expect("a list").iter().map(|it| it.as_str().expect("a text")).collect();
    Filter::from_wire(&prefixes.join("\n")).expect("a good filter")
}

fn database(value: &Value) -> DatabaseMaxCounters {
    let mut database = DatabaseMaxCounters::new();
    for entry in value.as_array().expect("a list") {
        let partition = entry[0].as_str().expect("a partition");
        let letter = entry[1].as_str().expect("an instance");
        database.raise(partition, Stamp::new(instance(letter), entry[2].as_i64().expect("a counter")));
    }
    database
}

/// The list of what is lacking in the form of the golden files.
fn as_partitions(lacks: &[Lack]) -> PartitionCounters {
    let mut result = PartitionCounters::new();
    for lack in lacks {
        result.entry(lack.partition.clone()).or_default().insert(lack.instance, lack.counter);
    }
    result
}

/// An expanded set as it stands, for cases that begin there.
fn expanded(value: &Value) -> ExpandedFsic {
    let fsic = Fsic { super_: BTreeMap::new(), sub: partitions(value) };
    fsic.expand_for_use(&Filter::everything()).expect("everything is within everything")
}

#[test]
fn redundant_counters_are_those_that_python_finds_redundant() {
    for case in cases(&golden(), "remove_redundant_instance_counters") {
        assert_eq!(fsic(&case["input"]).without_redundant(), fsic(&case["output"]), "{}", case["name"]);
    }
}

#[test]
fn counters_are_expanded_as_python_expands_them() {
    for case in cases(&golden(), "expand_fsic_for_use") {
        let expanded = fsic(&case["input"]).expand_for_use(&filter(&case["filter"])).expect("within the filter");
        assert_eq!(expanded.partitions(), &partitions(&case["output"]), "{}", case["name"]);
    }
}

#[test]
fn the_difference_is_the_one_that_python_calculates() {
    for case in cases(&golden(), "calculate_directional_fsic_diff_v2") {
        let lacks = difference(&expanded(&case["sender"]), &expanded(&case["receiver"]));
        assert_eq!(as_partitions(&lacks), partitions(&case["output"]), "{}", case["name"]);
    }
    for case in cases(&golden(), "calculate_directional_fsic_diff") {
        let side = |name: &str| FsicV1::try_from(counters(&case[name])).expect("good counters");
        let lacks = FsicV1::difference(&side("sender"), &side("receiver"));
        let lacks: BTreeMap<_, _> = lacks.iter().map(|lack| (lack.instance, lack.counter)).collect();
        assert_eq!(lacks, counters(&case["output"]), "{}", case["name"]);
    }
}

#[test]
fn a_whole_exchange_ends_as_it_does_between_two_python_peers() {
    for case in cases(&golden(), "whole_exchange_v2") {
        let filter = filter(&case["filter"]);
        let side = |name: &str| fsic(&case[name]).expand_for_use(&filter).expect("within the filter");
        let lacks = difference(&side("sender"), &side("receiver"));
        assert_eq!(as_partitions(&lacks), partitions(&case["output"]), "{}", case["name"]);
    }
}

#[test]
fn a_database_says_of_itself_what_a_python_one_says() {
    for case in cases(&golden(), "calculate_filter_specific_instance_counters") {
        let (database, filter) = (database(&case["counters"]), filter(&case["filter"]));
        let is_producer = case["side"] == "producer";
        let records = case["records"].as_array().expect("a list of records");
        let keep = |partition: &str, wanted: &InstanceId| {
            let below = |record: &&Value| record["partition"].as_str().expect("a text").starts_with(partition);
            let is_it = |value: &Value| instance(value.as_str().expect("a letter")) == *wanted;
            records.iter().filter(below).any(|record| {
                if is_producer {
                    is_it(&record["last_saved_instance"])
                } else {
                    record["record_max_counters"].as_array().expect("a list").iter().any(is_it)
                }
            })
        };
        let label = format!("{} version {} {}", case["name"], case["version"], case["side"]);
        if case["version"] == 2 {
            assert_eq!(Fsic::calculate(&database, &filter, &keep), fsic(&case["output"]), "{label}");
        } else if is_producer {
            assert_eq!(FsicV1::of_producer(&database, &filter).counters(), &counters(&case["output"]), "{label}");
        } else {
            assert_eq!(
                FsicV1::of_receiver(&database, &filter).expect("little").counters(),
                &counters(&case["output"]),
                "{label}"
            );
        }
    }
}

#[test]
fn what_was_received_raises_our_counters_and_never_lowers_one() {
    for case in cases(&golden(), "update_fsics") {
        let name = case["name"].as_str().expect("a name");
        let (before, after) = (database(&case["before"]), database(&case["after"]));
        let mut raised = before.clone();
        if case["version"] == 2 {
            raised.raise_all(&fsic(&case["received"]).sub);
        } else {
            let received = FsicV1::try_from(counters(&case["received"])).expect("good counters");
            raised.raise_all_v1(&filter(&case["filter"]), &received);
        }
        // Python lowers a counter in the case that is named a fault; ours stays.
        assert_eq!(raised, if name.starts_with("fault:") { before } else { after }, "{name}");
    }
}

#[test]
fn counters_that_no_honest_peer_has_are_refused() {
    let text = |counter: &str| format!(r#"{{"super": {{}}, "sub": {{"S": {{"{}": {counter}}}}}}}"#, instance("a"));
    let good = Fsic::from_json(&text("3")).expect("a good one");
    assert_eq!(Fsic::from_json(&good.to_json()), Ok(good));
    assert_eq!(Fsic::from_json(&text("-1")), Err(CounterError::OutOfRange { counter: -1 }));
    assert_eq!(Fsic::from_json(&text("9223372036854775807")), Err(CounterError::OutOfRange { counter: i64::MAX }));
    for malformed in ["{}", "[]", r#"{"sub": {}}"#, r#"{"super": {}, "sub": {"S": {"x": 1}}}"#, &text("1.5")] {
        assert!(matches!(Fsic::from_json(malformed), Err(CounterError::Malformed { .. })), "{malformed}");
        assert!(serde_json::from_str::<Fsic>(malformed).is_err());
    }
    assert!(FsicV1::from_json(&format!(r#"{{"{}": -1}}"#, instance("a"))).is_err());
    assert_eq!(FsicV1::from_json("{}"), Ok(FsicV1::default()));
}

#[test]
fn a_peer_cannot_speak_of_partitions_outside_the_filter() {
    let fsic = Fsic { super_: BTreeMap::new(), sub: BTreeMap::from([("T".to_owned(), BTreeMap::new())]) };
    let filter = Filter::new(["S"]).expect("a prefix");
    assert_eq!(fsic.expand_for_use(&filter), Err(CounterError::OutsideFilter { partition: "T".to_owned() }));
}

/// Random partitions over few letters, so that prefixes meet often.
fn random(dice: &mut Dice, count: usize, within: &str) -> PartitionCounters {
    let mut result = PartitionCounters::new();
    for _ in 0..dice.below(count + 1) {
        let partition = format!("{within}{}", dice.text(4));
        let counters = result.entry(partition).or_default();
        for _ in 0..dice.below(4) {
            let letter = ["a", "b", "c"][dice.below(3)];
            counters.insert(instance(letter), i64::try_from(dice.below(6)).expect("it is small"));
        }
    }
    result
}

/// The highest counter of an instance among the partitions that fulfil a condition.
fn highest(partitions: &PartitionCounters, wanted: InstanceId, is_meant: impl Fn(&str) -> bool) -> Option<i64> {
    let meant = partitions.iter().filter(|(partition, _)| is_meant(partition));
    meant.filter_map(|(_, counters)| counters.get(&wanted).copied()).max()
}

#[test]
fn the_walk_agrees_with_comparing_every_partition_with_every_other() {
    let mut dice = Dice::seeded(0xc0de);
    for round in 0..3_000 {
        let prefixes: Vec<String> = (0..=dice.below(3)).map(|_| format!("a{}", dice.text(2))).collect();
        let filter = Filter::new(prefixes).expect("good prefixes");
        let mut database = DatabaseMaxCounters::new();
        database.raise_all(&random(&mut dice, 12, ""));
        database.raise_all(&random(&mut dice, 12, "a"));
        let all = database.partitions();

        let under = database.under(&filter);
        let above = database.above(&filter);
        let is_above = |it: &str| filter.prefixes().iter().any(|prefix| prefix.starts_with(it) && prefix != it);
        for partition in all.keys() {
            assert_eq!(under.contains_key(partition), filter.contains(partition), "{round} {partition:?} {filter:?}");
            assert_eq!(above.contains_key(partition), is_above(partition), "{round} {partition:?} {filter:?}");
        }

        let raw = Fsic { super_: above, sub: under };
        let reduced = raw.clone().without_redundant();
        for (side, reduced) in [(&raw.super_, &reduced.super_), (&raw.sub, &reduced.sub)] {
            assert!(side.keys().eq(reduced.keys()), "{round}: partitions stay");
            for (partition, counters) in side {
                for (instance, counter) in counters {
                    let is_outer = |it: &str| partition.starts_with(it) && partition != it;
                    let outer = highest(&raw.super_, *instance, is_outer).max(highest(&raw.sub, *instance, is_outer));
                    let expected = outer.is_none_or(|outer| outer < *counter);
                    assert_eq!(reduced[partition].contains_key(instance), expected, "{round} {partition:?}");
                }
            }
        }

        let sender = raw.expand_for_use(&filter).expect("it is under the filter");
        // What redundant entries say is not lost by leaving them out.
        let short = reduced.expand_for_use(&filter).expect("it is under the filter");
        assert_eq!(difference(&sender, &short), [], "{round}");

        // Whether it is drawn down or not, a receiver has what it has.
        let mut receiver = Fsic { super_: random(&mut dice, 6, ""), sub: BTreeMap::new() };
        receiver.super_.retain(|partition, _| is_above(partition) && !filter.contains(partition));
        let whole = receiver.expand_for_use(&filter).expect("nothing is under the filter");
        let as_it_stands = receiver.of_receiver(&filter).expect("nothing is under the filter");
        assert_eq!(difference(&sender, &whole), difference(&sender, &as_it_stands), "{round} {receiver:?}");
        // And a sender's counters that are not drawn down find no less lacking.
        let coarse = raw.of_receiver(&filter).expect("it is under the filter");
        let found: PartitionCounters = as_partitions(&difference(&coarse, &whole));
        for lack in difference(&sender, &whole) {
            let highest = highest(&found, lack.instance, |it| lack.partition.starts_with(it));
            assert!(highest.is_some(), "{round} {lack:?} {found:?}");
        }

        let other = Fsic { super_: BTreeMap::new(), sub: random(&mut dice, 12, "a") };
        let receiver = other.expand_for_use(&Filter::everything()).expect("everything");
        let mut lacks = difference(&sender, &receiver).into_iter();
        for (partition, counters) in sender.partitions() {
            for (instance, sent) in counters {
                let has = highest(receiver.partitions(), *instance, |it| partition.starts_with(it)).unwrap_or(0);
                if has < *sent {
                    let expected = Lack { partition: partition.clone(), instance: *instance, counter: has };
                    assert_eq!(lacks.next(), Some(expected), "{round}");
                }
            }
        }
        assert_eq!(lacks.next(), None, "{round}");
    }
}

#[test]
fn a_stamp_is_covered_where_the_partition_or_a_prefix_of_it_has_its_counter() {
    let mut dice = Dice::seeded(0xc0_7e5);
    for round in 0..2_000 {
        let fsic = Fsic { super_: random(&mut dice, 4, ""), sub: random(&mut dice, 12, "a") };
        for _ in 0..20 {
            let partition = format!("a{}", dice.text(6));
            let stamp = Stamp::new(instance(["a", "b"][dice.below(2)]), i64::try_from(dice.below(7)).expect("small"));
            let is_outer = |it: &str| partition.starts_with(it);
            let has = highest(&fsic.super_, stamp.instance, is_outer).max(highest(&fsic.sub, stamp.instance, is_outer));
            let expected = has.is_some_and(|has| has >= stamp.counter);
            assert_eq!(fsic.covers(&partition, stamp), expected, "{round} {partition:?} {stamp} {fsic:?}");
        }
    }
}

/// One map for all may say less than the counters per partition, and never more; for a single prefix it says the same.
#[test]
fn one_map_for_all_is_true_of_every_prefix() {
    let mut dice = Dice::seeded(0xf1a7);
    for round in 0..2_000 {
        let prefixes: Vec<String> = (0..=dice.below(3)).map(|_| format!("a{}", dice.text(2))).collect();
        let filter = Filter::new(prefixes).expect("good prefixes");
        let mut database = DatabaseMaxCounters::new();
        database.raise_all(&random(&mut dice, 12, "a"));
        database.raise_all(&random(&mut dice, 4, ""));
        let fsic = Fsic { super_: database.above(&filter), sub: database.under(&filter) };

        let of = |fsic: &Fsic| FsicV1::of(fsic, &filter).expect("it is little");
        let flat = of(&fsic);
        let spread = flat.spread_over(&filter).expect("it is little");

        assert_eq!(of(&fsic.clone().without_redundant()), flat, "{round}: what is redundant is not missed");
        assert_eq!(of(&spread), flat, "{round}");
        assert_eq!(FsicV1::common(&spread.sub), flat, "{round}");
        for letter in ["a", "b", "c"] {
            let of_prefix =
                |prefix: &String| highest(database.partitions(), instance(letter), |it| prefix.starts_with(it));
            let each: Option<Vec<i64>> = filter.minimized().prefixes().iter().map(of_prefix).collect();
            let lowest = each.and_then(|each| each.into_iter().min());
            assert_eq!(flat.counters().get(&instance(letter)).copied(), lowest, "{round} {filter} {database:?}");
        }
    }
}

#[test]
fn what_is_had_without_a_claim_is_sent_where_the_receiver_does_not_claim_it() {
    let filter = Filter::new(["S"]).expect("a prefix");
    let side = |counter| {
        let sub = BTreeMap::from([("S".to_owned(), BTreeMap::from([(instance("a"), counter)]))]);
        Fsic { sub, ..Fsic::default() }.expand_for_use(&filter).expect("within the filter")
    };
    let unclaimed = BTreeMap::from([("S:x".to_owned(), BTreeMap::from([(instance("a"), 9), (instance("b"), 2)]))]);
    let lacks = difference(&side(3).and_unclaimed(unclaimed.clone()), &side(5));
    let expected = BTreeMap::from([("S:x".to_owned(), BTreeMap::from([(instance("a"), 5), (instance("b"), 0)]))]);
    assert_eq!(as_partitions(&lacks), expected);
    let lacks = difference(&side(3).and_unclaimed(unclaimed), &side(9));
    assert_eq!(lacks.len(), 1, "only what the receiver has nothing of: {lacks:?}");
}

#[test]
fn twenty_thousand_partitions_are_exchanged() {
    let mut database = DatabaseMaxCounters::new();
    for user in 0..20_000_u32 {
        let stamp = Stamp::new(InstanceId::from_bytes([u8::try_from(user % 50).expect("below 50"); 16]), 7);
        database.raise(&format!("school:user:{user:05}"), stamp);
    }
    // And as deep as a partition may be, which is the worst case for a walk that looks at every prefix.
    for depth in 1..4_000 {
        database.raise(&"s".repeat(depth), Stamp::new(instance("a"), i64::try_from(depth).expect("it is small")));
    }
    let filter = Filter::new(["s"]).expect("a prefix");
    let fsic = Fsic::calculate(&database, &filter, &|_, _| true);
    assert_eq!(Fsic::of_entries(database, &filter), fsic, "all of them are under the filter");
    assert_eq!(fsic.sub.len(), 23_999);
    let sender = fsic.expand_for_use(&filter).expect("it is under the filter");
    assert_eq!(difference(&sender, &ExpandedFsic::default()).len(), 23_999);
    assert_eq!(difference(&sender, &sender), []);
}

#[test]
fn counters_are_bounded_by_the_memory_that_they_take_and_not_by_their_number() {
    let of = |partitions: u32, instances: u8| {
        let counters = || (0..instances).map(|number| (InstanceId::from_bytes([number; 16]), 1)).collect();
        let sub = (0..partitions).map(|number| (format!("S:{number:06}"), counters())).collect();
        Fsic { super_: BTreeMap::new(), sub }
    };
    let many = of(20_000, 10);
    assert_eq!(Fsic::from_json(&many.to_json()), Ok(many), "200,000 pairs are not too many");
    let text = |count: u32| {
        let partitions: Vec<String> = (0..count).map(|number| format!("\"{number:x}\":{{}}")).collect();
        format!("{{\"super\":{{}},\"sub\":{{{}}}}}", partitions.join(","))
    };
    assert!(matches!(Fsic::from_json(&text(1_000_000)), Err(CounterError::TooMuch { .. })));
}

/// Whoever has nothing of an instance need not say so. Said of many, above a filter of many prefixes, it would take time without end:
/// nothing comes of it that a bound on memory could meet.
#[test]
fn counters_that_say_nothing_are_left_out() {
    let zeros: BTreeMap<InstanceId, i64> =
        (0..200_u8).map(|number| (InstanceId::from_bytes([number; 16]), 0)).collect();
    let told = Fsic { super_: BTreeMap::from([(String::new(), zeros.clone())]), sub: BTreeMap::new() };
    let read = Fsic::from_json(&told.to_json()).expect("it is well-formed");
    assert_eq!(read.super_, BTreeMap::from([(String::new(), BTreeMap::new())]));
    assert_eq!(FsicV1::try_from(zeros), Ok(FsicV1::default()));
}

/// A sender with many instances above a filter of many prefixes: what follows from that is not many times many.
#[test]
fn many_instances_above_many_prefixes_stay_where_they_are() {
    let instances = (0..600_u32).map(|number| {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        (InstanceId::from_bytes(bytes), 1)
    });
    let fsic = Fsic { super_: BTreeMap::from([("S".to_owned(), instances.collect())]), sub: BTreeMap::new() };
    let filter = Filter::new((0..1_000).map(|number| format!("S:{number:05}"))).expect("good prefixes");
    assert_eq!(fsic.drawn_down(&filter, 1_000_000), None);
    assert_eq!(fsic.of_receiver(&filter).expect("nothing is outside").partitions(), &fsic.super_);
    assert!(fsic.under(&filter).is_empty(), "nobody keeps six hundred thousand entries for it");
    let few = Filter::new(["S:00001", "S:00002"]).expect("good prefixes");
    assert_eq!(fsic.under(&few).values().map(BTreeMap::len).sum::<usize>(), 1_200);
}
