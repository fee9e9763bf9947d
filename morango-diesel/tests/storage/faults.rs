//! Records that fail, change and go.
//!
//! Goal: a record's own fault is noted with it and stops nobody else, and nothing of what it claims falsely counts. Method: the other
//! device sends what is no row, or not one of the record's own.

use morango::id::SyncId;
use morango::port::WaitingKind;
use morango::record::StoreRecord;

use super::library::{Book, Device, changed, deleted, foreign, foreign_book, foreign_shelf, kinds, stamp};

/// A device with a shelf, and the shelf's record.
pub(crate) fn with_shelf() -> (Device, StoreRecord) {
    let device = Device::new("laptop");
    let shelf = foreign_shelf("fiction", None);
    device.dequeue(vec![shelf.clone()]);
    device.deserialize();
    (device, shelf)
}

#[test]
fn a_record_that_failed_can_be_replaced_deleted_and_deleted_for_good() {
    let (mut device, shelf) = with_shelf();
    let bad = ["one", "two", "three"]
        .map(|name| changed(&foreign_book(name, shelf.id), 1, |record| record.serialized = "no json".to_owned()));
    device.dequeue(bad.to_vec());
    assert_eq!(device.deserialize().failures_total, 3);
    device.dequeue(vec![
        changed(&foreign_book("one", shelf.id), 2, |_| ()),
        deleted(&bad[1], 2),
        changed(&bad[2], 2, |record| {
            (record.deleted, record.hard_deleted) = (true, true);
            record.serialized = String::new();
        }),
    ]);
    let report = device.deserialize();
    assert_eq!((report.written, report.deleted, report.failures_total), (1, 0, 0));
    assert_eq!(device.waiting(), []);
    assert_eq!(device.record(bad[2].id).serialized, "");
    assert_eq!(device.titles(), ["one"]);
}

#[test]
fn a_row_that_claims_another_owner_than_its_record_waits() {
    let (mut device, shelf) = with_shelf();
    let forged = changed(&foreign_book("Emma", shelf.id), 1, |record| {
        record.serialized = record.serialized.replace("ada", "bob");
    });
    device.dequeue(vec![forged.clone()]);
    let report = device.deserialize();
    assert_eq!((report.written, kinds(&report.failures)), (0, vec![WaitingKind::OutsidePartition]));
    let reason = &report.failures[0].reason;
    assert!(reason.contains("lib:books:bob") && reason.contains("lib:books:ada"), "{reason}");
    assert_eq!(device.titles(), [""; 0]);
    device.dequeue(vec![changed(&foreign_book("Emma", shelf.id), 2, |_| ())]);
    assert_eq!(device.deserialize().written, 1);

    // Nor does a row that is here change hands in that way; and one deeper below its record's partition is in its place.
    device.dequeue(vec![changed(&forged, 3, |_| ())]);
    assert_eq!(kinds(&device.deserialize().failures), [WaitingKind::OutsidePartition]);
    let owners: Vec<String> = device.all::<Book>().into_iter().map(|book| book.owner).collect();
    assert_eq!(owners, ["ada"]);
    let text = foreign_book("Dune", shelf.id).serialized;
    device.dequeue(vec![foreign("book", "lib:books", "Dune", &text, &[stamp("other", 1)])]);
    assert_eq!(device.deserialize().written, 1);
}

#[test]
fn what_the_text_says_of_id_partition_and_source_does_not_count() {
    let (mut device, shelf) = with_shelf();
    let victim = SyncId::hash_of("victim");
    let book = changed(&foreign_book("Emma", shelf.id), 1, |record| {
        let claims = format!(r#"{{"id":"{victim}","_morango_partition":"lib:books:bob","_morango_source_id":"x","#);
        record.serialized = record.serialized.replacen('{', &claims, 1);
    });
    device.dequeue(vec![book.clone()]);
    assert_eq!(device.deserialize().written, 1);
    let ids: Vec<SyncId> = device.all::<Book>().into_iter().map(|book| book.id).collect();
    assert_eq!(ids, [book.id]);
    assert_eq!(device.record(book.id).partition, "lib:books:ada");
}

#[test]
fn thousands_that_fail_are_each_tried_once_and_leave_the_good_ones_alone() {
    let (device, shelf) = with_shelf();
    let absent = SyncId::hash_of("absent");
    let bad = (0..6_000).map(|number| match number % 3 {
        0 => foreign_book(&format!("{number}"), absent),
        1 => changed(&foreign_book(&format!("{number}"), shelf.id), 1, |record| record.serialized = "[]".to_owned()),
        _ => foreign_book("forbidden", shelf.id),
    });
    // The third kind is one record only: all of it have one id.
    let good = (0..50).map(|number| foreign_book(&format!("good {number}"), shelf.id));
    device.dequeue(bad.chain(good).collect());
    let report = device.deserialize();
    assert_eq!((report.written, report.failures_total), (50, 4_001));
    assert_eq!(report.failures.len(), morango::port::REPORTED_MAX);
    let again = device.deserialize();
    assert_eq!((again.written, again.failures_total), (0, 4_001));
}
