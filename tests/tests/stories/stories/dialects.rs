//! Two peers of ours over HTTP and SQLite, of which the server lacks some of the capabilities.
//!
//! Goal: whatever the two share, a school lives on both; and a client that lost the answer to a call in which its server was at
//! work finds out what became of it. Method: each set of capabilities in turn; a proxy that loses answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use morango::client::HttpPeer;
use morango::prelude::*;
use morango::session::{Capabilities, Capability};
use morango_tests::clock::HandClock;
use morango_tests::compare::assert_equal;
use morango_tests::device::{Device, SchoolAccounts};
use morango_tests::proxy::Proxy;
use morango_tests::scripted::Reply;

use super::given::{Between, SCHOOL_RECORDS, School, empty_device, found, moved, rename, root};

const OPTIONAL: [Capability; 3] = [Capability::FsicV2Format, Capability::AsyncOperations, Capability::GzipBufferPost];

/// A server with a small school that can do no more than this, and where it answers.
fn serving_school_that_can(on: Between, capabilities: Capabilities) -> (Device, School, String) {
    let mut server = empty_device(on.server, "server");
    server.limit(capabilities);
    let school = found(&server);
    let url = server.serve(SchoolAccounts::admin());
    (server, school, url)
}

pub(super) fn a_school_lives_on_two_devices_whatever_their_peers_lack(on: Between) {
    for number in 0..1 << OPTIONAL.len() {
        let can: Capabilities =
            (0..OPTIONAL.len()).filter(|bit| number >> bit & 1 == 1).map(|bit| OPTIONAL[bit]).collect();
        let (server, school, url) = serving_school_that_can(on, can.clone());
        let client = empty_device(on.client, "client");
        let peer = || HttpPeer::builder(&url).compression_level(1).build().expect("the peer's address");
        let both_ways = || {
            let report = client.engine.sync(&peer(), root(), SyncOptions::both_ways().chunk_size(3));
            report.unwrap_or_else(|error| panic!("{can}: {}", error.report()))
        };

        assert_eq!(moved(&both_ways()), (SCHOOL_RECORDS, 0), "{can}");
        school.logs(&client, school.ada, 7);
        rename(&client, school.bert, "Bert, by the client");
        rename(&server, school.ada, "Ada, by the server");
        server.sql(&format!("DELETE FROM membership WHERE id = '{}'", school.membership));
        assert_eq!(moved(&both_ways()), (2, 8), "{can}");
        assert_equal(&server, &client, &[]);
        assert_eq!(moved(&both_ways()), (0, 0), "{can}");
    }
}

/// What a proxy does with the first call to close a transfer session.
#[derive(Clone, Copy)]
enum Lost {
    TheCall,
    TheAnswer,
}

/// A server without asynchronous operations merges what it was sent while it closes the session. The line is lost in this call.
fn push_while_the_line_is_lost(on: Between, lost: Lost) -> (Device, Device, u32) {
    let (server, school, url) = serving_school_that_can(on, Capabilities::ours().without(Capability::AsyncOperations));
    let client = empty_device(on.client, "client");
    client.sync(&url, root(), SyncOptions::pull());
    school.logs(&client, school.ada, 5);
    let closings = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&closings);
    let proxy = Proxy::start(&url, move |request, onward| {
        let is_first = request.call() == "DELETE transfersessions/ID/" && counted.fetch_add(1, Ordering::Relaxed) == 0;
        match (is_first, lost) {
            (false, _) => onward.forward(request),
            (true, Lost::TheCall) => Reply::HangUp,
            (true, Lost::TheAnswer) => {
                onward.forward(request);
                Reply::HangUp
            }
        }
    });
    // A pause of this clock takes no time.
    let engine = client.builder().clock(HandClock::default()).build().expect("an engine");
    let peer = HttpPeer::new(&proxy.url()).expect("the proxy's address");
    let report = engine.sync(&peer, root(), SyncOptions::push()).unwrap_or_else(|error| panic!("{}", error.report()));
    assert_eq!(moved(&report), (0, 5));
    (server, client, closings.load(Ordering::Relaxed))
}

pub(super) fn a_push_whose_last_answer_is_lost_was_done_and_is_not_done_again(on: Between) {
    let (server, client, closings) = push_while_the_line_is_lost(on, Lost::TheAnswer);
    assert_eq!(closings, 1);
    assert_equal(&server, &client, &[]);
}

pub(super) fn a_push_whose_last_call_never_arrived_is_brought_to_its_end(on: Between) {
    let (server, client, closings) = push_while_the_line_is_lost(on, Lost::TheCall);
    assert_eq!(closings, 2);
    assert_equal(&server, &client, &[]);
}
