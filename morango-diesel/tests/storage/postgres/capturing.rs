//! What only PostgreSQL does: one statement for many rows, TRUNCATE, other schemas, other roles, settings of a session.

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use morango::ErrorKind;
use morango::id::SyncId;
use morango::port::Storage as _;
use morango_diesel::{PostgresStorage, RecordConnection as _};

use super::database::{Database, IS_CAPTURED, TRIGGERS};
use super::notebook::{CREATE_TABLES, Device, go_on, instance, registry};

#[test]
fn a_table_that_is_truncated_has_all_of_its_rows_deleted() {
    let mut device = Device::new();
    let (cat, dog) = (device.photo("cat"), device.photo("dog"));
    device.serialize();
    device.database.run_elsewhere(&["TRUNCATE photos"]);
    assert_eq!(device.serialize().deleted, 2);
    assert!(device.record(cat.id).deleted && device.record(dog.id).deleted);
}

#[test]
fn one_statement_over_many_rows_marks_each_of_them() {
    let mut device = Device::new();
    let ada = device.owner("Ada");
    for number in 0..50 {
        device.note(&ada, &number.to_string());
    }
    device.serialize();
    device.database.run_elsewhere(&["UPDATE notes SET title = title || '!'"]);
    assert_eq!(device.marks().len(), 50);
    device.database.run_elsewhere(&["DELETE FROM owners"]);
    assert_eq!(device.serialize().deleted, 51, "the cascade too");
}

#[test]
fn rows_that_are_copied_in_are_marked() {
    let mut device = Device::new();
    let cat = morango::record::record_id("photos", "cat", "photo");
    device.database.run_elsewhere(&[
        &format!("CREATE TABLE album AS SELECT X'{cat}'::BLOB AS id, 'cat' AS name"),
        "INSERT INTO photos SELECT id, name FROM album ON CONFLICT (id) DO UPDATE SET name = excluded.name",
        "INSERT INTO photos SELECT id, name FROM album ON CONFLICT (id) DO UPDATE SET name = excluded.name",
    ]);
    assert_eq!(device.marks(), [format!("photo:{cat}:0")]);
    assert_eq!(device.serialize().new, 1);
}

#[test]
fn capture_is_off_in_our_own_transaction_and_for_nobody_else() {
    let mut device = Device::new();
    let cat = device.photo("cat");
    device.serialize();
    let Device { connection, database, .. } = &mut device;
    connection
        .hard_deleting(|connection| {
            diesel::sql_query("UPDATE photos SET name = 'lion'").execute(connection).expect("update");
            database
                .run_elsewhere(&["INSERT INTO photos (id, name) VALUES (X'0123456789abcdef0123456789abcdef', 'dog')"]);
            Ok(())
        })
        .expect("it is done");
    let mut expected = [format!("photo:{}:0", cat.id), "photo:0123456789abcdef0123456789abcdef:0".to_owned()];
    expected.sort();
    assert_eq!(device.marks(), expected);
    assert_eq!(device.number(IS_CAPTURED), 1);
}

#[test]
fn a_trigger_that_was_switched_off_is_switched_on_and_what_changed_meanwhile_is_found() {
    let mut device = Device::new();
    let cat = device.photo("cat");
    device.serialize();
    device.run("ALTER TABLE photos DISABLE TRIGGER USER");
    device.run("UPDATE photos SET name = 'lion'");
    assert!(device.marks().is_empty());
    device.build_engine();
    assert_eq!(device.serialize().updated, 1);
    device.run("SET session_replication_role = replica; DELETE FROM photos; SET session_replication_role = origin");
    assert_eq!(device.storage.find_displaced().expect("look"), 1);
    assert_eq!(device.serialize().deleted, 1);
    assert!(device.record(cat.id).deleted);
}

#[test]
fn a_role_without_any_right_on_our_tables_is_captured() {
    let mut device = Device::new();
    let role = format!("clerk_{}", SyncId::random());
    device.run(&format!("CREATE ROLE {role}; GRANT INSERT, SELECT ON photos TO {role}"));
    device.run(&format!(
        "SET ROLE {role}; INSERT INTO photos (id, name) VALUES (X'0123456789abcdef0123456789abcdef', 'cat'); RESET ROLE"
    ));
    assert_eq!(device.marks().len(), 1);
    device.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn two_engines_with_their_tables_in_schemas_of_their_own_do_not_meet() {
    let database = Database::new();
    let mut connection = database.plain_connection();
    let stored = ["school", "Home \"2\""].map(|schema| {
        let storage = PostgresStorage::builder(database.url()).schema(schema).open().expect("open it");
        let mut own = storage.connect().expect("connect to it");
        own.batch_execute(&super::database::dialect(CREATE_TABLES)).expect("tables of its own");
        storage.prepare(&registry()).expect("prepare");
        storage.adopt_instance(&instance("this device")).expect("adopt");
        diesel::sql_query("INSERT INTO photos (id, name) VALUES (decode($1, 'hex'), 'cat')")
            .bind::<diesel::sql_types::Text, _>(morango::record::record_id("photos", "cat", "photo").to_string())
            .execute(&mut own)
            .expect("a photo");
        storage.serialize("notebook", &morango::scope::Filter::everything(), &go_on).expect("serialize").new
    });
    assert_eq!(stored, [1, 1]);
    connection
        .batch_execute("SELECT 1 FROM school.morango_store; SELECT 1 FROM \"Home \"\"2\"\"\".morango_store")
        .expect("both");
}

#[test]
fn a_text_that_no_column_of_the_server_can_hold_is_kept_and_passed_on() {
    use super::library::{Device, everything, foreign, has, stamp};
    let (device, other) = (Device::new("laptop"), Device::new("other"));
    let text = "{\"title\":\"a\0b\"} \\ \\x00 '";
    let mut record = foreign("book", "lib:books:ada", "1", text, &[stamp("other", 1)]);
    record.conflicting_serialized_data = "\0\n".to_owned();
    device.dequeue(vec![record.clone()]);
    assert_eq!(device.record(record.id), record);
    let session = device.session(morango::session::Side::Server, morango::session::Direction::Pull, &everything());
    assert_eq!(device.storage.queue(&session, &has(&[])).expect("it queues"), 1);
    other.dequeue(device.storage.queued_chunk(&session.id, 0, 10).expect("a chunk").records);
    assert_eq!(other.record(record.id), record);
    assert_eq!(device.deserialize().failures_total, 1, "it is no JSON");
}

#[test]
fn a_table_whose_rows_change_through_another_is_refused() {
    const WHOLE: &str = "id UUID NOT NULL PRIMARY KEY, name TEXT NOT NULL";
    for divided in [
        format!("CREATE TABLE owners ({WHOLE}) PARTITION BY HASH (id)"),
        format!(
            "CREATE TABLE everybody ({WHOLE}) PARTITION BY HASH (id);
             CREATE TABLE owners PARTITION OF everybody FOR VALUES WITH (MODULUS 1, REMAINDER 0)"
        ),
        format!("CREATE TABLE owners ({WHOLE}); CREATE TABLE heirs () INHERITS (owners)"),
        format!("CREATE TABLE everybody (name TEXT NOT NULL); CREATE TABLE owners ({WHOLE}) INHERITS (everybody)"),
    ] {
        let mut device = Device::without_engine();
        device.run(&divided);
        let error = device.storage.prepare(&registry()).expect_err("its triggers would not see each change");
        assert_eq!(error.kind(), ErrorKind::Configuration, "{divided}");
        assert!(error.report().contains("\"owners\" is partitioned") && error.hint().is_some(), "{}", error.report());
        assert_eq!(device.number(TRIGGERS), 0, "and nothing was left behind");
    }
}
