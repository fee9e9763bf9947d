//! What notices changes: triggers, and what becomes of them.

use diesel::prelude::*;
use morango::id::SyncId;
use morango::port::Storage as _;
use morango_diesel::{RecordConnection as _, Syncable as _};

use super::database::{IS_CAPTURED, TRIGGERS, TRIGGERS_OF_MODEL, drop_capture};
use super::notebook::{CREATE_TABLES, Device, Photo, notes, photos, registry};
use super::serializing::saved_elsewhere;

#[test]
fn rows_written_through_diesel_are_marked_until_they_are_serialized() {
    let mut device = Device::new();
    let ada = device.owner("Ada");
    let note = device.note(&ada, "milk");
    assert_eq!(device.marks(), [format!("note:{}:0", note.id), format!("owner:{}:0", ada.id)]);
    device.serialize();
    assert!(device.marks().is_empty());
    diesel::update(notes::table.find(note.id))
        .set(notes::title.eq("bread"))
        .execute(&mut device.connection)
        .expect("update");
    assert_eq!(device.marks(), [format!("note:{}:0", note.id)]);
    device.serialize();
    diesel::delete(notes::table.find(note.id)).execute(&mut device.connection).expect("delete");
    assert_eq!(device.marks(), [format!("note:{}:0", note.id)]);
}

#[test]
fn another_program_is_noticed_whatever_it_is() {
    let mut device = Device::new();
    let ada = device.owner("Ada");
    let (milk, bread) = (device.note(&ada, "milk"), device.note(&ada, "bread"));
    let photo = device.photo("cat");
    device.serialize();
    device.database.run_elsewhere(&[
        &format!("UPDATE notes SET title = 'oat milk' WHERE id = '{}'", milk.id),
        &format!("DELETE FROM notes WHERE id = '{}'", bread.id),
        &format!("UPDATE photos SET name = 'dog' WHERE id = X'{}'", photo.id),
    ]);
    let mut expected = [format!("note:{}:0", milk.id), format!("note:{}:0", bread.id), format!("photo:{}:0", photo.id)];
    expected.sort();
    assert_eq!(device.marks(), expected);
}

#[test]
fn a_row_that_gets_another_id_is_marked_under_both() {
    let mut device = Device::new();
    let photo = device.photo("cat");
    device.serialize();
    let other = SyncId::random();
    device.run(&format!("UPDATE photos SET id = X'{other}' WHERE id = X'{}'", photo.id));
    let mut expected = [format!("photo:{}:0", photo.id), format!("photo:{other}:0")];
    expected.sort();
    assert_eq!(device.marks(), expected);
}

#[test]
fn rows_that_were_there_before_are_marked_once() {
    let mut device = Device::without_engine();
    device.run(CREATE_TABLES);
    let id = morango::record::record_id("photos", "cat", "photo");
    device.run(&format!("INSERT INTO photos (id, name) VALUES (X'{id}', 'cat')"));
    device.build_engine();
    assert_eq!(device.marks(), [format!("photo:{id}:0")]);
    assert_eq!(device.serialize().new, 1);
    device.build_engine();
    assert!(device.marks().is_empty(), "a second start finds everything as it is to be");
}

#[test]
fn a_table_that_is_built_anew_is_captured_again_and_what_changed_meanwhile_is_found() {
    let mut device = Device::new();
    let (cat, dog) = (device.photo("cat"), device.photo("dog"));
    device.serialize();
    device.run(
        "CREATE TABLE new_photos (id BLOB NOT NULL PRIMARY KEY, name TEXT NOT NULL);
         INSERT INTO new_photos SELECT id, name FROM photos; DROP TABLE photos; ALTER TABLE new_photos RENAME TO photos;",
    );
    device.run(&format!("UPDATE photos SET name = 'lion' WHERE id = X'{}'", cat.id));
    assert!(device.marks().is_empty());
    device.build_engine();
    let counter = device.counter();
    let report = device.serialize();
    assert_eq!((report.updated, report.new, report.set_aside_total), (1, 0, 0));
    assert_eq!(device.record(cat.id).last_saved.counter, counter + 1);
    assert!(device.record(dog.id).last_saved.counter <= counter, "the other one keeps its stamp");
    device.run(&format!("DELETE FROM photos WHERE id = X'{}'", dog.id));
    assert_eq!(device.marks(), [format!("photo:{}:0", dog.id)]);
}

#[test]
fn a_model_that_one_program_lacks_is_captured_for_those_that_have_it() {
    let mut device = Device::new();
    let eve = device.owner("Eve");
    device.serialize();
    let fewer = morango::model::Registry::builder().model::<Photo>().build().expect("a registry");
    device.storage.prepare(&std::sync::Arc::new(fewer)).expect("prepare");
    assert_eq!(device.number(TRIGGERS), 3 * TRIGGERS_OF_MODEL);
    device.run(&format!("DELETE FROM owners WHERE id = '{}'", eve.id));
    assert_eq!(device.marks(), [format!("owner:{}:0", eve.id)]);
    device.storage.prepare(&registry()).expect("prepare");
    assert_eq!(device.serialize().deleted, 1);
}

#[test]
fn a_table_that_is_built_anew_is_no_change_made_beside_what_waits() {
    let mut device = Device::new();
    let (cat, dog) = (device.photo("cat"), device.photo("dog"));
    device.serialize();
    device.storage.note_told().expect("it is told");
    let newer =
        |id, name| saved_elsewhere(&device.record(id), |record| record.serialized = format!(r#"{{"name":"{name}"}}"#));
    device.dequeue(vec![newer(cat.id, "lion"), newer(dog.id, "wolf")]);
    device.run(
        "CREATE TABLE new_photos (id BLOB NOT NULL PRIMARY KEY, name TEXT NOT NULL);
         INSERT INTO new_photos SELECT id, name FROM photos; DROP TABLE photos; ALTER TABLE new_photos RENAME TO photos;",
    );
    device.run(&format!("UPDATE photos SET name = 'fox' WHERE id = X'{}'", dog.id));
    device.build_engine();
    let report = device.deserialize();
    assert_eq!((report.written, report.conflicts), (1, 1), "{report:?}");
    let names: Vec<String> = device.all::<Photo>().into_iter().map(|photo| photo.name).collect();
    assert!(names.contains(&"lion".to_owned()) && names.contains(&"fox".to_owned()), "{names:?}");
    assert!(device.record(dog.id).conflicting_serialized_data.contains("wolf"));
}

/// The application called its owners otherwise from some version on.
#[test]
fn a_model_under_a_new_name_is_captured_once() {
    let mut device = Device::new();
    device.run("UPDATE morango_model SET name = 'keeper' WHERE name = 'owner'");
    device.build_engine();
    assert_eq!(device.number(TRIGGERS), 3 * TRIGGERS_OF_MODEL);
    device.serialize();
    device.owner("Eve");
    assert_eq!(device.marks().len(), 1);
}

#[test]
fn creating_a_row_where_nothing_is_captured_says_what_to_do() {
    let mut device = Device::without_engine();
    device.run(CREATE_TABLES);
    let cat = || Photo { id: SyncId::unset(), name: "cat".to_owned() };
    let error = cat().create(&mut device.connection).expect_err("no tables of ours");
    assert!(error.hint().expect("a hint").contains("build an engine"), "{}", error.report());
    device.build_engine();
    let statements = drop_capture(&mut device.connection);
    device.run(&statements);
    let error = cat().create(&mut device.connection).expect_err("no triggers");
    assert!(error.hint().expect("a hint").contains("build an engine"), "{}", error.report());
    assert_eq!(device.number("SELECT count(*) FROM photos"), 0, "nothing was inserted");
}

#[test]
fn a_panic_in_a_hard_deletion_leaves_deletions_as_they_were() {
    let mut device = Device::new();
    let cat = device.photo("cat");
    device.serialize();
    let connection = &mut device.connection;
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        connection.hard_deleting::<()>(|_| panic!("the application's own"))
    }));
    assert!(panic.is_err());
    device.connection = device.storage.connect().expect("another connection");
    diesel::delete(photos::table).execute(&mut device.connection).expect("delete");
    assert_eq!(device.marks(), [format!("photo:{}:0", cat.id)]);
    assert_eq!(device.number(IS_CAPTURED), 1);
}
