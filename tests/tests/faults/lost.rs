//! Databases that go away in the middle of a sync: connections that are cut, a server that lets nobody in, a file that is deleted or
//! replaced.
//!
//! Goal: what was being done is undone, not half done; it is said what is gone; and when it is back, all goes on. Method: on PostgreSQL an
//! operator ends the connections, as each stage begins and before statements all through a sync, and closes the database for a while; on
//! SQLite somebody moves the file.

use morango::prelude::*;
use morango_tests::database::Database;
use morango_tests::device::Device;
use morango_tests::given::{Between, moved, root, two_equal_devices};
use morango_tests::statements::Statements;

use super::going_on::{Pair, STAGES, Whose, once};

/// Ends all connections to the database but this one.
const CUT: &str = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid()";

pub(super) fn connections_that_are_cut_at_any_stage_cost_nothing(on: Between) {
    let mut pair = Pair::new(on);
    let whose: [Whose; 2] = [|pair| &pair.client, |pair| &pair.server];
    for (who, device) in ["client", "server"].into_iter().zip(whose) {
        if device(&pair).kind() != Database::Postgres {
            continue;
        }
        for (direction, stage) in STAGES {
            let case = format!("{who}: {direction} {stage}");
            let (names, before) = (pair.write(), pair.counters());
            let write = device(&pair).writer();
            if let Err(error) = pair.attempt(once((direction, stage), move || write(CUT))) {
                assert_eq!(error.kind(), ErrorKind::StorageUnavailable, "{case}: {error:?}");
                assert!(error.is_retryable() && error.hint().is_some(), "{case}: {error:?}");
                pair.go_on_after(&error);
            }
            pair.assert_healed(&before, &names, &case);
        }
    }
}

/// At how many statements of a sync connections are cut, one in each sync.
const CUTS: usize = 12;

pub(super) fn connections_that_are_cut_at_any_statement_cost_nothing(on: Between) {
    Statements::listen();
    let mut pair = Pair::new(on);
    let whose: [(&str, Between, Whose); 2] = [
        ("client", Between { server: Database::Sqlite, ..on }, |pair| &pair.client),
        ("server", Between { client: Database::Sqlite, ..on }, |pair| &pair.server),
    ];
    for (who, cut, device) in whose {
        if device(&pair).kind() != Database::Postgres {
            continue;
        }
        let statements = Statements::of(device(&pair).postgres_url());
        pair.write();
        let before = statements.seen();
        pair.attempt(SyncOptions::both_ways()).expect("nothing is cut yet");
        let all = statements.seen() - before;
        assert!(all > CUTS, "{who}: a sync is more than {all} statements");
        let (mut cuts, mut failed) = (0, 0);
        for others in (0..CUTS).map(|place| place * all / CUTS) {
            let case = format!("{who}: before the statement after {others} of {all}");
            let (names, before) = (pair.write(), pair.counters());
            let write = device(&pair).writer();
            statements.before(others, move || write(CUT));
            let outcome = pair.attempt_in_a_hurry(SyncOptions::both_ways());
            cuts += usize::from(statements.has_happened());
            if let Err(error) = outcome {
                failed += 1;
                assert_is_of_what_is_gone(&error, cut, &case);
                pair.go_on_after(&error);
            }
            pair.assert_healed(&before, &names, &case);
        }
        println!("{who}: of {all} statements {cuts} were cut off, and {failed} syncs failed");
        assert!(cuts > CUTS / 2, "{who}: a sync is about as long as the one before it: {cuts}");
    }
}

/// Asserts that an error says that a database on PostgreSQL is gone: the client's own, or that of the server, which does not tell.
#[track_caller]
pub(super) fn assert_is_of_what_is_gone(error: &morango::Error, on: Between, case: &str) {
    if error.kind() == ErrorKind::StorageUnavailable {
        assert!(on.client == Database::Postgres && error.hint().is_some(), "{case}: {error:?}");
    } else {
        let is_theirs = matches!(error.kind(), ErrorKind::PeerRefused | ErrorKind::PeerStageFailed);
        assert!(is_theirs && on.server == Database::Postgres, "{case}: {error:?}");
        assert!(!error.report().contains("postgres") && !error.report().contains("morango_"), "{case}: {error:?}");
    }
    // After a stage that failed a sync begins afresh.
    assert!(error.is_retryable() || error.kind() == ErrorKind::PeerStageFailed, "{case}: {error:?}");
}

/// Lets nobody in any more, and ends all connections; done from another database of the same server.
fn close(name: &str) -> String {
    format!(
        "ALTER DATABASE {name} ALLOW_CONNECTIONS false;
         SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    )
}

pub(super) fn a_database_that_lets_nobody_in_at_any_stage_is_told_and_gone_on_with_when_it_does(on: Between) {
    let mut pair = Pair::new(on);
    let operator = Device::on(Database::Postgres, "operator");
    let url = pair.client.postgres_url().to_owned();
    let name = url.rsplit('/').next().and_then(|name| name.split('?').next()).expect("a database").to_owned();
    for (direction, stage) in STAGES {
        let case = format!("{direction} {stage}");
        let (names, before) = (pair.write(), pair.counters());
        let (write, closing) = (operator.writer(), close(&name));
        let error = pair
            .attempt(once((direction, stage), move || write(&closing)))
            .expect_err("nothing can be read or written");
        assert_eq!(error.kind(), ErrorKind::StorageUnavailable, "{case}: {error:?}");
        assert!(error.is_retryable() && error.hint().is_some(), "{case}: {error:?}");
        operator.sql(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"));
        pair.go_on_after(&error);
        pair.assert_healed(&before, &names, &case);
    }
}

/// Moves a database with its log to another place.
fn move_away(from: &std::path::Path, to: &std::path::Path) {
    for ending in ["", "-wal", "-shm"] {
        let with = |path: &std::path::Path| format!("{}{ending}", path.display());
        if std::path::Path::new(&with(from)).exists() {
            std::fs::rename(with(from), with(to)).expect("it is moved");
        }
    }
}

#[cfg(unix)]
pub(super) fn a_file_that_is_gone_in_the_midst_of_a_sync_is_told_and_gone_on_with_when_it_is_back(on: Between) {
    let mut pair = Pair::new(on);
    let (file, away) = (pair.client.database(), pair.client.file("away.db"));
    for (direction, stage) in STAGES {
        let case = format!("{direction} {stage}");
        let (names, before) = (pair.write(), pair.counters());
        let (from, to) = (file.clone(), away.clone());
        let error = pair
            .attempt(once((direction, stage), move || move_away(&from, &to)))
            .expect_err("there is no file any more");
        assert_eq!(error.kind(), ErrorKind::StorageUnavailable, "{case}: {error:?}");
        assert!(error.report().contains("school.db") && error.hint().is_some(), "{case}: {error:?}");
        assert!(!file.exists(), "{case}: no empty file takes its place");
        move_away(&away, &file);
        pair.go_on_after(&error);
        pair.assert_healed(&before, &names, &case);
    }
}

#[cfg(unix)]
pub(super) fn a_file_in_the_place_of_another_is_not_written_to_before_an_engine_is_built_on_it(on: Between) {
    let (server, client, school, url) = two_equal_devices(on);
    let (file, backup, away) = (client.database(), client.file("backup.db"), client.file("away.db"));
    client.sql("PRAGMA wal_checkpoint(TRUNCATE)");
    std::fs::copy(&file, &backup).expect("a backup");
    school.logs(&client, school.ada, 3);
    move_away(&file, &away);
    std::fs::rename(&backup, &file).expect("the backup is put in its place");
    let bytes = std::fs::read(&file).expect("the file");

    let error = client.attempt_sync(&url, root(), SyncOptions::both_ways()).expect_err("it is another file");
    assert_eq!(error.kind(), ErrorKind::StorageUnavailable, "{error:?}");
    assert!(error.hint().is_some_and(|hint| hint.contains("new engine")), "{error:?}");
    client.storage().renew_database_id().expect_err("nothing is written to it");
    assert_eq!(std::fs::read(&file).expect("the file"), bytes);

    let mut client = client;
    client.reopen(morango_diesel::SqliteStorage::open(&file).expect("the backup"));
    client.sync(&url, root(), SyncOptions::both_ways());
    assert_eq!(moved(&client.sync(&url, root(), SyncOptions::both_ways())), (0, 0));
    morango_tests::compare::assert_equal(&server, &client, &[]);
}
