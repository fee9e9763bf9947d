//! Databases of a server that are not there, let nobody in, are locked by another, or lack what an engine needs.

use std::time::Duration;

use diesel::prelude::*;
use morango::prelude::*;
use morango_diesel::PostgresStorage;
use morango_examples::school;
use morango_tests::database::Database;
use morango_tests::device::Device;
use morango_tests::postgres::TestDatabase;

/// How long a statement waits for a lock in these stories.
const PATIENCE: Duration = Duration::from_millis(30);

const PASSWORD: &str = "correct-horse-battery";

/// Opens a database as an application does, up to the engine.
fn open(url: &str) -> morango::Result<Engine> {
    Engine::builder(PostgresStorage::builder(url).lock_timeout(PATIENCE).open()?).build()
}

#[track_caller]
fn refusal(url: &str, kind: ErrorKind) -> morango::Error {
    let error = open(url).expect_err("it is no database for an engine");
    assert_eq!(error.kind(), kind, "{url}: {error:?}");
    assert!(!error.report().contains(PASSWORD) && !format!("{error:?}").contains(PASSWORD), "{error:?}");
    error
}

/// The same URL with another user, or another database.
fn changed(url: &str, user: &str, database: &str) -> String {
    let (_, place) = url.rsplit_once('@').expect("a URL such as postgres://user@host:port/database");
    let (host, _) = place.split_once('/').expect("it names a database");
    format!("postgres://{user}:{PASSWORD}@{host}/{database}")
}

#[test]
fn a_server_a_database_or_a_user_that_is_not_there_is_told_with_advice_and_without_the_password() {
    let database = TestDatabase::create();
    for (url, named) in [
        (format!("postgres://postgres:{PASSWORD}@127.0.0.1:1/school"), "127.0.0.1:1"),
        (changed(database.url(), "postgres", "no_such_school"), "no_such_school"),
        (changed(database.url(), "nobody_of_that_name", "postgres"), "nobody_of_that_name"),
    ] {
        let error = refusal(&url, ErrorKind::StorageUnavailable);
        assert!(error.report().contains(named) && error.hint().is_some(), "{error:?}");
    }
}

#[test]
fn what_is_no_url_of_a_database_is_told() {
    for url in
        ["mysql://127.0.0.1/school", "postgres://[half an address/school", "no url", "postgres://127.0.0.1:port/a"]
    {
        let error = refusal(url, ErrorKind::StorageUnavailable);
        assert!(error.hint().is_some(), "{url}: {error:?}");
    }
}

#[test]
fn a_database_without_the_tables_of_the_models_is_told_which() {
    let database = TestDatabase::create();
    let error = refusal(database.url(), ErrorKind::Configuration);
    assert!(error.report().contains("dataset"), "{error:?} names a table");
    assert!(error.hint().is_some(), "{error:?}");
    let mut connection = PgConnection::establish(database.url()).expect("a connection");
    school::create_postgres_tables(&mut connection).expect("the school's tables");
    morango_tests::sampler::create_postgres_table(&mut connection).expect("the sampler's table");
    open(database.url()).expect("with its tables it opens");
}

#[test]
fn a_database_whose_texts_are_in_another_encoding_is_refused() {
    for encoding in ["LATIN1", "SQL_ASCII"] {
        let database = TestDatabase::create_in(encoding);
        let error = refusal(database.url(), ErrorKind::StorageUnavailable);
        assert!(error.hint().is_some_and(|hint| hint.contains("UTF")), "{encoding}: {error:?}");
    }
}

#[test]
fn a_database_that_is_locked_may_be_opened_later() {
    let device = Device::on(Database::Postgres, "locked");
    let take = device.holder();
    let lock = take("BEGIN; LOCK TABLE morango_instance IN ACCESS EXCLUSIVE MODE");
    let error = refusal(device.postgres_url(), ErrorKind::StorageBusy);
    assert!(error.is_retryable() && error.hint().is_some(), "{error:?}");
    lock.commit();
    open(device.postgres_url()).expect("it is free");
}
