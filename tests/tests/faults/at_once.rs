//! More than one sync at a time: of one application, of two that call each other, of many that call one peer.
//!
//! Goal: everybody is served, what is changed twice is merged and not lost, and at rest all have the same. Method: threads that begin
//! at one moment, over what all of them have changed; where many call, those who answer are processes of their own.

use std::sync::Barrier;
use std::thread;

use morango::client::HttpPeer;
use morango::prelude::*;
use morango_tests::compare::{assert_equal, assert_none_fell};
use morango_tests::device::{Device, SchoolAccounts};
use morango_tests::given::{Between, SCHOOL_RECORDS, empty_device, found, moved, rename, root, two_equal_devices};
use morango_tests::process::Process;

use super::processes::serve;

/// Has everybody sync at one moment; none may be refused. How many records came and went in each of the syncs.
#[track_caller]
fn all_at_once(syncs: &[(&Engine, &str)]) -> Vec<(u64, u64)> {
    let start = Barrier::new(syncs.len());
    let (reports, failures): (Vec<_>, Vec<_>) = thread::scope(|scope| {
        let running: Vec<_> = syncs
            .iter()
            .map(|(engine, url)| {
                scope.spawn(|| {
                    let peer = HttpPeer::new(url).expect("an address");
                    start.wait();
                    engine.sync(&peer, root(), SyncOptions::both_ways().chunk_size(50)).map_err(|error| error.report())
                })
            })
            .collect();
        running.into_iter().map(|sync| sync.join().expect("nobody panics")).partition(Result::is_ok)
    });
    let failures: Vec<String> = failures.into_iter().filter_map(Result::err).collect();
    assert!(failures.is_empty(), "{} of {}: {failures:#?}", failures.len(), syncs.len());
    reports.into_iter().flatten().map(|report| moved(&report)).collect()
}

/// Syncs each of them with the server, one after another, until nothing moves any more.
#[track_caller]
fn come_to_rest(devices: &[&Device], url: &str) {
    let is_quiet = (0..4).any(|_| {
        let moved: Vec<_> =
            devices.iter().map(|device| moved(&device.sync(url, root(), SyncOptions::both_ways()))).collect();
        moved.iter().all(|moved| *moved == (0, 0))
    });
    assert!(is_quiet, "they never stop telling each other news");
}

#[track_caller]
fn assert_kept(device: &Device, person: SyncId, names: &[&str]) {
    let record = device.record(&person);
    let texts = format!("{}\n{}", record.serialized, record.conflicting_serialized_data);
    for name in names {
        assert!(texts.contains(name), "{name} is lost: {texts}");
    }
}

pub(super) fn two_syncs_of_one_application_at_once_bring_everything_once(on: Between) {
    let (server, client, school, url) = two_equal_devices(on);
    school.logs(&server, school.ada, 120);
    school.logs(&client, school.bert, 120);
    rename(&server, school.ada, "of the server");
    rename(&client, school.ada, "of the client");
    let before = [client.counters(), server.counters()];

    all_at_once(&[(&client.engine, &url), (&client.engine, &url)]);
    come_to_rest(&[&client], &url);

    assert_equal(&server, &client, &[]);
    assert_eq!(client.store().len(), 9 + 2 * 120);
    assert_kept(&server, school.ada, &["of the server", "of the client"]);
    assert_none_fell(&before[0], &client.counters());
    assert_none_fell(&before[1], &server.counters());
    assert_eq!(client.engine.unfinished().expect("the list"), []);
}

pub(super) fn two_servers_may_be_synced_with_at_once(on: Between) {
    let (one, client, school, url) = two_equal_devices(on);
    let mut other = empty_device(on.server, "other");
    other.sync(&url, root(), SyncOptions::pull());
    let other_url = other.serve(SchoolAccounts::admin());
    for device in [&one, &other, &client] {
        school.logs(device, school.bert, 60);
        rename(device, school.ada, &format!("of {}", device.name));
    }

    all_at_once(&[(&client.engine, &url), (&client.engine, &other_url)]);
    come_to_rest(&[&client, &other], &url);

    assert_equal(&one, &client, &[]);
    assert_equal(&one, &other, &[]);
    assert_eq!(one.store().len(), 9 + 3 * 60);
    assert_kept(&one, school.ada, &["of server", "of other", "of client"]);
}

pub(super) fn two_that_call_each_other_at_once_end_equal(on: Between) {
    let (one, mut other, school, url) = two_equal_devices(on);
    let other_url = other.serve(SchoolAccounts::admin());
    let mut names = Vec::new();
    for round in 0..3 {
        for device in [&one, &other] {
            school.logs(device, school.bert, 40);
            let name = format!("of {} {round}", device.name);
            rename(device, school.ada, &name);
            names.push(name);
        }
        all_at_once(&[(&one.engine, &other_url), (&other.engine, &url)]);
    }
    come_to_rest(&[&other], &url);

    assert_equal(&one, &other, &[]);
    assert_eq!(one.store().len(), 9 + 2 * 3 * 40);
    // Of what one side wrote over its own text, the older is no conflict.
    assert_kept(&one, school.ada, &[&names[4], &names[5]]);
}

pub(super) fn two_programs_on_one_database_may_sync_at_once(on: Between) {
    let (server, client, school, url) = two_equal_devices(on);
    let apart = client.builder_apart().build().expect("another program on the same database");
    assert_eq!(apart.instance().id, client.engine.instance().id);
    for round in 0..3 {
        school.logs(&server, school.ada, 60);
        school.logs(&client, school.bert, 60);
        rename(&server, school.ada, &format!("of the server {round}"));
        rename(&client, school.ada, &format!("of the client {round}"));
        all_at_once(&[(&client.engine, &url), (&apart, &url)]);
    }
    come_to_rest(&[&client], &url);

    assert_equal(&server, &client, &[]);
    assert_eq!(server.store().len(), 9 + 2 * 3 * 60);
    assert_kept(&server, school.ada, &["of the server 2", "of the client 2"]);
}

/// Syncs in which all call at once after which nothing may be left to move: what all changed is at the server after the first, at all
/// others after the second, and what those merged is everywhere after the third.
const ROUNDS_MAX: usize = 4;

pub(super) fn twenty_clients_at_once_are_all_served_by_one_process_and_end_equal(on: Between) {
    many_are_served_and_end_equal(on, 20, 1);
}

pub(super) fn forty_clients_at_once_are_all_served_by_three_processes_on_one_database_and_end_equal(on: Between) {
    many_are_served_and_end_equal(on, 40, 3);
}

/// So many clients call at the same time, and so many processes answer that share the server's database. Each client calls another of
/// them the next time.
#[track_caller]
fn many_are_served_and_end_equal(on: Between, clients: usize, processes: usize) {
    let server = empty_device(on.server, "server");
    let school = found(&server);
    let processes: Vec<(Process, String)> = (0..processes).map(|_| serve(&server, "")).collect();
    let new_client = |number| empty_device(on.client, format!("client-{number}").leak());
    let clients: Vec<Device> = (0..clients).map(new_client).collect();
    let everybody = |round: usize| -> Vec<(&Engine, &str)> {
        let url_of = |number: usize| processes[(number + round) % processes.len()].1.as_str();
        clients.iter().enumerate().map(|(number, client)| (&client.engine, url_of(number))).collect()
    };
    all_at_once(&everybody(0));
    for client in &clients {
        let learner = school.user(client, client.name);
        school.logs(client, learner, 5);
        rename(client, school.ada, &format!("Ada of {}.", client.name));
    }
    let before = server.counters();

    let is_quiet = (1..=ROUNDS_MAX).any(|round| all_at_once(&everybody(round)).iter().all(|moved| *moved == (0, 0)));

    assert!(is_quiet, "they never stop telling each other news");
    for client in &clients {
        assert_equal(&server, client, &[]);
        assert_eq!(client.engine.unfinished().expect("the list"), [], "{}", client.name);
    }
    assert_eq!(server.store().len() as u64, SCHOOL_RECORDS + clients.len() as u64 * 6);
    let names: Vec<String> = clients.iter().map(|client| format!("Ada of {}.", client.name)).collect();
    assert_kept(&server, school.ada, &names.iter().map(String::as_str).collect::<Vec<_>>());
    assert_none_fell(&before, &server.counters());
}
