//! A Python peer that lacks one capability or several, as older versions do, or as settings have it.
//!
//! Goal: rows, changes, deletions and conflicts travel as they do between peers of today. Method: the same life of a school
//! with each version and each set of capabilities; both databases are compared whole.

use morango::prelude::*;
use morango::session::Capabilities;
use morango::session::Capability::{AsyncOperations, FsicV2Format};
use morango_examples::school::FULL_FACILITY;
use morango_tests::compare::assert_equal;
use morango_tests::device::{Device, SchoolAccounts};
use serde_json::json;

use super::meeting::{Caller, Cast, Meeting};
use super::school::{FURNITURE, furnish};
use super::side::Side;

pub(super) fn a_school_lives_on_both_sides(cast: Cast) {
    let mut meeting = Meeting::begin(cast);
    let dataset = meeting.dataset.clone();
    let school = furnish(&mut meeting.server(), &dataset);
    assert_eq!(meeting.pull_all(), FURNITURE + 1);
    meeting.assert_equal();

    meeting.client().update("user", &school.ada, "full_name", "Ada, by the client");
    meeting.server().update("user", &school.bert, "full_name", "Bert, by the server");
    meeting.client().delete("contentlog", &school.log_of_ada);
    meeting.both_ways();
    meeting.assert_equal();

    meeting.client().update("user", &school.ada, "full_name", "again by the client");
    meeting.server().update("user", &school.ada, "full_name", "meanwhile by the server");
    meeting.server().hard_delete("membership", &school.membership_of_ada);
    meeting.both_ways();
    meeting.assert_equal();
    let merged = meeting.server().record(&school.ada);
    assert_eq!(merged["serialized"][0]["full_name"], "again by the client", "who merges keeps its own");
    assert_eq!(merged["conflicting_serialized_data"][0]["full_name"], "meanwhile by the server");

    if cast.caller == Caller::Rust {
        assert_eq!(meeting.pull_all(), 0, "we say what we have, in whatever form");
        assert_eq!(meeting.push_all(), 0, "and are told what the peer has");
    }
}

/// Goal: what a peer brought that cannot say what it has is passed on to others. Method: a third device meets only us.
pub(super) fn what_a_peer_of_the_first_version_brought_reaches_a_third_device(cast: Cast) {
    let theirs = cast.theirs.without(&[FsicV2Format, AsyncOperations]);
    let mut meeting = Meeting::begin(Cast { theirs, ..cast });
    let dataset = meeting.dataset.clone();
    meeting.both_ways();
    furnish(&mut meeting.python(), &dataset);
    meeting.both_ways();

    let third = Device::new("third");
    let url = meeting.rust.serve(SchoolAccounts::admin());
    let parent = meeting.certificate_of_rust().parse().expect("an id");
    let certificate = third.request(&url, &parent, FULL_FACILITY, &[("dataset_id", &dataset)], "admin");
    third.sync(&url, &certificate, SyncOptions::pull());

    assert_equal(&third, &meeting.rust, &[]);
    assert_eq!(third.store().len() as u64, FURNITURE + 1);
}

/// Goal: a map of counters for several prefixes makes us claim nothing that did not come, and what did is passed on. Method: the
/// Python peer has what a third device wrote under one prefix only, and brings us two; then we meet the third.
pub(super) fn one_map_for_two_prefixes_is_not_believed_of_third_devices(cast: Cast) {
    let theirs = cast.theirs.without(&[FsicV2Format]);
    let mut meeting = Meeting::begin(Cast { theirs, ..cast });
    let dataset = meeting.dataset.clone();
    let school = furnish(&mut meeting.server(), &dataset);
    meeting.both_ways();
    if cast.caller == Caller::Python {
        meeting.python.run("add_user", json!({"username": "admin", "password": "secret", "role": "admin"}));
    }
    let of_all = format!("{dataset}:allusers-ro");
    let of_ada = format!("{dataset}:user-ro:{}", school.ada);
    let params = [("dataset_id", dataset.as_str())];

    // The third device has something new under both prefixes, and gives the Python peer what is under one.
    let mut third = Device::new("third");
    let parent = meeting.certificate_of_python().parse().expect("an id");
    let its_own = third.request(&meeting.python.url, &parent, FULL_FACILITY, &params, "admin");
    third.sync(&meeting.python.url, &its_own, SyncOptions::pull());
    let for_all = Side::Rust(&third).create("facility", &json!({"dataset_id": dataset, "name": "Annex"}));
    let due = json!({"dataset_id": dataset, "user_id": school.ada, "title": "Write", "due": null});
    let for_ada = Side::Rust(&third).create("assignment", &due);
    let one = Filter::new([of_all.as_str()]).expect("a prefix");
    third.sync(&meeting.python.url, &its_own, SyncOptions::push().filter(one));

    // Both prefixes come to us, and with them one counter of the third device for both.
    let direction = if cast.caller == Caller::Rust { Direction::Pull } else { Direction::Push };
    meeting.transfer(direction, Some(&[&of_all, &of_ada])).expect("the filter is within the scope");
    meeting.rust.limit(Capabilities::ours());
    assert!(meeting.rust().records(&[]).contains_key(&for_all), "what the Python peer had has come");

    let fourth = Device::new("fourth");
    let url = meeting.rust.serve(SchoolAccounts::admin());
    let parent = meeting.certificate_of_rust().parse().expect("an id");
    let certificate = fourth.request(&url, &parent, FULL_FACILITY, &params, "admin");
    fourth.sync(&url, &certificate, SyncOptions::pull());
    assert!(Side::Rust(&fourth).records(&[]).contains_key(&for_all), "we pass it on, claimed or not");

    let url = third.serve(SchoolAccounts::admin());
    let our_own = meeting.our_certificate();
    let both = Filter::new([of_all.as_str(), of_ada.as_str()]).expect("prefixes");
    meeting.rust.sync(&url, &our_own, SyncOptions::pull().filter(both));
    assert!(meeting.rust().records(&[]).contains_key(&for_ada), "nothing made us believe that we had this");
    fourth.sync(&meeting.rust.serve(SchoolAccounts::admin()), &certificate, SyncOptions::pull());
    assert_equal(&fourth, &meeting.rust, &[]);
}
