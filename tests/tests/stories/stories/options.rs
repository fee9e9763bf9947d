//! What a sync can be told, and what it tells.
//!
//! Goal: options do what they say; events come in the order of the stages; the numbers of a report add up. Method: one server
//! with a school, and clients that ask for this or that.

use std::sync::{Arc, Mutex};

use morango::hook::{Event, Phase};
use morango::prelude::*;
use morango::session::Stage;
use morango_tests::compare::assert_equal;
use morango_tests::device::SchoolAccounts;

use super::given::{
    Between, SCHOOL_RECORDS, empty_device, moved, rename, root, serving_school, sql, two_equal_devices,
};

/// Options that keep what happens in a list.
fn listening(options: SyncOptions) -> (SyncOptions, Arc<Mutex<Vec<Event>>>) {
    let events = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&events);
    (options.on_event(move |event| kept.lock().expect("nobody panicked").push(event.clone())), events)
}

pub(super) fn events_arrive_in_the_order_of_the_stages(on: Between) {
    let (_server, _, url) = serving_school(on);
    let client = empty_device(on.client, "client");
    let (options, events) = listening(SyncOptions::both_ways());

    client.sync(&url, root(), options);

    let events = events.lock().expect("nobody panicked");
    assert!(matches!(events.first(), Some(Event::SessionOpened { .. })), "{:?}", events.first());
    assert!(matches!(events.last(), Some(Event::SessionClosed { .. })), "{:?}", events.last());
    for wanted in [Direction::Pull, Direction::Push] {
        let of_direction = |wanted_phase: &Phase| -> Vec<Stage> {
            let stages = events.iter().filter_map(|event| match event {
                Event::Stage { direction, stage, phase, .. } if *direction == wanted && phase == wanted_phase => {
                    Some(*stage)
                }
                _ => None,
            });
            stages.collect()
        };
        let (started, completed) = (of_direction(&Phase::Started), of_direction(&Phase::Completed));
        assert!(started.is_sorted() && !started.is_empty(), "{wanted}: {started:?}");
        assert_eq!(started, completed, "{wanted}: each stage that began was completed, once");
        for stage in [Stage::Initializing, Stage::Queuing, Stage::Cleanup] {
            assert!(started.contains(&stage), "{wanted} has the stage {stage}: {started:?}");
        }
    }
}

pub(super) fn the_numbers_of_a_report_add_up(on: Between) {
    let (server, client, school, url) = two_equal_devices(on);
    rename(&server, school.ada, "by the server");
    rename(&client, school.ada, "by the client");
    rename(&server, school.bert, "by the server");
    school.logs(&server, school.bert, 3);
    sql(&server, &format!("DELETE FROM membership WHERE id = '{}'", school.membership));
    school.logs(&client, school.ada, 4);

    let report = client.sync(&url, root(), SyncOptions::both_ways());

    let (pull, push) = (report.pull.as_ref().expect("pulled"), report.push.as_ref().expect("pushed"));
    assert_eq!((pull.direction, push.direction), (Direction::Pull, Direction::Push));
    assert_eq!((pull.records_total, pull.records_transferred), (6, 6));
    let merged = pull.dequeue.as_ref().expect("a pull merges");
    assert_eq!((merged.new, merged.fast_forwarded, merged.already_seen, merged.conflicts), (3, 2, 0, 1));
    let applied = pull.deserialize.as_ref().expect("a pull writes rows");
    assert_eq!((applied.written, applied.deleted, applied.failures_total), (5, 1, 0));
    let serialized = push.serialize.as_ref().expect("a push serializes");
    assert!(serialized.new <= 4 && serialized.updated == 0, "{serialized:?}");
    assert_eq!((push.records_total, push.records_transferred), (5, 5), "four logs and what came of the conflict");
    assert!(report.is_clean());
    assert!(report.to_string().contains('6'), "{report}");
}

pub(super) fn a_filter_narrows_what_travels(on: Between) {
    let (server, school, url) = serving_school(on);
    let client = empty_device(on.client, "client");
    let of_all = format!("{}:allusers-ro", school.dataset);
    let filter = Filter::new([of_all.as_str()]).expect("a filter");

    let report = client.sync(&url, root(), SyncOptions::both_ways().filter(filter.clone()));

    assert_eq!(moved(&report), (4, 0));
    assert_eq!(report.pull.expect("pulled").filter, filter);
    assert!(client.store().values().all(|record| record.partition == of_all));
    assert_equal(&server, &client, &[&of_all]);
    client.sync(&url, root(), SyncOptions::both_ways());
    assert_equal(&server, &client, &[]);
}

pub(super) fn a_filter_outside_the_scope_is_refused(on: Between) {
    let (_server, _, url) = serving_school(on);
    let client = empty_device(on.client, "client");

    for filter in [Filter::everything(), Filter::new([SyncId::random().to_string()]).expect("a filter")] {
        let error = client.attempt_sync(&url, root(), SyncOptions::pull().filter(filter)).expect_err("out of scope");
        assert_eq!(error.kind(), ErrorKind::FilterOutsideScope, "{error:?}");
    }
    assert!(client.store().is_empty());
}

pub(super) fn no_chunk_is_larger_than_was_asked_for(on: Between) {
    let (server, school, url) = serving_school(on);
    school.logs(&server, school.ada, 95);
    let client = empty_device(on.client, "client");
    let (options, events) = listening(SyncOptions::pull().chunk_size(10));

    client.sync(&url, root(), options);

    let events = events.lock().expect("nobody panicked");
    let done: Vec<u64> = events
        .iter()
        .filter_map(|event| match event {
            Event::Stage { stage: Stage::Transferring, phase: Phase::InProgress(progress), .. } => Some(progress.done),
            _ => None,
        })
        .collect();
    assert_eq!(done.last(), Some(&(SCHOOL_RECORDS + 95)), "{done:?}");
    let steps = std::iter::once(0).chain(done.iter().copied()).zip(&done);
    assert!(steps.clone().all(|(before, after)| *after - before <= 10), "{done:?}");
    assert!(done.len() >= 11, "{done:?}");
    assert_equal(&server, &client, &[]);
}

pub(super) fn a_cancelled_sync_stops_and_the_next_one_ends_it(on: Between) {
    let (server, school, url) = serving_school(on);
    school.logs(&server, school.ada, 95);

    for stage in [Stage::Initializing, Stage::Queuing, Stage::Transferring, Stage::Dequeuing, Stage::Deserializing] {
        let client = empty_device(on.client, "client");
        let token = CancelToken::new();
        let cancelling = token.clone();
        let options = SyncOptions::both_ways().chunk_size(10).cancel_on(token).on_event(move |event| {
            if matches!(event, Event::Stage { stage: reached, phase: Phase::Started, .. } if *reached == stage) {
                cancelling.cancel();
            }
        });

        let error = client.attempt_sync(&url, root(), options).expect_err("it was cancelled");

        assert_eq!(error.kind(), ErrorKind::Cancelled, "during {stage}: {error:?}");
        client.sync(&url, root(), SyncOptions::both_ways());
        assert_equal(&server, &client, &[]);
    }
}

/// The client changed all that the server made, so that it has nothing of the server's own to send. Whoever gets it from there has all
/// that the server has, and knows that only if it is told.
pub(super) fn counters_of_which_there_is_nothing_to_send_are_told_where_that_is_asked_for(on: Between) {
    for is_all_told in [false, true] {
        let (server, mut client, _, url) = two_equal_devices(on);
        if is_all_told {
            client.rebuild(morango::engine::EngineBuilder::tell_all_counters);
        }
        sql(
            &client,
            "UPDATE dataset SET description = 'x'; UPDATE facility SET name = 'x'; UPDATE classroom SET name = 'x';
             UPDATE \"user\" SET full_name = 'x'; UPDATE contentlog SET content = 'x'; DELETE FROM membership;",
        );
        let client_url = client.serve(SchoolAccounts::admin());
        let third = empty_device(on.client, "third");

        third.sync(&client_url, root(), SyncOptions::pull());

        assert_equal(&client, &third, &[]);
        let made_by_server = server.engine.instance().id.to_string();
        let is_claimed = third.counters().iter().any(|(_, instance, _)| *instance == made_by_server);
        assert_eq!(is_claimed, is_all_told);
        let again = moved(&third.sync(&url, root(), SyncOptions::pull()));
        assert_eq!(again, (if is_all_told { 0 } else { SCHOOL_RECORDS }, 0), "what is claimed is not sent again");
        assert_equal(&client, &third, &[]);
    }
}
