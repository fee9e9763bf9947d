//! A school is taken off a device, and lives on everywhere else.
//!
//! Goal: after it nothing of the school is on the device, nobody else has lost anything, and a pull brings all of it back. Method: two
//! devices with the same school, one of which forgets it; the databases are compared before and after.

use std::time::Duration;

use morango::ErrorKind;
use morango::engine::SessionSelection;
use morango::port::{Papers, Unsent};
use morango::prelude::*;
use morango_examples::school::{Dataset, FULL_FACILITY, PROFILE};
use morango_tests::compare::assert_equal;
use morango_tests::device::Device;

use super::given::{Between, SCHOOL_RECORDS, moved, rename, root, sql, two_equal_devices};

pub(super) fn a_school_that_is_forgotten_here_lives_on_elsewhere_and_comes_back_whole(on: Between) {
    let (server, client, school, url) = two_equal_devices(on);
    school.logs(&client, school.ada, 3);
    sql(&client, &format!("UPDATE classroom SET name = 'Lower' WHERE id = '{}'", school.lower));
    client.sync(&url, root(), SyncOptions::both_ways());
    let before = server.store();

    let forgotten = client.engine.forget(root(), Papers::Kept, Unsent::Refused).expect("all of it is elsewhere too");

    assert_eq!((forgotten.records, forgotten.rows, forgotten.unsent), (SCHOOL_RECORDS + 3, SCHOOL_RECORDS + 3, 0));
    assert_nothing_is_left(&client);
    let report = client.sync(&url, root(), SyncOptions::push());
    assert_eq!(report.records_transferred(), 0, "nothing is told of it");
    assert!(server.store() == before);
    assert_eq!(moved(&client.sync(&url, root(), SyncOptions::both_ways())), (SCHOOL_RECORDS + 3, 0));
    assert_equal(&server, &client, &[]);
    rename(&client, school.ada, "Ada is back");
    assert_eq!(moved(&client.sync(&url, root(), SyncOptions::both_ways())), (0, 1));
    assert_equal(&server, &client, &[]);
}

fn assert_nothing_is_left(device: &Device) {
    assert!(device.store().is_empty());
    for table in ["dataset", "facility", "classroom", "\"user\"", "membership", "contentlog"] {
        assert_eq!(device.execute(&format!("DELETE FROM {table}")), 0, "{table} is empty");
    }
    let prefix = root().id().to_string();
    assert!(device.counters().iter().all(|(partition, ..)| !partition.starts_with(&prefix) && !partition.is_empty()));
}

pub(super) fn changes_that_nobody_else_has_are_not_forgotten_unless_they_may_be_lost(on: Between) {
    let (server, client, school, url) = two_equal_devices(on);
    let ours = school.logs(&client, school.ada, 2);

    let error = client.engine.forget(root(), Papers::Kept, Unsent::Refused).expect_err("nobody else has them");

    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{}", error.report());
    assert!(error.report().contains("2 records or rows hold changes") && error.hint().is_some(), "{}", error.report());
    assert!(ours.iter().all(|id| client.store().contains_key(id)), "nothing was changed");
    let forgotten = client.engine.forget(root(), Papers::Kept, Unsent::Lost).expect("they may be lost");
    assert_eq!((forgotten.unsent, forgotten.records), (2, SCHOOL_RECORDS + 2));
    assert_nothing_is_left(&client);
    client.sync(&url, root(), SyncOptions::both_ways());
    assert_equal(&server, &client, &[]);
}

pub(super) fn what_a_broken_push_had_queued_is_not_forgotten(on: Between) {
    let (_server, client, school, url) = two_equal_devices(on);
    client.sync(&url, root(), SyncOptions::push());
    school.logs(&client, school.ada, 2);
    let token = CancelToken::new();
    let cancelling = token.clone();
    let options = SyncOptions::push().cancel_on(token).on_event(move |event| {
        if matches!(event, Event::Stage { stage: Stage::Queuing, phase: Phase::Completed, .. }) {
            cancelling.cancel();
        }
    });
    client.attempt_sync(&url, root(), options).expect_err("it breaks before anything is sent");
    client.engine.clean_up_sessions(&SessionSelection::idle_for(Duration::ZERO)).expect("nothing is left open");

    assert_refused(&client, 2);

    client.sync(&url, root(), SyncOptions::push());
    let forgotten = client.engine.forget(root(), Papers::Kept, Unsent::Refused).expect("it was pushed");
    assert_eq!(forgotten.records, SCHOOL_RECORDS + 2);
}

fn assert_refused(device: &Device, unsent: u64) {
    let error = device.engine.forget(root(), Papers::Kept, Unsent::Refused).expect_err("nobody else has them");
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{}", error.report());
    assert!(error.report().contains(&format!("{unsent} records or rows hold changes")), "{}", error.report());
}

pub(super) fn a_sync_of_another_school_hands_nothing_over_of_this_one(on: Between) {
    let (server, client, school, url) = two_equal_devices(on);
    let other = client.engine.create_root_certificate(PROFILE, FULL_FACILITY, &[]).expect("another school");
    let key = client.storage().private_key(&other.id()).expect("the keys can be read").expect("the key was just made");
    server
        .storage()
        .save_certificates(std::slice::from_ref(&other), Some((&other.id(), &key)))
        .expect("the certificate is kept");
    client.create(Dataset { id: other.id().into(), description: "Hill School".to_owned(), allow_guests: true });
    school.logs(&client, school.ada, 2);

    client.sync(&url, &other, SyncOptions::both_ways());

    assert_refused(&client, 2);
    let forgotten = client.engine.forget(&other, Papers::Kept, Unsent::Refused).expect("that one was pushed");
    assert_eq!((forgotten.records, forgotten.unsent), (1, 0));
    assert_refused(&client, 2);
}

pub(super) fn what_others_pulled_may_be_forgotten_and_nothing_else(on: Between) {
    let (server, client, school, url) = two_equal_devices(on);
    school.logs(&server, school.ada, 2);
    school.logs(&server, school.bert, 1);
    let narrow = Filter::new([format!("{}:user-rw:{}", school.dataset, school.bert)]).expect("a prefix");

    assert_eq!(moved(&client.sync(&url, root(), SyncOptions::pull().filter(narrow))), (1, 0));

    assert_refused(&server, 2);
    client.sync(&url, root(), SyncOptions::pull());
    let forgotten = server.engine.forget(root(), Papers::Kept, Unsent::Refused).expect("the client has it");
    assert_eq!((forgotten.records, forgotten.unsent), (SCHOOL_RECORDS + 3, 0));
    // What comes back is with those from whom it came.
    assert_eq!(moved(&client.sync(&url, root(), SyncOptions::push())), (0, SCHOOL_RECORDS + 3));
    server.engine.forget(root(), Papers::Kept, Unsent::Refused).expect("the client has it");
}

pub(super) fn a_school_is_not_forgotten_while_a_sync_of_it_is_open(on: Between) {
    let (server, client, _, url) = two_equal_devices(on);
    let kept = client.sync(&url, root(), SyncOptions::both_ways().keep_open()).sync_session;

    for device in [&client, &server] {
        let error = device.engine.forget(root(), Papers::Kept, Unsent::Lost).expect_err("a session is open");
        assert_eq!(error.kind(), ErrorKind::SessionConflict, "{}", error.report());
        assert_eq!(device.store().len() as u64, SCHOOL_RECORDS);
    }

    let peer = morango::client::HttpPeer::new(&url).expect("a peer's address");
    client.engine.resume(&peer, kept, SyncOptions::both_ways()).expect("it is gone on with, and closed");
    client.engine.forget(root(), Papers::Forgotten, Unsent::Refused).expect("no session is open");
    assert_nothing_is_left(&client);
    let error = client.attempt_sync(&url, root(), SyncOptions::pull()).expect_err("it has no papers any more");
    assert_eq!(error.kind(), ErrorKind::CertificateUnknown, "{}", error.report());
}
