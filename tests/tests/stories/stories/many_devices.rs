//! More than two devices.
//!
//! Goal: all that belong to one school end equal, whoever meets whom, and nobody needs to meet the founder. Method: a ring,
//! a chain, two clients that call one server at the same moment, and five that do anything at all.

use std::thread;

use morango::client::HttpPeer;
use morango::prelude::*;
use morango::record::StoreRecord;
use morango_examples::school::FULL_FACILITY;
use morango_tests::compare::{assert_equal, rows_of_device};
use morango_tests::device::{Device, SchoolAccounts};
use morango_tests::dice::Dice;
use serde_json::json;

use super::given::{Between, SCHOOL_RECORDS, School, empty_device, found, moved, rename, root, serving_school, sql};

pub(super) fn three_devices_in_a_ring_converge(on: Between) {
    let mut a = empty_device(on.server, "a");
    let (mut b, mut c) = (empty_device(on.client, "b"), empty_device(on.server, "c"));
    let urls = [&mut a, &mut b, &mut c].map(|device| device.serve(SchoolAccounts::admin()));
    let school = found(&a);
    let both_ways = |device: &Device, url: &str| moved(&device.sync(url, root(), SyncOptions::both_ways()));
    b.sync(&urls[0], root(), SyncOptions::pull());
    c.sync(&urls[1], root(), SyncOptions::pull());

    // When each changes the same person and adds something of its own, and they meet around the ring.
    for device in [&a, &b, &c] {
        rename(device, school.ada, &format!("Ada of {}", device.name));
        school.logs(device, school.bert, 3);
    }
    sql(&b, &format!("DELETE FROM classroom WHERE id = '{}'", school.lower));
    for _ in 0..2 {
        both_ways(&b, &urls[0]);
        both_ways(&c, &urls[1]);
        both_ways(&a, &urls[2]);
    }

    assert_equal(&a, &b, &[]);
    assert_equal(&b, &c, &[]);
    let record = a.record(&school.ada);
    let texts = format!("{}\n{}", record.serialized, record.conflicting_serialized_data);
    for name in ["Ada of a", "Ada of b", "Ada of c"] {
        assert!(texts.contains(name), "{name} is not lost: {texts}");
    }
    assert_eq!([both_ways(&b, &urls[0]), both_ways(&c, &urls[1]), both_ways(&a, &urls[2])], [(0, 0); 3]);
}

pub(super) fn three_devices_in_a_ring_come_to_the_same_by_the_models_policy(on: Between) {
    let mut a = empty_device(on.server, "a");
    let (mut b, mut c) = (empty_device(on.client, "b"), empty_device(on.server, "c"));
    let urls = [&mut a, &mut b, &mut c].map(|device| device.serve(SchoolAccounts::admin()));
    let school = found(&a);
    let sample = school.sample(&a, json!(["of all"]));
    let both_ways = |device: &Device, url: &str| moved(&device.sync(url, root(), SyncOptions::both_ways()));
    b.sync(&urls[0], root(), SyncOptions::pull());
    c.sync(&urls[1], root(), SyncOptions::pull());

    // When each changes it in its own way: `big` says whose is the newest.
    for (device, big) in [(&a, 5), (&b, 7), (&c, 6)] {
        let (name, whole, small) = (device.name, 100 - big, 100 - big);
        let change =
            format!("big = {big}, whole = {whole}, small = {small}, word = 'of {name}', json = '[\"{name}\"]'");
        sql(device, &format!("UPDATE sampler SET {change} WHERE id = '{sample}'"));
    }
    for _ in 0..2 {
        both_ways(&b, &urls[0]);
        both_ways(&c, &urls[1]);
        both_ways(&a, &urls[2]);
    }

    assert_equal(&a, &b, &[]);
    assert_equal(&b, &c, &[]);
    let record = a.record(&sample);
    let merged: serde_json::Value = serde_json::from_str(&record.serialized).expect("JSON");
    assert_eq!([&merged["big"], &merged["whole"], &merged["small"]], [&json!(7), &json!(95), &json!(93)]);
    assert_eq!(merged["word"], "of b");
    for name in ["a", "b", "c"] {
        assert!(merged["json"].as_str().is_some_and(|list| list.contains(&format!("\"{name}\""))), "{merged}");
    }
    for name in ["of a", "of c"] {
        assert!(record.conflicting_serialized_data.contains(name), "{name} is not lost: {record:?}");
    }
    assert_eq!([both_ways(&b, &urls[0]), both_ways(&c, &urls[1]), both_ways(&a, &urls[2])], [(0, 0); 3]);
}

pub(super) fn two_that_never_meet_have_the_same_through_a_third_that_signed_for_the_last(on: Between) {
    let (mut a, mut b) = (Device::on(on.server, "a"), Device::on(on.client, "b"));
    let c = Device::on(on.server, "c");
    let root = a.found_school();
    let dataset = root.id().to_string();
    let params = [("dataset_id", dataset.as_str())];
    let url_of_a = a.serve(SchoolAccounts::admin());
    let of_b = b.request(&url_of_a, &root.id(), FULL_FACILITY, &params, "admin");
    b.sync(&url_of_a, &of_b, SyncOptions::both_ways());

    // When A is out of reach, and C gets certificate and data from B.
    a.fall_silent();
    let url_of_b = b.serve(SchoolAccounts::admin());
    let of_c = c.request(&url_of_b, &of_b.id(), FULL_FACILITY, &params, "admin");
    c.sync(&url_of_b, &of_c, SyncOptions::both_ways());
    sql(&c, "UPDATE dataset SET description = 'changed by C'");
    c.sync(&url_of_b, &of_c, SyncOptions::both_ways());
    let url_of_a = a.serve(SchoolAccounts::admin());
    b.sync(&url_of_a, &of_b, SyncOptions::both_ways());

    assert_equal(&a, &c, &[]);
    assert_equal(&a, &b, &[]);
    let record = a.record(&root.id().into());
    assert!(record.serialized.contains("changed by C"));
    assert_eq!(record.last_saved.instance, c.engine.instance().id);
}

pub(super) fn two_clients_may_sync_with_one_server_at_once_while_it_writes_itself(on: Between) {
    let (server, school, url) = serving_school(on);
    let clients = ["one", "two"].map(|name| empty_device(on.client, name));
    for client in &clients {
        client.sync(&url, root(), SyncOptions::pull());
        school.logs(client, school.ada, 700);
        rename(client, school.ada, &format!("Ada of {}", client.name));
    }

    thread::scope(|scope| {
        for engine in clients.each_ref().map(|client| client.engine.clone()) {
            let url = &url;
            scope.spawn(move || {
                let peer = HttpPeer::new(url).expect("the server's address");
                let options = SyncOptions::both_ways().chunk_size(50);
                engine.sync(&peer, root(), options).expect("the sync goes well");
            });
        }
        for _ in 0..20 {
            school.logs(&server, school.bert, 10);
        }
    });
    for _ in 0..2 {
        for client in &clients {
            client.sync(&url, root(), SyncOptions::both_ways());
        }
    }

    assert_equal(&server, &clients[0], &[]);
    assert_equal(&server, &clients[1], &[]);
    assert_eq!(server.store().len(), 9 + 2 * 700 + 200);
}

pub(super) fn what_came_of_a_push_that_broke_off_reaches_a_third_device(on: Between) {
    let (server, school, url) = serving_school(on);
    let client = empty_device(on.client, "client");
    client.sync(&url, root(), SyncOptions::pull());
    school.logs(&client, school.ada, 9);
    let token = CancelToken::new();
    let cancel = token.clone();
    let options = SyncOptions::push().chunk_size(3).cancel_on(token).on_event(move |event| {
        if let Event::Stage { stage: Stage::Transferring, phase: Phase::InProgress(_), .. } = event {
            cancel.cancel();
        }
    });

    // When the client goes away in the middle and never comes back.
    let error = client.attempt_sync(&url, root(), options).expect_err("it was cancelled");

    assert_eq!(error.kind(), ErrorKind::Cancelled);
    let here = server.store().len() as u64;
    assert!((SCHOOL_RECORDS + 1..SCHOOL_RECORDS + 9).contains(&here), "some came: {here}");
    let third = empty_device(on.client, "third");
    third.sync(&url, root(), SyncOptions::pull());
    assert_eq!(third.store().len() as u64, here);
}

/// Something that an application may do, to a person who is on this device.
fn do_something(device: &Device, school: &School, dice: &mut Dice, round: usize) {
    let people: Vec<SyncId> = rows_of_device(device, &[])
        .into_iter()
        .filter(|(_, row)| row.contains_key("username"))
        .map(|(id, _)| id.parse().expect("an id"))
        .collect();
    let Some(person) = people.get(dice.below(people.len().max(1))).copied() else { return };
    match dice.below(8) {
        0 | 1 => drop(school.user(device, &format!("person {round}"))),
        2 | 3 => rename(device, person, &format!("{round} of {}", device.name)),
        4 => drop(school.logs(device, person, 2)),
        5 => drop(school.feedback(device, person, &format!("round {round}"))),
        6 => sql(device, &format!("UPDATE contentlog SET seconds = {round} WHERE user_id = '{person}'")),
        _ => sql(device, &format!("DELETE FROM \"user\" WHERE id = '{person}'")),
    }
}

pub(super) fn whatever_five_devices_do_and_whoever_meets_whom_all_end_equal(on: Between) {
    const SEED: u64 = 0xf1fe_de71_ce50;
    let homes = [on.server, on.client, on.client, on.server, on.client];
    let names = ["a", "b", "c", "d", "e"];
    let mut devices = std::array::from_fn::<_, 5, _>(|index| empty_device(homes[index], names[index]));
    let urls = devices.each_mut().map(|device| device.serve(SchoolAccounts::admin()));
    let school = found(&devices[0]);
    for device in &devices[1..] {
        device.sync(&urls[0], root(), SyncOptions::pull());
    }
    let meet = |one: usize, other: usize| moved(&devices[one].sync(&urls[other], root(), SyncOptions::both_ways()));

    let mut dice = Dice::of(SEED);
    for round in 0..120 {
        let one = dice.below(devices.len());
        do_something(&devices[one], &school, &mut dice, round);
        if round % 4 == 3 {
            meet(one, (one + 1 + dice.below(devices.len() - 1)) % devices.len());
        }
    }
    // Each pass around the ring carries what the one before brought about: a deletion that spread, a conflict merged.
    let is_quiet = (0..8).any(|_| {
        let passes: Vec<_> = (0..devices.len()).map(|one| meet(one, (one + 1) % devices.len())).collect();
        passes.iter().all(|moved| *moved == (0, 0))
    });

    assert!(is_quiet, "seed {SEED:#x}: they never stop telling each other news");
    for pair in devices.windows(2) {
        assert_equal(&pair[0], &pair[1], &[]);
    }
    let (records, conflicts) =
        (devices[0].store(), |record: &StoreRecord| !record.conflicting_serialized_data.is_empty());
    assert!(records.values().filter(|record| conflicts(record)).count() > 3, "seed {SEED:#x} makes no conflicts");
    assert!(records.values().filter(|record| record.deleted).count() > 3, "seed {SEED:#x} deletes nothing");
}
