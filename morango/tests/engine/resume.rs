//! Syncs that are broken off, and taken up again: nothing is lost, and at most one chunk goes over twice.
//!
//! The line breaks at every call that there is, once before the call is made and once before its answer comes. What a client that
//! was ended by force finds again is the same: what stands in its storage.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use morango::engine::SessionSelection;
use morango::id::SyncSessionId;
use morango::port::{Clock, Storage as _};
use morango::session::{Side, StageStatus, SyncHolder, SyncSession, TransferSession};
use morango::{ErrorKind, limits};

use super::broken_line::{BrokenLine, Lost};
use super::{Memory, PROFILE, Pair, builder, engine};
use morango::prelude::*;
use morango::transfer::LocalPeer;

/// Records of each side.
const RECORDS: u64 = 10;
/// Records of a chunk, so that there are several.
const CHUNK: u64 = 3;

fn options() -> SyncOptions {
    SyncOptions::both_ways().chunk_size(3)
}

/// A pair of devices that each have records which the other lacks.
fn pair() -> Pair {
    let pair = Pair::new();
    for number in 0..RECORDS {
        pair.laptop.save(&pair.notes(), &format!("l{number}"), "from the laptop");
        pair.phone.save(&pair.notes(), &format!("p{number}"), "from the phone");
    }
    pair
}

/// A pair whose sync broke off while records were fetched, and the session that was left open.
fn broken_off() -> (Pair, SyncSessionId) {
    for call in 0.. {
        let pair = pair();
        let line = BrokenLine::new(pair.peer(), call, Lost::Request);
        let error = pair.engine.sync(&line, &pair.certificate, options()).expect_err("the line breaks");
        if line.records("fetch") > 0 {
            return (pair, error.sync_session().expect("it can be taken up again"));
        }
    }
    unreachable!("records are fetched at some call")
}

#[test]
fn where_longer_chunks_do_not_pass_shorter_ones_go() {
    const MANY: u64 = 1_200;
    let pair = Pair::new();
    for number in 0..MANY {
        pair.laptop.save(&pair.notes(), &format!("l{number}"), "from the laptop");
        pair.phone.save(&pair.notes(), &format!("p{number}"), "from the phone");
    }
    let line = BrokenLine::narrow(pair.peer(), limits::CHUNK_RECORDS_DEFAULT);
    let report = pair.engine.sync(&line, &pair.certificate, SyncOptions::both_ways()).expect("shorter ones pass");
    let moved = [&report.push, &report.pull].map(|transfer| transfer.as_ref().map(|it| it.records_transferred));
    assert_eq!(moved, [Some(MANY); 2]);
    assert_eq!((line.records("send"), line.records("fetch")), (MANY, MANY), "none of them went twice");
}

#[test]
fn a_line_that_breaks_at_any_call_costs_one_chunk_at_most() {
    let mut resumed = 0;
    for lost in [Lost::Request, Lost::Answer] {
        for call in 0.. {
            let pair = pair();
            let line = BrokenLine::new(pair.peer(), call, lost);
            let outcome = pair.engine.sync(&line, &pair.certificate, options());
            let again = BrokenLine::sound(pair.peer());
            if let Err(error) = &outcome {
                assert_eq!(error.kind(), ErrorKind::Connection, "{lost:?} {call}: {error:?}");
                let report = match error.sync_session() {
                    Some(id) => {
                        resumed += 1;
                        pair.engine.resume(&again, id, options())
                    }
                    None => pair.engine.sync(&again, &pair.certificate, options()),
                };
                report.unwrap_or_else(|error| panic!("{lost:?} {call}: {error:?}"));
                let is_left_over = error.sync_session().is_some() && pair.laptop.has_leftovers();
                assert!(!is_left_over, "{lost:?} {call}: the server has closed all");
            }
            assert_eq!(pair.laptop.rows(), pair.phone.rows(), "{lost:?} {call}");
            assert_eq!(pair.laptop.rows().len() as u64, 2 * RECORDS, "{lost:?} {call}");
            assert!(!pair.phone.has_leftovers(), "{lost:?} {call}");
            for way in ["fetch", "send"] {
                let went = line.records(way) + again.records(way);
                assert!((RECORDS..=RECORDS + CHUNK).contains(&went), "{lost:?} {call}: {way} {went}");
            }
            if !line.broke() {
                break;
            }
        }
    }
    assert!(resumed > 40, "most calls are within a session: {resumed}");
}

#[test]
fn a_line_that_breaks_again_and_again_gets_there_in_the_end() {
    for lost in [Lost::Request, Lost::Answer] {
        let pair = pair();
        let (mut left, mut tries, mut went) = (None::<SyncSessionId>, 0, 0);
        loop {
            tries += 1;
            // Each line carries a few calls more than are needed to come back to where the last one broke.
            let line = BrokenLine::new(pair.peer(), 7, lost);
            let outcome = match left {
                Some(id) => pair.engine.resume(&line, id, options()),
                None => pair.engine.sync(&line, &pair.certificate, options()),
            };
            went += line.records("fetch") + line.records("send");
            match outcome {
                Ok(_) => break,
                Err(error) => left = error.sync_session().or(left),
            }
            assert!(tries < 100, "it gets nearer each time");
        }
        assert!(tries > 3, "the line broke on the way");
        assert_eq!(pair.laptop.rows(), pair.phone.rows());
        assert!(went <= 2 * RECORDS + tries * CHUNK, "{went} in {tries}");
    }
}

#[test]
fn another_size_of_chunks_loses_nothing() {
    for call in 0.. {
        let pair = pair();
        let line = BrokenLine::new(pair.peer(), call, Lost::Answer);
        let Err(error) = pair.engine.sync(&line, &pair.certificate, options()) else { break };
        // A record that went over changes before it would go over again.
        pair.phone.save(&pair.notes(), "p1", "changed meanwhile");
        let again = options().chunk_size(4);
        match error.sync_session() {
            Some(id) => pair.engine.resume(&pair.peer(), id, again).expect("it goes on"),
            None => pair.sync(again).expect("it begins afresh"),
        };
        pair.sync(options()).expect("what changed meanwhile goes over");
        assert_eq!(pair.laptop.rows(), pair.phone.rows(), "{call}");
        assert_eq!(pair.laptop.rows().len() as u64, 2 * RECORDS, "{call}");
    }
}

#[test]
fn what_is_unfinished_is_listed_with_what_is_left() {
    let (pair, id) = broken_off();
    let unfinished = pair.engine.unfinished().expect("the list");
    assert_eq!(unfinished.len(), 1);
    let sync = &unfinished[0];
    assert_eq!((sync.sync_session, sync.certificate), (id, pair.certificate.id()));
    assert_eq!((sync.peer.clone(), sync.server_certificate), (pair.peer().location(), pair.owner()));
    assert_eq!(sync.left, [Direction::Pull, Direction::Push]);
    assert!(!sync.is_at_work && sync.filter.is_none());
    let [transfer] = sync.transfers.as_slice() else { panic!("one transfer was begun: {sync:?}") };
    assert_eq!((transfer.direction, transfer.stage), (Direction::Pull, Stage::Transferring));
    assert_eq!(transfer.records_total, Some(RECORDS));

    let report = pair.engine.resume(&pair.peer(), id, options()).expect("it goes on");
    assert!(report.pull.is_some() && report.push.is_some(), "the push that had not begun is done too");
    assert_eq!(pair.engine.unfinished().expect("the list"), []);
    let error = pair.engine.resume(&pair.peer(), id, options()).expect_err("it is closed");
    assert_eq!(error.kind(), ErrorKind::SessionGone);
}

#[test]
fn an_engine_that_is_built_anew_goes_on() {
    let (pair, id) = broken_off();
    let (laptop, phone) = (engine(&pair.laptop), engine(&pair.phone));
    let peer = LocalPeer::new(laptop.responder(NoAccounts));
    phone.resume(&peer, id, options()).expect("both were started anew");
    assert_eq!(pair.laptop.rows(), pair.phone.rows());
}

#[test]
fn a_session_that_the_server_has_closed_is_gone_and_a_new_one_is_begun_where_that_was_asked_for() {
    for is_transfer_only in [false, true] {
        let (pair, id) = broken_off();
        let transfer = pair.engine.unfinished().expect("the list")[0].transfers[0].id;
        if is_transfer_only {
            pair.responder.close_transfer_session(&transfer).expect("the server closes it");
        } else {
            pair.responder.close_sync_session(&id).expect("the server closes it");
        }
        let error = pair.engine.resume(&pair.peer(), id, options()).expect_err("it is gone");
        assert_eq!(error.kind(), ErrorKind::SessionGone, "{error:?}");
        assert!(!error.is_retryable() && error.hint().is_some_and(|hint| hint.contains("new sync")), "{error:?}");
        assert!(!pair.phone.has_leftovers() && !pair.laptop.has_leftovers());
    }
    let (pair, id) = broken_off();
    pair.responder.close_sync_session(&id).expect("the server closes it");
    let report = pair.sync(options().resume_if_possible()).expect("it begins afresh");
    assert_ne!(report.sync_session, id);
    assert_eq!(pair.laptop.rows(), pair.phone.rows());
}

/// As by a device that closes what was idle for long, and ends before it is done.
#[test]
fn a_transfer_that_was_closed_here_alone_is_begun_afresh() {
    let (pair, id) = broken_off();
    for transfer in pair.phone.transfer_sessions(&id, 10).expect("a list") {
        pair.phone.clean_up(&transfer.id, Utc::now()).expect("it is closed");
    }
    let report = pair.sync(options().resume_if_possible()).expect("a good sync");
    assert_ne!(report.sync_session, id);
    assert_eq!(pair.laptop.rows(), pair.phone.rows());
    assert!(!pair.laptop.has_leftovers() && !pair.phone.has_leftovers());
}

/// As by a server whose storage failed, and which ended before its client was told.
#[test]
fn a_transfer_that_failed_at_the_peer_unheard_is_begun_afresh() {
    let fail = |(pair, id): &(Pair, SyncSessionId)| {
        for transfer in pair.laptop.transfer_sessions(id, 10).expect("a list") {
            let fail = &mut |kept: &mut TransferSession| kept.status = StageStatus::Errored;
            pair.laptop.update_transfer_session(&transfer.id, fail).expect("it is kept");
        }
    };
    let broken_off = || {
        let broken = broken_off();
        fail(&broken);
        broken
    };
    let (pair, id) = broken_off();
    let error = pair.engine.resume(&pair.peer(), id, options()).expect_err("it failed there");
    assert_eq!(error.kind(), ErrorKind::SessionGone, "{error:?}");
    assert!(!pair.phone.has_leftovers() && !pair.laptop.has_leftovers());

    let (pair, id) = broken_off();
    let report = pair.sync(options().resume_if_possible()).expect("it begins afresh");
    assert_ne!(report.sync_session, id);
    assert_eq!(pair.laptop.rows(), pair.phone.rows());
}

#[test]
fn a_sync_goes_on_with_a_broken_one_of_its_kind_and_no_other() {
    let (pair, id) = broken_off();
    let narrow = options().filter(Filter::new([pair.notes()]).expect("a prefix"));
    let other = pair.sync(narrow.resume_if_possible()).expect("another filter is another sync");
    assert_ne!(other.sync_session, id);
    let same = pair.sync(options().resume_if_possible()).expect("it goes on");
    assert_eq!(same.sync_session, id);
    let next = pair.sync(options().resume_if_possible()).expect("nothing is left: it begins afresh");
    assert_ne!(next.sync_session, id);
}

#[test]
fn a_peer_that_is_another_one_is_told_and_nothing_is_touched() {
    let (pair, id) = broken_off();
    let stranger = engine(&Memory::with_certificates_of(&pair.laptop));
    let error = pair
        .engine
        .resume(&LocalPeer::new(stranger.responder(NoAccounts)), id, options())
        .expect_err("it is another instance");
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error:?}");
    pair.engine.resume(&pair.peer(), id, options()).expect("the right one goes on");
}

#[test]
fn what_cannot_pass_closes_the_session() {
    let pair = pair();
    pair.laptop.fail_next_dequeuing(ErrorKind::Storage);
    let error = pair.sync(options()).expect_err("the server fails");
    assert_eq!((error.kind(), error.sync_session()), (ErrorKind::PeerStageFailed, None));
    assert!(!pair.laptop.has_leftovers() && !pair.phone.has_leftovers());
}

#[test]
fn a_session_that_cannot_be_closed_here_is_named_and_closed_by_whoever_takes_it_up() {
    let pair = pair();
    pair.phone.fail_next_closing(ErrorKind::StorageUnavailable);
    let error = pair.sync(options()).expect_err("the disk fails at the end");
    assert_eq!(error.kind(), ErrorKind::StorageUnavailable);
    let left = error.sync_session().expect("it can be taken up again");
    assert_eq!(pair.engine.unfinished().expect("the list")[0].sync_session, left);
    assert_eq!(pair.laptop.rows(), pair.phone.rows(), "all has come over");

    let again = pair.engine.resume(&pair.peer(), left, options()).expect("the disk works");

    assert_eq!(again.records_transferred(), 0);
    assert!(!pair.laptop.has_leftovers() && !pair.phone.has_leftovers());
}

#[test]
fn a_session_that_is_kept_open_is_synced_in_again() {
    let pair = pair();
    let first = pair.sync(options().keep_open()).expect("a good sync");
    assert_eq!(pair.engine.unfinished().expect("the list")[0].left, []);
    pair.laptop.save(&pair.notes(), "later", "from the laptop");
    let before = pair.peer();
    let again = pair.engine.resume(&before, first.sync_session, options().keep_open()).expect("the same session");
    assert_eq!((again.sync_session, again.records_transferred()), (first.sync_session, 1));
    let last = pair.engine.resume(&pair.peer(), first.sync_session, SyncOptions::pull()).expect("a pull alone");
    assert!(last.push.is_none());
    assert!(!pair.laptop.has_leftovers() && !pair.phone.has_leftovers(), "the last one closed it");
}

#[test]
fn a_cancelled_sync_goes_on_where_that_was_asked_for() {
    let pair = pair();
    let token = CancelToken::new();
    let cancel = token.clone();
    let cancelled = options().keep_open().cancel_on(token).on_event(move |event| {
        if let Event::Stage { phase: Phase::InProgress(_), .. } = event {
            cancel.cancel();
        }
    });
    let error = pair.sync(cancelled).expect_err("it was cancelled");
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    let id = error.sync_session().expect("it stays open");
    pair.engine.resume(&pair.peer(), id, options()).expect("it goes on");
    assert_eq!(pair.laptop.rows(), pair.phone.rows());
}

/// A clock in the story's hand; a pause moves it.
#[derive(Clone, Default)]
pub(crate) struct HandClock(Arc<Mutex<(Duration, i64)>>);

impl HandClock {
    pub(crate) fn advance(&self, duration: Duration) {
        self.0.lock().expect("nobody panics with it").0 += duration;
    }

    /// Sets the time of day wrong, which no stopwatch notices.
    pub(crate) fn jump(&self, seconds: i64) {
        self.0.lock().expect("nobody panics with it").1 += seconds;
    }
}

impl Clock for HandClock {
    fn now(&self) -> DateTime<Utc> {
        let (elapsed, jumped) = *self.0.lock().expect("nobody panics with it");
        DateTime::from_timestamp(1_750_000_000 + jumped, 0).expect("a time") + elapsed
    }

    fn elapsed(&self) -> Duration {
        self.0.lock().expect("nobody panics with it").0
    }

    fn pause(&self, duration: Duration) {
        self.advance(duration);
    }
}

#[test]
fn whoever_is_at_work_is_left_to_it_unless_another_takes_over() {
    let clock = HandClock::default();
    let pair = pair();
    let first = builder(&pair.phone).clock(clock.clone()).build().expect("an engine");
    let second = builder(&pair.phone).clock(clock.clone()).build().expect("another one on the same storage");
    let (peer, outcome) = (pair.peer(), Arc::new(Mutex::new(Vec::new())));
    let (seen, inner_clock) = (Arc::clone(&outcome), clock.clone());
    let disturbed = options().on_event(move |event| {
        let Event::Stage { stage: Stage::Transferring, direction: Direction::Pull, phase, .. } = event else { return };
        let mut seen = seen.lock().expect("nobody panics with it");
        if matches!(phase, Phase::InProgress(_)) && seen.is_empty() {
            let unfinished = second.unfinished().expect("the list");
            assert!(unfinished[0].is_at_work);
            let id = unfinished[0].sync_session;
            seen.push(second.resume(&peer, id, options()).map(drop));
            seen.push(second.resume(&peer, id, options().take_over()).map(drop));
            // Time passes until the first one gives its next sign of life.
            inner_clock.advance(Duration::from_secs(limits::HOLD_SECONDS));
        }
    });
    let error = first.sync(&pair.peer(), &pair.certificate, disturbed).expect_err("its place was taken");
    assert!(matches!(error.kind(), ErrorKind::SessionHeld | ErrorKind::SessionUnknown), "{error:?}");
    assert_eq!(error.sync_session(), None);
    let outcome = outcome.lock().expect("nobody panics with it");
    let refused = outcome[0].as_ref().expect_err("somebody is at work");
    assert_eq!(refused.kind(), ErrorKind::SessionHeld);
    assert!(refused.is_retryable() && refused.hint().is_some_and(|hint| hint.contains("take_over")), "{refused:?}");
    outcome[1].as_ref().expect("the second one ended it well");
    assert_eq!(pair.laptop.rows(), pair.phone.rows());
    assert!(!pair.phone.has_leftovers() && !pair.laptop.has_leftovers());
}

/// A process that hangs gives no sign of life, and another one of the same machine sees that it runs.
#[test]
fn a_hold_of_a_process_that_hangs_ends_like_one_of_another_machine() {
    let clock = HandClock::default();
    let pair = pair();
    let first = builder(&pair.phone).clock(clock.clone()).build().expect("an engine");
    let second = builder(&pair.phone).clock(clock.clone()).build().expect("another one on the same storage");
    let (peer, outcome) = (pair.peer(), Arc::new(Mutex::new(Vec::new())));
    let (seen, inner_clock) = (Arc::clone(&outcome), clock.clone());
    let hanging = options().on_event(move |event| {
        let Event::Stage { stage: Stage::Transferring, direction: Direction::Pull, phase, .. } = event else { return };
        let mut seen = seen.lock().expect("nobody panics with it");
        if matches!(phase, Phase::InProgress(_)) && seen.is_empty() {
            let id = second.unfinished().expect("the list")[0].sync_session;
            seen.push(second.resume(&peer, id, options()).map(drop));
            inner_clock.advance(Duration::from_secs(limits::HOLD_SECONDS));
            assert!(!second.unfinished().expect("the list")[0].is_at_work);
            seen.push(second.resume(&peer, id, options()).map(drop));
        }
    });
    first.sync(&pair.peer(), &pair.certificate, hanging).expect_err("its place was taken");
    let outcome = outcome.lock().expect("nobody panics with it");
    assert_eq!(outcome[0].as_ref().expect_err("somebody is at work").kind(), ErrorKind::SessionHeld);
    outcome[1].as_ref().expect("the second one ended it well");
    assert_eq!(pair.laptop.rows(), pair.phone.rows());
}

#[test]
fn a_hold_of_another_machine_ends_after_a_while_and_a_wrong_clock_does_not_make_it_last() {
    let clock = HandClock::default();
    let (pair, id) = broken_off();
    let engine = builder(&pair.phone).clock(clock.clone()).build().expect("an engine");
    let hold = |until: DateTime<Utc>| {
        let holder = SyncHolder { name: "elsewhere/1/2#3".to_owned(), until };
        let held = |session: &mut morango::session::SyncSession| session.holder = Some(holder.clone());
        engine.storage().update_sync_session(&id, &mut { held }).expect("it is kept");
    };
    let seconds = limits::HOLD_SECONDS.cast_signed();
    hold(clock.now() + chrono::TimeDelta::seconds(seconds));
    let error = engine.resume(&pair.peer(), id, options()).expect_err("somebody is at work");
    assert_eq!(error.kind(), ErrorKind::SessionHeld);
    // A clock that was a day ahead wrote a hold that would last for a day.
    hold(clock.now() + chrono::TimeDelta::days(1));
    assert!(!engine.unfinished().expect("the list")[0].is_at_work);
    clock.jump(-86_400);
    hold(clock.now() + chrono::TimeDelta::seconds(seconds));
    clock.advance(Duration::from_secs(limits::HOLD_SECONDS));
    engine.resume(&pair.peer(), id, options()).expect("the hold has ended");
    assert_eq!(pair.laptop.rows(), pair.phone.rows());
}

#[test]
fn sessions_that_nobody_uses_are_closed_and_others_are_not() {
    let clock = HandClock::default();
    let (pair, id) = broken_off();
    let server = builder(&pair.laptop).clock(clock.clone()).build().expect("an engine");
    let client = builder(&pair.phone).clock(clock.clone()).build().expect("an engine");
    // The story's clock stands at a time before the sessions were used.
    let day = Duration::from_secs(86_400);
    for engine in [&server, &client] {
        let nothing = engine.clean_up_sessions(&SessionSelection::idle_for(day)).expect("it looks");
        assert_eq!((nothing.sync_sessions.len(), nothing.transfer_sessions), (0, 0));
    }
    let years = i64::from(u16::MAX) * 86_400;
    clock.jump(years);
    let meant = SessionSelection::idle_for(day);
    for (selection, why) in [
        (meant.clone().side(Side::Client), "it is the server's"),
        (meant.clone().direction(Direction::Push), "a pull is open in it"),
        (meant.clone().filter(Filter::new(["elsewhere"]).expect("a prefix")), "its filter is another"),
        (meant.clone().ids([SyncSessionId::random()]), "it is another one"),
        (meant.clone().server_instance(client.instance().id), "its server is another"),
        (meant.clone().profile("another"), "its profile is another"),
    ] {
        let report = server.clean_up_sessions(&selection).expect("it looks");
        assert_eq!((report.sync_sessions.len(), report.transfer_sessions), (0, 0), "{why}");
    }
    let selection = meant
        .ids([id])
        .side(Side::Server)
        .profile(PROFILE)
        .direction(Direction::Pull)
        .filter(Filter::everything())
        .client_instance(client.instance().id)
        .server_instance(server.instance().id);
    let report = server.clean_up_sessions(&selection).expect("it looks");
    assert_eq!((report.sync_sessions.as_slice(), report.transfer_sessions), ([id].as_slice(), 1), "{report}");
    assert_eq!(report.records_freed, RECORDS, "{report}");
    assert!(!pair.laptop.has_leftovers());
    let error = client.resume(&LocalPeer::new(server.responder(NoAccounts)), id, options()).expect_err("it is closed");
    assert_eq!(error.kind(), ErrorKind::SessionGone);
}

#[test]
fn sessions_that_are_in_use_keep_nobody_from_those_that_are_not_however_many_they_are() {
    let (pair, id) = broken_off();
    let storage = pair.laptop.clone();
    let left = storage.sync_session(&id).expect("it is read").expect("it is there");
    let clock = HandClock::default();
    clock.jump(i64::from(u16::MAX) * 86_400);
    for _ in 0..limits::SESSIONS_LISTED_MAX {
        let in_use = SyncSession { id: SyncSessionId::random(), last_activity_at: clock.now(), ..left.clone() };
        storage.create_sync_session(&in_use).expect("another one");
    }
    let server = builder(&pair.laptop)
        .clock(clock)
        .close_sessions_idle_for(Duration::from_secs(u64::MAX))
        .build()
        .expect("an engine");

    let idle = SessionSelection::idle_for(Duration::from_secs(86_400));
    let report = server.clean_up_sessions(&idle).expect("it looks");

    assert_eq!((report.sync_sessions.as_slice(), report.transfer_sessions), ([id].as_slice(), 1), "{report}");
}

#[test]
fn an_engine_looks_after_sessions_by_itself() {
    let (pair, _) = broken_off();
    assert!(pair.phone.has_leftovers());
    let clock = HandClock::default();
    clock.jump(i64::from(u16::MAX) * 86_400);
    builder(&pair.phone).clock(clock.clone()).build().expect("an engine");
    assert!(!pair.phone.has_leftovers(), "when it is built");

    let server = builder(&pair.laptop)
        .clock(clock.clone())
        .close_sessions_idle_for(Duration::from_secs(u64::MAX))
        .build()
        .expect("an engine that closes nothing");
    assert!(pair.laptop.has_leftovers());
    drop(server);
    builder(&pair.laptop).clock(clock).build().expect("an engine");
    assert!(!pair.laptop.has_leftovers());
}
