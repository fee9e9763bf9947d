//! Several server processes on one database.
//!
//! Goal: whichever of them a request comes to, the transfer goes on; a stage in which one of them dies is done by another; and nothing is claimed of a session that another one closed. Method: real processes behind a forwarder that takes turns.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use morango::client::{HttpPeer, RetryPolicy};
use morango::hook::{Event, Phase};
use morango::prelude::*;
use morango::server::Server;
use morango::session::Stage;
use morango_tests::compare::{assert_equal, assert_none_fell};
use morango_tests::database::Database;
use morango_tests::device::{Device, SchoolAccounts};
use morango_tests::given::{Between, empty_device, moved, rename, root, two_equal_devices};
use morango_tests::http::Request;
use morango_tests::process::Process;
use morango_tests::proxy::{Onward, Proxy};
use morango_tests::scripted::Reply;

use super::going_on::Pair;

const ON_A_SERVER: Between = Between { client: Database::Sqlite, server: Database::Postgres };

/// A server of this device's database in a process of its own, and where it answers.
pub(super) fn serve(device: &Device, held: &str) -> (Process, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_device_peer"));
    command.args(["serve", &device.place(), "127.0.0.1:0"]).args(held.split_whitespace());
    let mut process = Process::start(&mut command);
    let url = process.says();
    (process, url)
}

#[test]
fn requests_of_one_transfer_may_go_to_one_server_process_after_another() {
    let (mut server, first, school, _) = two_equal_devices(ON_A_SERVER);
    server.fall_silent();
    let processes = [serve(&server, ""), serve(&server, ""), serve(&server, "")];
    let forwarder = Proxy::in_turns(&processes.each_ref().map(|(_, url)| url.clone()));
    let mut clients = vec![first];
    clients.extend(["second", "third", "fourth"].map(|name| empty_device(Database::Sqlite, name)));
    for client in &clients[1..] {
        client.sync(&forwarder.url(), root(), SyncOptions::pull());
    }
    let before = server.counters();
    for client in &clients {
        school.logs(client, school.bert, 40);
        rename(client, school.ada, &format!("Ada of {}", client.name));
    }
    school.logs(&server, school.ada, 40);

    thread::scope(|scope| {
        for client in &clients {
            let url = forwarder.url();
            scope.spawn(move || client.sync(&url, root(), SyncOptions::both_ways().chunk_size(15)));
        }
    });
    let is_quiet = (0..4).any(|_| {
        let sync = |client: &Device| moved(&client.sync(&forwarder.url(), root(), SyncOptions::both_ways()));
        clients.iter().map(sync).collect::<Vec<_>>().iter().all(|moved| *moved == (0, 0))
    });

    assert!(is_quiet, "they never stop telling each other news");
    for client in &clients {
        assert_equal(&server, client, &[]);
    }
    assert_eq!(server.store().len(), 9 + 5 * 40);
    let record = server.record(&school.ada);
    for client in &clients {
        let texts = format!("{}\n{}", record.serialized, record.conflicting_serialized_data);
        assert!(texts.contains(&format!("Ada of {}", client.name)), "{texts}");
    }
    assert_none_fell(&before, &server.counters());
}

#[test]
fn a_stage_in_which_one_process_dies_is_done_by_another() {
    let mut pair = Pair::new(ON_A_SERVER);
    pair.server.fall_silent();
    for event in [
        "pull serializing started",
        "pull queuing completed",
        "push serializing started",
        "push dequeuing started",
        "push deserializing in-progress",
    ] {
        let (names, before) = (pair.write(), pair.counters());
        // Two of them die where they come to the event; a third one is always there.
        let dies = format!("dies {event}");
        let processes = [serve(&pair.server, &dies), serve(&pair.server, &dies), serve(&pair.server, "")];
        let forwarder = Proxy::in_turns(&processes.each_ref().map(|(_, url)| url.clone()));
        let hurry = RetryPolicy { pause_first: Duration::from_millis(1), ..RetryPolicy::default() };
        let peer = HttpPeer::builder(&forwarder.url()).retry(hurry).build().expect("the forwarder's address");
        let options = SyncOptions::both_ways().chunk_size(2);
        if let Err(error) = pair.client.engine.sync(&peer, root(), options) {
            let id = error.sync_session().unwrap_or_else(|| panic!("{event}: it can go on: {error:?}"));
            let resumed = pair.client.engine.resume(&peer, id, SyncOptions::both_ways());
            resumed.unwrap_or_else(|error| panic!("{event}: {}", error.report()));
        }
        let (_last, url) = serve(&pair.server, "");
        pair.url = url;
        pair.assert_healed(&before, &names, event);
    }
}

/// A gate before a stage: who comes to it waits until it is opened.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, std::sync::Condvar)>);

impl Gate {
    fn wait(&self) {
        let mut is_open = self.0.0.lock().expect("nobody panicked");
        while !*is_open {
            is_open = self.0.1.wait(is_open).expect("nobody panicked");
        }
    }

    fn open(&self) {
        *self.0.0.lock().expect("nobody panicked") = true;
        self.0.1.notify_all();
    }
}

/// One process is about to merge what came, when another one is told to close the session and deletes what waits to be merged.
pub(super) fn what_one_process_closed_another_does_not_claim(on: Between) {
    let (server, client, school, url) = two_equal_devices(on);
    school.logs(&client, school.bert, 3);
    rename(&client, school.ada, "by the client");
    let (gate, (ended, end)) = (Gate::default(), channel());
    let other = server.builder_apart().on_event({
        let gate = gate.clone();
        move |event| {
            if let Event::Stage { stage: Stage::Dequeuing, phase, .. } = event {
                match phase {
                    Phase::Started => gate.wait(),
                    Phase::Completed | Phase::Errored(_) => ended.send(phase.clone()).expect("the story waits for it"),
                    Phase::InProgress(_) => {}
                }
            }
        }
    });
    let other = other.build().expect("another process on the same database");
    let other = Server::bind(other.router(SchoolAccounts::admin()), "127.0.0.1:0").expect("a port");
    let (to_other, is_broken) = (Onward::to(&other.url()), AtomicBool::new(false));
    let line = Proxy::start(&url, move |request, onward| {
        if is_broken.load(Ordering::SeqCst) {
            return Reply::HangUp;
        }
        let is_dequeuing = request.method == "PATCH" && String::from_utf8_lossy(&request.body).contains("dequeuing");
        if is_dequeuing {
            to_other.forward(request);
            is_broken.store(true, Ordering::SeqCst);
            return Reply::HangUp;
        }
        onward.forward(request)
    });
    let before = server.counters();
    let peer = HttpPeer::builder(&line.url()).retry(RetryPolicy::NONE).build().expect("the proxy's address");
    let error = client.engine.sync(&peer, root(), SyncOptions::push()).expect_err("the line breaks");
    let session = error.sync_session().expect("it can be taken up again");

    // When the session is closed here, and there it goes on only then.
    let closed = Request::new("DELETE", &format!("syncsessions/{session}/")).send(&url);
    assert_eq!(closed.status, 204);
    gate.open();
    let phase = end.recv().expect("it comes to an end");

    assert!(matches!(phase, Phase::Errored(_)), "{phase:?}");
    assert_eq!(server.counters(), before, "nothing is claimed");
    assert!(!server.record(&school.ada).serialized.contains("by the client"));
    client.sync(&url, root(), SyncOptions::both_ways());
    assert!(server.record(&school.ada).serialized.contains("by the client"), "it comes with the next sync");
    assert_eq!(moved(&client.sync(&url, root(), SyncOptions::both_ways())), (0, 0));
    assert_equal(&server, &client, &[]);
    drop(other);
}
