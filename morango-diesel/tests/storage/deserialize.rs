//! What waits in the store becomes rows: in order, each by itself, and never over a change of the application.

use morango::id::SyncId;
use morango::port::{Storage as _, WaitingKind};
use morango::record::StoreRecord;
use morango::scope::{Filter, Reach};
use morango::session::{Direction, Side};

use super::database::many;
use super::library::{
    Book, Device, Shelf, changed, deleted, everything, foreign, foreign_book, foreign_shelf, go_on, has, kinds,
    retitled, stamp,
};

#[test]
fn what_one_device_has_the_other_gets_with_changes_and_deletions() {
    let (mut school, mut home) = (Device::new("school"), Device::new("home"));
    let shelf = school.shelf("fiction", None);
    let (emma, dune) = (school.book(shelf, "ada", "Emma"), school.book(shelf, "ada", "Dune"));
    let pulled = home.pull(&school, &everything());
    assert_eq!((pulled.records, pulled.dequeued.new, pulled.deserialized.written), (3, 3, 3));
    assert_eq!(home.titles(), ["Dune", "Emma"]);

    home.rename(emma, "Emma, again");
    let pulled = school.pull(&home, &everything());
    assert_eq!((pulled.dequeued.fast_forwarded, pulled.deserialized.written), (1, 1));
    assert_eq!(school.titles(), ["Dune", "Emma, again"]);

    school.delete::<Book>(dune);
    let pulled = home.pull(&school, &everything());
    assert_eq!((pulled.records, pulled.deserialized.deleted), (1, 1));
    assert_eq!(home.titles(), ["Emma, again"]);
    // What was written for the other is no change of this device's own.
    assert_eq!(school.pull(&home, &everything()).records, 0);
}

#[test]
fn a_record_becomes_a_row_only_under_the_filter() {
    let device = Device::new("laptop");
    device.dequeue(vec![foreign_shelf("fiction", None), foreign_book("Emma", foreign_shelf("fiction", None).id)]);
    let only_books = Filter::new(["lib:books:ada"]).expect("a prefix");
    let report = device.deserialize_under(&only_books);
    assert_eq!((report.written, kinds(&report.failures)), (0, vec![WaitingKind::ForeignKeyWaits]));
    assert_eq!(device.deserialize().written, 2);
}

#[test]
fn one_bad_record_never_stops_the_others_and_is_tried_again() {
    let mut device = Device::new("laptop");
    let shelf = foreign_shelf("fiction", None);
    let text = |source: &str, text: &str| foreign("book", "lib:books:ada", source, text, &[stamp("other", 1)]);
    let absent = SyncId::hash_of("absent");
    let long = "x".repeat(41);
    let bad = [
        text("1", "no json"),
        text("2", "null"),
        text("3", "{}"),
        text("4", &format!(r#"{{"shelf_id":"{}","owner":"ada","title":"{long}","blurb":null}}"#, shelf.id)),
        foreign_book("forbidden", shelf.id),
        foreign_book("lost", absent),
        text("5", r#"{"shelf_id":"no id","owner":"ada","title":"x","blurb":null}"#),
    ];
    let good = [foreign_book("Emma", shelf.id), foreign_book("Dune", shelf.id)];
    device.dequeue(bad.into_iter().chain([shelf.clone()]).chain(good).collect());
    let report = device.deserialize();
    assert_eq!(report.written, 3);
    assert_eq!(device.titles(), ["Dune", "Emma"]);
    assert_eq!(report.failures_total, 7);
    let expected = [
        WaitingKind::Malformed,
        WaitingKind::Malformed,
        WaitingKind::InvalidField,
        WaitingKind::InvalidField,
        WaitingKind::Constraint,
        WaitingKind::MissingForeignKey,
        WaitingKind::InvalidField,
    ];
    assert_eq!(kinds(&report.failures), expected);
    assert!(report.failures[5].reason.contains(&absent.to_string()), "{:?}", report.failures[5]);
    assert_eq!(device.waiting().iter().filter(|record| !record.reason.is_empty()).count(), 7);

    // They wait, and are told again; what was wrong with one is mended by its next change.
    assert_eq!(device.deserialize().failures_total, 7);
    device.dequeue(vec![changed(&foreign_book("forbidden", shelf.id), 2, |record| {
        record.serialized = record.serialized.replace("forbidden", "allowed");
    })]);
    let report = device.deserialize();
    assert_eq!((report.written, report.failures_total), (1, 6));
    let waiting = device.waiting();
    assert!(waiting.len() == 6 && waiting.iter().all(|record| record.kind != WaitingKind::NotTried), "{waiting:?}");
}

#[test]
fn bad_records_among_many_good_ones_fail_alone_and_each_for_its_own_reason() {
    // Goal: however many records are written at once, each fails by itself. Method: of hundreds of books, in a shelf that is there
    // already, one is bad now and then, each in another way; one takes the title of a book that came with it, and two good ones change
    // places among them all.
    let mut device = Device::new("laptop");
    let shelf = foreign_shelf("fiction", None);
    let good: Vec<StoreRecord> = (0..300).map(|number| foreign_book(&format!("{number:03}"), shelf.id)).collect();
    device.dequeue(vec![shelf.clone(), good[120].clone(), good[130].clone()]);
    assert_eq!(device.deserialize().written, 3);
    let absent = SyncId::hash_of("absent");
    let with_text = |name: &str, text: &str| {
        changed(&foreign_book(name, shelf.id), 1, |record| record.serialized = text.to_owned())
    };
    let bad = [
        (3, foreign_book("forbidden", shelf.id), WaitingKind::Constraint),
        (64, with_text("text", "no json"), WaitingKind::Malformed),
        (65, foreign_book("lost", absent), WaitingKind::MissingForeignKey),
        (100, with_text("clash", &good[99].serialized), WaitingKind::Constraint),
        (200, with_text("field", "{}"), WaitingKind::InvalidField),
        (
            299,
            with_text("bob's", &foreign_book("bob's", shelf.id).serialized.replace("ada", "bob")),
            WaitingKind::OutsidePartition,
        ),
    ];
    let mut records = good.clone();
    records[120] = retitled(&good[120], 2, "130");
    records[130] = retitled(&good[130], 2, "120");
    for (place, record, _) in bad.iter().rev() {
        records.insert(*place, record.clone());
    }
    device.dequeue(records);
    let report = device.deserialize();
    assert_eq!(kinds(&report.failures), bad.iter().map(|(.., kind)| *kind).collect::<Vec<_>>());
    let ids: Vec<SyncId> = report.failures.iter().map(|failure| failure.id).collect();
    assert_eq!(ids, bad.iter().map(|(_, record, _)| record.id).collect::<Vec<_>>());
    assert_eq!((report.written, report.failures_total), (300, 6));
    assert_eq!(device.titles(), (0..300).map(|number| format!("{number:03}")).collect::<Vec<_>>());
    assert_eq!(device.waiting().len(), 6);
    assert_eq!(device.marks(), [""; 0]);
}

#[test]
fn the_id_in_the_store_counts_and_not_the_one_in_the_text() {
    let mut device = Device::new("laptop");
    let mut shelf = foreign_shelf("fiction", None);
    shelf.serialized = format!(r#"{{"id":"{}","name":"fiction","parent_id":null}}"#, SyncId::hash_of("victim"));
    device.dequeue(vec![shelf.clone()]);
    assert_eq!(device.deserialize().written, 1);
    let ids: Vec<SyncId> = device.all::<Shelf>().into_iter().map(|row| row.id).collect();
    assert_eq!(ids, [shelf.id]);
}

/// A chain of shelves, each within the one before.
fn chain(length: usize) -> Vec<StoreRecord> {
    let mut parent = None;
    let mut shelves = Vec::with_capacity(length);
    for number in 0..length {
        let shelf = foreign_shelf(&number.to_string(), parent);
        parent = Some(shelf.id);
        shelves.push(shelf);
    }
    shelves
}

#[test]
fn a_deep_tree_becomes_rows_parents_first_in_whatever_order_it_came() {
    let levels = many(10_000);
    let in_order = chain(levels);
    let mut backwards = in_order.clone();
    backwards.reverse();
    // Odd ones first, then the even ones.
    let (even, mut mixed): (Vec<_>, Vec<_>) =
        in_order.clone().into_iter().enumerate().partition(|(number, _)| number % 2 == 0);
    mixed.extend(even);
    for records in [in_order, backwards, mixed.into_iter().map(|(_, record)| record).collect()] {
        let mut device = Device::new("laptop");
        device.dequeue(records);
        let report = device.deserialize();
        assert_eq!((report.written, report.failures_total), (levels as u64, 0));
        assert_eq!(device.shelves().len(), levels);
    }
}

#[test]
fn below_a_shelf_that_fails_the_others_wait() {
    let mut device = Device::new("laptop");
    let mut shelves = chain(6);
    shelves[2].serialized = "no json".to_owned();
    shelves.reverse();
    device.dequeue(shelves.clone());
    let report = device.deserialize();
    assert_eq!((report.written, report.failures_total), (2, 4));
    let mut found = kinds(&report.failures);
    found.sort_by_key(|kind| kind.code());
    assert_eq!(
        found,
        [
            WaitingKind::ForeignKeyWaits,
            WaitingKind::ForeignKeyWaits,
            WaitingKind::ForeignKeyWaits,
            WaitingKind::Malformed
        ]
    );
    device.dequeue(vec![changed(&chain(6)[2], 2, |_| ())]);
    assert_eq!(device.deserialize().written, 4);
    assert_eq!(device.shelves().len(), 6);
}

#[test]
fn shelves_that_claim_to_stand_within_each_other_fail_and_stop_nobody() {
    let device = Device::new("laptop");
    let (one, two) = (foreign_shelf("one", None), foreign_shelf("two", None));
    let within = |name, parent: &StoreRecord| foreign_shelf(name, Some(parent.id));
    device.dequeue(vec![within("one", &two), within("two", &one), foreign_shelf("three", None)]);
    let report = device.deserialize();
    assert_eq!((report.written, kinds(&report.failures)), (1, vec![WaitingKind::Cycle; 2]));
}

#[test]
fn a_false_label_of_the_parent_decides_nothing() {
    // What a record points at is in its text; the label beside the text only helps to find it soon.
    let device = Device::new("laptop");
    let (root, nobody) = (foreign_shelf("root", None), SyncId::hash_of("nobody"));
    let labelled = |name: &str, parent: Option<SyncId>, label: String| {
        let mut shelf = foreign_shelf(name, parent);
        shelf.self_ref_fk = label;
        shelf
    };
    device.dequeue(vec![
        labelled("without one", Some(root.id), String::new()),
        labelled("with another one", Some(root.id), nobody.to_string()),
        labelled("with one for nothing", None, nobody.to_string()),
        labelled("lost", Some(nobody), root.id.to_string()),
        root,
    ]);
    let report = device.deserialize();
    assert_eq!((report.written, kinds(&report.failures)), (4, vec![WaitingKind::MissingForeignKey]));
}

#[test]
fn a_tree_is_deleted_children_first_in_whatever_order_it_came() {
    let mut device = Device::new("laptop");
    let mut shelves = chain(many(3_000));
    shelves.reverse();
    device.dequeue(shelves.clone());
    device.deserialize();
    device.dequeue(shelves.iter().map(|shelf| changed(shelf, 2, |record| record.deleted = true)).collect());
    let report = device.deserialize();
    assert_eq!((report.deleted, report.failures_total), (shelves.len() as u64, 0));
    assert_eq!(device.shelves(), [""; 0]);
    assert_eq!(device.marks(), [""; 0], "a deletion for another is none of our own");
}

#[test]
fn a_deletion_that_a_row_made_here_forbids_waits_with_its_reason() {
    let mut device = Device::new("laptop");
    let (shelf, other) = (foreign_shelf("fiction", None), foreign_shelf("other", None));
    device.dequeue(vec![shelf.clone(), other.clone()]);
    device.deserialize();
    let emma = device.book(shelf.id, "ada", "Emma");
    device.dequeue(vec![deleted(&shelf, 2), changed(&other, 2, |_| ())]);
    let report = device.deserialize();
    assert_eq!((report.written, report.deleted, kinds(&report.failures)), (1, 0, vec![WaitingKind::Constraint]));
    assert_eq!(device.titles(), ["Emma"]);
    device.delete::<Book>(emma);
    assert_eq!(device.deserialize().deleted, 1);
    assert_eq!(device.shelves(), ["other"]);
}

#[test]
fn deletions_in_a_tree_that_the_database_refuses_are_told_once_each() {
    let upper = foreign_shelf("upper", None);
    let lower = foreign_shelf("lower", Some(upper.id));
    let books = [foreign_book("Emma", lower.id), foreign_book("Dune", upper.id)];
    // What came last is met first: the lower one is met below the upper one before its own turn, or after it.
    for shelves in [[&lower, &upper], [&upper, &lower]] {
        let device = Device::new("laptop");
        device.dequeue(shelves.into_iter().chain(&books).cloned().collect());
        device.deserialize();
        device.dequeue(shelves.map(|shelf| changed(shelf, 2, |record| record.deleted = true)).to_vec());
        let report = device.deserialize();
        assert_eq!((report.deleted, report.failures_total), (0, 2), "{report:?}");
        assert_eq!(kinds(&report.failures), [WaitingKind::Constraint; 2]);
    }
}

#[test]
fn a_shelf_is_deleted_when_its_book_has_moved_away_in_the_same_transfer() {
    let mut device = Device::new("laptop");
    let (old, new) = (foreign_shelf("old", None), foreign_shelf("new", None));
    let book = foreign_book("Emma", old.id);
    device.dequeue(vec![old.clone(), book.clone()]);
    device.deserialize();
    let moved = changed(&book, 2, |record| record.serialized = foreign_book("Emma", new.id).serialized);
    device.dequeue(vec![changed(&old, 2, |record| record.deleted = true), new, moved]);
    let report = device.deserialize();
    assert_eq!((report.written, report.deleted, report.failures_total), (2, 1, 0));
    assert_eq!(device.shelves(), ["new"]);
}

#[test]
fn a_deletion_spreads_to_what_points_there_and_is_told_to_others() {
    let mut device = Device::new("laptop");
    let shelf = foreign_shelf("fiction", None);
    for (hard, title) in [(false, "Emma"), (true, "Dune")] {
        let book = foreign_book(title, shelf.id);
        let counter = if hard { 3 } else { 2 };
        device.dequeue(vec![
            changed(&shelf, counter, |record| (record.deleted, record.hard_deleted) = (true, hard)),
            book.clone(),
        ]);
        let report = device.deserialize();
        assert_eq!((report.written, report.failures_total), (0, 0));
        let record = device.record(book.id);
        assert_eq!((record.deleted, record.hard_deleted), (true, hard));
        assert_eq!(record.serialized.is_empty(), hard);
        assert_eq!(record.last_saved.instance, device.instance);
        assert!(record.counters.covers(&record.last_saved) && record.counters.covers(&stamp("other", 1)));
    }
    assert_eq!(device.waiting(), []);
    assert_eq!(device.titles(), [""; 0]);

    let other = Device::new("other");
    other.pull(&device, &everything());
    assert!(other.records().iter().all(|record| record.deleted));
}

#[test]
fn a_deletion_spreads_down_a_tree_that_came_children_first() {
    let device = Device::new("laptop");
    let mut shelves = chain(50);
    shelves[0].deleted = true;
    shelves.reverse();
    device.dequeue(shelves);
    let report = device.deserialize();
    assert_eq!((report.written, report.failures_total), (0, 0));
    assert!(device.records().iter().all(|record| record.deleted));
}

#[test]
fn records_of_an_unknown_model_are_kept_and_passed_on() {
    let device = Device::new("laptop");
    let papers: Vec<StoreRecord> =
        (0..3).map(|number| foreign("paper", "lib:papers", &number.to_string(), "{}", &[stamp("other", 1)])).collect();
    device.dequeue(papers.into_iter().chain([foreign_shelf("fiction", None)]).collect());
    let report = device.deserialize();
    assert_eq!((report.written, report.failures_total, report.unknown_models), (1, 0, 3));
    let other = Device::new("other");
    let session = device.session(Side::Server, Direction::Pull, &everything());
    assert_eq!(device.storage.queue(&session, &has(&[])).expect("it queues"), 4);
    let chunk = device.storage.queued_chunk(&session.id, 0, 500).expect("a chunk");
    assert_eq!(other.dequeue(chunk.records).new, 4);
}

#[test]
fn a_change_made_here_while_a_record_waits_is_not_written_over() {
    let (mut school, mut home) = (Device::new("school"), Device::new("home"));
    let shelf = school.shelf("fiction", None);
    let emma = school.book(shelf, "ada", "Emma");
    home.pull(&school, &everything());
    school.rename(emma, "Emma at school");
    let (session, _) = home.receive(&school, &everything());
    home.storage.dequeue(&session, &Reach::everything(), &go_on).expect("it dequeues");
    home.rename(emma, "Emma at home");
    let report = home.deserialize();
    assert_eq!(report.failures_total, 0);
    assert_eq!(home.titles(), ["Emma at home"]);
    let record = home.record(emma);
    assert!(record.serialized.contains("Emma at home"), "{record:?}");
    assert!(record.conflicting_serialized_data.contains("Emma at school"), "{record:?}");
    // The change made last has the other in its history: nobody sees a conflict.
    assert_eq!(school.pull(&home, &everything()).dequeued.fast_forwarded, 1);
    assert_eq!(school.titles(), ["Emma at home"]);
}
