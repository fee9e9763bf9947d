//! Databases that may only be read.
//!
//! Goal: whoever may not write is told so, by the engine that is built as by the sync that meets it in the middle, and what was there
//! stays. Method: permissions of the system for a process that they bind; a setting of the server, as an operator makes it.

use morango::client::{HttpPeer, RetryPolicy};
use morango::prelude::*;
use morango::session::Stage;
use morango_tests::clock::HandClock;
use morango_tests::device::Device;
use morango_tests::given::{Between, root};

use super::going_on::{Pair, once};

/// Permissions do not bind the superuser; a process of somebody else they do.
#[cfg(unix)]
pub(super) fn a_file_that_may_only_be_read_is_told_with_advice(on: Between) {
    use std::fs::{Permissions, copy, set_permissions};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;

    use morango_tests::given::two_equal_devices;

    const NOBODY: u32 = 65_534;

    let (server, client, school, url) = two_equal_devices(on);
    school.logs(&client, school.ada, 3);
    client.sql("PRAGMA wal_checkpoint(TRUNCATE)");
    let folder = client.file("library");
    std::fs::create_dir(&folder).expect("a folder");
    let (database, program) = (folder.join("school.db"), folder.join("device_peer"));
    copy(client.database(), &database).expect("a copy");
    copy(env!("CARGO_BIN_EXE_device_peer"), &program).expect("a copy of the program");
    let is_superuser = std::fs::metadata(&database).expect("the file").uid() == 0;
    let allow =
        |path: &std::path::Path, mode| set_permissions(path, Permissions::from_mode(mode)).expect("its owner may");
    allow(client.folder(), 0o755);
    allow(&database, 0o444);
    allow(&folder, 0o555);

    // Whoever would call is told, and so is whoever would answer.
    let certificate = root().id().to_string();
    for (what, arguments) in [("sync", [url.as_str(), &certificate].as_slice()), ("serve", &["127.0.0.1:0"])] {
        let mut command = Command::new(&program);
        command.arg(what).arg(&database).args(arguments).current_dir("/");
        if is_superuser {
            command.uid(NOBODY).gid(NOBODY);
        }
        let output = command.output().expect("the process runs");
        let (said, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(said.trim(), "failed storage-unavailable", "{what}: {told}");
        assert!(told.contains("school.db") && told.contains("writable"), "{what}: {told}");
    }

    allow(&folder, 0o755);
    client.sync(&url, root(), SyncOptions::both_ways());
    morango_tests::compare::assert_equal(&server, &client, &[]);
}

/// From now on the database may only be read, by those who connect and by those who are cut off now.
fn end_writing(device: &Device) -> impl Fn() + Send + Sync + use<> {
    let write = device.writer();
    move || {
        write(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$",
        );
        write(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
    }
}

fn allow_writing(device: &Device) {
    device.sql(
        "BEGIN READ WRITE;
         DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET default_transaction_read_only', current_database()); END $$;
         COMMIT",
    );
}

pub(super) fn a_database_that_an_operator_made_read_only_is_not_written_to_and_told(on: Between) {
    let mut pair = Pair::new(on);
    for at in [Stage::Serializing, Stage::Dequeuing, Stage::Deserializing] {
        let (names, before) = (pair.write(), pair.counters());
        let options = once((Direction::Pull, at), end_writing(&pair.client));
        let broken_off = pair.attempt(options).expect_err("it may not write");
        assert_eq!(broken_off.kind(), ErrorKind::StorageUnavailable, "{at}: {broken_off:?}");
        assert!(broken_off.hint().is_some() && broken_off.sync_session().is_some(), "{at}: {broken_off:?}");

        // Nor is an engine built there, and it says why.
        let error = pair.client.builder_apart().build().expect_err("it may not write either");
        assert_eq!(error.kind(), ErrorKind::StorageUnavailable, "{at}: {error:?}");
        let report = error.report();
        assert!(report.contains("read-only") && report.contains("writable"), "{at}: {report}");

        allow_writing(&pair.client);
        pair.go_on_after(&broken_off);
        pair.assert_healed(&before, &names, at.as_str());
    }
}

pub(super) fn a_server_whose_database_an_operator_made_read_only_says_so_to_whoever_calls_and_loses_nothing(
    on: Between,
) {
    let mut pair = Pair::new(on);
    // A peer that cannot say how it stands is asked for a long time, in case it comes round.
    pair.client.rebuild(|builder| builder.clock(HandClock::default()));
    for (direction, stage) in [
        (Direction::Pull, Stage::Serializing),
        (Direction::Pull, Stage::Transferring),
        (Direction::Push, Stage::Transferring),
        (Direction::Push, Stage::Dequeuing),
    ] {
        let case = format!("{direction} {stage}");
        let (names, before) = (pair.write(), pair.counters());
        let options = once((direction, stage), end_writing(&pair.server)).chunk_size(2);
        let peer = HttpPeer::builder(&pair.url).retry(RetryPolicy::NONE).build().expect("the address");
        let error = pair.client.engine.sync(&peer, root(), options).expect_err("nothing can be kept there");
        let is_theirs = matches!(error.kind(), ErrorKind::PeerRefused | ErrorKind::PeerStageFailed);
        assert!(is_theirs && error.is_retryable(), "{case}: {error:?}");
        assert!(!error.report().contains("morango_") && !error.report().contains("postgres"), "{case}: {error:?}");

        allow_writing(&pair.server);
        pair.go_on_after(&error);
        pair.assert_healed(&before, &names, &case);
    }
}
