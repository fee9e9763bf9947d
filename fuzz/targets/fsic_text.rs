//! Counters as texts from a peer or a database: of both versions, whatever they say, what is read can be believed and is read back.

#![no_main]

use libfuzzer_sys::fuzz_target;
use morango::counter::{Fsic, FsicV1, KeptFsic, Stamp, difference};
use morango::limits;
use morango::scope::Filter;

fuzz_target!(|text: &str| {
    let fsic = Fsic::from_json(text);
    assert_eq!(KeptFsic::of_text(text).fsic().map(|kept| (**kept).clone()).ok(), fsic.clone().ok());
    if let Ok(fsic) = fsic {
        version_2(&fsic);
    }
    if let Ok(flat) = FsicV1::from_json(text) {
        assert_eq!(FsicV1::from_json(&flat.to_json()).as_ref(), Ok(&flat));
        assert!(flat.counters().values().all(|counter| is_believable(*counter)));
        assert!(FsicV1::difference(&flat, &flat).is_empty());
        let spread = flat.spread_over(&Filter::new(["a", "b"]).expect("good prefixes")).expect("it is little");
        assert_eq!(FsicV1::common(&spread.sub), flat);
    }
});

/// To have nothing of an instance is said by not naming it.
fn is_believable(counter: i64) -> bool {
    (1..=limits::COUNTER_MAX).contains(&counter)
}

fn version_2(fsic: &Fsic) {
    assert_eq!(Fsic::from_json(&fsic.to_json()).as_ref(), Ok(fsic));
    for (partition, counters) in fsic.super_.iter().chain(&fsic.sub) {
        assert!(partition.len() <= limits::PARTITION_BYTES_MAX && !partition.contains('\0'), "{partition:?}");
        assert!(counters.values().all(|counter| is_believable(*counter)), "{counters:?}");
    }
    let spared = fsic.clone().without_redundant();
    for (partition, counters) in fsic.sub.iter().chain(&fsic.super_) {
        for (instance, counter) in counters {
            // Where both sides name a partition, `sub` speaks for it.
            let speaks = fsic.sub.get(partition).unwrap_or(counters) == counters;
            assert!(!speaks || spared.covers(partition, Stamp::new(*instance, *counter)), "{fsic:?}");
        }
    }
    for filter in filters_of(fsic) {
        let is_within = fsic.sub.keys().all(|partition| filter.contains(partition));
        let expanded = fsic.expand_for_use(&filter);
        assert_eq!((expanded.is_ok(), fsic.of_receiver(&filter).is_ok()), (is_within, is_within), "{filter:?}");
        if let (Ok(expanded), Ok(receiver)) = (expanded, fsic.of_receiver(&filter)) {
            assert!(difference(&expanded, &receiver).is_empty(), "nobody lacks what he has");
            assert!(expanded.partitions().values().all(|counters| !counters.is_empty()));
        }
        assert!(fsic.under(&filter).keys().all(|partition| filter.contains(partition)));
        // A map for all may be too much to look at; it is not where what was told is little.
        FsicV1::of(fsic, &filter).expect("it is little");
    }
}

/// Everything, what the counters speak of, and the beginnings of that.
fn filters_of(fsic: &Fsic) -> Vec<Filter> {
    let start = |partition: &String| partition.chars().take(1).collect::<String>();
    let all = Filter::new(fsic.sub.keys());
    let starts = Filter::new(fsic.sub.keys().map(start));
    let beside = Filter::new(fsic.super_.keys().map(|partition| format!("{partition}x")));
    [Ok(Filter::everything()), all, starts, beside].into_iter().flatten().collect()
}
