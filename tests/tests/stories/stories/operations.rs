//! An application's own part in a sync: operations at its stages, and hooks before and after it.
//!
//! Goal: what an operation writes belongs to the stage, goes along or stays here as it says, and is done once. Method: the
//! operations and hooks that a learning platform has, over real HTTP, on each pair of databases.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use morango::client::HttpPeer;
use morango::hook::{GuestError, TransferEnd, TransferInfo};
use morango::prelude::*;
use morango_examples::school::{Assignment, SINGLE_USER};
use morango_tests::compare::assert_equal;
use morango_tests::database::{Database, create_within, run_within};
use morango_tests::device::{Device, SchoolAccounts};

use super::given::{Between, School, empty_device, found, moved, rename, root, two_equal_devices};

/// A server with a small school, and Ada's tablet with her own certificate, both with what they are told.
fn a_learner_and_her_school(
    on: Between,
    school_with: impl FnOnce(morango::engine::EngineBuilder, Database) -> morango::engine::EngineBuilder,
) -> (Device, Device, School, Certificate, String) {
    let mut server = empty_device(on.server, "server");
    server.rebuild(|builder| school_with(builder.single_user_scope(SINGLE_USER, "user_id"), on.server));
    let school = found(&server);
    let url = server.serve(SchoolAccounts::admin().with_learner("ada", school.ada));
    let mut tablet = Device::on(on.client, "tablet");
    tablet.rebuild(|builder| builder.single_user_scope(SINGLE_USER, "user_id"));
    let params = [("dataset_id", school.dataset.to_string()), ("user_id", school.ada.to_string())];
    let params = params.each_ref().map(|(name, value)| (*name, value.as_str()));
    let certificate = tablet.request(&url, &root().id(), SINGLE_USER, &params, "ada");
    (server, tablet, school, certificate, url)
}

pub(super) fn what_a_server_makes_for_its_caller_goes_along_in_the_same_pull(on: Between) {
    let (server, tablet, school, certificate, url) = a_learner_and_her_school(on, |builder, database| {
        builder.operation(StageOperation::local("lesson-of-the-day", Stage::Serializing, move |context| {
            let info = context.info();
            let (Role::Producer, true) = (info.role(), info.remote.is_single_user()) else {
                return Ok(StageOutcome::Next);
            };
            let (dataset_id, user_id) = (SyncId::from(info.root_partition()), info.single_user_id().map(str::parse));
            let user_id = user_id.ok_or("a single user has an id")??;
            context.once(|context| {
                let title = "Lesson of the day".to_owned();
                let lesson = Assignment { id: SyncId::unset(), dataset_id, user_id, title, due: None };
                create_within(context, database, lesson)?;
                Ok(StageOutcome::Next)
            })
        }))
    });

    let first = tablet.sync(&url, &certificate, SyncOptions::both_ways());
    let second = tablet.sync(&url, &certificate, SyncOptions::pull());

    assert_eq!(moved(&first), (9 - 1 + 1, 0), "all but Bert, and the lesson");
    assert_eq!(moved(&second), (1, 0), "one lesson for each pull");
    let lessons = tablet.store().into_values().filter(|record| record.model_name == "assignment").count();
    assert_eq!(lessons, 2);
    assert_equal(&server, &tablet, &[&format!("{}:user-ro:{}", school.dataset, school.ada)]);
}

pub(super) fn an_edit_that_is_not_the_learners_own_is_not_sent(on: Between) {
    let (server, mut client, school, url) = two_equal_devices(on);
    let forgotten = Arc::new(AtomicUsize::new(0));
    let (ada, counted) = (school.ada, Arc::clone(&forgotten));
    client.rebuild(|builder| {
        builder.operation(StageOperation::local("clear-user-changes", Stage::Serializing, move |context| {
            counted.fetch_add(usize::from(context.forget_change("user", &ada)?), Ordering::SeqCst);
            Ok(StageOutcome::Next)
        }))
    });
    rename(&client, school.ada, "by the learner");
    rename(&client, school.bert, "by the learner");

    let report = client.sync(&url, root(), SyncOptions::both_ways());

    assert_eq!((moved(&report), forgotten.load(Ordering::SeqCst)), ((0, 1), 1), "Bert went, Ada did not");
    assert!(server.record(&school.bert).serialized.contains("by the learner"));
    assert!(!server.record(&school.ada).serialized.contains("by the learner"));
    assert_eq!(client.execute("UPDATE \"user\" SET full_name = 'x' WHERE full_name = 'by the learner'"), 2);
}

pub(super) fn what_is_put_right_after_a_pull_stays_here_where_it_is_untracked(on: Between) {
    for is_tracked in [false, true] {
        let (server, mut client, school, url) = two_equal_devices(on);
        let statement = format!("UPDATE \"user\" SET full_name = 'put right' WHERE id = '{}'", school.ada);
        client.rebuild(|builder| {
            builder.operation(StageOperation::local("put-right", Stage::Cleanup, move |context| {
                if context.role() == Role::Receiver {
                    if is_tracked {
                        run_within(context, on.client, &statement)?;
                    } else {
                        context.untracked(|context| run_within(context, on.client, &statement))?;
                    }
                }
                Ok(StageOutcome::Next)
            }))
        });
        school.logs(&server, school.ada, 1);

        let report = client.sync(&url, root(), SyncOptions::both_ways());

        assert_eq!(moved(&report), (1, u64::from(is_tracked)));
        assert_eq!(client.execute("UPDATE \"user\" SET full_name = 'x' WHERE full_name = 'put right'"), 1);
        let sent = server.record(&school.ada).serialized.contains("put right");
        assert_eq!(sent, is_tracked);
    }
}

pub(super) fn an_operation_puts_away_what_stands_in_the_way_of_a_record(on: Between) {
    let (server, mut client, school, url) = two_equal_devices(on);
    client.sql("CREATE UNIQUE INDEX one_of_a_name ON \"user\" (username)");
    school.user(&client, "carl");
    let theirs = school.user(&server, "carl");
    let failed = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&failed);
    client.rebuild(|builder| {
        let rename = StageOperation::local("rename-the-local-one", Stage::Deserializing, move |context| {
            let failures: Vec<SyncId> = context
                .deserialized()
                .map(|report| report.failures.iter().map(|failure| failure.id).collect())
                .unwrap_or_default();
            if failures.is_empty() {
                return Ok(StageOutcome::Next);
            }
            for id in &failures {
                let record = context.record(id)?.ok_or("what failed is in the store")?;
                assert!(record.serialized.contains("carl"), "{record:?}");
            }
            kept.lock().expect("nobody panicked").extend(failures);
            run_within(context, on.client, "UPDATE \"user\" SET username = 'carl (2)' WHERE username = 'carl'")?;
            assert_eq!(context.deserialize()?.failures_total, 0);
            Ok(StageOutcome::Completed)
        });
        builder.operation(rename.priority(-1))
    });

    let report = client.sync(&url, root(), SyncOptions::both_ways());

    assert!(report.is_clean(), "{report}");
    assert_eq!(*failed.lock().expect("nobody panicked"), [theirs]);
    assert_eq!(moved(&report), (1, 1), "theirs came, and ours went under its new name");
    assert_equal(&server, &client, &[]);
}

pub(super) fn a_stage_that_breaks_off_leaves_nothing_of_its_operations_and_a_resumed_one_repeats_none(on: Between) {
    let (server, mut client, school, url) = two_equal_devices(on);
    let runs = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let counted = Arc::clone(&runs);
    let log = "INSERT INTO diary (entry) VALUES ('serialized')";
    client.sql("CREATE TABLE diary (entry TEXT NOT NULL)");
    client.rebuild(|builder| {
        let early = Arc::clone(&counted);
        let write = StageOperation::local("diary", Stage::Serializing, move |context| {
            early[0].fetch_add(1, Ordering::SeqCst);
            context.once(|context| {
                run_within(context, on.client, log)?;
                Ok(StageOutcome::Next)
            })
        });
        let late = Arc::clone(&counted);
        let fail = StageOperation::local("break-off", Stage::Dequeuing, move |context| {
            run_within(context, on.client, "INSERT INTO diary (entry) VALUES ('dequeued')")?;
            if late[1].fetch_add(1, Ordering::SeqCst) == 0 {
                // The kind of failure that may pass: the session stays open, to be resumed.
                return Err(morango::Error::new(ErrorKind::StorageBusy, "lock the cupboard").into());
            }
            Ok(StageOutcome::Next)
        });
        builder.operation(write).operation(fail.priority(-1))
    });
    school.logs(&server, school.ada, 3);

    let error = client.attempt_sync(&url, root(), SyncOptions::pull()).expect_err("it is broken off");
    assert_eq!(error.kind(), ErrorKind::StorageBusy, "{error:?}");
    let entries = |entry: &str| client.execute(&format!("UPDATE diary SET entry = entry WHERE entry = '{entry}'"));
    assert_eq!((entries("serialized"), entries("dequeued")), (1, 0), "the stage that failed left nothing");

    let report = client.sync(&url, root(), SyncOptions::pull().resume_if_possible());

    assert_eq!(moved(&report).0, 3, "{report}");
    assert_eq!((entries("serialized"), entries("dequeued")), (1, 1));
    assert_eq!(
        runs.each_ref().map(|count| count.load(Ordering::SeqCst)),
        [1, 2],
        "a stage that is done is not done again"
    );
    assert_equal(&server, &client, &[]);
}

pub(super) fn what_was_done_once_towards_the_network_is_not_done_again_by_an_engine_that_is_built_anew(on: Between) {
    let (server, client, school, url) = two_equal_devices(on);
    school.logs(&server, school.ada, 3);
    let counts = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let operation = || {
        let counts = Arc::clone(&counts);
        StageOperation::network("announce", Stage::Queuing, move |context| {
            let outcome = context.once(|_| {
                counts[0].fetch_add(1, Ordering::SeqCst);
                Ok(StageOutcome::Next)
            })?;
            if counts[1].fetch_add(1, Ordering::SeqCst) == 0 {
                // The kind of failure that may pass, after the work was done.
                return Err(morango::Error::new(ErrorKind::StorageBusy, "lock the cupboard").into());
            }
            Ok(outcome)
        })
    };
    let error =
        client.attempt_sync(&url, root(), SyncOptions::pull().operation(operation())).expect_err("it is broken off");
    let id = error.sync_session().unwrap_or_else(|| panic!("it can go on: {error:?}"));

    let engine = client.builder_apart().operation(operation()).build().expect("another engine on the database");
    let peer = HttpPeer::new(&url).expect("the address");
    let report = engine.resume(&peer, id, SyncOptions::pull()).unwrap_or_else(|error| panic!("{}", error.report()));

    assert_eq!(moved(&report).0, 3, "{report}");
    assert_eq!(counts.each_ref().map(|count| count.load(Ordering::SeqCst)), [1, 2], "done once, and asked for twice");
    assert_equal(&server, &client, &[]);
}

pub(super) fn a_filter_that_the_server_widened_is_synced_both_ways(on: Between) {
    let (server, tablet, school, certificate, url) = a_learner_and_her_school(on, |builder, _| {
        builder.operation(StageOperation::local("whole-class", Stage::Initializing, |context| {
            let of_users = format!("{}:user-ro", context.info().root_partition());
            if context.direction() == Direction::Pull && context.info().remote.is_single_user() {
                context.widen_filter([of_users])?;
            }
            Ok(StageOutcome::Next)
        }))
    });

    let report = tablet.sync(&url, &certificate, SyncOptions::both_ways());

    let of_users = format!("{}:user-ro", school.dataset);
    let pull = report.pull.as_ref().expect("pulled");
    assert!(pull.filter.contains(&of_users) && pull.is_clean(), "{report}");
    assert_eq!(tablet.record(&school.bert), server.record(&school.bert), "Bert came along");
    assert_equal(&server, &tablet, &[&of_users]);
    rename(&server, school.bert, "by the server");
    assert_eq!(moved(&tablet.sync(&url, &certificate, SyncOptions::pull())), (1, 0), "only what is new of it");
    assert_equal(&server, &tablet, &[&of_users]);
}

/// A hook that keeps which users a transfer changed.
struct Touched(Arc<Mutex<Vec<BTreeSet<SyncId>>>>);

impl Hook for Touched {
    fn name(&self) -> &'static str {
        "touched"
    }

    fn after_transfer(&self, transfer: &TransferInfo, end: &TransferEnd<'_>) -> Result<(), GuestError> {
        if transfer.role() == Role::Receiver {
            let mut users = BTreeSet::new();
            end.for_each_touched("user", &mut |record| {
                users.insert(record.id);
                Ok(())
            })?;
            self.0.lock().map_err(|_| "somebody panicked")?.push(users);
        }
        Ok(())
    }
}

pub(super) fn a_hook_learns_which_records_a_transfer_changed(on: Between) {
    let (mut server, client, school, _) = two_equal_devices(on);
    let seen = Arc::new(Mutex::new(Vec::new()));
    server.rebuild(|builder| builder.hook(Touched(Arc::clone(&seen))));
    let url = server.serve(SchoolAccounts::admin());
    rename(&client, school.ada, "by the client");
    let carl = school.user(&client, "carl");
    rename(&server, school.bert, "by the server");

    let options = SyncOptions::both_ways().hook(Touched(Arc::clone(&seen)));
    client.sync(&url, root(), options);

    let expected = [BTreeSet::from([school.bert]), BTreeSet::from([school.ada, carl])];
    assert_eq!(*seen.lock().expect("nobody panicked"), expected, "what was pulled here, and what was pushed there");
}
