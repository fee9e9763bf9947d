//! Databases that are none, are damaged, are locked by another, or lack what an engine needs.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use morango::prelude::*;
use morango_diesel::SqliteStorage;
use morango_examples::school;
use morango_tests::device::{Device, SchoolAccounts};
use morango_tests::proxy::Proxy;
use tempfile::TempDir;

use super::papers::Papers;
use super::school::{School, failure, holding, member};
use super::visitor::assert_refused;

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

/// Gives a device a storage that is not patient with locks.
fn make_impatient(device: &mut Device) {
    device.reopen(SqliteStorage::builder(device.database()).busy_timeout(PATIENCE).open().expect("the database"));
}

/// Locks a device's database against writers, as another program would, until it is dropped.
fn lock(device: &Device) -> SqliteConnection {
    lock_file(&device.database())
}

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

#[test]
fn a_server_whose_database_is_locked_asks_for_patience() {
    let mut school = School::open();
    make_impatient(&mut school.city);
    school.url = school.city.serve(SchoolAccounts::admin());
    let visitor = school.visitor();
    let filter = format!("{}:user-rw:ada", school.dataset);
    let push = visitor.open_push(&filter, 1);
    let request = visitor.session_request();
    let record = visitor.record(&push, &filter, "while it is locked");
    let lock = lock(&school.city);
    for answer in [
        visitor.send(morango_tests::http::Request::new("POST", "nonces/")),
        visitor.post("syncsessions/", &request),
        visitor.push(std::slice::from_ref(&record)),
        visitor.delete(&format!("transfersessions/{push}/")),
    ] {
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, 503, "{text}");
        assert_eq!(answer.value()["code"], "storage-busy");
        assert!(!text.contains("school.db") && !text.contains('/'), "nothing of this machine is told: {text}");
    }
    assert_eq!(visitor.get("morangoinfo/1/").status, 200, "what needs no writing goes on");
    assert_eq!(visitor.get(&format!("transfersessions/{push}/")).status, 200);

    let home = member("home");
    let before = holding(&home);
    let error = failure(&home, &school.url, SyncOptions::both_ways());
    assert_eq!(error.kind(), ErrorKind::PeerRefused, "{error:?}");
    assert!(error.is_retryable(), "{error:?}");
    assert_eq!(holding(&home), before);

    drop(lock);
    assert_eq!(visitor.push(&[record]).status, 201, "the same calls go well now");
    visitor.finish_push(&push);
    assert_eq!(visitor.post("syncsessions/", &request).status, 201, "and the nonce was not used up");
    school.assert_syncs(&home);
}

#[test]
fn a_client_whose_database_is_locked_loses_nothing() {
    let school = School::open();
    let mut home = school.synced_member("home");
    make_impatient(&mut home);
    let class = school.add_class(&home, "waits");
    let lock = lock(&home);
    let error = failure(&home, &school.url, SyncOptions::both_ways());
    assert_eq!(error.kind(), ErrorKind::StorageBusy, "{error:?}");
    assert!(error.is_retryable());
    drop(lock);
    home.sync(&school.url, &Papers::member().certificate(), SyncOptions::both_ways());
    assert!(school.city.store().contains_key(&class));
    school.assert_syncs(&home);
}

#[test]
fn a_database_that_gets_locked_at_any_call_of_a_sync_loses_nothing() {
    let mut school = School::open();
    make_impatient(&mut school.city);
    school.url = school.city.serve(SchoolAccounts::admin());
    let mut home = member("home");
    make_impatient(&mut home);
    let certificate = Papers::member().certificate();
    home.sync(&school.url, &certificate, SyncOptions::both_ways());
    for call in [
        "POST nonces/",
        "POST syncsessions/",
        "POST transfersessions/",
        "PATCH transfersessions/ID/",
        "GET buffers/",
        "POST buffers/",
        "DELETE transfersessions/ID/",
    ] {
        for path in [home.database(), school.city.database()] {
            println!("{call}, {}", path.display());
            let (here, there) = (school.add_class(&home, call), school.add_class(&school.city, call));
            // The lock is held for a few calls: a client may well wait for a server that is busy.
            let held: Arc<Mutex<(usize, Option<SqliteConnection>)>> = Arc::default();
            let holder = Arc::clone(&held);
            let proxy = Proxy::start(&school.url, move |request, onward| {
                let mut holder = holder.lock().expect("no story panics with the lock");
                if holder.0 > 0 || request.call() == call {
                    holder.0 += 1;
                }
                match holder.0 {
                    1 => holder.1 = Some(lock_file(&path)),
                    5 => holder.1 = None,
                    _ => {}
                }
                drop(holder);
                onward.forward(request)
            });
            let peer = super::school::impatient(&proxy.url());
            if let Err(error) = home.engine.sync(&peer, &certificate, SyncOptions::both_ways()) {
                println!("  {error:?}");
                assert!(
                    matches!(
                        error.kind(),
                        ErrorKind::StorageBusy | ErrorKind::PeerRefused | ErrorKind::PeerStageFailed
                    ),
                    "{error:?}"
                );
            }
            held.lock().expect("no story panics with the lock").1 = None;
            home.sync(&school.url, &certificate, SyncOptions::both_ways());
            assert!(home.store().contains_key(&there) && school.city.store().contains_key(&here));
        }
    }
    assert!(home.waiting().is_empty() && school.city.waiting().is_empty());
    school.assert_syncs(&home);
}

#[test]
fn a_server_whose_database_fails_says_so_and_nothing_of_itself() {
    let school = School::open();
    let visitor = school.visitor();
    let connection = &mut school.city.connect();
    connection.batch_execute("ALTER TABLE morango_nonce RENAME TO elsewhere").expect("a table that is not there");
    let answer = visitor.send(morango_tests::http::Request::new("POST", "nonces/"));
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!((answer.status, answer.value()["code"].as_str()), (500, Some("storage")), "{text}");
    for word in ["morango_nonce", "school.db", "no such table", "INSERT"] {
        assert!(!text.contains(word), "{text}");
    }
    connection.batch_execute("ALTER TABLE elsewhere RENAME TO morango_nonce").expect("it is back");
    assert_refused(&visitor.get("syncsessions/none/"), 404, "session-unknown", "");
    school.assert_works_on();
}
