//! Changes of rows whose ids are of the database's own type: each mark bears the 32 digits of the row's id.

use morango::id::SyncId;

use super::notebook::{CREATE_TABLES, Device};

#[test]
fn rows_of_every_statement_are_marked_by_the_digits_of_their_ids() {
    let mut device = Device::without_engine();
    device.run(CREATE_TABLES);
    let (ada, note, other) = (SyncId::random(), SyncId::random(), SyncId::random());
    device.run(&format!("INSERT INTO owners (id, name) VALUES ('{ada}', 'Ada')"));
    device.build_engine();
    assert_eq!(device.marks(), [format!("owner:{ada}:0")], "it was there before");
    device.run("DELETE FROM morango_mark");

    device.run(&format!("INSERT INTO notes (id, owner_id, title) VALUES ('{note}', '{ada}', 'milk')"));
    assert_eq!(device.marks(), [format!("note:{note}:0")]);
    device.run(&format!("DELETE FROM morango_mark; UPDATE notes SET id = '{other}'"));
    let mut expected = [format!("note:{note}:0"), format!("note:{other}:0")];
    expected.sort();
    assert_eq!(device.marks(), expected, "the one is gone, and the other is there");
    device.run("DELETE FROM morango_mark; TRUNCATE notes");
    assert_eq!(device.marks(), [format!("note:{other}:0")]);
}

#[test]
fn a_row_that_is_gone_without_a_trace_is_found() {
    let mut device = Device::new();
    let ada = device.owner("Ada");
    let (gone, stays) = (device.note(&ada, "gone"), device.note(&ada, "stays"));
    device.serialize();
    device.run(&format!(
        "SET session_replication_role = replica; DELETE FROM notes WHERE id = '{}'; SET session_replication_role = origin",
        gone.id
    ));
    assert_eq!(device.storage.find_displaced().expect("look"), 1);
    assert_eq!(device.storage.find_displaced().expect("look again"), 0);
    assert_eq!(device.serialize().deleted, 1);
    assert!(device.record(gone.id).deleted && !device.record(stays.id).deleted);
}
