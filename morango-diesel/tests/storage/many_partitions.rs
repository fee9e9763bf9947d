//! Counters of very many partitions, as where each user of a city has one.
//!
//! Goal: what is done grows with their number, and not with its square. Method: the statements are counted, for so many partitions
//! and for four times as many.

use std::collections::BTreeMap;

use morango::counter::{ExpandedFsic, Instances};
use morango::port::Storage as _;
use morango::scope::{Filter, Reach};
use morango::session::{Direction, Side};

use crate::statements::{count_from_now_on, counted};

use super::library::{Device, PROFILE, everything, foreign, go_on, stamp};

/// The statements that it takes to raise the counters of so many partitions, to tell them under one prefix and under many, and to queue
/// what lies there.
fn statements_for(partitions: usize) -> [u64; 4] {
    let device = Device::new("server");
    let names: Vec<String> = (0..partitions).map(|number| format!("lib:users:{number:06}")).collect();
    let written = stamp("other", 1);
    let mut session = device.receiving(&everything());
    session
        .server_fsic
        .change(|fsic| {
            fsic.sub = names
                .iter()
                .map(|name| (name.clone(), BTreeMap::from([(written.instance, written.counter)])))
                .collect();
        })
        .expect("good counters");
    let records = names.iter().map(|name| foreign("note", name, "only", "{}", &[written]));
    device.take(&session, records.collect());

    let (_, raising) = counted(|| device.storage.dequeue(&session, &Reach::everything(), &go_on));
    let (has, telling) = counted(|| device.storage.fsic(PROFILE, &everything(), Instances::WithRecords));
    assert_eq!(has.sub.len(), partitions);
    // A filter holds half as many.
    let each = Filter::new(names.iter().take(partitions / 2).cloned()).expect("good prefixes");
    let (of_each, telling_each) = counted(|| device.storage.fsic(PROFILE, &each, Instances::WithRecords));
    assert_eq!(of_each.sub.len(), partitions / 2);
    let session = device.session(Side::Server, Direction::Pull, &everything());
    let (queued, queuing) = counted(|| device.storage.queue(&session, &ExpandedFsic::default()));
    assert_eq!(queued, partitions as u64);
    [raising, telling, telling_each, queuing]
}

#[test]
fn four_times_as_many_partitions_take_four_times_as_many_statements() {
    count_from_now_on();
    let (few, many) = (statements_for(5_000), statements_for(20_000));
    for (verb, (few, many)) in ["raise", "tell", "tell each", "queue"].into_iter().zip(few.into_iter().zip(many)) {
        assert!(few > 0 && many <= 4 * few + 50, "{verb}: {few} statements for the few, {many} for the many");
    }
}
