//! Clocks that are wrong by a day, in both directions.
//!
//! Goal: no device needs another's time. Certificates do not expire; a nonce is judged by the clock that it was handed out by; what is
//! measured is measured by a clock that only goes forward. Method: the clocks of both sides are set, before a sync and during it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{TimeDelta, Utc};
use morango::client::{HttpPeer, RetryPolicy};
use morango::prelude::*;
use morango_examples::school::FULL_FACILITY;
use morango_tests::clock::HandClock;
use morango_tests::device::{Device, SchoolAccounts};
use morango_tests::given::{Between, empty_device, root, serving_school};
use morango_tests::proxy::Proxy;

use super::going_on::Pair;

/// A device goes on with this clock, and answers again.
fn give_clock(device: &mut Device, clock: &HandClock) -> String {
    let clock = clock.clone();
    device.rebuild(|builder| builder.clock(clock));
    device.serve(SchoolAccounts::admin())
}

const A_DAY: TimeDelta = TimeDelta::days(1);

pub(super) fn clocks_that_are_wrong_by_a_day_are_no_hindrance(on: Between) {
    let mut pair = Pair::new(on);
    for (of_client, of_server) in [(A_DAY, -A_DAY), (-A_DAY, A_DAY)] {
        let case = format!("the client's clock is wrong by {of_client}, the server's by {of_server}");
        let [client, server] = [of_client, of_server].map(|wrong_by| {
            let clock = HandClock::default();
            clock.set_wrong_by(wrong_by);
            clock
        });
        give_clock(&mut pair.client, &client);
        pair.url = give_clock(&mut pair.server, &server);
        let (names, before) = (pair.write(), pair.counters());
        pair.attempt(SyncOptions::both_ways()).unwrap_or_else(|error| panic!("{case}: {}", error.report()));
        pair.assert_healed(&before, &names, &case);
    }
    // Nor is anybody refused a certificate, or one that was just given: the server's clock is a day ahead by now.
    let newcomer = Device::on(on.client, "newcomer");
    let dataset = pair.school.dataset.to_string();
    let certificate = newcomer.request(&pair.url, &root().id(), FULL_FACILITY, &[("dataset_id", &dataset)], "admin");
    newcomer.sync(&pair.url, &certificate, SyncOptions::both_ways());
    morango_tests::compare::assert_equal(&pair.server, &newcomer, &[]);
}

pub(super) fn a_clock_that_is_set_in_the_middle_of_a_sync_is_no_hindrance(on: Between) {
    let mut pair = Pair::new(on);
    let clocks = [HandClock::default(), HandClock::default()];
    give_clock(&mut pair.client, &clocks[0]);
    let url = give_clock(&mut pair.server, &clocks[1]);
    for (who, clock) in ["client", "server"].iter().zip(&clocks) {
        for wrong_by in [A_DAY, -A_DAY] {
            for set_at in (1..).step_by(7) {
                let case = format!("the clock of the {who} is set by {wrong_by} at request {set_at}");
                let (names, before) = (pair.write(), pair.counters());
                clock.set_wrong_by(TimeDelta::zero());
                let (count, set) = (AtomicUsize::new(0), clock.clone());
                let proxy = Proxy::start(&url, move |request, onward| {
                    if count.fetch_add(1, Ordering::SeqCst) == set_at {
                        set.set_wrong_by(wrong_by);
                    }
                    onward.forward(request)
                });
                pair.url = proxy.url();
                pair.attempt(SyncOptions::both_ways()).unwrap_or_else(|error| panic!("{case}: {}", error.report()));
                let is_over = proxy.seen().len() <= set_at;
                pair.url.clone_from(&url);
                pair.assert_healed(&before, &names, &case);
                if is_over {
                    break;
                }
            }
        }
    }
}

/// What a process on another machine, of which nobody knows whether it lives, left in the database.
pub(super) fn a_hold_of_a_process_whose_clock_was_wrong_ends_when_it_would(on: Between) {
    let (server, school, url) = serving_school(on);
    let client = empty_device(on.client, "client");
    let line = Proxy::start(&url, |request, onward| match request.call().as_str() {
        "GET buffers/" => morango_tests::scripted::Reply::HangUp,
        _ => onward.forward(request),
    });
    let peer = HttpPeer::builder(&line.url()).retry(RetryPolicy::NONE).build().expect("the proxy's address");
    for (wrong_by, is_free) in [(A_DAY, true), (-A_DAY, true), (TimeDelta::minutes(2), false)] {
        school.logs(&server, school.ada, 2);
        let error = client.engine.sync(&peer, root(), SyncOptions::pull()).expect_err("the line breaks");
        let id = error.sync_session().expect("it can be taken up again");
        let until = (Utc::now() + wrong_by).timestamp_millis();
        client.sql(&format!(
            "UPDATE morango_sync_session SET holder = 'elsewhere/1/2#3', held_until = {until} WHERE is_active = 1"
        ));
        let peer = HttpPeer::new(&url).expect("the server's address");
        let resumed = client.engine.resume(&peer, id, SyncOptions::pull());
        if is_free {
            resumed.unwrap_or_else(|error| panic!("{wrong_by}: {}", error.report()));
        } else {
            let error = resumed.expect_err("somebody may be at work");
            assert_eq!(error.kind(), ErrorKind::SessionHeld, "{error:?}");
            assert!(error.is_retryable() && error.hint().is_some_and(|hint| hint.contains("take_over")), "{error:?}");
            client.engine.resume(&peer, id, SyncOptions::pull().take_over()).expect("their place is taken");
        }
        client.sync(&url, root(), SyncOptions::both_ways());
        morango_tests::compare::assert_equal(&server, &client, &[]);
    }
}

/// Two servers of one database, of which one is a day ahead: a nonce of the one is no good at the other.
pub(super) fn servers_of_one_peer_whose_clocks_differ_say_so(on: Between) {
    let (mut server, _, _) = serving_school(on);
    let client = empty_device(on.client, "client");
    let (right, wrong) = (HandClock::default(), HandClock::default());
    let url = give_clock(&mut server, &right);
    let apart = server.builder_apart().clock(wrong.clone()).build().expect("another server of it");
    let other = morango::server::Server::bind(apart.router(SchoolAccounts::admin()), "127.0.0.1:0").expect("a port");
    let other_url = other.url();
    let attempts = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&attempts);
    let proxy = Proxy::start(&url, move |request, onward| match request.call().as_str() {
        "POST nonces/" => {
            counted.fetch_add(1, Ordering::SeqCst);
            morango_tests::proxy::Onward::to(&other_url).forward(request)
        }
        _ => onward.forward(request),
    });
    for (wrong_by, words) in [(A_DAY, "after this moment"), (-A_DAY, "too old")] {
        wrong.set_wrong_by(wrong_by);
        attempts.store(0, Ordering::SeqCst);
        let error = client.attempt_sync(&proxy.url(), root(), SyncOptions::pull()).expect_err("the clocks differ");
        assert_eq!(error.kind(), ErrorKind::NonceInvalid, "{error:?}");
        let report = error.report();
        assert!(report.contains(words) && report.contains("the clocks of the servers"), "{report}");
        assert!(attempts.load(Ordering::SeqCst) > 1, "another nonce is asked for first");
    }
    wrong.set_wrong_by(TimeDelta::zero());
    client.sync(&proxy.url(), root(), SyncOptions::both_ways());
    morango_tests::compare::assert_equal(&server, &client, &[]);
}
