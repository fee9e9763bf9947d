//! Records in which ours gave way are saved anew before they leave.

use morango::counter::Stamp;
use morango::port::{Isolation, Storage as _};
use morango::record::StoreRecord;
use morango::scope::{Filter, Reach};
use morango::{Error, ErrorKind};

use super::library::{Device, PROFILE, everything, foreign, go_on, stamp};

fn note(source: &str, text: &str, stamps: &[Stamp]) -> StoreRecord {
    foreign("note", "lib:notes", source, text, stamps)
}

/// Merges records that somebody sent where this device may write nothing.
pub(crate) fn read_only(device: &Device, records: Vec<StoreRecord>) {
    let session = device.receiving(&everything());
    device.take(&session, records);
    device.storage.dequeue(&session, &Reach::Nothing, &go_on).expect("it dequeues");
}

/// A device that may write nothing, and has a note in which what one said gave way to what another said.
fn device() -> Device {
    let device = Device::new("tablet");
    read_only(&device, vec![note("1", "one", &[stamp("a", 1)])]);
    read_only(&device, vec![note("1", "another", &[stamp("b", 4)])]);
    assert_eq!(device.records()[0].last_saved, stamp("b", 4));
    device
}

/// How many records are saved anew, and by how much the counter moves then.
fn saved_anew(device: &Device, filter: &Filter) -> (u64, i64) {
    let before = device.counter();
    let saved = device.storage.save_what_gave_way(PROFILE, filter).expect("they are saved");
    (saved, device.counter() - before)
}

#[test]
fn what_gave_way_is_saved_anew_once_and_stays_what_it_is() {
    let device = device();
    let (before, claims, waiting) = (device.records().remove(0), device.claims(), device.waiting());

    assert_eq!(saved_anew(&device, &everything()), (1, 1));

    let saved = Stamp::new(device.instance, device.counter());
    let mut expected = StoreRecord { last_saved: saved, ..before };
    expected.counters.raise(saved);
    assert_eq!(device.records(), [expected]);
    let ids = |waiting: Vec<morango::port::Waiting>| waiting.into_iter().map(|one| one.id).collect::<Vec<_>>();
    assert_eq!(ids(device.waiting()), ids(waiting), "it waits to become a row as before");
    assert_eq!(device.claims(), claims, "nothing is claimed");
    assert_eq!(saved_anew(&device, &everything()), (0, 0), "it is a version of its own now");
}

#[test]
fn a_deletion_that_was_kept_travels_with_what_gave_way() {
    for is_hard in [false, true] {
        let device = Device::new("tablet");
        let text = if is_hard { "" } else { "one" };
        let gone = StoreRecord { deleted: true, hard_deleted: is_hard, ..note("1", text, &[stamp("a", 1)]) };
        read_only(&device, vec![gone]);
        read_only(&device, vec![note("1", "another", &[stamp("b", 4)])]);

        assert_eq!(saved_anew(&device, &everything()), (1, 1));

        let record = device.records().remove(0);
        assert_eq!((record.deleted, record.hard_deleted), (true, is_hard));
        assert_eq!(record.last_saved.instance, device.instance);
        assert!(record.counters.covers(&stamp("a", 1)) && record.counters.covers(&stamp("b", 4)));
    }
}

#[test]
fn what_was_replaced_since_is_left_as_it_came() {
    let device = device();
    let merged = note("1", "one", &[stamp("a", 2), stamp("b", 4)]);
    read_only(&device, vec![merged.clone()]);
    assert_eq!(saved_anew(&device, &everything()), (0, 0));
    assert_eq!(device.records(), [merged]);

    // It gives way once more.
    read_only(&device, vec![note("1", "yet another", &[stamp("c", 9)])]);
    assert_eq!(saved_anew(&device, &everything()), (1, 1));
    assert_eq!(device.records()[0].conflicting_serialized_data, "one\n");
}

#[test]
fn what_was_merged_here_since_is_not_saved_twice() {
    let device = device();
    assert_eq!(device.dequeue(vec![note("1", "ours to write", &[stamp("c", 9)])]).conflicts, 1);
    let merged = device.records();
    assert_eq!(merged[0].last_saved.instance, device.instance);

    assert_eq!(saved_anew(&device, &everything()), (0, 0));

    assert_eq!(device.records(), merged);
}

#[test]
fn what_lies_outside_the_filter_or_in_another_profile_waits_for_its_turn() {
    let device = device();
    let [books, notes] = ["lib:books", "lib:notes"].map(|prefix| Filter::new([prefix]).expect("a prefix"));
    assert_eq!(saved_anew(&device, &books), (0, 0));
    let before = device.counter();
    let elsewhere = device.storage.save_what_gave_way("another profile", &everything());
    assert_eq!((elsewhere.expect("nothing is there"), device.counter()), (0, before));
    assert_eq!(saved_anew(&device, &notes), (1, 1));
}

#[test]
fn where_nothing_gave_way_nothing_moves() {
    let device = Device::new("tablet");
    assert_eq!(saved_anew(&device, &everything()), (0, 0));
    device.dequeue(vec![note("1", "one", &[stamp("a", 1)])]);
    assert_eq!(device.dequeue(vec![note("1", "another", &[stamp("b", 4)])]).conflicts, 1);
    assert_eq!(saved_anew(&device, &everything()), (0, 0), "where it may write, it has merged the two");
}

#[test]
fn many_records_give_way_and_are_saved_anew_together() {
    const NOTES: usize = 250;
    let device = Device::new("tablet");
    let notes = |text: &str, saved: Stamp| (0..NOTES).map(|number| note(&number.to_string(), text, &[saved])).collect();
    read_only(&device, notes("one", stamp("a", 1)));
    read_only(&device, notes("another", stamp("b", 4)));
    let newer = (0..NOTES).step_by(2).map(|number| note(&number.to_string(), "newer", &[stamp("b", 5), stamp("a", 1)]));
    read_only(&device, newer.collect());

    assert_eq!(saved_anew(&device, &everything()), (NOTES as u64 / 2, 1));

    let own = device.records().into_iter().filter(|record| record.last_saved.instance == device.instance);
    assert!(own.clone().all(|record| record.conflicting_serialized_data == "one\n"));
    assert_eq!(own.count(), NOTES / 2);
    assert_eq!(saved_anew(&device, &everything()), (0, 0));
}

#[test]
fn within_a_transaction_that_is_taken_back_nothing_is_saved() {
    let device = device();
    let before = device.records();
    let failed = device.storage.transaction("save and fail", Isolation::Plain, &mut |transaction| {
        assert_eq!(transaction.save_what_gave_way(PROFILE, &everything())?, 1);
        Err(Error::new(ErrorKind::Operation, "an operation failed"))
    });
    assert_eq!(failed.expect_err("it failed").kind(), ErrorKind::Operation);
    assert_eq!(device.records(), before);
    assert_eq!(saved_anew(&device, &everything()), (1, 1));
}
