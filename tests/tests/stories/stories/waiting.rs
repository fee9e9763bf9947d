//! What waits to become rows, and what somebody can do about it.
//!
//! Goal: what waits is seen with its reason and the peer that sent it, is passed by where that is asked for, and is tried again or
//! dropped on request, without a difference for anybody else. Method: tables of the client that demand more than the server's.

use morango::port::{FailedBefore, Waiting, WaitingKind, WaitingRecords};
use morango::prelude::*;
use morango_examples::school::{PROFILE, User};
use morango_tests::compare::{assert_equal, rows_of_device};
use morango_tests::device::{Device, SchoolAccounts};

use super::given::{Between, empty_device, root, sql, two_equal_devices};

fn waiting(device: &Device) -> Vec<Waiting> {
    device.engine.waiting(&WaitingRecords::of(PROFILE), None, 100).expect("they are listed").records
}

fn has_row(device: &Device, id: SyncId) -> bool {
    rows_of_device(device, &[]).contains_key(&id.to_string())
}

const ONE_OF_EACH_NAME: &str = "CREATE UNIQUE INDEX one_of_each_name ON \"user\" (username)";

pub(super) fn what_waits_tells_who_sent_it_and_is_tried_again_on_request(on: Between) {
    let (server, client, school, url) = two_equal_devices(on);
    sql(&client, ONE_OF_EACH_NAME);
    let ours = school.user(&client, "carla");
    let theirs = school.user(&server, "carla");
    client.sync(&url, root(), SyncOptions::pull());

    let [found] = &waiting(&client)[..] else { panic!("one waits, not {:?}", waiting(&client)) };
    assert_eq!((found.id, found.kind), (theirs, WaitingKind::Constraint));
    assert_eq!(found.last_saved.instance, server.engine.instance().id);
    assert_eq!(found.row::<User>().expect("a user").username, "carla");
    assert!(found.since.is_some() && found.reason.contains(&ours.to_string()), "{found:?}");
    let source = found.source.as_ref().expect("it was received");
    assert_eq!(source.peer, Some(server.engine.instance().id));
    assert!(source.connection_path.starts_with("http://"), "{source:?}");

    sql(&client, &format!("UPDATE \"user\" SET username = 'carla-2' WHERE id = '{ours}'"));
    let users = WaitingRecords::of_model::<User>().kind(WaitingKind::Constraint);
    assert_eq!(client.engine.retry_waiting(&users).expect("it is tried again").written, 1);
    assert!(has_row(&client, theirs) && waiting(&client).is_empty());
    client.sync(&url, root(), SyncOptions::both_ways());
    assert_equal(&server, &client, &[]);
}

pub(super) fn what_failed_before_is_passed_by_where_that_is_asked_for(on: Between) {
    let (server, client, school, url) = two_equal_devices(on);
    sql(&client, ONE_OF_EACH_NAME);
    let ours = school.user(&client, "carla");
    school.user(&server, "carla");
    client.sync(&url, root(), SyncOptions::pull());
    sql(&client, &format!("UPDATE \"user\" SET username = 'carla-2' WHERE id = '{ours}'"));
    let new = school.user(&server, "dewi");

    let report = client.sync(&url, root(), SyncOptions::pull().failed_before(FailedBefore::Skip));

    let pulled = report.pull.as_ref().and_then(|pull| pull.deserialize.as_ref()).expect("it was deserialized");
    assert_eq!((pulled.written, pulled.failures_total, pulled.skipped), (1, 0, 1), "{pulled:?}");
    assert!(!report.is_clean() && has_row(&client, new));
    assert_eq!(waiting(&client).len(), 1);
    assert!(client.sync(&url, root(), SyncOptions::both_ways()).is_clean());
    assert_equal(&server, &client, &[]);
}

pub(super) fn what_was_dropped_is_passed_on_and_comes_back_with_its_next_change(on: Between) {
    let (server, mut client, school, url) = two_equal_devices(on);
    sql(&client, ONE_OF_EACH_NAME);
    school.user(&client, "carla");
    let theirs = school.user(&server, "carla");
    client.sync(&url, root(), SyncOptions::pull());
    assert_eq!(client.engine.drop_waiting(&WaitingRecords::of(PROFILE)).expect("it is dropped"), 1);

    let report = client.sync(&url, root(), SyncOptions::pull());
    assert!(report.is_clean() && waiting(&client).is_empty());
    let third = empty_device(on.client, "third");
    let url_of_client = client.serve(SchoolAccounts::admin());
    third.sync(&url_of_client, root(), SyncOptions::pull());
    assert_eq!(third.record(&theirs), server.record(&theirs));
    assert!(has_row(&third, theirs) && !has_row(&client, theirs));

    sql(&server, &format!("UPDATE \"user\" SET username = 'carla-2' WHERE id = '{theirs}'"));
    assert!(client.sync(&url, root(), SyncOptions::both_ways()).is_clean());
    assert!(has_row(&client, theirs));
    assert_equal(&server, &client, &[]);
}

pub(super) fn names_that_change_hands_at_the_server_change_hands_here(on: Between) {
    let (server, client, school, url) = two_equal_devices(on);
    let three = ["carla", "dewi", "ede"].map(|name| school.user(&server, name));
    sql(&client, ONE_OF_EACH_NAME);
    client.sync(&url, root(), SyncOptions::pull());
    for (user, name) in three.iter().zip(["dewi", "ede", "carla"]) {
        sql(&server, &format!("UPDATE \"user\" SET username = '{name}' WHERE id = '{user}'"));
    }

    assert!(client.sync(&url, root(), SyncOptions::both_ways()).is_clean());

    assert_equal(&server, &client, &[]);
}
