//! Devices of single learners among devices of whole schools.
//!
//! Goal: what a learner's device makes reaches everybody who may see it, over whatever devices it has to go, and what others
//! make reaches the learner. Method: tablets with a certificate for one learner, servers with one for the school; each record
//! goes over at least two meetings.

use morango::prelude::*;
use morango_examples::school::SINGLE_USER;
use morango_tests::compare::{assert_equal, rows_of_device};
use morango_tests::device::{Device, SchoolAccounts};

use super::given::{Between, School, empty_device, moved, rename, root, serving_school};

/// A learner's device that has its certificate from the server at `url`, and what it may see.
fn tablet(on: Between, name: &'static str, url: &str, school: &School, learner: SyncId) -> (Device, Certificate) {
    let tablet = Device::on(on.client, name);
    let (dataset, learner) = (school.dataset.to_string(), learner.to_string());
    let params = [("dataset_id", dataset.as_str()), ("user_id", learner.as_str())];
    let certificate = tablet.request(url, &root().id(), SINGLE_USER, &params, "admin");
    tablet.sync(url, &certificate, SyncOptions::both_ways());
    (tablet, certificate)
}

/// Whether a device has every one of these rows.
fn has_rows(device: &Device, ids: &[SyncId]) -> bool {
    let rows = rows_of_device(device, &[]);
    ids.iter().all(|id| rows.contains_key(&id.to_string()))
}

pub(super) fn what_a_learner_made_reaches_a_second_school_device_that_never_met_the_tablet(on: Between) {
    let (server, school, url) = serving_school(on);
    let (tablet, of_ada) = tablet(on, "tablet", &url, &school, school.ada);
    let logs = school.logs(&tablet, school.ada, 3);
    let feedback = school.feedback(&tablet, school.ada, "more, please");

    assert_eq!(moved(&tablet.sync(&url, &of_ada, SyncOptions::both_ways())), (0, 4));
    let office = empty_device(on.client, "office");
    office.sync(&url, root(), SyncOptions::pull());

    assert_equal(&server, &office, &[]);
    assert!(has_rows(&office, &logs) && has_rows(&office, &[feedback]));
}

pub(super) fn what_reached_a_school_device_before_is_joined_by_what_a_learner_made_later(on: Between) {
    // The office has everything of the server's own by then: what is left is another instance's, below one learner.
    let (server, school, url) = serving_school(on);
    let office = empty_device(on.client, "office");
    office.sync(&url, root(), SyncOptions::both_ways());
    let (tablet, of_ada) = tablet(on, "tablet", &url, &school, school.ada);
    school.logs(&tablet, school.ada, 3);
    tablet.sync(&url, &of_ada, SyncOptions::both_ways());

    assert_eq!(moved(&office.sync(&url, root(), SyncOptions::both_ways())), (3, 0));

    assert_equal(&server, &office, &[]);
}

pub(super) fn a_learners_second_tablet_gets_what_the_first_one_made(on: Between) {
    let (_server, school, url) = serving_school(on);
    let (first, of_first) = tablet(on, "first", &url, &school, school.ada);
    let logs = school.logs(&first, school.ada, 2);
    let feedback = school.feedback(&first, school.ada, "not to be read back");
    first.sync(&url, &of_first, SyncOptions::both_ways());

    let (second, of_second) = tablet(on, "second", &url, &school, school.ada);

    assert!(has_rows(&second, &logs) && !second.store().contains_key(&feedback));
    let more = school.logs(&second, school.ada, 1);
    second.sync(&url, &of_second, SyncOptions::both_ways());
    first.sync(&url, &of_first, SyncOptions::both_ways());
    assert!(has_rows(&first, &more), "and the first one what the second made");
}

pub(super) fn a_tablet_gets_from_a_second_server_what_was_made_at_the_first(on: Between) {
    let (_first, school, url) = serving_school(on);
    let mut second = empty_device(on.server, "second");
    second.sync(&url, root(), SyncOptions::pull());
    let url_of_second = second.serve(SchoolAccounts::admin());

    let (tablet, of_ada) = tablet(on, "tablet", &url_of_second, &school, school.ada);

    // The dataset, the facility, two classrooms; Ada, her membership and her two logs. Bert stays where he is.
    assert_eq!(tablet.store().len(), 8);
    assert!(has_rows(&tablet, &[school.ada, school.membership]) && !tablet.store().contains_key(&school.bert));
    // The second server says under the whole school what it has of the first; the tablet takes that down to its own prefixes.
    assert_eq!(moved(&tablet.sync(&url_of_second, &of_ada, SyncOptions::both_ways())), (0, 0));
    assert!(tablet.waiting().is_empty());
}

pub(super) fn a_tablet_that_met_two_changes_of_what_it_may_only_read_follows_those_who_may_write_it(on: Between) {
    let (first, school, url) = serving_school(on);
    let mut second = empty_device(on.server, "second");
    second.sync(&url, root(), SyncOptions::pull());
    let url_of_second = second.serve(SchoolAccounts::admin());
    let (tablet, of_ada) = tablet(on, "tablet", &url, &school, school.ada);
    rename(&first, school.ada, "Ada of the first");
    rename(&second, school.ada, "Ada of the second");

    // The tablet meets both before they meet: it follows the later one, and keeps what the other said.
    tablet.sync(&url, &of_ada, SyncOptions::both_ways());
    tablet.sync(&url_of_second, &of_ada, SyncOptions::both_ways());
    let met = tablet.record(&school.ada);
    assert!(met.serialized.contains("Ada of the second"), "{}", met.serialized);
    assert!(met.conflicting_serialized_data.contains("Ada of the first"), "{}", met.conflicting_serialized_data);
    assert_eq!(met.last_saved, second.record(&school.ada).last_saved);

    // What the two make of it reaches the tablet, and so does what comes after.
    second.sync(&url, root(), SyncOptions::both_ways());
    tablet.sync(&url, &of_ada, SyncOptions::both_ways());
    assert_eq!(tablet.record(&school.ada), first.record(&school.ada));
    rename(&first, school.ada, "Ada Lovelace");
    tablet.sync(&url, &of_ada, SyncOptions::both_ways());
    assert!(tablet.record(&school.ada).serialized.contains("Ada Lovelace"));
    assert_equal(&first, &tablet, &[&format!("{}:allusers-ro", school.dataset)]);
}

pub(super) fn a_school_device_may_call_a_tablet(on: Between) {
    // The same meeting the other way round: the server now is the one that has but a learner's rights.
    let (server, school, url) = serving_school(on);
    let (mut tablet, _) = tablet(on, "tablet", &url, &school, school.ada);
    let logs = school.logs(&tablet, school.ada, 2);
    let feedback = school.feedback(&tablet, school.ada, "come and get it");
    rename(&tablet, school.ada, "not hers to change");
    rename(&server, school.ada, "Ada Lovelace");
    rename(&server, school.bert, "not hers to see");
    let url_of_tablet = tablet.serve(SchoolAccounts::admin());

    let report = server.sync(&url_of_tablet, root(), SyncOptions::both_ways());

    assert_eq!(moved(&report), (3, 1));
    assert!(has_rows(&server, &logs) && has_rows(&server, &[feedback]));
    assert!(server.record(&school.ada).serialized.contains("Ada Lovelace"));
    assert!(!tablet.store().contains_key(&school.bert));
    let everybodys = format!("{}:allusers-ro", school.dataset);
    assert_equal(&server, &tablet, &[&everybodys, &format!("{}:user-rw:{}", school.dataset, school.ada)]);
}
