//! Stories of hooks: who is told what before and after a transfer, and that none of them ever stops one.

use std::sync::{Arc, Mutex};

use morango::ErrorKind;
use morango::engine::SessionSelection;
use morango::hook::{Event, GuestError, HookMoment, Phase, Totals, TransferEnd, TransferInfo};
use morango::port::Progress;
use morango::prelude::*;
use morango::session::{Capabilities, Role, Side};

use super::broken_line::{BrokenLine, Lost};
use super::{Pair, builder};

/// What a hook was told.
#[derive(Debug, Clone)]
enum Told {
    Before(TransferInfo),
    After(TransferInfo, End),
}

impl Told {
    fn info(&self) -> &TransferInfo {
        match self {
            Self::Before(info) | Self::After(info, _) => info,
        }
    }
}

/// How a hook was told that it ended.
#[derive(Debug, Clone)]
struct End {
    totals: Totals,
    failure: Option<String>,
    touched: u64,
}

/// A hook that keeps what it is told, all copies together.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<Told>>>);

impl Diary {
    fn read(&self) -> Vec<Told> {
        self.0.lock().expect("nobody panics while they hold it").clone()
    }
}

impl Hook for Diary {
    fn name(&self) -> &'static str {
        "diary"
    }

    fn before_transfer(&self, transfer: &TransferInfo) -> Result<(), GuestError> {
        self.0.lock().expect("nobody panics while they hold it").push(Told::Before(transfer.clone()));
        Ok(())
    }

    fn after_transfer(&self, transfer: &TransferInfo, end: &TransferEnd<'_>) -> Result<(), GuestError> {
        let mut touched = 0;
        end.for_each_touched("note", &mut |_| {
            touched += 1;
            Ok(())
        })?;
        let end = End { totals: end.totals, failure: end.failure.clone(), touched };
        self.0.lock().expect("nobody panics while they hold it").push(Told::After(transfer.clone(), end));
        Ok(())
    }
}

/// A hook that fails before a transfer and panics after it.
struct Clumsy;

impl Hook for Clumsy {
    fn name(&self) -> &'static str {
        "clumsy"
    }

    fn before_transfer(&self, _transfer: &TransferInfo) -> Result<(), GuestError> {
        Err("the cupboard is empty".into())
    }

    fn after_transfer(&self, _transfer: &TransferInfo, _end: &TransferEnd<'_>) -> Result<(), GuestError> {
        panic!("the cup fell")
    }
}

#[test]
fn each_side_is_told_before_and_after_each_transfer() {
    let (server, client) = (Diary::default(), Diary::default());
    let pair = Pair::built(
        "whole-notebook",
        |laptop| laptop.hook(server.clone()).single_user_scope("whole-notebook", "owner_id"),
        |phone| phone.hook(client.clone()).single_user_scope("whole-notebook", "owner_id"),
    );
    pair.laptop.save(&pair.notes(), "1", "milk");
    pair.phone.save(&pair.notes(), "2", "bread");

    let report = pair.sync(SyncOptions::both_ways()).expect("a good sync");

    assert_eq!(report.pull.as_ref().map(|pull| pull.hook_failures.len()), Some(0));
    for (told, side) in [(server.read(), Side::Server), (client.read(), Side::Client)] {
        let [
            Told::Before(before_pull),
            Told::After(pull, end_of_pull),
            Told::Before(before_push),
            Told::After(push, end_of_push),
        ] = &told[..]
        else {
            panic!("{side:?} was told otherwise: {told:#?}")
        };
        assert_eq!((before_pull.direction, before_push.direction), (Direction::Pull, Direction::Push));
        assert_eq!(pull.role(), if side == Side::Client { Role::Receiver } else { Role::Producer });
        for (end, info, before) in [(end_of_pull, pull, before_pull), (end_of_push, push, before_push)] {
            assert_eq!((end.failure.clone(), end.totals.records_transferred), (None, 1), "{side:?}");
            assert_eq!(end.touched, u64::from(info.role() == Role::Receiver), "{side:?}");
            assert!(info.transfer_session.is_some());
            assert_eq!(before.transfer_session.is_some(), side == Side::Server);
        }
        for info in told.iter().map(Told::info) {
            assert_eq!(info.side(), side);
            assert_eq!((info.root_partition(), info.remote.root), (pair.owner(), pair.owner()));
            assert_eq!((&*info.local.scope_definition, info.local.is_single_user()), ("whole-notebook", true));
            assert_eq!(info.single_user_id(), Some(&*pair.owner().to_string()));
            assert_eq!(info.local.instance_info["platform"], info.remote.instance_info["platform"]);
            assert_eq!(info.sync_session.id, report.sync_session);
            let ours = if side == Side::Client { pair.certificate.id() } else { pair.owner() };
            assert_eq!(info.local.certificate, ours);
        }
    }
}

#[test]
fn a_certificate_is_a_single_users_only_where_the_application_says_so() {
    let diary = Diary::default();
    let pair = Pair::built("reader", |laptop| laptop, |phone| phone.single_user_scope("reader", "owner_id"));
    let options = SyncOptions::pull().hook(diary.clone());
    pair.sync(options).expect("a good sync");
    let told = diary.read();
    let info = told[0].info();
    assert!(info.local.is_single_user() && !info.remote.is_single_user(), "{info:?}");
    assert_eq!(info.remote.single_user_id(), None);
    assert_eq!(info.single_user_id(), Some(&*pair.owner().to_string()));
}

#[test]
fn a_hook_that_fails_or_panics_is_reported_and_stops_nothing() {
    let after = Diary::default();
    let pair = Pair::built("whole-notebook", |laptop| laptop.hook(Clumsy), |phone| phone.hook(Clumsy));
    pair.laptop.save(&pair.notes(), "1", "milk");
    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&events);
    let options = SyncOptions::pull().hook(after.clone()).on_event(move |event| {
        if let Event::HookFailed { failure, transfer_session, .. } = event {
            seen.lock().expect("a list").push((failure.moment, transfer_session.is_some()));
        }
    });

    let report = pair.sync(options).expect("no hook stops a sync");

    assert_eq!(pair.laptop.rows(), pair.phone.rows());
    let failures = report.pull.expect("pulled").hook_failures;
    let reasons: Vec<&str> = failures.iter().map(|failure| failure.reason.as_str()).collect();
    assert_eq!(reasons, ["the cupboard is empty", "it panicked: the cup fell"]);
    assert!(failures.iter().all(|failure| failure.hook == "clumsy"));
    assert_eq!(*events.lock().expect("a list"), [(HookMoment::Before, false), (HookMoment::After, true)]);
    assert_eq!(after.read().len(), 2, "the next hook is called all the same");
}

#[test]
fn a_transfer_that_fails_is_told_with_its_reason_on_both_sides() {
    let (server, client) = (Diary::default(), Diary::default());
    let pair = Pair::built("whole-notebook", |laptop| laptop.hook(server.clone()), |phone| phone.hook(client.clone()));
    pair.phone.save(&pair.notes(), "1", "milk");
    pair.laptop.fail_next_dequeuing(ErrorKind::Storage);
    pair.sync(SyncOptions::push()).expect_err("the server fails");
    for told in [server.read(), client.read()] {
        let [Told::Before(_), Told::After(_, end)] = &told[..] else { panic!("told otherwise: {told:#?}") };
        assert!(end.failure.is_some(), "{end:?}");
    }
}

#[test]
fn a_transfer_that_is_broken_off_and_taken_up_again_is_told_of_once() {
    let mut broke = 0;
    for call in 0.. {
        let (server, client) = (Diary::default(), Diary::default());
        let pair =
            Pair::built("whole-notebook", |laptop| laptop.hook(server.clone()), |phone| phone.hook(client.clone()));
        for number in 0..5 {
            pair.laptop.save(&pair.notes(), &number.to_string(), "milk");
        }
        let options = || SyncOptions::pull().chunk_size(2);
        let line = BrokenLine::new(pair.peer(), call, Lost::Request);
        let outcome = pair.engine.sync(&line, &pair.certificate, options());
        if !line.broke() {
            break;
        }
        let Some(id) = outcome.err().and_then(|error| error.sync_session()) else { continue };
        // Where the line broke before there was a session, that try has ended, and there is another one.
        let was_open = line.records("fetch") > 0;
        if was_open {
            assert_eq!(client.read().len(), 1, "call {call}: it has begun, and has not ended: {:#?}", client.read());
        }
        pair.engine.resume(&pair.peer(), id, options()).expect("it goes on");
        if was_open {
            broke += 1;
            for told in [server.read(), client.read()] {
                let [Told::Before(_), Told::After(_, end)] = &told[..] else { panic!("call {call}: {told:#?}") };
                assert_eq!(end.failure, None, "call {call}");
            }
        }
    }
    assert!(broke > 3, "it broke at {broke} calls");
}

#[test]
fn a_transfer_that_is_closed_with_its_session_is_told_to_have_ended() {
    let diary = Diary::default();
    let pair = Pair::built("whole-notebook", |laptop| laptop.hook(diary.clone()), |phone| phone);
    for by_upkeep in [false, true] {
        let request = pair.open(Capabilities::ours(), Direction::Pull);
        pair.responder.create_transfer_session(&request).expect("a pull");
        if by_upkeep {
            let server = builder(&pair.laptop).hook(diary.clone()).build().expect("an engine");
            let all = SessionSelection::idle_for(std::time::Duration::ZERO);
            assert_eq!(server.clean_up_sessions(&all).expect("it cleans up").transfer_sessions, 1);
        } else {
            pair.responder.close_sync_session(&request.sync_session).expect("it is closed");
        }
    }
    let told = diary.read();
    let [Told::Before(_), Told::After(_, closed), Told::Before(_), Told::After(_, cleaned_up)] = &told[..] else {
        panic!("told otherwise: {told:#?}")
    };
    assert!(closed.failure.is_some() && cleaned_up.failure.is_some());
}

#[test]
fn a_transfer_that_never_begins_is_told_to_have_ended() {
    let (diary, token) = (Diary::default(), CancelToken::new());
    let (pair, cancel) = (Pair::new(), token.clone());
    let options = SyncOptions::pull().hook(diary.clone()).cancel_on(token).on_event(move |event| {
        if matches!(event, Event::SessionOpened { .. }) {
            cancel.cancel();
        }
    });
    pair.sync(options).expect_err("it was cancelled");
    let told = diary.read();
    let [Told::Before(_), Told::After(info, end)] = &told[..] else { panic!("told otherwise: {told:#?}") };
    assert!(info.transfer_session.is_none() && end.failure.is_some(), "{end:?}");
}

#[test]
fn the_server_tells_every_stage_in_order() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&events);
    let pair = Pair::built(
        "whole-notebook",
        |laptop| {
            laptop.on_event(move |event| {
                if let Event::Stage { direction, stage, phase, totals, .. } = event {
                    seen.lock().expect("a list").push((*direction, *stage, phase.clone(), *totals));
                }
            })
        },
        |phone| phone,
    );
    for number in 0..5 {
        pair.laptop.save(&pair.notes(), &format!("l{number}"), "from the laptop");
        pair.phone.save(&pair.notes(), &format!("p{number}"), "from the phone");
    }

    pair.sync(SyncOptions::both_ways().chunk_size(2)).expect("a good sync");

    let events = events.lock().expect("a list");
    for (wanted, done) in [(Direction::Pull, vec![2, 4, 5]), (Direction::Push, vec![2, 4, 5])] {
        let of_direction: Vec<_> = events.iter().filter(|(direction, ..)| *direction == wanted).collect();
        let stages = |phase: &Phase| -> Vec<Stage> {
            of_direction.iter().filter(|(_, _, told, _)| told == phase).map(|(_, stage, ..)| *stage).collect()
        };
        let expected: &[Stage] = match wanted {
            // On a pull the server has nothing to dequeue, and is told that the client has.
            Direction::Pull => &[
                Stage::Initializing,
                Stage::Serializing,
                Stage::Queuing,
                Stage::Transferring,
                Stage::Dequeuing,
                Stage::Cleanup,
            ],
            Direction::Push => &Stage::ALL,
        };
        assert_eq!(stages(&Phase::Started), expected, "{wanted}");
        assert_eq!(stages(&Phase::Completed), expected, "{wanted}");
        let progress: Vec<u64> = of_direction
            .iter()
            .filter(|(_, stage, phase, _)| *stage == Stage::Transferring && matches!(phase, Phase::InProgress(_)))
            .map(|(.., totals)| totals.records_transferred)
            .collect();
        assert_eq!(progress, done, "{wanted}");
        let queued =
            of_direction.iter().filter(|(_, stage, ..)| *stage == Stage::Queuing).map(|(_, _, phase, _)| phase);
        let counted = Phase::InProgress(Progress { done: 5, total: Some(5) });
        assert_eq!(
            queued.filter(|phase| **phase == counted).count(),
            usize::from(wanted == Direction::Pull),
            "{wanted}"
        );
        let open = of_direction.iter().fold(None, |open, (_, stage, phase, _)| match (open, phase) {
            (None, Phase::Started) => Some((*stage, false)),
            (Some((begun, _)), Phase::InProgress(_)) if begun == *stage => Some((begun, true)),
            (Some((begun, true)), Phase::Completed) if begun == *stage => None,
            (open, phase) => panic!("{wanted}: {stage} {phase:?} while {open:?} was under way"),
        });
        assert_eq!(open, None);
    }
}
