//! What is here without a claim to be all of it is noted until it is claimed.

use morango::counter::{Instances, PartitionCounters};
use morango::port::Storage as _;
use morango::scope::{Filter, Reach};

use super::library::{Device, everything, go_on, stamp};

fn entries(entries: &[(&str, &str, i64)]) -> PartitionCounters {
    let mut counters = PartitionCounters::new();
    for (partition, instance, counter) in entries {
        counters.entry((*partition).to_owned()).or_default().insert(stamp(instance, 0).instance, *counter);
    }
    counters
}

fn noted(device: &Device, filter: &Filter) -> PartitionCounters {
    device.storage.unclaimed(filter).expect("the notes")
}

#[test]
fn a_note_says_the_highest_counter_under_each_partition() {
    let device = Device::new("laptop");
    assert_eq!(noted(&device, &everything()), entries(&[]));
    for counter in [3, 7, 5] {
        device.storage.note_unclaimed(&entries(&[("lib:a", "x", counter), ("lib:b", "x", 1)])).expect("it is noted");
    }
    assert_eq!(noted(&device, &everything()), entries(&[("lib:a", "x", 7), ("lib:b", "x", 1)]));
    let filter = Filter::new(["lib:b"]).expect("a prefix");
    assert_eq!(noted(&device, &filter), entries(&[("lib:b", "x", 1)]));
}

#[test]
fn what_is_claimed_is_noted_no_longer_and_not_again() {
    let device = Device::new("laptop");
    let notes = entries(&[("lib", "x", 4), ("lib:a", "x", 9), ("lib:b", "x", 2), ("lib:b", "y", 2), ("other", "x", 1)]);
    device.storage.note_unclaimed(&notes).expect("it is noted");
    let mut session = device.receiving(&everything());
    session.server_fsic.change(|fsic| fsic.sub = entries(&[("lib", "x", 5)])).expect("good counters");

    device.storage.dequeue(&session, &Reach::everything(), &go_on).expect("it dequeues");

    let left = entries(&[("lib:a", "x", 9), ("lib:b", "y", 2), ("other", "x", 1)]);
    assert_eq!(noted(&device, &everything()), left, "what lies beyond the claim stays");
    device.storage.note_unclaimed(&entries(&[("lib", "x", 5)])).expect("it is claimed already");
    assert_eq!(noted(&device, &everything()), left);
}

#[test]
fn what_the_sender_has_above_the_filter_is_claimed_under_it() {
    let device = Device::new("laptop");
    let filter = Filter::new(["lib:a", "lib:b"]).expect("prefixes");
    let mut session = device.receiving(&filter);
    session.server_fsic.change(|fsic| fsic.super_ = entries(&[("lib", "x", 5)])).expect("good counters");
    session.server_fsic.change(|fsic| fsic.sub = entries(&[("lib:a", "x", 7)])).expect("good counters");

    device.storage.dequeue(&session, &Reach::everything(), &go_on).expect("it dequeues");

    let claimed = device.storage.fsic(super::library::PROFILE, &filter, Instances::All);
    assert_eq!(claimed.expect("the counters").sub, entries(&[("lib:a", "x", 7), ("lib:b", "x", 5)]));
}
