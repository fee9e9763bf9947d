//! The disk beneath a real database: it fails where it was told to, and nowhere else.

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use morango_faulty_disk::{Call, Disk, Failing, Lasting, Says, install};
use tempfile::TempDir;

fn database(name: &str) -> (TempDir, SqliteConnection, Disk) {
    install();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    let mut connection = SqliteConnection::establish(path.to_str().expect("a name")).expect("a database");
    connection
        .batch_execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE note (text TEXT)")
        .expect("a table");
    let disk = Disk::beneath(&path);
    (folder, connection, disk)
}

const WRITE: &str = "INSERT INTO note VALUES ('milk')";

fn what_it_says(connection: &mut SqliteConnection) -> String {
    connection.batch_execute(WRITE).expect_err("the disk fails").to_string()
}

#[test]
fn the_call_that_is_to_fail_fails_and_those_after_it_do_not() {
    let (_folder, mut connection, disk) = database("once.db");
    disk.fail(Failing { call: Some(Call::Sync), from: 2, lasting: Lasting::Once, says: Says::Broken });
    connection.batch_execute(WRITE).expect("the first one goes well");
    assert_eq!(what_it_says(&mut connection), "disk I/O error");
    connection.batch_execute(WRITE).expect("the third one goes well");
    assert_eq!(disk.heal(), 1);
    let count: i64 = diesel::dsl::sql::<diesel::sql_types::BigInt>("SELECT count(*) FROM note")
        .get_result(&mut connection)
        .expect("the table can be read");
    assert_eq!(count, 2);
}

#[test]
fn a_disk_that_is_full_stays_full_until_it_is_healed() {
    let (_folder, mut connection, disk) = database("full.db");
    disk.fail(Failing { call: Some(Call::Write), from: 1, lasting: Lasting::UntilHealed, says: Says::Full });
    for _ in 0..2 {
        assert_eq!(what_it_says(&mut connection), "database or disk is full");
    }
    assert!(disk.heal() >= 2);
    connection.batch_execute(WRITE).expect("there is space");
}

#[test]
fn other_databases_are_on_other_disks() {
    let (_folder, mut connection, disk) = database("one.db");
    let (_other_folder, mut other_connection, other) = database("other.db");
    disk.fail(Failing { call: None, from: 1, lasting: Lasting::UntilHealed, says: Says::Broken });
    assert_eq!(what_it_says(&mut connection), "disk I/O error");
    other_connection.batch_execute(WRITE).expect("this one works");
    assert!(other.asked()[&Call::Write] > 0);
    assert_eq!(other.heal(), 0);
}
