//! A PostgreSQL server that is stopped in the middle of a sync, as an operator stops it or as a crash does, and started again.
//!
//! Goal: what was being done is undone, or done; it is said that the database is gone; and when it is back all goes on. Method: a server
//! of the story's own beneath those of the two sides that are on PostgreSQL, stopped as a stage begins.

use std::sync::Arc;

use morango::client::HttpPeer;
use morango::prelude::*;
use morango_tests::database::Database;
use morango_tests::device::Device;
use morango_tests::given::{Between, made_equal};
use morango_tests::postgres_server::{PostgresServer, Stop};

use super::going_on::{Pair, STAGES, once};
use super::lost::assert_is_of_what_is_gone;

/// A pair whose databases on PostgreSQL are on this server.
fn pair_on(server: &PostgresServer, on: Between) -> Pair {
    let device = |database, name| match database {
        Database::Sqlite => Device::on(Database::Sqlite, name),
        Database::Postgres => Device::on_server(&server.url(), name),
    };
    Pair::of(made_equal(device(on.server, "server"), device(on.client, "client")))
}

/// Goes on with a sync that failed. A crash may take with it what is not written yet when the server is told of it, a session that
/// had only just been made for example: then another sync is made.
#[track_caller]
fn go_on_after(pair: &Pair, error: &morango::Error, how: Stop) {
    let Some(id) = error.sync_session() else { return pair.go_on_after(error) };
    let peer = HttpPeer::new(&pair.url).expect("the server's address");
    match pair.client.engine.resume(&peer, id, SyncOptions::both_ways()) {
        Ok(_) => {}
        Err(again) if how == Stop::Immediate && has_lost_its_session(&again) => {}
        Err(again) => panic!("after {error:?}: {}", again.report()),
    }
}

fn has_lost_its_session(error: &morango::Error) -> bool {
    matches!(error.kind(), ErrorKind::SessionGone | ErrorKind::SessionUnknown)
}

pub(super) fn a_database_server_that_is_restarted_at_any_stage_costs_nothing(on: Between) {
    let databases = Arc::new(PostgresServer::start());
    let mut pair = pair_on(&databases, on);
    let mut failed = 0;
    for ((direction, stage), how) in STAGES.into_iter().zip([Stop::Fast, Stop::Immediate].into_iter().cycle()) {
        let case = format!("{direction} {stage}, {how:?}");
        let (names, before) = (pair.write(), pair.counters());
        let server = Arc::clone(&databases);
        let restart = move || {
            server.stop(how);
            server.start_again();
        };
        if let Err(error) = pair.attempt_in_a_hurry(once((direction, stage), restart)) {
            failed += 1;
            if how == Stop::Fast || !has_lost_its_session(&error) {
                assert_is_of_what_is_gone(&error, on, &case);
            }
            go_on_after(&pair, &error, how);
        }
        pair.assert_healed(&before, &names, &case);
    }
    assert!(failed > 0 || on.client == Database::Sqlite, "a client works with its database at most stages");
}

pub(super) fn a_database_server_that_crashes_at_any_stage_and_comes_back_later_costs_nothing(on: Between) {
    let databases = Arc::new(PostgresServer::start());
    let mut pair = pair_on(&databases, on);
    for (direction, stage) in STAGES {
        let case = format!("{direction} {stage}");
        let (names, before) = (pair.write(), pair.counters());
        let server = Arc::clone(&databases);
        let error = pair
            .attempt_in_a_hurry(once((direction, stage), move || server.stop(Stop::Immediate)))
            .expect_err("nothing can be read or written");
        assert_is_of_what_is_gone(&error, on, &case);
        databases.start_again();
        go_on_after(&pair, &error, Stop::Immediate);
        pair.assert_healed(&before, &names, &case);
    }
}
