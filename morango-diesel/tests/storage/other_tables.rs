//! What the application's tables do of which no model says anything: tables of no record, and indexes and keys of any kind.

use morango::port::{DeserializeReport, Isolation, Storage as _, WaitingKind, WaitingRecords};
use morango::record::StoreRecord;

use super::cascades::{self, held};
use super::database::IS_CAPTURED;
use super::library::{Device, PROFILE, changed, deleted, everything, foreign_book, foreign_shelf, go_on, kinds, order};
use super::unique::shelved;
use super::waiting::{device_with_waiting, listed};

#[test]
fn a_deletion_that_the_database_refuses_waits_with_its_reason() {
    let mut device = Device::new("laptop");
    let shelf = foreign_shelf("fiction", None);
    let book = foreign_book("Emma", shelf.id);
    device.dequeue(vec![shelf.clone(), book.clone()]);
    device.deserialize();
    device.run(&format!("INSERT INTO loans VALUES ('{}')", book.id));
    device.dequeue(vec![changed(&book, 2, |record| record.deleted = true), changed(&shelf, 2, |_| ())]);
    let report = device.deserialize();
    assert_eq!((report.written, report.deleted, kinds(&report.failures)), (1, 0, vec![WaitingKind::Constraint]));
    device.run("DELETE FROM loans");
    assert_eq!(device.deserialize().deleted, 1);
}

#[test]
fn a_deletion_that_was_dropped_leaves_its_row_whatever_had_kept_it() {
    let (mut device, _) = device_with_waiting();
    device.deserialize();
    let emma = foreign_book("Emma", foreign_shelf("fiction", None).id);
    device.run(&format!("INSERT INTO loans VALUES ('{}')", emma.id));
    device.dequeue(vec![deleted(&emma, 2)]);
    device.deserialize();
    let waiting = listed(&device, &WaitingRecords::of(PROFILE).ids([emma.id]));
    assert!(waiting[0].is_deleted && waiting[0].kind == WaitingKind::Constraint, "{waiting:?}");
    device.storage.drop_waiting(&WaitingRecords::of(PROFILE).ids([emma.id])).expect("it is dropped");
    device.run("DELETE FROM loans");
    device.deserialize();
    assert_eq!(device.titles(), ["Emma"]);
    assert_eq!(
        device.storage.wait_again(&WaitingRecords::of(PROFILE).ids([emma.id]).dropped()).expect("it waits again"),
        1
    );
    let report = device.deserialize();
    assert_eq!((report.deleted, report.written), (1, 1), "its title goes to the book that waited for it: {report:?}");
    assert_eq!(device.number(&format!("SELECT count(*) FROM books WHERE id = '{}'", emma.id)), 0);
}

#[test]
fn a_dropped_record_is_not_taken_for_a_row_that_vanished() {
    let (device, [malformed, lost, ..]) = device_with_waiting();
    device.deserialize();
    let both = WaitingRecords::of(PROFILE).ids([lost.id, malformed.id]);
    assert_eq!(device.storage.drop_waiting(&both).expect("they are dropped"), 2);
    assert_eq!(device.storage.find_displaced().expect("a look"), 0);
}

#[test]
fn what_is_of_no_record_goes_with_a_deleted_row_and_stays_with_one_that_moves_away() {
    let (mut device, shelf, book) = cascades::shelved();
    let (new, lower) = (foreign_shelf("new", None), foreign_book("Dune", shelf.id));
    device.dequeue(vec![lower.clone()]);
    device.deserialize();
    for book in [&book, &lower] {
        device.run(&format!("INSERT INTO loans VALUES ('{}')", book.id));
    }
    let moved = changed(&book, 2, |record| record.serialized = foreign_book("Emma", new.id).serialized);
    device.dequeue(vec![deleted(&shelf, 2), new, moved]);
    let report = device.deserialize();
    assert_eq!((report.written, report.deleted, report.failures_total), (2, 2, 0), "{report:?}");
    assert_eq!(device.titles(), ["Emma"]);
    assert_eq!(device.number("SELECT count(*) FROM loans"), 1);
}

#[test]
fn a_deletion_that_a_table_of_no_record_forbids_waits_and_takes_nothing_with_it() {
    let (mut device, shelf, _) = cascades::shelved();
    device.run("CREATE TABLE labels (shelf_id TEXT NOT NULL REFERENCES shelves (id))");
    device.run(&format!("INSERT INTO labels VALUES ('{}')", shelf.id));
    device.dequeue(vec![deleted(&shelf, 2)]);
    let report = device.deserialize();
    assert_eq!((report.deleted, kinds(&report.failures)), (0, vec![WaitingKind::Constraint]));
    assert_eq!(held(&mut device), [1, 1]);
    assert!(!device.records().iter().any(|record| record.deleted && record.last_saved.instance == device.instance));
    device.run("DELETE FROM labels");
    assert_eq!(device.deserialize().deleted, 2);
}

#[test]
fn pairs_that_are_unique_only_together_and_indexes_over_some_rows_only_change_hands_too() {
    let (mut device, shelf, books) = shelved(&["Emma", "Dune"]);
    let second = foreign_shelf("second", None);
    device.run(
        "CREATE UNIQUE INDEX one_blurb_a_shelf ON books (shelf_id, blurb);
         CREATE UNIQUE INDEX one_favourite ON books (owner) WHERE blurb = 'favourite';",
    );
    let blurb = |book: &StoreRecord, counter, shelf: &StoreRecord, blurb: &str| {
        let title = if book.id == books[0].id { "Emma" } else { "Dune" };
        changed(book, counter, |record| {
            record.serialized =
                foreign_book(title, shelf.id).serialized.replace("\"blurb\":null", &format!("\"blurb\":\"{blurb}\""));
        })
    };
    device.dequeue(vec![
        second.clone(),
        blurb(&books[0], 2, &shelf, "favourite"),
        blurb(&books[1], 2, &second, "plain"),
    ]);
    assert_eq!(device.deserialize().written, 3);
    device.dequeue(vec![blurb(&books[1], 3, &shelf, "favourite"), blurb(&books[0], 3, &second, "plain")]);
    assert_eq!(device.deserialize().failures_total, 0);
    device.dequeue(vec![blurb(&books[0], 4, &second, "favourite"), blurb(&books[1], 4, &second, "plain")]);
    let report = device.deserialize();
    assert_eq!((report.written, report.failures_total), (2, 0), "{report:?}");
    device.dequeue(vec![blurb(&books[0], 5, &second, "plain"), blurb(&books[1], 5, &second, "favourite")]);
    let report = device.deserialize();
    assert_eq!((report.written, report.failures_total), (2, 0), "{report:?}");
}

/// A device whose books are of languages that are asked for at the commit.
fn with_languages() -> Device {
    let mut device = Device::new("laptop");
    device.run(
        "CREATE TABLE languages (title TEXT PRIMARY KEY NOT NULL);
         CREATE TABLE new_books (
             id TEXT PRIMARY KEY NOT NULL, shelf_id TEXT NOT NULL, owner TEXT NOT NULL,
             title TEXT NOT NULL REFERENCES languages (title) DEFERRABLE INITIALLY DEFERRED, blurb TEXT
         );
         DROP TABLE loans; DROP TABLE books; ALTER TABLE new_books RENAME TO books;
         INSERT INTO languages VALUES ('Emma'), ('Dune')",
    );
    device
}

#[test]
fn a_foreign_key_that_is_checked_at_the_commit_stops_only_its_own_record() {
    let mut device = with_languages();
    let shelf = foreign_shelf("fiction", None);
    let titles = ["Emma", "Solaris", "Dune"];
    device.dequeue(titles.iter().map(|title| foreign_book(title, shelf.id)).chain([shelf.clone()]).collect());
    let report = device.deserialize();
    assert_eq!((report.written, kinds(&report.failures)), (3, vec![WaitingKind::Constraint]));
    assert_eq!(device.titles(), ["Dune", "Emma"]);
    device.run("INSERT INTO languages VALUES ('Solaris')");
    assert_eq!(device.deserialize().written, 1);
    assert_eq!(device.number(IS_CAPTURED), 1);
}

#[test]
fn within_a_transaction_of_a_stage_too_a_foreign_key_that_is_checked_at_the_commit_stops_only_its_own_record() {
    let mut device = with_languages();
    let shelf = foreign_shelf("fiction", None);
    let titles = ["Emma", "Solaris", "Dune"];
    device.dequeue(titles.iter().map(|title| foreign_book(title, shelf.id)).chain([shelf.clone()]).collect());
    let mut report = DeserializeReport::default();
    let isolation = Isolation::Stage { profile: PROFILE };
    let done = device.storage.transaction("deserialize beside an operation", isolation, &mut |transaction| {
        report = transaction.deserialize(&order(&everything()), &go_on)?;
        Ok(())
    });
    done.expect("it is committed");
    assert_eq!((report.written, kinds(&report.failures)), (3, vec![WaitingKind::Constraint]));
    assert_eq!(device.titles(), ["Dune", "Emma"]);
    assert_eq!(device.number(IS_CAPTURED), 1);
}
