//! Records that cannot become rows here until something is mended.
//!
//! Goal: one bad record stops no other, is kept with its reason, and becomes a row once what it needs is there. Method: the
//! sender holds what the receiver's model or table refuses; later the cause is mended, and a sync heals.

use std::collections::BTreeSet;

use morango::port::{ApplyFailure, WaitingKind};
use morango::prelude::*;
use morango_tests::compare::{assert_equal, rows_of_device};
use morango_tests::device::Device;

use super::given::{Between, empty_device, root, serving_school, sql, two_equal_devices};

fn failures(report: &SyncReport) -> &[ApplyFailure] {
    let pulled = report.pull.as_ref().expect("it was pulled");
    &pulled.deserialize.as_ref().expect("it was deserialized").failures
}

fn has_row(device: &Device, id: SyncId) -> bool {
    rows_of_device(device, &[]).contains_key(&id.to_string())
}

pub(super) fn a_field_that_the_model_refuses_keeps_one_record_waiting_until_it_is_mended(on: Between) {
    let (server, client, school, url) = two_equal_devices(on);
    let bad = school.classroom(&server, "to be too long", None);
    let good = school.classroom(&server, "good", None);
    sql(&server, &format!("UPDATE classroom SET name = '{}' WHERE id = '{bad}'", "x".repeat(101)));

    let report = client.sync(&url, root(), SyncOptions::both_ways());

    let [failure] = failures(&report) else { panic!("one failure, not {:?}", failures(&report)) };
    assert_eq!((failure.model.as_str(), failure.id), ("classroom", bad));
    assert!(failure.reason.contains("name"), "it names the field: {failure:?}");
    assert!(!report.is_clean());
    assert!(has_row(&client, good) && !has_row(&client, bad));
    assert_eq!(client.waiting(), BTreeSet::from([bad]));

    sql(&server, &format!("UPDATE classroom SET name = 'short' WHERE id = '{bad}'"));
    assert!(client.sync(&url, root(), SyncOptions::both_ways()).is_clean());
    assert_equal(&server, &client, &[]);
    assert_eq!(client.waiting(), BTreeSet::new());
}

pub(super) fn a_constraint_of_the_table_keeps_one_record_waiting_until_it_is_mended_here(on: Between) {
    let (server, client, school, url) = two_equal_devices(on);
    sql(&client, "CREATE UNIQUE INDEX one_of_each_name ON \"user\" (username)");
    let ours = school.user(&client, "carla");
    let theirs = school.user(&server, "carla");
    let good = school.user(&server, "dewi");

    let report = client.sync(&url, root(), SyncOptions::both_ways());

    let [failure] = failures(&report) else { panic!("one failure, not {:?}", failures(&report)) };
    assert_eq!((failure.model.as_str(), failure.id), ("user", theirs));
    assert!(has_row(&client, ours) && has_row(&client, good) && !has_row(&client, theirs));

    // Nothing new has to come for it to be tried again.
    sql(&client, &format!("UPDATE \"user\" SET username = 'carla-2' WHERE id = '{ours}'"));
    assert!(client.sync(&url, root(), SyncOptions::both_ways()).is_clean());
    assert_equal(&server, &client, &[]);
}

pub(super) fn a_record_whose_foreign_key_is_not_here_yet_waits_for_it(on: Between) {
    let (server, school, url) = serving_school(on);
    let client = empty_device(on.client, "client");
    let of_all = format!("{}:allusers-ro", school.dataset);
    let logs = format!("{}:user-rw", school.dataset);
    let narrow = Filter::new([of_all.as_str(), logs.as_str()]).expect("a filter");

    let report = client.sync(&url, root(), SyncOptions::pull().filter(narrow));

    assert_eq!(failures(&report).len(), 2, "two logs of a person who is not here");
    assert!(
        failures(&report).iter().all(|failure| failure.kind == WaitingKind::MissingForeignKey),
        "{:?}",
        failures(&report)
    );
    assert!(has_row(&client, school.facility));

    assert!(client.sync(&url, root(), SyncOptions::pull()).is_clean());
    assert_equal(&server, &client, &[]);
}

pub(super) fn what_waits_here_is_passed_on_all_the_same(on: Between) {
    let (server, mut client, school, url) = two_equal_devices(on);
    let bad = school.classroom(&server, "bad", None);
    sql(&server, &format!("UPDATE classroom SET name = '{}' WHERE id = '{bad}'", "x".repeat(101)));
    client.sync(&url, root(), SyncOptions::pull());
    let third = empty_device(on.client, "third");
    let url_of_client = client.serve(morango_tests::device::SchoolAccounts::admin());

    third.sync(&url_of_client, root(), SyncOptions::pull());

    assert_eq!(third.record(&bad), server.record(&bad));
}
