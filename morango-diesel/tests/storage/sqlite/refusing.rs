//! What triggers of the application and columns of any type do to deserializing, which only SQLite knows.
//!
//! Goal: a record's own fault is noted with it and stops nobody else; a fault of the database stops the stage and leaves nothing
//! half written. Method: triggers that refuse in every way that SQLite has.

use morango::ErrorKind;
use morango::port::{Storage as _, WaitingKind};

use super::cascades;
use super::database::{IS_CAPTURED, MARKED, Tables, tables};
use super::faults::with_shelf;
use super::library::{
    Device, PROFILE, deleted, everything, foreign, foreign_book, foreign_shelf, go_on, kinds, order, retitled, stamp,
};

fn refuse(device: &mut Device, when: &str, how: &str) {
    device.run(&format!(
        "CREATE TABLE IF NOT EXISTS attempts (title TEXT);
         CREATE TRIGGER refuse BEFORE {when} ON books
         BEGIN INSERT INTO attempts VALUES ('tried'); SELECT {how}; END"
    ));
}

#[test]
fn in_whatever_way_a_trigger_refuses_one_row_it_takes_no_other_with_it() {
    for how in ["ABORT, 'not here'", "ROLLBACK, 'not here'", "FAIL, 'not here'", "IGNORE"] {
        let (mut device, shelf) = with_shelf();
        let how_for_one = format!("CASE WHEN NEW.title = 'Dune' THEN RAISE({how}) END");
        refuse(&mut device, "INSERT", &how_for_one);
        let titles = ["Emma", "Dune", "Solaris"];
        device.dequeue(titles.iter().map(|title| foreign_book(title, shelf.id)).collect());
        let report = device.deserialize();
        assert_eq!(
            (report.written, kinds(&report.failures)),
            (2, vec![WaitingKind::Database]),
            "RAISE({how}) {report:?}"
        );
        assert_eq!(device.titles(), ["Emma", "Solaris"], "RAISE({how})");
        assert_eq!(
            device.number("SELECT count(*) FROM attempts"),
            2,
            "RAISE({how}): of the refused row nothing is left"
        );
        assert_eq!(device.number(IS_CAPTURED), 1);
        assert_eq!(device.number(MARKED), 0);
        device.run("DROP TRIGGER refuse");
        assert_eq!(device.deserialize().written, 1, "RAISE({how})");
    }
}

#[test]
fn a_trigger_that_refuses_a_change_or_a_deletion_keeps_the_row_as_it_was() {
    for how in ["ABORT, 'not here'", "ROLLBACK, 'not here'", "FAIL, 'not here'", "IGNORE"] {
        let (mut device, shelf) = with_shelf();
        let (emma, dune) = (foreign_book("Emma", shelf.id), foreign_book("Dune", shelf.id));
        device.dequeue(vec![emma.clone(), dune.clone()]);
        device.deserialize();
        let one = format!("CASE WHEN OLD.title = 'Dune' THEN RAISE({how}) END");
        refuse(&mut device, "UPDATE", &one);
        device.dequeue(vec![retitled(&emma, 2, "Emma, again"), retitled(&dune, 2, "Dune, again")]);
        let report = device.deserialize();
        assert_eq!(
            (report.written, kinds(&report.failures)),
            (1, vec![WaitingKind::Database]),
            "RAISE({how}) {report:?}"
        );
        assert_eq!(device.titles(), ["Dune", "Emma, again"], "RAISE({how})");
        device.run("DROP TRIGGER refuse");
        refuse(&mut device, "DELETE", &one);
        device.dequeue(vec![deleted(&emma, 3), deleted(&dune, 3)]);
        let report = device.deserialize();
        assert_eq!(
            (report.deleted, kinds(&report.failures)),
            (1, vec![WaitingKind::Database]),
            "RAISE({how}) {report:?}"
        );
        assert_eq!(device.titles(), ["Dune"], "RAISE({how})");
        device.run("DROP TRIGGER refuse");
        assert_eq!(device.deserialize().deleted, 1, "RAISE({how})");
        assert_eq!(device.number(MARKED), 0);
    }
}

#[test]
fn what_is_no_fault_of_a_record_fails_the_stage_and_leaves_nothing_half_written() {
    let cases = [
        ("RAISE(ABORT, 'database or disk is full')", ErrorKind::StorageFull),
        ("RAISE(ROLLBACK, 'database or disk is full')", ErrorKind::StorageFull),
        ("RAISE(ABORT, 'disk I/O error')", ErrorKind::StorageUnavailable),
        ("RAISE(ABORT, 'database is locked')", ErrorKind::StorageBusy),
        ("(SELECT count(*) FROM no_such_table)", ErrorKind::Storage),
    ];
    for (how, kind) in cases {
        let (mut device, shelf) = with_shelf();
        refuse(&mut device, "INSERT", &format!("CASE WHEN NEW.title = 'Dune' THEN {how} END"));
        device.dequeue(["Emma", "Dune"].iter().map(|title| foreign_book(title, shelf.id)).collect());
        let error = device.storage.deserialize(&order(&everything()), &go_on).expect_err("the stage fails");
        assert_eq!(error.kind(), kind, "{how}: {}", error.report());
        assert_eq!(device.titles(), [""; 0], "{how}");
        assert_eq!(device.number("SELECT count(*) FROM morango_store WHERE is_dirty = 1"), 2);
        assert_eq!(device.number("SELECT count(*) FROM morango_store WHERE failure_kind IS NOT NULL"), 0, "{how}");
        assert_eq!(device.number(IS_CAPTURED), 1);
        device.run("DROP TRIGGER refuse");
        assert_eq!(device.deserialize().written, 2, "{how}");
    }
}

#[test]
fn a_trigger_that_forbids_the_way_there_leaves_all_as_it_was() {
    let (mut device, _, books) = super::unique::shelved(&["Emma", "Dune"]);
    device.run(
        "CREATE TRIGGER only_known_titles BEFORE UPDATE ON books WHEN NEW.title NOT IN ('Emma', 'Dune')
         BEGIN SELECT RAISE(ABORT, 'no such title'); END",
    );
    device.dequeue(vec![retitled(&books[0], 2, "Dune"), retitled(&books[1], 2, "Emma")]);
    let report = device.deserialize();
    assert_eq!((report.written, kinds(&report.failures)), (0, vec![WaitingKind::Constraint; 2]));
    assert_eq!(super::unique::title_of(&mut device, &books[0]), "Emma");
    device.run("DROP TRIGGER only_known_titles");
    assert_eq!(device.deserialize().written, 2);
}

#[test]
fn a_deletion_waits_where_it_would_take_a_change_made_here_that_could_not_be_serialized() {
    let (mut device, shelf, book) = cascades::shelved();
    // What no text can hold.
    device.run("UPDATE books SET blurb = x'ff00ff'");
    let serialized = device.storage.serialize(PROFILE, &everything(), &go_on).expect("it goes on");
    assert_eq!(serialized.set_aside_total, 1);

    device.dequeue(vec![deleted(&shelf, 2)]);
    let report = device.deserialize();

    assert_eq!((report.deleted, kinds(&report.failures)), (0, vec![WaitingKind::LocalChangeWaits]), "{report:?}");
    assert!(report.failures[0].reason.contains(&book.id.to_string()), "{:?}", report.failures);
    assert_eq!(device.number("SELECT count(*) FROM books"), 1);
    assert_eq!(device.number("SELECT count(*) FROM morango_mark WHERE reason IS NOT NULL"), 1);
    device.run("UPDATE books SET blurb = 'mended'");
    assert_eq!(device.deserialize().deleted, 2);
    assert!(device.record(book.id).serialized.contains("mended"));
}

/// The library's tables, in which a book takes the title of another, which is gone then.
const REPLACING: Tables = tables(
    "
    CREATE TABLE shelves (id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, parent_id TEXT);
    CREATE TABLE books (
        id TEXT PRIMARY KEY ON CONFLICT REPLACE NOT NULL, shelf_id TEXT NOT NULL, owner TEXT NOT NULL,
        title TEXT NOT NULL UNIQUE ON CONFLICT REPLACE, blurb TEXT
    );",
    Vec::new,
);

#[test]
fn a_table_that_deletes_rows_for_others_by_itself_loses_none() {
    let mut device = Device::with_tables("laptop", REPLACING);
    let shelf = foreign_shelf("fiction", None);
    device.dequeue(vec![shelf.clone()]);
    device.deserialize();
    let (emma, dune) = (foreign_book("Emma", shelf.id), foreign_book("Dune", shelf.id));
    device.dequeue(vec![emma.clone(), dune.clone()]);
    assert_eq!(device.deserialize().written, 2);
    let same = foreign("book", "lib:books:ada", "another", &emma.serialized, &[stamp("other", 2)]);
    device.dequeue(vec![same, retitled(&dune, 2, "Emma")]);
    let report = device.deserialize();
    assert_eq!((report.written, kinds(&report.failures)), (0, vec![WaitingKind::Constraint; 2]), "{report:?}");
    assert_eq!(device.titles(), ["Dune", "Emma"]);
    assert_eq!(device.number(MARKED), 0);
    // Two that swap their titles still do.
    device.dequeue(vec![retitled(&dune, 3, "Emma"), retitled(&emma, 3, "Dune")]);
    assert_eq!(device.deserialize().written, 2);
    assert_eq!(device.titles(), ["Dune", "Emma"]);
}
