//! Processes that are ended by force in the middle of a sync: the client's, and the server's.
//!
//! Goal: whoever is started again goes on, and both sides end with the same data; nothing is doubled, nothing hidden. Method: one
//! side is a process of its own, which stops at an event of the story's choice and is then killed.

use std::process::Command;

use morango::client::HttpPeer;
use morango::prelude::*;
use morango_tests::compare::assert_equal;
use morango_tests::device::Device;
use morango_tests::process::{CLIENT_EVENTS, Process, SERVER_EVENTS};

use super::given::{Between, SCHOOL_RECORDS, moved, root, two_equal_devices};

fn start(arguments: &[&str], held: &str) -> Process {
    Process::start(Command::new(env!("CARGO_BIN_EXE_device_peer")).args(arguments).args(held.split_whitespace()))
}

/// A server of this database, and where it answers.
fn serve(database: &str, address: &str, held: &str) -> (Process, String) {
    let mut process = start(&["serve", database, address], held);
    let url = process.says();
    (process, url)
}

/// Waits until it has come to what it was told to stop at, and kills it.
#[track_caller]
fn kill_where_it_is_held(mut process: Process) {
    assert_eq!(process.says(), "held");
}

/// Records that each side makes of its own: more than one chunk.
const MADE_APART: usize = 7;

/// All records that there are at the end.
const RECORDS: u64 = SCHOOL_RECORDS + 2 * MADE_APART as u64;

/// A server that answers and a client: both have the school, and each has made more than one chunk of records since.
fn devices(on: Between) -> (Device, Device, String) {
    let (server, client, school, url) = two_equal_devices(on);
    school.logs(&server, school.ada, MADE_APART);
    school.logs(&client, school.bert, MADE_APART);
    (server, client, url)
}

pub(super) fn a_client_that_is_killed_at_any_stage_goes_on_from_there(on: Between) {
    for event in CLIENT_EVENTS {
        let (server, client, url) = devices(on);
        let database = client.place();
        let certificate = root().id().to_string();
        kill_where_it_is_held(start(&["sync", &database, &url, &certificate], event));

        let unfinished = client.engine.unfinished().expect("the list");
        assert_eq!(unfinished.len(), 1, "{event}");
        assert!(!unfinished[0].is_at_work, "{event}: its process is known to have ended");
        let id = unfinished[0].sync_session.to_string();
        let said = start(&["resume", &database, &url, &id], "").says();
        assert!(said.starts_with("done"), "{event}: {said}");

        assert_equal(&server, &client, &[]);
        assert_eq!(client.store().len() as u64, RECORDS, "{event}");
        assert_eq!(client.engine.unfinished().expect("the list"), [], "{event}");
        let after = client.sync(&url, root(), SyncOptions::both_ways());
        assert_eq!(moved(&after), (0, 0), "{event}: nothing is left over");
    }
}

pub(super) fn a_server_that_is_killed_at_any_stage_and_started_again_goes_on(on: Between) {
    for event in SERVER_EVENTS {
        let (mut server, client, _) = devices(on);
        server.fall_silent();
        let database = server.place();
        let (process, url) = serve(&database, "127.0.0.1:0", event);
        let address = url.trim_start_matches("http://").trim_end_matches('/').to_owned();

        // The client does not notice more than a few calls that fail, and goes on by itself or when it is told to.
        let peer = std::sync::Arc::new(HttpPeer::new(&url).expect("the address"));
        let options = || SyncOptions::both_ways().chunk_size(3);
        let task = client.engine.sync_in_background(peer.clone(), root(), options());
        kill_where_it_is_held(process);
        let (_process, _) = serve(&database, &address, "");
        if let Err(error) = task.join() {
            let id = error.sync_session().unwrap_or_else(|| panic!("{event}: it can go on: {error:?}"));
            client.engine.resume(&*peer, id, options()).unwrap_or_else(|error| panic!("{event}: {error:?}"));
        }
        assert_equal(&server, &client, &[]);
        assert_eq!(server.store().len() as u64, RECORDS, "{event}");
        assert_eq!(moved(&client.sync(&url, root(), options())), (0, 0), "{event}: nothing is left over");
    }
}
