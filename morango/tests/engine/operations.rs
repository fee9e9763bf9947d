//! Stories of operations: an application's own part in a stage, on the side that calls and on the side that is called.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use morango::counter::Instances;
use morango::engine::EngineBuilder;
use morango::port::{Peer, ProceedRequest, TransferSessionRequest};
use morango::prelude::*;
use morango::session::{Capabilities, StageStatus};
use serde_json::json;

use super::memory::Memory;
use super::{Pair, builder};

type Outcome = Result<StageOutcome, GuestError>;

/// What happened, in its order. All copies are one.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn note(&self, what: impl Into<String>) {
        self.0.lock().expect("nobody panics while they hold it").push(what.into());
    }

    fn read(&self) -> Vec<String> {
        self.0.lock().expect("nobody panics while they hold it").clone()
    }

    /// An operation that notes its name and leaves the stage to the next.
    fn operation(&self, name: &'static str, stage: Stage, priority: i32) -> impl Operation {
        let log = self.clone();
        StageOperation::local(name, stage, move |_: &mut OperationContext<'_>| {
            log.note(name);
            Ok(StageOutcome::Next)
        })
        .priority(priority)
    }
}

/// A counter of how often something ran.
#[derive(Clone, Default)]
struct Times(Arc<AtomicUsize>);

impl Times {
    fn once_more(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// A pair in which the laptop, which answers, and the phone, which calls, have operations.
fn pair(
    laptop: impl FnOnce(morango::engine::EngineBuilder) -> morango::engine::EngineBuilder,
    phone: impl FnOnce(morango::engine::EngineBuilder) -> morango::engine::EngineBuilder,
) -> Pair {
    Pair::built("whole-notebook", laptop, phone)
}

#[test]
fn operations_run_by_priority_around_the_engines_own_work() {
    let log = Log::default();
    let watched = log.clone();
    let pair = pair(
        |laptop| laptop,
        |phone| {
            phone
                .operation(log.operation("last", Stage::Deserializing, -5))
                .operation(log.operation("first", Stage::Deserializing, 10))
                .operation(log.operation("second, registered first", Stage::Deserializing, 0))
                .operation(log.operation("at another stage", Stage::Dequeuing, 3))
        },
    );
    pair.laptop.save(&pair.notes(), "1", "milk");
    let phone = pair.phone.clone();
    let options = SyncOptions::pull()
        .operation(log.operation("second, of this sync", Stage::Deserializing, 0))
        .operation(StageOperation::local("looks", Stage::Deserializing, move |_| {
            watched.note(format!("rows: {}", phone.rows().len()));
            Ok(StageOutcome::Next)
        }));
    let phone = pair.phone.clone();
    let seen = log.clone();
    let options = options.operation(
        StageOperation::local("looks again", Stage::Deserializing, move |_| {
            seen.note(format!("rows: {}", phone.rows().len()));
            Ok(StageOutcome::Next)
        })
        .priority(-1),
    );

    pair.sync(options).expect("a good sync");

    assert_eq!(
        log.read(),
        ["at another stage", "first", "second, registered first", "second, of this sync", "rows: 0", "rows: 1", "last"]
    );
}

#[test]
fn an_operation_is_shown_both_sides_of_the_transfer() {
    let log = Log::default();
    let show = |log: Log| {
        move |context: &mut OperationContext<'_>| -> Outcome {
            let info = context.info();
            let session = context.transfer_session().map(|session| session.records_transferred);
            log.note(format!(
                "{:?} {:?} {} {} {} {:?} {}",
                context.side(),
                context.role(),
                context.direction(),
                context.stage(),
                context.filter() == &info.filter,
                session,
                info.local.root == info.remote.root,
            ));
            assert_eq!(info.local.scope_params.get("owner_id").map(str::len), Some(32));
            assert_eq!(info.remote.instance_info["id"], json!(info.remote.instance.map(|id| id.to_string())));
            assert_eq!(context.profile(), "notebook");
            assert!(context.dequeued().is_some() || context.role() == Role::Producer);
            assert!(!context.cancel_token().is_cancelled());
            Ok(StageOutcome::Next)
        }
    };
    let pair = pair(
        |laptop| laptop.operation(StageOperation::local("show", Stage::Cleanup, show(log.clone()))),
        |phone| phone.operation(StageOperation::local("show", Stage::Cleanup, show(log.clone()))),
    );
    pair.laptop.save(&pair.notes(), "1", "milk");
    pair.sync(SyncOptions::pull()).expect("a good sync");
    assert_eq!(
        log.read(),
        ["Client Receiver pull cleanup true Some(1) true", "Server Producer pull cleanup true Some(1) true"]
    );
}

#[test]
fn the_first_operation_that_answers_for_a_stage_ends_it() {
    let log = Log::default();
    let pair = pair(
        |laptop| laptop,
        |phone| {
            phone
                .operation(StageOperation::local("instead", Stage::Deserializing, |_| Ok(StageOutcome::Completed)))
                .operation(log.operation("never", Stage::Deserializing, 0))
        },
    );
    pair.laptop.save(&pair.notes(), "1", "milk");
    let report = pair.sync(SyncOptions::pull()).expect("a good sync");
    assert!(log.read().is_empty());
    assert_eq!(report.pull.expect("pulled").deserialize, None, "the engine's own work was left out");
    assert!(pair.phone.rows().is_empty());
    pair.engine.deserialize("notebook", &Filter::everything()).expect("what waits becomes rows");
    assert_eq!(pair.phone.rows().len(), 1);
}

#[test]
fn an_operation_that_fails_or_panics_fails_the_stage_with_its_cause() {
    type Failing = fn(&mut OperationContext<'_>) -> Outcome;
    let failing: [(Failing, ErrorKind, &str); 3] = [
        (|_| Err("no classes are left".into()), ErrorKind::Operation, "no classes are left"),
        (|_| panic!("the cup fell"), ErrorKind::Operation, "it panicked: the cup fell"),
        (|_| Err(Error::forbidden("teach").into()), ErrorKind::Forbidden, "teach"),
    ];
    for (fail, kind, reason) in failing {
        let on_client =
            pair(|laptop| laptop, |phone| phone.operation(StageOperation::local("f", Stage::Dequeuing, fail)));
        on_client.laptop.save(&on_client.notes(), "1", "milk");
        let error = on_client.sync(SyncOptions::pull()).expect_err("its own operation fails");
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(error.report().contains(reason), "{}", error.report());
        assert!(!on_client.laptop.has_leftovers() && !on_client.phone.has_leftovers());

        let on_server =
            pair(|laptop| laptop.operation(StageOperation::local("f", Stage::Dequeuing, fail)), |phone| phone);
        on_server.phone.save(&on_server.notes(), "1", "milk");
        let error = on_server.sync(SyncOptions::push()).expect_err("the server's operation fails");
        assert_eq!(error.kind(), ErrorKind::PeerStageFailed, "{error:?}");
        assert!(on_server.laptop.errored()[0].contains(reason), "{:?}", on_server.laptop.errored());
        assert!(!on_server.laptop.has_leftovers() && !on_server.phone.has_leftovers());
    }
}

#[test]
fn what_is_kept_pending_is_tried_again_at_home() {
    for (stage, priority) in Stage::ALL.into_iter().flat_map(|stage| [(stage, 1), (stage, -1)]) {
        if (stage, priority) == (Stage::Initializing, 1) {
            continue;
        }
        let times = Times::default();
        let counted = times.clone();
        let waits = StageOperation::local("waits", stage, move |_: &mut OperationContext<'_>| {
            Ok(if counted.once_more() < 3 { StageOutcome::Pending } else { StageOutcome::Next })
        });
        let pair = pair(|laptop| laptop, |phone| phone.operation(waits.priority(priority)));
        pair.laptop.save(&pair.notes(), "1", "milk");
        let report = pair.sync(SyncOptions::pull()).unwrap_or_else(|error| panic!("{stage}: {}", error.report()));
        assert_eq!(times.get(), 3, "{stage}");
        assert_eq!(pair.laptop.rows(), pair.phone.rows(), "{stage}");
        let done: Vec<Stage> = report.pull.expect("pulled").stages.iter().map(|(stage, _)| *stage).collect();
        assert_eq!(done, Stage::ALL, "{stage} is done once");
    }
}

#[test]
fn what_is_kept_pending_is_tried_again_on_the_server() {
    for (stage, priority) in Stage::ALL.into_iter().flat_map(|stage| [(stage, 1), (stage, -1)]) {
        if (stage, priority) == (Stage::Initializing, 1) {
            continue;
        }
        let times = Times::default();
        let counted = times.clone();
        let waits = StageOperation::local("waits", stage, move |_: &mut OperationContext<'_>| {
            Ok(if counted.once_more() < 3 { StageOutcome::Pending } else { StageOutcome::Next })
        });
        let pair = pair(|laptop| laptop.operation(waits.priority(priority)), |phone| phone);
        pair.phone.save(&pair.notes(), "1", "milk");
        pair.sync(SyncOptions::push()).unwrap_or_else(|error| panic!("{stage} {priority}: {}", error.report()));
        assert!(times.get() >= 3, "{stage} {priority}: {}", times.get());
        assert_eq!(pair.laptop.rows(), pair.phone.rows(), "{stage} {priority}");
    }
}

/// Whoever watches must be able to tell a stage that goes on from one that begins again.
#[test]
fn a_stage_that_is_kept_pending_has_started_once_and_goes_on() {
    for is_servers in [true, false] {
        for stage in Stage::ALL {
            let (times, phases) = (Times::default(), Arc::new(Mutex::new(Vec::new())));
            let (counted, seen) = (times.clone(), Arc::clone(&phases));
            let waits = StageOperation::local("waits", stage, move |_: &mut OperationContext<'_>| {
                Ok(if counted.once_more() < 4 { StageOutcome::Pending } else { StageOutcome::Next })
            });
            let watched = |builder: EngineBuilder| {
                builder.operation(waits.priority(-1)).on_event(move |event| {
                    if let Event::Stage { stage: told, phase, .. } = event
                        && *told == stage
                    {
                        seen.lock().expect("a list").push(phase.clone());
                    }
                })
            };
            let pair = if is_servers { pair(watched, |phone| phone) } else { pair(|laptop| laptop, watched) };
            pair.phone.save(&pair.notes(), "1", "milk");

            pair.sync(SyncOptions::push()).unwrap_or_else(|error| panic!("{stage}: {}", error.report()));

            let phases = phases.lock().expect("a list");
            let count = |wanted: &Phase| phases.iter().filter(|phase| *phase == wanted).count();
            let whose = if is_servers { "the server" } else { "the client" };
            assert_eq!(
                (phases.first(), phases.last()),
                (Some(&Phase::Started), Some(&Phase::Completed)),
                "{whose} {stage}"
            );
            assert_eq!((count(&Phase::Started), count(&Phase::Completed)), (1, 1), "{whose} {stage}: {phases:?}");
            assert!(phases.len() >= 2 + 3, "{whose} {stage} tells each try: {phases:?}");
        }
    }
}

/// A Python client asks a server to go to a stage once; then it only looks whether it is there.
#[test]
fn a_server_tries_a_pending_stage_again_when_it_is_only_looked_at() {
    let times = Times::default();
    let counted = times.clone();
    let waits = StageOperation::local("waits", Stage::Serializing, move |_: &mut OperationContext<'_>| {
        Ok(if counted.once_more() < 4 { StageOutcome::Pending } else { StageOutcome::Next })
    });
    let pair = pair(|laptop| laptop.operation(waits), |phone| phone);
    pair.laptop.save(&pair.notes(), "1", "milk");
    let (peer, request) = (pair.peer(), pair.open(Capabilities::ours(), Direction::Pull));
    let id = peer.create_transfer_session(&request).expect("a pull").id;
    let filter = request.filter.clone();
    let fsic = pair.engine.storage().fsic("notebook", &filter, Instances::All).expect("counters");
    let go = ProceedRequest {
        stage: Some(Stage::Serializing),
        client_fsic: Some(fsic.clone().into()),
        ..ProceedRequest::default()
    };
    let answer = peer.proceed(&id, &go).expect("it is asked once");
    assert_eq!((answer.stage, answer.status), (Some(Stage::Serializing), Some(StageStatus::Pending)));
    let mut looks = 0;
    while peer.transfer_session(&id).expect("it is open").status != Some(StageStatus::Completed) {
        looks += 1;
        assert!(looks < 10, "it never gets on");
    }
    assert_eq!(times.get(), 4);
    let go = ProceedRequest { stage: Some(Stage::Queuing), ..ProceedRequest::default() };
    assert_eq!(peer.proceed(&id, &go).expect("it goes on").records_total, Some(1));
    pair.responder.close_transfer_session(&id).expect("it is closed");
}

#[test]
fn what_is_done_once_is_done_once_in_each_transfer_and_stage() {
    let (once, always) = (Times::default(), Times::default());
    let make = |stage, once: Times, always: Times| {
        StageOperation::local("careful", stage, move |context: &mut OperationContext<'_>| {
            let outcome = context.once(|_| {
                once.once_more();
                Ok(StageOutcome::Pending)
            })?;
            assert!(context.was_done()?);
            always.once_more();
            Ok(outcome)
        })
    };
    let pair = pair(
        |laptop| laptop,
        |phone| {
            phone.operation(make(Stage::Serializing, once.clone(), always.clone())).operation(make(
                Stage::Cleanup,
                once.clone(),
                always.clone(),
            ))
        },
    );
    pair.sync(SyncOptions::both_ways()).expect("a good sync");
    assert_eq!((once.get(), always.get()), (4, 8), "two stages of two transfers, each tried twice");
}

/// The operation closes the transfer there in its own way, in place of the engine.
#[test]
fn what_was_done_once_in_place_of_the_engine_stays_in_its_place() {
    let (times, told) = (Times::default(), Log::default());
    let counted = times.clone();
    let instead = StageOperation::network("instead", Stage::Cleanup, move |context: &mut OperationContext<'_>| {
        let outcome = context.once(|_| Ok(StageOutcome::Completed))?;
        // The stage is tried again, as after a crash.
        Ok(if counted.once_more() == 1 { StageOutcome::Pending } else { outcome })
    });
    let seen = told.clone();
    let watch = move |event: &Event| {
        if let Event::Stage { stage: Stage::Cleanup, .. } = event {
            seen.note("closed");
        }
    };
    let pair = pair(|laptop| laptop.on_event(watch), |phone| phone.operation(instead));
    pair.sync(SyncOptions::pull()).expect("a good sync");
    assert_eq!(times.get(), 2);
    assert_eq!(told.read(), [""; 0], "the engine did not make the call which the operation was made for");
}

#[test]
fn what_failed_is_not_remembered_as_done() {
    let times = Times::default();
    let counted = times.clone();
    let careful = StageOperation::local("careful", Stage::Cleanup, move |context: &mut OperationContext<'_>| {
        context.once(|_| if counted.once_more() == 1 { Err("not yet".into()) } else { Ok(StageOutcome::Next) })
    });
    let pair = pair(|laptop| laptop, |phone| phone.operation(careful));
    pair.sync(SyncOptions::pull()).expect_err("the first time fails");
    pair.sync(SyncOptions::pull()).expect("the second time goes well");
    assert_eq!(times.get(), 2);
}

#[test]
fn nothing_is_done_once_before_there_is_a_session_to_remember_it() {
    let early = |context: &mut OperationContext<'_>| context.once(|_| Ok(StageOutcome::Next));
    let error =
        pair(|laptop| laptop, |phone| phone.operation(StageOperation::local("early", Stage::Initializing, early)))
            .sync(SyncOptions::pull())
            .expect_err("there is no session yet");
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error:?}");
    assert!(error.report().contains("negative priority"), "{}", error.report());
    for side in [Side::Client, Side::Server] {
        let late = || StageOperation::local("late", Stage::Initializing, early).priority(-1);
        let pair = pair(
            |laptop| if side == Side::Server { laptop.operation(late()) } else { laptop },
            |phone| if side == Side::Client { phone.operation(late()) } else { phone },
        );
        pair.sync(SyncOptions::pull()).expect("there is a session by then");
    }
}

#[test]
fn operations_share_what_a_sync_session_remembers() {
    let writes = StageOperation::local("writes", Stage::Serializing, |context: &mut OperationContext<'_>| {
        assert_eq!(context.recall("lesson")?, None);
        context.remember("lesson", &json!({"number": 7}))?;
        context.remember("forgotten", &json!(1))?;
        context.remember("forgotten", &json!(null))?;
        Ok(StageOutcome::Next)
    });
    let reads = StageOperation::local("reads", Stage::Queuing, |context: &mut OperationContext<'_>| {
        assert_eq!(context.recall("lesson")?, Some(json!({"number": 7})));
        assert_eq!(context.recall("forgotten")?, None);
        let long = context.remember("long", &json!("x".repeat(100_000))).expect_err("too long");
        assert_eq!(long.kind(), ErrorKind::LimitExceeded);
        Ok(StageOutcome::Next)
    });
    pair(|laptop| laptop, |phone| phone.operation(writes).operation(reads))
        .sync(SyncOptions::pull())
        .expect("a good sync");
}

#[test]
fn operations_towards_the_network_run_on_the_client_after_its_own_part() {
    let log = Log::default();
    let times = Times::default();
    let asks = |log: Log, times: Times| {
        StageOperation::network("asks", Stage::Queuing, move |context: &mut OperationContext<'_>| {
            assert!(context.peer().is_some_and(|peer| peer.location().starts_with("local:")));
            assert_eq!(context.part(), StagePart::Network);
            let refused = context.connection::<Memory>().err().map(|error| error.kind());
            assert_eq!(refused, Some(ErrorKind::InvalidInput), "no transaction spans a call");
            log.note("network");
            context.once(|_| {
                times.once_more();
                Ok(StageOutcome::Pending)
            })
        })
    };
    let pair = pair(
        |laptop| laptop.operation(asks(Log::default(), Times::default())),
        |phone| phone.operation(log.operation("local", Stage::Queuing, 0)).operation(asks(log.clone(), times.clone())),
    );
    pair.laptop.save(&pair.notes(), "1", "milk");
    pair.sync(SyncOptions::pull()).expect("a good sync");
    assert_eq!(log.read(), ["local", "network", "network"]);
    assert_eq!((times.get(), pair.phone.rows().len()), (1, 1));
}

#[test]
fn what_an_operation_writes_before_serializing_is_sent_in_the_same_transfer() {
    for (direction, side) in [(Direction::Push, Side::Client), (Direction::Pull, Side::Server)] {
        let make = |side| {
            StageOperation::local("make a row", Stage::Serializing, move |context: &mut OperationContext<'_>| {
                if context.role() == Role::Producer && context.side() == side {
                    let partition = format!("{}:notes", context.info().root_partition());
                    let memory = context.connection::<Memory>()?.clone();
                    memory.save(&partition, "sent", "lesson");
                    context.untracked(|_| {
                        memory.save(&partition, "kept", "for this device only");
                        Ok(())
                    })?;
                }
                Ok(StageOutcome::Next)
            })
        };
        let pair = pair(|laptop| laptop.operation(make(side)), |phone| phone.operation(make(side)));
        let options = if direction == Direction::Push { SyncOptions::push() } else { SyncOptions::pull() };
        pair.sync(options).expect("a good sync");
        let (maker, other) =
            if side == Side::Client { (&pair.phone, &pair.laptop) } else { (&pair.laptop, &pair.phone) };
        assert_eq!(maker.rows().len(), 2);
        assert_eq!(other.rows().into_values().collect::<Vec<_>>(), ["lesson"]);
    }
}

#[test]
fn what_a_failed_stage_did_is_taken_back_with_it() {
    let write = StageOperation::local("write", Stage::Cleanup, |context: &mut OperationContext<'_>| {
        let partition = format!("{}:notes", context.info().root_partition());
        context.connection::<Memory>()?.save(&partition, "x", "half done");
        context.remember("half", &json!("done"))?;
        Ok(StageOutcome::Next)
    });
    let fail = StageOperation::local("fail", Stage::Cleanup, |_| Err("after all".into())).priority(-1);
    let pair = pair(|laptop| laptop, |phone| phone.operation(write).operation(fail));
    pair.sync(SyncOptions::pull()).expect_err("the cleanup fails");
    assert!(pair.phone.rows().is_empty());
    assert!(!pair.phone.has_leftovers() && !pair.laptop.has_leftovers());
}

#[test]
fn a_connection_of_another_kind_is_not_there() {
    let wrong = StageOperation::local("wrong", Stage::Cleanup, |context: &mut OperationContext<'_>| {
        let error = context.connection::<String>().expect_err("the database is no text");
        assert!(error.report().contains("memory"), "{}", error.report());
        Ok(StageOutcome::Next)
    });
    pair(|laptop| laptop, |phone| phone.operation(wrong)).sync(SyncOptions::pull()).expect("a good sync");
}

#[test]
fn two_operations_of_one_name_are_refused() {
    let same = || StageOperation::local("same", Stage::Cleanup, |_| Ok(StageOutcome::Next));
    let error = builder(&Memory::default()).operation(same()).operation(same()).build().expect_err("one name");
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let pair = pair(|laptop| laptop, |phone| phone.operation(same()));
    let error = pair.sync(SyncOptions::pull().operation(same())).expect_err("one name");
    assert_eq!(error.kind(), ErrorKind::Configuration);
}

/// An operation that adds prefixes to the filter, on one side.
fn widening(side: Side, prefixes: Vec<String>) -> impl Operation {
    StageOperation::local("widen", Stage::Initializing, move |context: &mut OperationContext<'_>| {
        if context.side() == side {
            assert!(context.transfer_session().is_none());
            context.widen_filter(prefixes.clone())?;
            assert!(prefixes.iter().all(|prefix| context.filter().contains(prefix)));
        }
        Ok(StageOutcome::Next)
    })
}

#[test]
fn a_filter_widened_by_the_server_is_synced_to_its_end() {
    let probe = Pair::granted("reader");
    let diary = format!("{}:diary", probe.owner());
    let pair =
        Pair::built("reader", |laptop| laptop.operation(widening(Side::Server, vec![diary.clone()])), |phone| phone);
    pair.laptop.save(&pair.notes(), "1", "milk");
    pair.laptop.save(&diary, "1", "secret");
    let report = pair.sync(SyncOptions::pull()).expect("the client goes along");
    let pull = report.pull.expect("pulled");
    assert_eq!(pull.records_transferred, 2);
    assert_eq!(pull.filter, Filter::new([diary, pair.notes()]).expect("two prefixes"));
    assert_eq!(pair.laptop.rows(), pair.phone.rows());
    let again = pair.sync(SyncOptions::pull()).expect("a good sync");
    assert_eq!(again.records_transferred(), 0, "the counters of the added prefix were raised too");
}

#[test]
fn a_client_widens_what_it_asks_for_within_both_scopes() {
    let (notes, owner) = (Pair::new().notes(), Pair::new().owner().to_string());
    let wide = widening(Side::Client, vec![owner.clone()]);
    let pair = pair(|laptop| laptop, |phone| phone.operation(wide));
    pair.laptop.save(&notes, "1", "milk");
    pair.laptop.save(&format!("{owner}:diary"), "1", "secret");
    let narrow = || SyncOptions::pull().filter(Filter::new([notes.clone()]).expect("a prefix"));
    assert_eq!(pair.sync(narrow()).expect("a good sync").records_transferred(), 2);

    for prefix in [owner, "elsewhere".to_owned()] {
        let reader =
            Pair::built("reader", |laptop| laptop, |phone| phone.operation(widening(Side::Client, vec![prefix])));
        let error = reader.sync(SyncOptions::pull()).expect_err("beyond its scope");
        assert_eq!(error.kind(), ErrorKind::FilterOutsideScope, "{error:?}");
    }
}

#[test]
fn a_server_does_not_widen_beyond_the_shared_root() {
    let elsewhere = widening(Side::Server, vec!["elsewhere".to_owned()]);
    let pair = pair(|laptop| laptop.operation(elsewhere), |phone| phone);
    pair.sync(SyncOptions::pull()).expect_err("the server's operation fails");
    let request: TransferSessionRequest = pair.open(Capabilities::ours(), Direction::Pull);
    let error = pair.responder.create_transfer_session(&request).expect_err("beyond the root");
    assert_eq!(error.kind(), ErrorKind::FilterOutsideScope, "{error:?}");
}

#[test]
fn a_filter_stands_once_there_is_a_session() {
    let late = |stage, priority| {
        StageOperation::local("late", stage, |context: &mut OperationContext<'_>| {
            let prefix = context.info().root_partition().to_string();
            let error = context.widen_filter([prefix]).expect_err("it stands");
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            Ok(StageOutcome::Next)
        })
        .priority(priority)
    };
    for (stage, priority) in [(Stage::Initializing, -1), (Stage::Serializing, 0), (Stage::Queuing, 0)] {
        let pair =
            pair(|laptop| laptop.operation(late(stage, priority)), |phone| phone.operation(late(stage, priority)));
        pair.sync(SyncOptions::both_ways()).expect("a good sync");
    }
}

#[test]
fn an_old_client_waits_within_its_call_for_what_is_kept_pending() {
    let times = Times::default();
    let counted = times.clone();
    let waits = StageOperation::local("waits", Stage::Queuing, move |_: &mut OperationContext<'_>| {
        Ok(if counted.once_more() < 3 { StageOutcome::Pending } else { StageOutcome::Next })
    });
    let pair = pair(|laptop| laptop.operation(waits), |phone| phone);
    pair.laptop.save(&pair.notes(), "1", "milk");
    let old: Capabilities = [morango::session::Capability::FsicV2Format].into_iter().collect();
    let opened = pair.responder.create_transfer_session(&pair.open(old, Direction::Pull)).expect("a pull");
    assert_eq!((opened.stage, opened.status, opened.records_total), (Stage::Queuing, StageStatus::Completed, Some(1)));
    assert_eq!(times.get(), 3);
}
