//! Our application has merge policies, of which a Python peer knows nothing.
//!
//! Goal: after the exchange both sides hold the same records, counters and rows, whoever merged. Method: both change one sample
//! apart; where we receive, our policies merge; where Python receives, its rule does. What comes of it goes to the other side.

use morango::prelude::*;
use morango_examples::school::PROFILE;
use morango_tests::compare::Told;
use serde_json::{Value, json};

use super::meeting::{Caller, Cast, Meeting};
use super::school::{School, furnish};

/// Both sides have one sample and change it apart: each all of it, in its own way.
fn change_apart(cast: Cast) -> (Meeting, String) {
    let mut meeting = Meeting::begin(cast);
    let dataset = meeting.dataset.clone();
    if cast.caller == Caller::Rust {
        meeting.pull();
    }
    let sample = json!({
        "dataset_id": dataset, "small": 1, "whole": 2, "big": 3, "ratio": 0.5, "flag": true, "word": "milk", "prose": "tea",
        "moment": "2026-01-02T03:04:05.678Z", "day": "2026-01-02", "clock": "03:04:05.678", "price": "12.3400",
        "uuid": "123e4567-e89b-12d3-a456-426614174000", "json": "[\"both\"]", "data": "AAEC/w==",
    });
    let id = meeting.rust().create("sampler", &sample);
    meeting.bring_to_python();
    for (field, ours, theirs) in [
        ("big", "8", "9"),
        ("whole", "20", "10"),
        ("small", "-5", "-7"),
        ("word", "ours", "theirs"),
        ("json", "[\"both\", \"ours\"]", "[\"theirs\", \"both\"]"),
    ] {
        meeting.rust().update("sampler", &id, field, ours);
        let theirs = if field == "json" || field == "word" {
            json!(theirs)
        } else {
            serde_json::from_str(theirs).expect("a number")
        };
        meeting.python.update("sampler", &id, &json!({field: theirs}));
    }
    (meeting, id)
}

/// The fields that were changed, as the record has them now.
fn changed(record: &Told) -> Vec<Value> {
    let text = &record["serialized"][0];
    let list: Value = serde_json::from_str(text["json"].as_str().expect("a text that holds JSON")).expect("JSON");
    vec![text["big"].clone(), text["whole"].clone(), text["small"].clone(), text["word"].clone(), list]
}

pub(super) fn a_policy_of_ours_merges_and_python_takes_what_comes_of_it(cast: Cast) {
    let (mut meeting, id) = change_apart(cast);

    assert_eq!(meeting.bring_from_python(), 1);

    let merged = meeting.rust().record(&id);
    let expected = [json!(9), json!(20), json!(-7), json!("theirs"), json!(["both", "ours", "theirs"])];
    assert_eq!(changed(&merged), expected, "theirs is the newest, but for what is merged singly");
    let [lost] = &**merged["conflicting_serialized_data"].as_array().expect("texts") else {
        panic!("ours lost: {merged:?}")
    };
    assert_eq!((&lost["word"], &lost["big"]), (&json!("ours"), &json!(8)));
    assert_eq!(merged["last_saved_instance"], meeting.rust().instance());
    assert_eq!(meeting.rust().rows()[&id]["word"], "theirs", "our row is what was merged");
    assert_eq!(meeting.bring_to_python(), 1);
    assert_eq!(meeting.python().record(&id), merged);
    meeting.assert_equal();
    assert_eq!((meeting.pull(), meeting.push()), (0, 0));
}

pub(super) fn where_python_merges_its_rule_holds_and_we_take_what_comes_of_it(cast: Cast) {
    let (mut meeting, id) = change_apart(cast);

    assert_eq!(meeting.bring_to_python(), 1);

    let merged = meeting.python().record(&id);
    assert_eq!(changed(&merged)[3], "theirs", "who merges keeps its own");
    assert_eq!(meeting.bring_from_python(), 1);
    assert_eq!(meeting.rust().record(&id), merged);
    meeting.assert_equal();
    assert_eq!((meeting.pull(), meeting.push()), (0, 0));
}

pub(super) fn a_decision_of_ours_ends_the_conflict_on_both_sides(cast: Cast) {
    let mut meeting = Meeting::begin(cast);
    let dataset = meeting.dataset.clone();
    let School { ada, .. } = furnish(&mut meeting.server(), &dataset);
    meeting.pull();
    meeting.server().update("user", &ada, "full_name", "at the server");
    meeting.client().update("user", &ada, "full_name", "at the client");
    meeting.pull();
    meeting.push();
    meeting.assert_equal();

    let page = meeting.rust.engine.conflicts(PROFILE, &Filter::everything(), None, 10).expect("the conflicts");
    let [conflict] = &*page.conflicts else { panic!("one conflict: {page:?}") };
    assert_eq!(conflict.ours.json().expect("an object")["full_name"], "at the client");
    meeting.rust.engine.resolve_conflict(conflict, &Resolution::TakeTheirs(0)).expect("it is decided");

    assert_eq!(meeting.rust().rows()[&ada]["full_name"], "at the server");
    assert_eq!(meeting.bring_to_python(), 1);
    let decided = meeting.python().record(&ada);
    assert_eq!(decided["serialized"][0]["full_name"], "at the server");
    assert_eq!(decided["conflicting_serialized_data"], json!([]));
    assert_eq!(decided["last_saved_instance"], meeting.rust().instance());
    meeting.assert_equal();
    assert_eq!((meeting.pull(), meeting.push()), (0, 0));
}
