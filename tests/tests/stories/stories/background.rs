//! A sync that does not keep its caller.
//!
//! Goal: the task can be joined by a thread and awaited by a runtime, and brings the same report. Method: the same sync,
//! started both ways.

use std::sync::Arc;

use morango::client::HttpPeer;
use morango::prelude::*;
use morango_tests::compare::assert_equal;

use super::given::{Between, SCHOOL_RECORDS, empty_device, moved, root, serving_school};

pub(super) fn a_sync_in_the_background_can_be_joined(on: Between) {
    let (server, _, url) = serving_school(on);
    let client = empty_device(on.client, "client");
    let peer = Arc::new(HttpPeer::new(&url).expect("the server's address"));

    let report = client.engine.sync_in_background(peer, root(), SyncOptions::both_ways()).join().expect("it goes well");

    assert_eq!(moved(&report), (SCHOOL_RECORDS, 0));
    assert_equal(&server, &client, &[]);
}

pub(super) fn a_sync_in_the_background_can_be_awaited(on: Between) {
    let (server, _, url) = serving_school(on);
    let client = empty_device(on.client, "client");
    let peer = Arc::new(HttpPeer::new(&url).expect("the server's address"));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");

    let task = client.engine.sync_in_background(peer, root(), SyncOptions::both_ways());
    let report = runtime.block_on(task).expect("it goes well");

    assert_eq!(moved(&report), (SCHOOL_RECORDS, 0));
    assert_equal(&server, &client, &[]);
}

pub(super) fn a_peer_that_is_not_there_is_an_error_of_the_task(on: Between) {
    let (mut server, _, url) = serving_school(on);
    server.fall_silent();
    let client = empty_device(on.client, "client");
    let peer = Arc::new(HttpPeer::new(&url).expect("the server's address"));

    let error =
        client.engine.sync_in_background(peer, root(), SyncOptions::both_ways()).join().expect_err("nobody answers");

    assert!(error.is_retryable(), "{error:?}");
}
