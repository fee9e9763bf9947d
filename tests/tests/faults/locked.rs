//! A database that somebody else holds, at every stage in turn: until the engine gives up, or until they see that it waits.
//!
//! Goal: it waits as long as it was told to and no longer, says so, and goes on from there. Method: another connection holds the
//! table that the stage is about to use, or the row of an application that is in the midst of a change.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use morango::client::{HttpPeer, RetryPolicy};
use morango::prelude::*;
use morango::session::Stage;
use morango_tests::database::{Database, Hold};
use morango_tests::device::{Device, SchoolAccounts};
use morango_tests::given::{Between, rename, root};
use morango_tests::proxy::Proxy;
use morango_tests::scripted::Reply;

use super::going_on::{Names, Pair, STAGES, begins};

/// How long the engine waits for others in these stories.
const PATIENCE: Duration = Duration::from_millis(50);

/// What holds something that a stage needs of a database, as another program would.
fn holding(device: &Device, direction: Direction, stage: Stage) -> impl Fn() -> Hold + Send + Sync + use<> {
    let (kind, take) = (device.kind(), device.holder());
    let table = table_of(direction, stage);
    move || match kind {
        // There one who writes keeps all others from writing.
        Database::Sqlite => take("BEGIN IMMEDIATE"),
        Database::Postgres => take(&format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")),
    }
}

/// A table that somebody at this stage works with, on the side of the client or on that of the server.
fn table_of(direction: Direction, stage: Stage) -> &'static str {
    match (stage, direction) {
        (Stage::Serializing, _) => "morango_mark",
        (Stage::Queuing, Direction::Pull) => "morango_database_max_counter",
        (Stage::Queuing, Direction::Push) => "morango_outgoing",
        (Stage::Transferring, _) => "morango_incoming",
        (Stage::Dequeuing, _) => "morango_store",
        (Stage::Deserializing, _) => "contentlog",
        (Stage::Initializing | Stage::Cleanup, _) => "morango_transfer_session",
    }
}

/// What is held now.
#[derive(Clone, Default)]
struct Held(Arc<Mutex<Option<Hold>>>);

impl Held {
    fn begin(&self, hold: impl Fn() -> Hold) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(hold);
    }

    fn is_held(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn let_go(&self) {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// Options of a sync as whose stage begins somebody begins to hold a database.
fn held_from(at: (Direction, Stage), held: &Held, begin: impl Fn() -> Hold + Send + Sync + 'static) -> SyncOptions {
    let held = held.clone();
    SyncOptions::both_ways().on_event(move |event| {
        if begins(event, at.0, at.1) {
            held.begin(&begin);
        }
    })
}

pub(super) fn a_client_waits_for_locks_up_to_its_patience_and_goes_on_when_they_are_gone(on: Between) {
    let mut pair = Pair::new(on);
    pair.client.be_patient_for(PATIENCE);
    let mut given_up = 0;
    for (direction, stage) in STAGES {
        let case = format!("{direction} {stage}");
        let (names, before, held) = (pair.write(), pair.counters(), Held::default());
        let options = held_from((direction, stage), &held, holding(&pair.client, direction, stage));
        let outcome = pair.attempt(options);
        held.let_go();
        if let Err(error) = outcome {
            given_up += 1;
            assert_eq!(error.kind(), ErrorKind::StorageBusy, "{case}: {error:?}");
            assert!(error.is_retryable() && error.hint().is_some(), "{case}: {error:?}");
            assert!(error.sync_session().is_some(), "{case}: it can be taken up again: {error:?}");
            pair.go_on_after(&error);
        }
        pair.assert_healed(&before, &names, &case);
    }
    assert!(given_up >= 6, "most stages work with the database here: {given_up}");
}

pub(super) fn a_server_whose_database_is_held_at_any_stage_keeps_the_client_waiting_or_lets_it_come_again(on: Between) {
    let mut pair = Pair::new(on);
    pair.server.be_patient_for(PATIENCE);
    pair.url = pair.server.serve(SchoolAccounts::admin());
    let mut asked_again = 0;
    for (direction, stage) in STAGES {
        let case = format!("{direction} {stage}");
        let (names, before, held) = (pair.write(), pair.counters(), Held::default());
        let (busy, calls) = (Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
        let proxy = Proxy::start(&pair.url, {
            let (held, busy) = (held.clone(), Arc::clone(&busy));
            move |request, onward| {
                let reply = onward.forward(request);
                let is_busy = matches!(&reply, Reply::Whole(answer) if answer.status == 503);
                busy.fetch_add(usize::from(is_busy), Ordering::SeqCst);
                // Whoever holds the database is done once the client has come a few times.
                if held.is_held() && calls.fetch_add(1, Ordering::SeqCst) == 4 {
                    held.let_go();
                }
                reply
            }
        });
        let hurry = RetryPolicy { pause_first: Duration::from_millis(1), ..RetryPolicy::default() };
        let peer = HttpPeer::builder(&proxy.url()).retry(hurry).build().expect("the proxy's address");
        let options = held_from((direction, stage), &held, holding(&pair.server, direction, stage)).chunk_size(2);
        let outcome = pair.client.engine.sync(&peer, root(), options);
        held.let_go();
        asked_again += busy.load(Ordering::SeqCst);
        if let Err(error) = outcome {
            // What it was doing for the client in the background failed, and it says that it did.
            assert_eq!(error.kind(), ErrorKind::PeerStageFailed, "{case}: {error:?}");
            assert!(error.hint().is_some(), "{case}: {error:?}");
            pair.go_on_after(&error);
        }
        pair.assert_healed(&before, &names, &case);
    }
    assert!(asked_again > 0, "some calls were answered with 503, and made again");
}

/// An application that is changing a row of a person, and has not ended its transaction.
fn changing(pair: &Pair, name: &str) -> impl Fn() -> Hold + Send + Sync + use<> {
    let (take, id) = (pair.client.holder(), pair.school.ada);
    let statements = format!("BEGIN; UPDATE \"user\" SET full_name = '{name}' WHERE id = '{id}'");
    move || take(&statements)
}

/// On SQLite nobody holds a row.
pub(super) fn a_row_that_the_application_is_changing_is_waited_for_and_its_change_kept(on: Between) {
    let mut pair = Pair::new(on);
    pair.client.be_patient_for(Duration::from_secs(20));
    rename(&pair.server, pair.school.ada, "by the server");
    let (before, held) = (pair.counters(), Held::default());
    let options =
        held_from((Direction::Pull, Stage::Deserializing), &held, changing(&pair, "by the application, meanwhile"));
    std::thread::scope(|scope| {
        let sync = scope.spawn(|| pair.attempt(options));
        while pair.client.number(WAITING) == 0 && !sync.is_finished() {
            std::thread::yield_now();
        }
        let open = held.0.lock().expect("nobody panicked").take();
        open.expect("the application was at it").commit();
        sync.join().expect("nobody panics").expect("the sync goes well");
    });
    let names = Names::of(["by the server", "by the application, meanwhile"]);
    pair.assert_healed(&before, &names, "a row");
}

/// How many connections wait for another one's locks.
const WAITING: &str = "SELECT count(*) AS number FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event_type = 'Lock'";

pub(super) fn a_row_that_is_held_for_too_long_is_told_within_the_patience_and_costs_nothing(on: Between) {
    let mut pair = Pair::new(on);
    pair.client.be_patient_for(PATIENCE);
    rename(&pair.server, pair.school.ada, "by the server");
    let (before, held) = (pair.counters(), Held::default());
    let began = Instant::now();
    let error = pair
        .attempt(held_from((Direction::Pull, Stage::Deserializing), &held, changing(&pair, "never kept")))
        .expect_err("the row is held");
    assert_eq!(error.kind(), ErrorKind::StorageBusy, "{error:?}");
    assert!(error.is_retryable() && error.hint().is_some() && error.sync_session().is_some(), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(10), "it waits no longer than it was told to: {:?}", began.elapsed());
    held.let_go();
    pair.go_on_after(&error);
    pair.assert_healed(&before, &Names::of(["by the server", "by the server"]), "a row");
}
