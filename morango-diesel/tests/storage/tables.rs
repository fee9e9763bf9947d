//! What a storage asks of the tables that it finds, the application's and its own.

use morango::ErrorKind;
use morango::port::Storage as _;

use super::database::TRIGGERS;
use super::notebook::{CREATE_TABLES, Device, registry};

#[test]
fn a_newer_schema_is_left_alone() {
    let mut device = Device::new();
    device.run("UPDATE morango_fact SET value = '99' WHERE name = 'schema_version'");
    let error = device.storage.prepare(&registry()).expect_err("we do not know it");
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.report().contains("version 99") && error.hint().is_some(), "{}", error.report());
}

#[test]
fn a_table_that_is_not_what_the_model_says_is_named() {
    let device = Device::without_engine();
    let error = device.storage.prepare(&registry()).expect_err("no tables");
    assert!(error.report().contains("\"owners\" is not there"), "{}", error.report());

    let mut device = Device::without_engine();
    device.run(&CREATE_TABLES.replace("title TEXT NOT NULL,", ""));
    let error = device.storage.prepare(&registry()).expect_err("a column is missing");
    assert!(error.report().contains("has no column title"), "{}", error.report());

    let mut device = Device::without_engine();
    device.run(&CREATE_TABLES.replace("id BLOB NOT NULL PRIMARY KEY", "id BLOB NOT NULL UNIQUE"));
    let error = device.storage.prepare(&registry()).expect_err("the id is no key");
    assert!(error.report().contains("is not the primary key"), "{}", error.report());
    assert_eq!(device.number(TRIGGERS), 0, "and nothing was left behind");
}

#[test]
fn a_verb_before_prepare_says_what_is_missing() {
    let device = Device::without_engine();
    let error = device.storage.find_displaced().expect_err("no models yet");
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.hint().is_some());
}

#[test]
fn a_new_database_is_made_ready_and_knows_itself_again() {
    let device = Device::new();
    let id = device.storage.database_id().expect("an id");
    let again = device.database.open();
    assert_eq!(again.database_id().expect("the same id"), id);
    assert_ne!(again.renew_database_id().expect("a new id"), id);
}
