//! What only SQLite does: conflict clauses, rows that displace others, columns of any type.

use morango::id::SyncId;
use morango::port::{Storage as _, WaitingKind};

use super::library;
use super::notebook::{CREATE_TABLES, Device};

#[test]
fn no_conflict_clause_outside_gets_in_the_way_of_a_mark() {
    for clause in ["ABORT", "FAIL", "IGNORE", "REPLACE", "ROLLBACK"] {
        let mut device = Device::new();
        let ada = device.owner("Ada");
        let note = device.note(&ada, "milk");
        device.serialize();
        let id = note.id;
        // Twice: the second one meets the mark of the first.
        for title in ["bread", "butter"] {
            device.run(&format!("UPDATE OR {clause} notes SET title = '{title}' WHERE id = '{id}'"));
            assert_eq!(device.marks(), [format!("note:{id}:0")], "UPDATE OR {clause}");
        }
        device.run(&format!("DELETE FROM notes WHERE id = '{id}'"));
        let insert =
            format!("INSERT OR {clause} INTO notes (id, owner_id, title) VALUES ('{id}', '{}', 'jam')", ada.id);
        device.run(&insert);
        assert_eq!(device.marks(), [format!("note:{id}:0")], "INSERT OR {clause}");
        device.database.run_elsewhere(&[&format!("UPDATE OR {clause} notes SET title = 'tea' WHERE id = '{id}'")]);
        assert_eq!(device.serialize().updated, 1);
        assert!(device.record(id).serialized.contains("tea"), "{clause}");
    }
}

#[test]
fn a_row_that_is_replaced_by_another_is_noticed_here_and_found_afterwards_from_elsewhere() {
    let mut device = Device::new();
    let ada = device.owner("Ada");
    let (one, other) = (device.note(&ada, "one"), device.note(&ada, "other"));
    device.run(&format!("UPDATE notes SET slug = 'list' WHERE id = '{}'", one.id));
    device.serialize();
    let replace = |id: SyncId| {
        format!(
            "INSERT OR REPLACE INTO notes (id, owner_id, title, slug) VALUES ('{id}', '{}', 'other', 'list')",
            ada.id
        )
    };
    // Our connections have their triggers see it.
    device.run(&replace(other.id));
    let mut expected = [format!("note:{}:0", one.id), format!("note:{}:0", other.id)];
    expected.sort();
    assert_eq!(device.marks(), expected);
    assert_eq!((device.serialize().updated, device.storage.find_displaced().expect("look")), (1, 0));

    // Another program's do not, and the row is gone without a trace.
    let third = device.note(&ada, "third");
    device.serialize();
    device.database.run_elsewhere(&[&replace(third.id)]);
    assert_eq!(device.marks(), [format!("note:{}:0", third.id)]);
    assert_eq!(device.storage.find_displaced().expect("look"), 1);
    assert_eq!(device.storage.find_displaced().expect("look again"), 0);
    assert_eq!(device.serialize().deleted, 1);
    assert!(device.record(other.id).deleted && !device.record(third.id).deleted);
}

#[test]
fn a_row_without_an_id_is_told_of_and_does_not_stop_the_application() {
    let mut device = Device::without_engine();
    device.run(&CREATE_TABLES.replace("id BLOB NOT NULL PRIMARY KEY", "id BLOB PRIMARY KEY"));
    device.build_engine();
    device.run("INSERT INTO photos (id, name) VALUES (NULL, 'cat')");
    device.run("INSERT INTO photos (id, name) VALUES (7, 'dog')");
    device.run("INSERT INTO photos (id, name) VALUES (0.5, 'cow')");
    let report = device.serialize();
    assert_eq!((report.new, report.set_aside_total), (0, 3), "{report:?}");
    device.run("DELETE FROM photos");
    assert_eq!(device.serialize().set_aside_total, 0);
    assert!(device.marks().is_empty());
}

#[test]
fn a_change_that_could_not_be_serialized_is_not_written_over_either() {
    let mut device = library::Device::new("laptop");
    let shelf = library::foreign_shelf("fiction", None);
    let book = library::foreign_book("Emma", shelf.id);
    device.dequeue(vec![shelf, book.clone()]);
    device.deserialize();
    // What no text can hold.
    device.run("UPDATE books SET blurb = x'ff00ff'");
    let serialized =
        device.storage.serialize(library::PROFILE, &library::everything(), &library::go_on).expect("it goes on");
    assert_eq!(serialized.set_aside_total, 1);
    device.dequeue(vec![super::library::changed(&book, 2, |record| {
        record.serialized = record.serialized.replace("Emma", "Emma, again");
    })]);
    let report = device.deserialize();
    assert_eq!((report.written, library::kinds(&report.failures)), (0, vec![WaitingKind::LocalChangeWaits]));
    assert_eq!(device.number("SELECT count(*) FROM books WHERE title = 'Emma'"), 1);
}
