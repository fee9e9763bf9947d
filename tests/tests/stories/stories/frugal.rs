//! Syncs in which little is to be said.
//!
//! Goal: what both know already is not said again, and who no longer knows it is told once more. Method: a line that counts every
//! byte and request lies between two devices; and certificates are taken from a device's database behind its back.

use morango::engine::EngineBuilder;
use morango::prelude::*;
use morango_examples::school::{FULL_FACILITY, SINGLE_USER};
use morango_tests::database::Database;
use morango_tests::device::{Device, SchoolAccounts};
use morango_tests::meter::{Meter, Reading};

use super::given::{Between, School, empty_device, moved, root, serving_school};

/// What a sync with nothing new may cost, with the heads of all requests and answers.
const BYTES_MAX: u64 = 8_000;

/// The calls of a line, without the base path and the ids in it.
fn calls(reading: &Reading) -> Vec<String> {
    let call = |line: &String| {
        let (method, target) = line.split_once(" /api/morango/v1/").expect("a path of the protocol");
        let path = target.split(['?', ' ']).next().unwrap_or_default();
        let parts = path.split('/').map(|part| if part.len() == 32 { "ID" } else { part });
        format!("{method} {}", parts.collect::<Vec<_>>().join("/"))
    };
    reading.requests.iter().map(call).collect()
}

/// A device with a certificate of the whole school that the server at `url` granted it.
fn office(database: Database, url: &str, school: &School) -> (Device, Certificate) {
    let office = Device::on(database, "office");
    let granted = whole_school(&office, url, school);
    (office, granted)
}

fn whole_school(device: &Device, url: &str, school: &School) -> Certificate {
    device.request(url, &root().id(), FULL_FACILITY, &[("dataset_id", &school.dataset.to_string())], "admin")
}

/// The id of a certificate as it stands in statements of a device.
fn literal(device: &Device, certificate: &Certificate) -> String {
    match device.kind() {
        Database::Sqlite => format!("X'{}'", certificate.id()),
        Database::Postgres => format!("'{}'", certificate.id()),
    }
}

pub(super) fn a_sync_with_nothing_new_is_over_in_a_few_short_requests(on: Between) {
    let (_server, school, url) = serving_school(on);
    let (office, granted) = office(on.client, &url, &school);
    let line = Meter::to(&url);
    office.sync(&line.url(), &granted, SyncOptions::both_ways());
    let first = line.read();
    assert!(calls(&first).contains(&"GET certificates/".to_owned()), "they did not know each other");

    let report = office.sync(&line.url(), &granted, SyncOptions::pull());

    assert_eq!(moved(&report), (0, 0));
    let again = line.read();
    let expected = [
        "GET morangoinfo/1/",
        "POST nonces/",
        "POST syncsessions/",
        "POST transfersessions/",
        "PATCH transfersessions/ID/",
        "PATCH transfersessions/ID/",
        "DELETE transfersessions/ID/",
        "DELETE syncsessions/ID/",
    ];
    assert_eq!(calls(&again), expected);
    assert!(again.sent + again.received <= BYTES_MAX, "{again:?}");
}

pub(super) fn counters_go_over_once_each_way_however_many_requests_a_pull_takes(on: Between) {
    let (mut server, school, url) = serving_school(on);
    let learners: Vec<SyncId> = (0..40).map(|number| school.user(&server, &format!("learner {number}"))).collect();
    let (office, granted) = office(on.client, &url, &school);
    // Each learner's own partition has a counter of the learner's own device.
    for (number, learner) in learners.iter().enumerate() {
        let instance = SyncId::hash_of(&format!("device {number}"));
        for device in [&server, &office] {
            let partition = format!("{}:user-rw:{learner}", school.dataset);
            let id = match device.kind() {
                Database::Sqlite => format!("X'{instance}'"),
                Database::Postgres => format!("'{instance}'"),
            };
            device.sql(&format!(
                "INSERT INTO morango_database_max_counter (partition, instance, counter) VALUES ('{partition}', {id}, 1)"
            ));
        }
    }
    // Of a device without records nothing would be told otherwise.
    server.rebuild(EngineBuilder::tell_all_counters);
    let line = Meter::to(&server.serve(SchoolAccounts::admin()));
    office.sync(&line.url(), &granted, SyncOptions::pull());
    line.read();

    office.sync(&line.url(), &granted, SyncOptions::pull());

    let again = line.read();
    let one_way = 40 * 150;
    assert!(again.sent > one_way && again.sent < 2 * one_way, "{}", again.sent);
    assert!(again.received < 2 * one_way, "{}", again.received);
}

pub(super) fn a_server_that_has_lost_a_callers_certificate_is_shown_its_whole_chain_again(on: Between) {
    let (server, school, url) = serving_school(on);
    let (office, granted) = office(on.client, &url, &school);
    let line = Meter::to(&url);
    office.sync(&line.url(), &granted, SyncOptions::both_ways());
    line.read();
    server.sql(&format!("DELETE FROM morango_certificate WHERE id = {}", literal(&server, &granted)));
    school.logs(&office, school.ada, 3);

    let report = office.sync(&line.url(), &granted, SyncOptions::both_ways());

    assert_eq!(moved(&report), (0, 3));
    let openings = calls(&line.read()).into_iter().filter(|call| call == "POST syncsessions/").count();
    assert_eq!(openings, 2, "it was refused once, with the last of its chain alone");
    assert_eq!(moved(&office.sync(&line.url(), &granted, SyncOptions::both_ways())), (0, 0));
    let openings = calls(&line.read()).into_iter().filter(|call| call == "POST syncsessions/").count();
    assert_eq!(openings, 1, "and is known again");
}

pub(super) fn a_server_that_has_lost_the_key_it_spoke_with_speaks_in_the_name_of_another(on: Between) {
    let (_founder, school, url) = serving_school(on);
    let (mut office, lost) = office(on.server, &url, &school);
    office.sync(&url, &lost, SyncOptions::pull());
    let url_of_office = office.serve(SchoolAccounts::admin());
    let client = empty_device(on.client, "client");
    let first = client.sync(&url_of_office, root(), SyncOptions::pull());
    assert_eq!(first.server_certificate, lost.id());
    let other = whole_school(&office, &url, &school);
    office.sql(&format!("UPDATE morango_certificate SET private_key = NULL WHERE id = {}", literal(&office, &lost)));

    let second = client.sync(&url_of_office, root(), SyncOptions::both_ways());

    assert_eq!(second.server_certificate, other.id());
}

pub(super) fn a_server_that_may_do_more_than_the_last_time_does_it(on: Between) {
    let (_founder, school, url) = serving_school(on);
    let mut office = Device::on(on.server, "office");
    let (dataset, ada) = (school.dataset.to_string(), school.ada.to_string());
    let params = [("dataset_id", dataset.as_str()), ("user_id", ada.as_str())];
    let narrow = office.request(&url, &root().id(), SINGLE_USER, &params, "admin");
    let url_of_office = office.serve(SchoolAccounts::admin());
    let client = empty_device(on.client, "client");
    for _ in 0..2 {
        let report = client.sync(&url_of_office, root(), SyncOptions::pull());
        assert_eq!(report.server_certificate, narrow.id(), "there is no other");
    }
    let wide = whole_school(&office, &url, &school);
    office.sync(&url, &wide, SyncOptions::pull());

    let report = client.sync(&url_of_office, root(), SyncOptions::pull());

    assert_eq!(report.server_certificate, wide.id());
    assert!(moved(&report).0 > 0, "what the narrow one could not give");
}
