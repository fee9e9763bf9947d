//! Several server processes on one database, behind one address: whichever of them is asked, a transfer goes its one way.
//!
//! Two engines on one storage are two processes as far as either can tell. What one does in the middle of the other's stage is done
//! when the other tells of that stage.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use morango::id::{SyncId, TransferSessionId};
use morango::port::{Clock as _, ProceedRequest};
use morango::prelude::*;
use morango::session::{Capabilities, StageStatus};
use morango::transfer::{LocalPeer, Responder};
use morango::{ErrorKind, limits};

use super::broken_line::BrokenLine;
use super::resume::HandClock;
use super::{Ada, Pair, builder};

/// What is done once, when the first process begins a stage.
type Disturbance = Box<dyn FnOnce() + Send>;

/// Two processes on the laptop's storage.
struct Servers {
    pair: Pair,
    first: Responder,
    second: Responder,
    disturbance: Arc<OnceLock<Mutex<Option<Disturbance>>>>,
}

impl Servers {
    /// Something is to happen when the first process begins this stage.
    fn disturbed_at(disturbed: Stage) -> Self {
        let pair = Pair::new();
        for number in 0..5 {
            pair.laptop.save(&pair.notes(), &format!("l{number}"), "from the laptop");
        }
        let disturbance: Arc<OnceLock<Mutex<Option<Disturbance>>>> = Arc::default();
        let waiting = Arc::clone(&disturbance);
        let first = builder(&pair.laptop).on_event(move |event| {
            let Event::Stage { stage, phase: Phase::Started, .. } = event else { return };
            let next = waiting.get().filter(|_| *stage == disturbed);
            if let Some(act) = next.and_then(|next| next.lock().expect("nobody panics with it").take()) {
                act();
            }
        });
        Self {
            first: first.build().expect("an engine").responder(Ada),
            second: builder(&pair.laptop).build().expect("an engine").responder(Ada),
            pair,
            disturbance,
        }
    }

    fn then(&self, act: impl FnOnce() + Send + 'static) {
        assert!(self.disturbance.set(Mutex::new(Some(Box::new(act)))).is_ok(), "it is set once");
    }

    /// The second process as it is when the first one has not been heard of for long.
    fn later(&self) -> Responder {
        let clock = HandClock::default();
        clock.jump(chrono::Utc::now().timestamp() - clock.now().timestamp());
        clock.advance(Duration::from_secs(2 * limits::HOLD_SECONDS));
        builder(&self.pair.laptop).clock(clock).build().expect("an engine").responder(Ada)
    }

    fn open(&self, direction: Direction) -> TransferSessionId {
        let request = self.pair.open(Capabilities::ours(), direction);
        self.first.create_transfer_session(&request).expect("a transfer").id
    }
}

fn to(stage: Stage) -> ProceedRequest {
    ProceedRequest { stage: Some(stage), ..ProceedRequest::default() }
}

fn ids(responder: &Responder, id: &TransferSessionId, offset: u64, limit: usize) -> Vec<SyncId> {
    let chunk = responder.queued_chunk(id, offset, Some(limit)).expect("a chunk");
    chunk.records.iter().map(|record| record.id).collect()
}

/// The first process hangs in a stage for so long that the second one takes its place; then it goes on.
#[test]
fn what_is_being_fetched_stays_as_it_is_though_another_process_comes_late_with_the_same_stage() {
    for stage in [Stage::Serializing, Stage::Queuing] {
        let servers = Servers::disturbed_at(stage);
        let id = servers.open(Direction::Pull);
        let fetched = Arc::new(Mutex::new(Vec::new()));
        let (second, laptop) = (servers.later(), servers.pair.laptop.clone());
        let (seen, notes) = (Arc::clone(&fetched), servers.pair.notes());
        servers.then(move || {
            let answer = second.proceed(&id, &to(Stage::Queuing)).expect("it takes the place of the first");
            assert_eq!((answer.stage, answer.status), (Stage::Queuing, StageStatus::Completed), "{stage}");
            assert_eq!(answer.records_total, Some(5));
            seen.lock().expect("nobody panics with it").extend(ids(&second, &id, 0, 2));
            let told = ProceedRequest { records_transferred: Some(2), ..to(Stage::Transferring) };
            second.proceed(&id, &told).expect("it is told");
            for number in 0..5 {
                laptop.save(&notes, &format!("new {number}"), "written meanwhile");
            }
        });
        servers.first.proceed(&id, &to(Stage::Queuing)).expect("it hangs and goes on");

        let stands = servers.second.transfer_session(&id).expect("it is open");
        assert_eq!((stands.stage, stands.records_total), (Stage::Transferring, Some(5)), "{stage}: no way back");
        let mut fetched = fetched.lock().expect("nobody panics with it").clone();
        fetched.extend(ids(&servers.first, &id, 2, 10));
        fetched.sort_unstable();
        let before: Vec<SyncId> = (0..5)
            .map(|number| morango::record::record_id(&servers.pair.notes(), &format!("l{number}"), "note"))
            .collect();
        assert!(before.iter().all(|id| fetched.contains(id)), "{stage}: each record that was there goes over");
        assert_eq!(fetched.len(), 5, "{stage}");
    }
}

#[test]
fn a_client_that_asks_another_process_is_told_that_one_is_at_work() {
    let servers = Servers::disturbed_at(Stage::Serializing);
    let id = servers.open(Direction::Pull);
    let (second, told) = (servers.second.clone(), Arc::new(Mutex::new(Vec::new())));
    let answers = Arc::clone(&told);
    servers.then(move || {
        let mut answers = answers.lock().expect("nobody panics with it");
        answers.push(second.transfer_session(&id).expect("it is open"));
        answers.push(second.proceed(&id, &to(Stage::Queuing)).expect("it leaves it to the first"));
    });
    let answer = servers.first.proceed(&id, &to(Stage::Queuing)).expect("it goes on");
    let told = told.lock().expect("nobody panics with it");
    assert_eq!(told.len(), 2);
    for told in told.iter() {
        assert_eq!((told.stage, told.status), (Stage::Serializing, StageStatus::Started));
    }
    assert_eq!((answer.stage, answer.status), (Stage::Queuing, StageStatus::Completed));
    let there = servers.second.transfer_session(&id).expect("it is open");
    assert_eq!((there.stage, there.status), (Stage::Queuing, StageStatus::Completed));
}

#[test]
fn a_session_that_is_closed_under_a_process_claims_nothing() {
    let servers = Servers::disturbed_at(Stage::Dequeuing);
    let (pair, second) = (&servers.pair, servers.second.clone());
    pair.phone.save(&pair.notes(), "p", "from the phone");
    let pushing = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&pushing);
    let laptop = pair.laptop.clone();
    servers.then(move || {
        let id = laptop.open_sync_sessions()[0];
        second.close_sync_session(&id).expect("it is closed");
        *seen.lock().expect("nobody panics with it") = Some(id);
    });
    let peer = LocalPeer::new(servers.first.clone());
    let error = pair.engine.sync(&peer, &pair.certificate, SyncOptions::push()).expect_err("it was closed");
    assert_eq!(error.kind(), ErrorKind::SessionUnknown, "{error:?}");
    assert!(pushing.lock().expect("nobody panics with it").is_some());
    let phone = pair.engine.instance().id;
    let claims = pair.laptop.counters();
    assert!(claims.iter().all(|(_, stamp)| stamp.instance != phone), "nothing of it is there: {claims:?}");
    assert!(pair.laptop.errored().is_empty(), "nothing failed");

    servers.pair.engine.sync(&peer, &pair.certificate, SyncOptions::both_ways()).expect("the next one goes well");
    assert_eq!(pair.laptop.rows(), pair.phone.rows());
}

#[test]
fn processes_that_answer_in_turn_are_one_server() {
    let servers = Servers::disturbed_at(Stage::Cleanup);
    let pair = &servers.pair;
    for number in 0..5 {
        pair.phone.save(&pair.notes(), &format!("p{number}"), "from the phone");
    }
    let line = BrokenLine::to_several([&servers.first, &servers.second].map(|it| LocalPeer::new(it.clone())).into());
    let report =
        pair.engine.sync(&line, &pair.certificate, SyncOptions::both_ways().chunk_size(2)).expect("one server");
    assert_eq!(report.records_transferred(), 10, "{report}");
    assert_eq!(pair.laptop.rows(), pair.phone.rows());
    assert!(!pair.laptop.has_leftovers() && !pair.phone.has_leftovers());
}
