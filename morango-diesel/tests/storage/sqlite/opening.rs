//! What can be opened, what cannot, and what is said then.

use std::time::Duration;

use diesel::connection::SimpleConnection;
use morango::ErrorKind;
use morango::port::{Storage as _, WaitingKind, WaitingRecords};
use morango_diesel::SqliteStorage;
use tempfile::TempDir;

use super::database::run_python;
use super::notebook::{CREATE_TABLES, Device};

#[test]
fn a_new_file_is_made_and_knows_itself_again() {
    let device = Device::new();
    let id = device.storage.database_id().expect("an id");
    let again = SqliteStorage::open(device.database.path()).expect("open it again");
    assert_eq!(again.database_id().expect("the same id"), id);
    assert_ne!(again.renew_database_id().expect("a new id"), id);
    assert!(again.location().ends_with("notebook.db"));
    assert_eq!(again.kind(), "sqlite");
}

#[test]
fn what_is_committed_is_on_the_disk_on_every_system() {
    let mut device = Device::new();
    let mut told = |pragma: &str| device.number(&format!("SELECT {pragma} FROM pragma_{pragma}"));
    assert_eq!(told("synchronous"), 2, "FULL");
    assert_eq!((told("fullfsync"), told("checkpoint_fullfsync")), (1, 1));
}

#[test]
fn a_database_of_the_first_version_is_brought_up_to_date_and_keeps_what_it_has() {
    let mut device = Device::without_engine();
    device.connection.batch_execute(CREATE_TABLES).expect("create the application's tables");
    let first = include_str!("../../../src/backend/sqlite.sql");
    device.connection.batch_execute(first).expect("the engine's tables as they were at first");
    device
        .connection
        .batch_execute(
            "INSERT INTO morango_fact (name, value) VALUES ('schema_version', '1');
             INSERT INTO morango_sync_session VALUES
                 (zeroblob(16), 'client', 'notebook', zeroblob(16), zeroblob(16), NULL, NULL, '{}', '{}', '', '', '', '', 1, 2, 1)",
        )
        .expect("a session of that time");
    device.build_engine();
    let kept = device
        .storage
        .sync_session(&morango::id::SyncSessionId::from_bytes([0; 16]))
        .expect("read")
        .expect("it is there");
    assert!(kept.is_active && kept.plan.is_none() && kept.holder.is_none());
    device.build_engine();
}

#[test]
fn what_is_no_database_is_refused_with_its_name() {
    let directory = TempDir::new().expect("a directory");
    let text = directory.path().join("letter.txt");
    std::fs::write(&text, "Dear Ada,\n".repeat(500)).expect("write a letter");
    let error = SqliteStorage::open(&text).expect_err("a letter is no database");
    assert_eq!(error.kind(), ErrorKind::StorageCorrupt, "{}", error.report());
    assert!(error.report().contains("letter.txt") && error.hint().is_some(), "{}", error.report());
    assert_eq!(std::fs::read_to_string(&text).expect("read it"), "Dear Ada,\n".repeat(500), "and stays as it is");

    let error = SqliteStorage::open(directory.path()).expect_err("nor is a directory");
    assert_eq!(error.kind(), ErrorKind::StorageUnavailable);
    assert!(error.report().contains("it is a directory"), "{}", error.report());

    let error = SqliteStorage::open(directory.path().join("nowhere/notes.db")).expect_err("nor what is nowhere");
    assert_eq!(error.kind(), ErrorKind::StorageUnavailable);
    assert!(error.report().contains("create the directory"), "{}", error.report());
}

#[test]
fn a_database_with_texts_in_another_encoding_is_refused() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("wide.db");
    run_python(&format!(
        "import sqlite3\nc = sqlite3.connect({path:?})\nc.execute('PRAGMA encoding = \"UTF-16le\"')\nc.execute('CREATE TABLE t (x)')"
    ));
    let error = SqliteStorage::open(&path).expect_err("its order is not that of characters");
    assert!(error.report().contains("UTF-16le"), "{}", error.report());
}

#[test]
fn a_database_that_another_holds_is_busy_after_the_timeout_and_not_before() {
    let mut device = Device::new();
    device.connection.batch_execute("BEGIN IMMEDIATE").expect("another writes");
    let patient = Duration::from_millis(150);
    let storage = SqliteStorage::builder(device.database.path()).busy_timeout(patient).open().expect("reading goes on");
    let began = std::time::Instant::now();
    let error = storage.renew_database_id().expect_err("writing does not");
    assert!(began.elapsed() >= patient);
    assert_eq!(error.kind(), ErrorKind::StorageBusy, "{}", error.report());
    assert!(error.is_retryable() && error.hint().is_some());
    device.connection.batch_execute("COMMIT").expect("the other is done");
    storage.renew_database_id().expect("now it does");
}

#[test]
fn our_own_threads_queue_instead_of_meeting_a_locked_database() {
    let device = Device::new();
    let storage = SqliteStorage::builder(device.database.path()).busy_timeout(Duration::ZERO).open().expect("open it");
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..12)
            .map(|_| scope.spawn(|| (0..20).map(|_| storage.renew_database_id()).collect::<Result<Vec<_>, _>>()))
            .collect();
        for writer in writers {
            writer.join().expect("no panic").expect("no writer is refused");
        }
    });
}

#[test]
fn a_database_of_the_first_version_is_brought_up_to_date_with_all_that_waits_in_it() {
    let mut device = Device::without_engine();
    device.run(CREATE_TABLES);
    device.run(include_str!("../../../src/backend/sqlite.sql"));
    let id = morango::record::record_id("photos", "cat", "photo");
    let other = morango::record::record_id("photos", "dog", "photo");
    device.run(&format!(
        "INSERT INTO morango_fact VALUES ('schema_version', '1');
         INSERT INTO morango_store (record_id, profile, model_name, partition, source_id, last_saved_instance, last_saved_counter,
             is_deleted, is_hard_deleted, is_dirty, self_reference, failure_kind, failure_reason, record_max_counters, serialized,
             conflicting_serialized_data)
         VALUES (X'{id}', 'notebook', 'photo', 'photos', 'cat', X'{id}', 1, 0, 0, 1, '', 'malformed', 'no JSON', X'', 'no json', ''),
                (X'{other}', 'notebook', 'photo', 'photos', 'dog', X'{id}', 2, 0, 0, 1, '', NULL, NULL, X'', '{{\"name\":\"dog\"}}', '')"
    ));
    device.build_engine();
    let all = WaitingRecords::of("notebook");
    let page = device.storage.waiting(&all, None, 10).expect("what waits");
    let kinds: Vec<_> = page.records.iter().map(|record| (record.kind, record.reason.as_str(), record.since)).collect();
    assert_eq!(kinds, [(WaitingKind::Malformed, "no JSON", None), (WaitingKind::NotTried, "", None)]);
    assert_eq!(device.storage.drop_waiting(&all.clone().ids([id])).expect("it is dropped"), 1);
    device.build_engine();
    assert_eq!(device.storage.waiting(&all.dropped(), None, 10).expect("what was dropped").records.len(), 1);
}
