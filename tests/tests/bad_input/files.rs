//! Files that are no databases, are damaged, are locked by another, or lack what an engine needs.

use std::fs;
use std::path::Path;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use morango::prelude::*;
use morango_diesel::SqliteStorage;
use morango_examples::school;
use morango_tests::device::Device;
use tempfile::TempDir;

/// How long a statement waits for a lock in these stories.
const PATIENCE: Duration = Duration::from_millis(30);

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Opens a database file as an application does, up to the engine.
fn open(path: &Path) -> morango::Result<Engine> {
    Engine::builder(SqliteStorage::builder(path).busy_timeout(PATIENCE).open()?).build()
}

#[track_caller]
fn refusal(path: &Path, kind: ErrorKind) -> morango::Error {
    let error = open(path).expect_err("it is no database for an engine");
    assert_eq!(error.kind(), kind, "{error:?}");
    let name = path.file_name().expect("a name").to_str().expect("a text");
    assert!(error.report().contains(name), "{error:?} names the file");
    error
}

/// Locks a database against writers, as another program would, until it is dropped.
fn lock_file(path: &Path) -> SqliteConnection {
    let mut other = SqliteConnection::establish(path.to_str().expect("a text")).expect("a connection");
    other.batch_execute("PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE").expect("the lock");
    other
}

#[test]
fn a_file_that_is_no_database_is_left_as_it_is() {
    let folder = folder();
    let texts = [b"This is a letter to Ada.".repeat(100), vec![0xff; 10_000], b"SQLite format 3\0 or not".repeat(100)];
    for (number, text) in texts.iter().enumerate() {
        let path = folder.path().join(format!("letter-{number}.db"));
        fs::write(&path, text).expect("a file");
        let error = refusal(&path, ErrorKind::StorageCorrupt);
        assert!(!error.is_retryable());
        assert_eq!(&fs::read(&path).expect("the file"), text);
    }
}

#[test]
fn a_path_that_cannot_be_a_database_is_told_with_advice() {
    let folder = folder();
    let error = refusal(folder.path(), ErrorKind::StorageUnavailable);
    assert!(error.hint().is_some_and(|hint| hint.contains("file")), "{error:?}");
    let error = refusal(&folder.path().join("not/there/school.db"), ErrorKind::StorageUnavailable);
    assert!(error.hint().is_some_and(|hint| hint.contains("create the directory")), "{error:?}");
    assert!(!folder.path().join("not").exists());
}

#[test]
fn a_damaged_database_is_told_and_not_written_to() {
    let device = Device::new("damaged");
    device.found_school();
    device.serialize();
    let mut connection = device.connect();
    connection.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)").expect("all of it in the file");
    let whole = fs::read(device.database()).expect("the file");
    let folder = folder();
    for (name, change) in [
        ("cut", &(|bytes: &mut Vec<u8>| bytes.truncate(bytes.len() / 2)) as &dyn Fn(&mut Vec<u8>)),
        ("scribbled", &|bytes: &mut Vec<u8>| bytes[100..4_096].fill(0xa5)),
        ("overwritten", &|bytes: &mut Vec<u8>| bytes[4_096..].fill(0x5a)),
    ] {
        let mut bytes = whole.clone();
        change(&mut bytes);
        let path = folder.path().join(format!("{name}.db"));
        fs::write(&path, &bytes).expect("a file");
        println!("{name}");
        refusal(&path, ErrorKind::StorageCorrupt);
    }
    open(&device.database()).expect("the whole one is good");
}

#[test]
fn a_database_without_the_tables_of_the_models_is_told_which() {
    let folder = folder();
    let path = folder.path().join("empty.db");
    let error = open(&path).expect_err("there is no table");
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error:?}");
    assert!(error.report().contains("dataset"), "{error:?} names a table");
    assert!(error.hint().is_some(), "{error:?}");
    let mut connection = SqliteConnection::establish(path.to_str().expect("a text")).expect("a connection");
    school::create_tables(&mut connection).expect("the school's tables");
    morango_tests::sampler::create_table(&mut connection).expect("the sampler's table");
    open(&path).expect("with its tables it opens");
}

#[test]
fn a_database_whose_texts_are_in_another_encoding_is_refused() {
    let folder = folder();
    let path = folder.path().join("wide.db");
    let mut connection = SqliteConnection::establish(path.to_str().expect("a text")).expect("a connection");
    connection.batch_execute("PRAGMA encoding = 'UTF-16'; CREATE TABLE dataset (id TEXT)").expect("a database");
    let error = refusal(&path, ErrorKind::StorageUnavailable);
    assert!(error.hint().is_some_and(|hint| hint.contains("UTF-8")), "{error:?}");
}

#[test]
fn a_database_that_is_locked_may_be_opened_later() {
    let device = Device::new("locked");
    let path = device.file("another.db");
    device.connect().batch_execute("PRAGMA wal_checkpoint(TRUNCATE)").expect("all of it in the file");
    fs::copy(device.database(), &path).expect("a copy");
    let lock = lock_file(&path);
    let error = refusal(&path, ErrorKind::StorageBusy);
    assert!(error.is_retryable());
    drop(lock);
    open(&path).expect("it is free");
}
