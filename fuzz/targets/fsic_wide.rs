//! Counters of many instances above a filter of many prefixes: little to tell and much to keep. Whatever their number, what is made
//! of them stays within what `limits` gives it.

#![no_main]

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use morango::counter::{DatabaseMaxCounters, Fsic, FsicV1, PartitionCounters, Stamp, difference};
use morango::id::InstanceId;
use morango::limits;
use morango::scope::Filter;

#[derive(Debug, Arbitrary)]
struct Input {
    prefixes: u16,
    above: u16,
    under: u16,
    is_nested: bool,
}

/// What `under` may keep in any case, and how many times what was told: the bounds of the engine, said once more.
const UNDER_BYTES_MIN: usize = 16 * 1024 * 1024;
const UNDER_TIMES_MAX: usize = 4;

/// Bytes that an entry takes at least.
const ENTRY_BYTES: usize = 40;

fuzz_target!(|input: Input| {
    let (prefixes, above) = (1 + usize::from(input.prefixes) % 3_000, usize::from(input.above) % 3_000);
    let under = usize::from(input.under) % 300;
    let nested =
        |number: usize| if input.is_nested { format!("a{}", "b".repeat(number % 1_500)) } else { format!("a{number}") };
    let names: Vec<String> = (0..prefixes).map(nested).collect();
    let filter = Filter::new(names.iter().map(String::as_str)).expect("good prefixes");
    let mut fsic = Fsic::default();
    fsic.super_.insert("a".to_owned(), (0..above).map(|number| (instance(number), 7)).collect());
    for name in names.iter().take(under).filter(|name| *name != "a") {
        fsic.sub.insert(name.clone(), [(instance(0), 9)].into());
    }
    if input.is_nested {
        // The whole is one prefix then, and nothing is above it.
        fsic.super_.remove("a");
    }
    let told = entries(&fsic.super_) + entries(&fsic.sub);
    let kept = fsic.under(&filter);
    let bound = UNDER_BYTES_MIN + UNDER_TIMES_MAX * (told * ENTRY_BYTES + (fsic.sub.len() + 1) * 2_500);
    // The last prefix that is drawn down may go beyond, by what is above it.
    assert!(entries(&kept) * ENTRY_BYTES <= bound + above * ENTRY_BYTES, "{} of {told}", entries(&kept));
    a_difference_is_found_in_what_was_told(&fsic, &filter);
    one_map_for_all_stays_small(&fsic, &filter);
});

fn instance(number: usize) -> InstanceId {
    let number = u32::try_from(number).expect("a small number");
    let mut bytes = [1; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    InstanceId::from_bytes(bytes)
}

fn entries(partitions: &PartitionCounters) -> usize {
    partitions.values().map(std::collections::BTreeMap::len).sum()
}

fn a_difference_is_found_in_what_was_told(fsic: &Fsic, filter: &Filter) {
    let known = fsic.of_receiver(filter).expect("it is within");
    assert!(entries(known.partitions()) <= entries(&fsic.sub) + entries(&fsic.super_));
    let Some(prefix) = filter.minimized().prefixes().first().cloned() else { return };
    let mut newer = Fsic::default();
    newer.sub.insert(prefix.clone(), [(instance(0), 8)].into());
    let sent = newer.expand_for_use(filter).expect("it is within");
    let is_known = fsic.covers(&prefix, Stamp::new(instance(0), 8));
    assert_eq!(difference(&sent, &known).is_empty(), is_known);
}

fn one_map_for_all_stays_small(fsic: &Fsic, filter: &Filter) {
    let Ok(flat) = FsicV1::of(fsic, filter) else {
        let most = filter.prefixes().len() * (entries(&fsic.super_) + 1) * ENTRY_BYTES;
        assert!(most > limits::FSIC_SPREAD_BYTES_MAX, "{most} bytes are not too many");
        return;
    };
    if let Ok(spread) = flat.spread_over(filter) {
        assert!(entries(&spread.sub) * ENTRY_BYTES <= limits::FSIC_SPREAD_BYTES_MAX);
    }
    let mut database = DatabaseMaxCounters::new();
    database.raise_all(&fsic.super_);
    let most = FsicV1::of_producer(&database, filter);
    assert!(most.counters().len() <= entries(&fsic.super_));
}
