//! What waits can be seen, tried again, passed by, and done without.
//!
//! Goal: whoever runs a device sees what waits, why, since when and from whom, and can act on it without harm to other peers.
//! Method: books that a shelf, a title or a field keeps from becoming rows.

use std::collections::BTreeSet;

use chrono::Duration;
use morango::id::SyncId;
use morango::port::{
    DeserializeOrder, FailedBefore, Storage as _, Waiting, WaitingCursor, WaitingKind, WaitingRecords,
};
use morango::record::StoreRecord;
use morango::scope::Filter;
use morango::session::{Direction, Side};

use super::library::{
    Book, Device, PROFILE, Shelf, changed, deleted, everything, foreign, foreign_book, foreign_shelf, go_on, has,
    order, retitled, stamp, time,
};

fn all() -> WaitingRecords {
    WaitingRecords::of(PROFILE)
}

pub(crate) fn listed(device: &Device, which: &WaitingRecords) -> Vec<Waiting> {
    let page = device.storage.waiting(which, None, 1_000).expect("they are listed");
    assert_eq!(page.next, None);
    page.records
}

fn ids(records: &[Waiting]) -> BTreeSet<SyncId> {
    records.iter().map(|record| record.id).collect()
}

/// A device with one record of each of these: malformed, without its shelf, with a title that another has, of no known model.
pub(crate) fn device_with_waiting() -> (Device, [StoreRecord; 4]) {
    let device = Device::new("laptop");
    let shelf = foreign_shelf("fiction", None);
    let malformed =
        changed(&foreign_book("malformed", shelf.id), 1, |record| "no json".clone_into(&mut record.serialized));
    let lost = foreign_book("lost", SyncId::hash_of("absent"));
    let clash = changed(&foreign_book("clash", shelf.id), 1, |record| {
        record.serialized = foreign_book("Emma", shelf.id).serialized;
    });
    let paper = foreign("paper", "lib:papers", "paper", "{}", &[stamp("other", 1)]);
    let records = [malformed, lost, clash, paper];
    device.dequeue([shelf.clone(), foreign_book("Emma", shelf.id)].into_iter().chain(records.clone()).collect());
    (device, records)
}

#[test]
fn what_waits_is_listed_with_reason_time_and_source() {
    let (device, [malformed, lost, clash, paper]) = device_with_waiting();
    let before = listed(&device, &all());
    assert_eq!(before.len(), 6);
    let kind_of = |records: &[Waiting], id| records.iter().find(|record| record.id == id).expect("it waits").kind;
    assert_eq!(kind_of(&before, lost.id), WaitingKind::NotTried);
    assert!(before.iter().all(|record| record.since.is_none()));

    device.deserialize();
    let after = listed(&device, &all());
    assert_eq!(ids(&after), BTreeSet::from([malformed.id, lost.id, clash.id, paper.id]));
    assert_eq!(kind_of(&after, malformed.id), WaitingKind::Malformed);
    assert_eq!(kind_of(&after, lost.id), WaitingKind::MissingForeignKey);
    assert_eq!(kind_of(&after, clash.id), WaitingKind::Constraint);
    assert_eq!(kind_of(&after, paper.id), WaitingKind::UnknownModel);
    let found = after.iter().find(|record| record.id == lost.id).expect("it waits");
    assert_eq!((found.model.as_str(), found.partition.as_str()), ("book", "lib:books:ada"));
    assert_eq!((found.since, found.last_saved), (Some(time()), stamp("other", 1)));
    assert!(found.reason.contains("shelf_id") && !found.is_deleted && !found.is_hard_deleted);
    assert_eq!(found.serialized, lost.serialized);
    let source = found.source.as_ref().expect("it was received");
    assert!(device.storage.transfer_session(&source.transfer_session).expect("it is there").is_some());
    // It is typed where its content can be a row.
    assert_eq!(found.row::<Book>().expect("a book").title, "lost");
    assert!(found.row::<Shelf>().is_err());
    let found = after.iter().find(|record| record.id == malformed.id).expect("it waits");
    assert!(found.row::<Book>().expect_err("no book").to_string().contains("JSON"));
}

#[test]
fn the_time_is_that_of_the_first_failure() {
    let (device, [_, lost, ..]) = device_with_waiting();
    device.deserialize();
    let everything = everything();
    let later = DeserializeOrder { now: time() + Duration::hours(1), ..order(&everything) };
    device.storage.deserialize(&later, &go_on).expect("it deserializes");
    device.dequeue(vec![retitled(&lost, 2, "still lost")]);
    device.storage.deserialize(&later, &go_on).expect("it deserializes");
    let found = listed(&device, &all().ids([lost.id]));
    assert_eq!(found[0].since, Some(time()));
    assert!(found[0].serialized.contains("still lost"));
}

#[test]
fn only_some_of_what_waits_can_be_asked_for() {
    let (device, [malformed, lost, clash, paper]) = device_with_waiting();
    device.deserialize();
    let found = |which: WaitingRecords| ids(&listed(&device, &which));
    assert_eq!(found(WaitingRecords::of_model::<Book>()), BTreeSet::from([malformed.id, lost.id, clash.id]));
    assert_eq!(found(all().model("paper")), BTreeSet::from([paper.id]));
    assert_eq!(found(all().kind(WaitingKind::UnknownModel)), BTreeSet::from([paper.id]));
    assert_eq!(found(all().kind(WaitingKind::Constraint)), BTreeSet::from([clash.id]));
    assert_eq!(found(all().ids([lost.id, SyncId::hash_of("nobody")])), BTreeSet::from([lost.id]));
    assert_eq!(found(all().under(Filter::new(["lib:papers"]).expect("a prefix"))), BTreeSet::from([paper.id]));
    assert_eq!(found(WaitingRecords::of("another profile")), BTreeSet::new());
    assert_eq!(found(all().dropped()), BTreeSet::new());
}

#[test]
fn a_long_list_comes_in_pages_that_stand_while_records_go() {
    let device = Device::new("laptop");
    let shelf = foreign_shelf("fiction", None);
    let books: Vec<StoreRecord> = (0..25).map(|number| foreign_book(&format!("{number:02}"), shelf.id)).collect();
    device.dequeue(books.clone());
    device.deserialize();
    device.dequeue(books[20..].iter().map(|book| deleted(book, 2)).collect());
    let mut seen = Vec::new();
    let mut after: Option<WaitingCursor> = None;
    let mut pages = 0;
    loop {
        let page = device.storage.waiting(&all(), after.as_ref(), 10).expect("a page");
        assert!(page.records.len() <= 10);
        seen.extend(page.records.into_iter().map(|record| record.id));
        pages += 1;
        if pages == 1 {
            device.storage.drop_waiting(&all().ids([books[9].id])).expect("the last of the page is dropped");
        }
        let Some(next) = page.next else { break };
        after = Some(next);
    }
    let expected: Vec<SyncId> = books.iter().map(|book| book.id).collect();
    assert_eq!((pages, seen), (3, expected));
    let one = device.storage.waiting(&all(), None, 1).expect("a page");
    assert_eq!((one.records.len(), one.next.is_some()), (1, true));
}

#[test]
fn what_failed_before_is_passed_by_until_it_is_asked_for_or_changes() {
    let (mut device, [malformed, lost, clash, _]) = device_with_waiting();
    let everything = everything();
    let skipping = DeserializeOrder { failed_before: FailedBefore::Skip, ..order(&everything) };
    let skip = |device: &Device| device.storage.deserialize(&skipping, &go_on).expect("it deserializes");
    let first = skip(&device);
    assert_eq!((first.written, first.failures_total, first.skipped), (2, 3, 0), "what was not tried is tried");

    device.rename(foreign_book("Emma", foreign_shelf("fiction", None).id).id, "Emma, here");
    let shelf = changed(&foreign_shelf("absent", None), 1, |record| record.self_ref_fk = String::new());
    device.dequeue(vec![
        shelf,
        changed(&malformed, 2, |record| {
            record.serialized = foreign_book("mended", foreign_shelf("fiction", None).id).serialized;
        }),
    ]);
    let second = skip(&device);
    assert_eq!((second.written, second.failures_total, second.skipped), (2, 0, 2), "{second:?}");

    assert_eq!(device.storage.wait_again(&all().ids([clash.id])).expect("it waits again"), 1);
    let third = skip(&device);
    assert_eq!((third.written, third.skipped), (1, 1));
    assert_eq!(ids(&listed(&device, &WaitingRecords::of_model::<Book>())), BTreeSet::from([lost.id]));
    assert_eq!(device.deserialize().failures_total, 1, "it is tried again where nothing is passed by");
}

#[test]
fn a_tree_grows_below_what_is_new_while_what_failed_is_passed_by() {
    let device = Device::new("laptop");
    let everything = everything();
    let skipping = DeserializeOrder { failed_before: FailedBefore::Skip, ..order(&everything) };
    let top = foreign_shelf("top", None);
    let (one, two) = (foreign_shelf("one", Some(top.id)), foreign_shelf("two", Some(foreign_shelf("one", None).id)));
    device.dequeue(vec![changed(&one, 1, |record| record.serialized = "no json".to_owned())]);
    device.deserialize();
    device.dequeue(vec![two.clone(), foreign_shelf("side", Some(top.id)), top]);
    let report = device.storage.deserialize(&skipping, &go_on).expect("it deserializes");
    assert_eq!((report.written, report.failures_total, report.skipped), (2, 1, 1), "{report:?}");
}

#[test]
fn a_dropped_record_has_no_row_here_and_goes_on_to_others_as_it_came() {
    let (mut device, [malformed, lost, ..]) = device_with_waiting();
    device.deserialize();
    assert_eq!(device.storage.drop_waiting(&all().ids([lost.id, malformed.id])).expect("they are dropped"), 2);
    assert_eq!(ids(&listed(&device, &all().dropped())), BTreeSet::from([lost.id, malformed.id]));
    assert_eq!(device.storage.drop_waiting(&all().ids([lost.id])).expect("it is dropped already"), 0);
    let record = device.record(lost.id);
    assert_eq!(
        (record.last_saved, record.serialized.as_str(), record.deleted),
        (stamp("other", 1), &*lost.serialized, false)
    );

    // It is not tried again.
    device.dequeue(vec![foreign_shelf("absent", None)]);
    assert_eq!(device.deserialize().failures_total, 1);
    assert_eq!(device.titles(), ["Emma"]);
    let session = device.session(Side::Server, Direction::Pull, &everything());
    let queued = device.storage.queue(&session, &has(&[])).expect("it queues");
    let chunk = device.storage.queued_chunk(&session.id, 0, 500).expect("a chunk");
    assert_eq!((queued, chunk.records.len()), (7, 7));
    assert!(chunk.records.contains(&record));

    // When it changes, it is tried again.
    let shelf = foreign_shelf("fiction", None);
    device.dequeue(vec![changed(&malformed, 2, |record| {
        record.serialized = foreign_book("mended", shelf.id).serialized;
    })]);
    assert_eq!(device.deserialize().written, 1);
    // And when somebody takes that back.
    assert_eq!(device.storage.wait_again(&all().dropped()).expect("it waits again"), 1);
    assert_eq!(listed(&device, &all().ids([lost.id])).len(), 1);
    for book in device.all::<Book>() {
        device.delete::<Book>(book.id);
    }
    device.serialize();
}

#[test]
fn a_row_whose_received_change_was_dropped_keeps_both_when_it_changes_here() {
    let (mut device, _) = device_with_waiting();
    device.deserialize();
    let emma = foreign_book("Emma", foreign_shelf("fiction", None).id);
    device.dequeue(vec![retitled(&emma, 2, "forbidden")]);
    device.deserialize();
    assert_eq!(device.storage.drop_waiting(&all().ids([emma.id])).expect("it is dropped"), 1);
    assert_eq!(device.titles(), ["Emma"]);
    device.rename(emma.id, "Emma, here");
    device.serialize();
    let record = device.record(emma.id);
    assert!(record.serialized.contains("Emma, here"), "{record:?}");
    assert!(record.conflicting_serialized_data.contains("forbidden"), "{record:?}");
    assert!(record.counters.covers(&stamp("other", 2)));
    assert_eq!(listed(&device, &all().dropped()).len(), 0);
}

#[test]
fn a_deletion_that_was_dropped_leaves_its_row() {
    let mut device = Device::new("laptop");
    let shelf = foreign_shelf("fiction", None);
    device.dequeue(vec![shelf.clone()]);
    device.deserialize();
    // A book that was made here keeps its shelf from being deleted.
    let emma = device.book(shelf.id, "ada", "Emma");
    device.dequeue(vec![deleted(&shelf, 2)]);
    device.deserialize();
    let waiting = listed(&device, &all().ids([shelf.id]));
    assert!(waiting[0].is_deleted && waiting[0].kind == WaitingKind::Constraint, "{waiting:?}");
    device.storage.drop_waiting(&all().ids([shelf.id])).expect("it is dropped");
    device.delete::<Book>(emma);
    device.deserialize();
    assert_eq!(device.shelves(), ["fiction"]);
    assert_eq!(device.storage.wait_again(&all().ids([shelf.id]).dropped()).expect("it waits again"), 1);
    assert_eq!(device.deserialize().deleted, 1);
    assert_eq!(device.shelves(), [""; 0]);
}

#[test]
fn what_points_at_a_dropped_record_waits_on() {
    let device = Device::new("laptop");
    let shelf = changed(&foreign_shelf("fiction", None), 1, |record| record.serialized = "no json".to_owned());
    let book = foreign_book("Emma", shelf.id);
    device.dequeue(vec![shelf.clone(), book.clone()]);
    device.deserialize();
    device.storage.drop_waiting(&all().ids([shelf.id])).expect("it is dropped");
    let report = device.deserialize();
    assert_eq!(report.failures.iter().map(|failure| failure.kind).collect::<Vec<_>>(), [WaitingKind::ForeignKeyWaits]);
    assert!(report.failures[0].reason.contains("dropped"), "{report:?}");
}
