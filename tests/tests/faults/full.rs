//! Disks that are full: in the midst of a file that may not grow, and at every stage of a sync.
//!
//! Goal: it is said that the disk is full and where, what was there is untouched, and with some space the next sync goes well. Method:
//! the system's own device that is always full; a limit that the system sets on the size of files; and, to choose the stage, triggers
//! that refuse with the words with which each database says it.

use std::sync::{Arc, Mutex};

use morango::prelude::*;
use morango::session::Stage;
use morango_tests::database::Database;
use morango_tests::device::{Device, SchoolAccounts};
use morango_tests::given::Between;

use super::going_on::{Pair, STAGES, begins};

/// What a stage writes to, and how, on the side of the client or on that of the server.
fn writes_of(stage: Stage) -> (&'static str, &'static str) {
    match stage {
        Stage::Serializing => ("morango_instance", "UPDATE"),
        Stage::Queuing => ("morango_outgoing", "INSERT"),
        Stage::Transferring => ("morango_incoming", "INSERT"),
        Stage::Dequeuing => ("morango_store", "UPDATE"),
        Stage::Deserializing => ("contentlog", "INSERT"),
        Stage::Initializing | Stage::Cleanup => ("morango_transfer_session", "UPDATE"),
    }
}

/// Statements after which writing to a table fails as on a full disk, and those that end that.
fn full(kind: Database, stage: Stage) -> [String; 2] {
    let (table, how) = writes_of(stage);
    match kind {
        Database::Sqlite => [
            format!(
                "CREATE TRIGGER full_disk BEFORE {how} ON {table} BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
            ),
            "DROP TRIGGER IF EXISTS full_disk".to_owned(),
        ],
        Database::Postgres => [
            format!(
                "CREATE OR REPLACE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                     RAISE 'could not extend file \"base/16384/2619\": No space left on device' USING ERRCODE = 'disk_full';
                 END $$;
                 CREATE TRIGGER full_disk BEFORE {how} ON {table} FOR EACH ROW EXECUTE FUNCTION full_disk()"
            ),
            "DROP FUNCTION IF EXISTS full_disk() CASCADE".to_owned(),
        ],
    }
}

/// Syncs with a disk that is full from the beginning of a stage on, and has space again afterwards.
fn attempt_with_full_disk(pair: &Pair, device: &Device, at: (Direction, Stage)) -> morango::Result<SyncReport> {
    let [begin, end] = full(device.kind(), at.1);
    let write = device.writer();
    let is_full = Arc::new(Mutex::new(false));
    let options = SyncOptions::both_ways().on_event(move |event| {
        if begins(event, at.0, at.1) && !std::mem::replace(&mut *is_full.lock().expect("nobody panicked"), true) {
            write(&begin);
        }
    });
    let outcome = pair.attempt(options);
    device.sql(&end);
    outcome
}

pub(super) fn a_client_whose_disk_is_full_at_any_stage_says_so_and_loses_nothing(on: Between) {
    let mut pair = Pair::new(on);
    let mut failed = 0;
    for (direction, stage) in STAGES {
        let case = format!("{direction} {stage}");
        let (names, before) = (pair.write(), pair.counters());
        if let Err(error) = attempt_with_full_disk(&pair, &pair.client, (direction, stage)) {
            failed += 1;
            assert_eq!(error.kind(), ErrorKind::StorageFull, "{case}: {error:?}");
            assert!(error.hint().is_some_and(|hint| hint.contains("space")), "{case}: {error:?}");
            assert!(!error.is_retryable(), "{case}: it does not pass by itself: {error:?}");
            pair.go_on_after(&error);
        }
        pair.assert_healed(&before, &names, &case);
    }
    assert!(failed >= 6, "most stages write something here: {failed}");
}

pub(super) fn a_server_whose_disk_is_full_at_any_stage_says_that_it_failed_and_loses_nothing(on: Between) {
    let mut pair = Pair::new(on);
    let mut failed = 0;
    for (direction, stage) in STAGES {
        let case = format!("{direction} {stage}");
        let (names, before) = (pair.write(), pair.counters());
        if let Err(error) = attempt_with_full_disk(&pair, &pair.server, (direction, stage)) {
            failed += 1;
            let is_theirs = matches!(error.kind(), ErrorKind::PeerStageFailed | ErrorKind::PeerRefused);
            assert!(is_theirs, "{case}: {error:?}");
            assert!(!error.report().contains("space") && !error.report().contains("morango_"), "{case}: {error:?}");
            pair.go_on_after(&error);
        }
        pair.assert_healed(&before, &names, &case);
    }
    assert!(failed >= 5, "most stages write something there: {failed}");
}

/// The system lets no file of the client's process grow any more.
#[cfg(unix)]
pub(super) fn a_file_that_may_not_grow_in_the_midst_of_a_sync_keeps_what_it_has(on: Between) {
    use morango_tests::given::{moved, root, two_equal_devices};
    use morango_tests::process::Process;
    use std::process::Command;

    let (server, client, school, _) = two_equal_devices(on);
    school.logs(&server, school.ada, 400);
    let mut server = server;
    let url = server.serve(SchoolAccounts::admin());
    let (database, before) = (client.database(), client.counters());
    client.sql("PRAGMA wal_checkpoint(TRUNCATE)");
    let kibibytes = std::fs::metadata(&database).expect("the file").len() / 1024;

    // The signal that the system sends is not to end the process: what then fails is the writing.
    let limited = "trap '' XFSZ; ulimit -f \"$1\"; shift; exec \"$@\"";
    let mut command = Command::new("bash");
    command.args(["-c", limited, "bash", &(kibibytes + 64).to_string(), env!("CARGO_BIN_EXE_device_peer"), "sync"]);
    command.arg(&database).args([&url, &root().id().to_string()]);
    let said = Process::start(&mut command).says();
    // SQLite tells a file that may not grow like a disk that does not work.
    assert!(matches!(said.as_str(), "failed storage-full" | "failed storage-unavailable"), "{said}");

    client.sync(&url, root(), SyncOptions::both_ways());
    assert_eq!(moved(&client.sync(&url, root(), SyncOptions::both_ways())), (0, 0));
    morango_tests::compare::assert_equal(&server, &client, &[]);
    morango_tests::compare::assert_none_fell(&before, &client.counters());
}
