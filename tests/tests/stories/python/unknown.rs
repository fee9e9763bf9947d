//! One side is newer than the other and has models and fields that the other has never heard of.
//!
//! Goal: what a peer does not know it keeps and passes on, also when it changes the record. Method: one side writes what the
//! other does not know, the other changes what it does know, and a third peer that knows it all gets everything from the
//! one that did not.

use morango::prelude::*;
use morango_examples::school::FULL_FACILITY;
use morango_tests::compare::told_by_python;
use morango_tests::device::{Device, SchoolAccounts};
use morango_tests::python::PythonPeer;
use serde_json::json;

use super::meeting::{Caller, Cast, Meeting};

pub(super) fn what_we_do_not_know_is_kept_and_passed_on(cast: Cast) {
    // Given a Python peer of a newer version, which has the model `bulletin` and the field `nickname`.
    let mut meeting = Meeting::begin_with(cast, &["--with-extra"]);
    let dataset = meeting.dataset.clone();
    if cast.caller == Caller::Python {
        meeting.pull();
    }
    let nick = json!({"dataset_id": dataset, "username": "eve", "full_name": "", "nickname": "E"});
    let eve = meeting.python().create("user", &nick);
    let bulletin = meeting.python().create("bulletin", &json!({"dataset_id": dataset, "text": "hello"}));

    // When we get both, change what we know, and give it back.
    meeting.bring_from_python();
    meeting.assert_equal_records();
    meeting.rust().update("user", &eve, "full_name", "Eve");
    assert_eq!(meeting.bring_to_python(), 1);

    // Then nothing of what we do not know is lost, there or at a third peer that gets it from us.
    meeting.assert_equal_records();
    let row = meeting.python.row("user", &eve);
    assert_eq!((&row["nickname"], &row["full_name"]), (&json!("E"), &json!("Eve")));
    let waiting: Vec<String> = meeting.rust.waiting().iter().map(ToString::to_string).collect();
    assert_eq!(waiting, [bulletin.as_str()], "the record waits for a model that it can become");

    let mut third = PythonPeer::of_kind(cast.theirs, meeting.rust.folder(), "third", &["--with-extra"]);
    let url = meeting.rust.serve(SchoolAccounts::admin());
    let parent = meeting.certificate_of_rust().to_owned();
    let certificate = third.run(
        "request_certificate",
        json!({
            "url": url, "parent_id": parent, "scope_definition": FULL_FACILITY,
            "scope_params": {"dataset_id": dataset}, "userargs": "admin", "password": "secret",
        }),
    );
    third.run("sync", json!({"url": url, "direction": "pull", "client_certificate": certificate}));
    assert_eq!(told_by_python(&mut third, &[]), told_by_python(&mut meeting.python, &[]));
    assert_eq!(third.row("user", &eve)["nickname"], "E");
    assert_eq!(third.row("bulletin", &bulletin)["text"], "hello");
}

pub(super) fn what_python_does_not_know_is_kept_and_passed_on(cast: Cast) {
    // Given a Python peer of an older version, which does not have the model `assignment`.
    let mut meeting = Meeting::begin_with(cast, &["--without-model", "assignment"]);
    let dataset = meeting.dataset.clone();
    if cast.caller == Caller::Rust {
        meeting.pull();
    }
    let fields = json!({"dataset_id": dataset, "username": "eve", "full_name": "", "birth_year": null});
    let eve = meeting.rust().create("user", &fields);
    let fields = json!({"dataset_id": dataset, "user_id": eve, "title": "Read", "due": null});
    let assignment = meeting.rust().create("assignment", &fields);

    // When it gets one and gives it to a third peer, which is ours.
    meeting.bring_to_python();
    meeting.assert_equal_records();
    let third = Device::on(cast.ours, "third");
    if cast.caller == Caller::Python {
        meeting.python.run("add_user", json!({"username": "admin", "password": "secret", "role": "admin"}));
    }
    let parent: CertificateId = meeting.certificate_of_python().parse().expect("an id");
    let url = meeting.python.url.clone();
    let certificate = third.request(&url, &parent, FULL_FACILITY, &[("dataset_id", &dataset)], "admin");
    third.sync(&url, &certificate, SyncOptions::pull());

    // Then the third one has it all.
    morango_tests::compare::assert_equal(&meeting.rust, &third, &[]);
    assert!(third.store().contains_key(&assignment.parse().expect("an id")));
}
