//! Both sides changed one record before they met.
//!
//! Goal: after the exchange both sides hold the same, and the text that lost is kept. Method: client and server change the
//! same row apart; the client pulls, which merges, and pushes what came of it.

use serde_json::json;

use super::meeting::{Cast, Meeting};
use super::school::{School, furnish};

fn begin(cast: Cast) -> (Meeting, School) {
    let mut meeting = Meeting::begin(cast);
    let dataset = meeting.dataset.clone();
    let school = furnish(&mut meeting.server(), &dataset);
    meeting.pull();
    (meeting, school)
}

fn change_apart(meeting: &mut Meeting, user: &str, time: &str) {
    meeting.server().update("user", user, "full_name", &format!("{time} at the server"));
    meeting.client().update("user", user, "full_name", &format!("{time} at the client"));
}

pub(super) fn what_both_changed_is_merged_and_the_loser_kept(cast: Cast) {
    let (mut meeting, school) = begin(cast);
    change_apart(&mut meeting, &school.ada, "once");

    assert_eq!(meeting.pull(), 1);

    let merged = meeting.client().record(&school.ada);
    assert_eq!(merged["serialized"][0]["full_name"], "once at the client", "who merges keeps its own");
    assert_eq!(merged["conflicting_serialized_data"][0]["full_name"], "once at the server");
    assert_eq!(merged["last_saved_instance"], meeting.client().instance());
    assert_eq!(meeting.push(), 1);
    assert_eq!(meeting.server().record(&school.ada), merged);
    meeting.assert_equal();
    assert_eq!((meeting.pull(), meeting.push()), (0, 0));
}

pub(super) fn a_second_conflict_puts_its_loser_before_the_first(cast: Cast) {
    let (mut meeting, school) = begin(cast);
    for time in ["once", "twice"] {
        change_apart(&mut meeting, &school.ada, time);
        meeting.pull();
        meeting.push();
    }

    let merged = meeting.server().record(&school.ada);
    let lost: Vec<_> = merged["conflicting_serialized_data"]
        .as_array()
        .expect("texts")
        .iter()
        .map(|text| text["full_name"].clone())
        .collect();
    assert_eq!(merged["serialized"][0]["full_name"], "twice at the client");
    assert_eq!(lost, [json!("twice at the server"), json!("once at the server")]);
    meeting.assert_equal();
}

pub(super) fn an_edit_and_a_deletion_of_one_record_end_in_the_deletion(cast: Cast) {
    let (mut meeting, school) = begin(cast);
    meeting.server().update("contentlog", &school.log_of_ada, "seconds", "900");
    meeting.client().delete("contentlog", &school.log_of_ada);

    meeting.pull();
    meeting.push();

    let merged = meeting.server().record(&school.log_of_ada);
    assert_eq!((&merged["deleted"], &merged["hard_deleted"]), (&json!(true), &json!(false)));
    let texts = [&merged["serialized"], &merged["conflicting_serialized_data"]];
    assert!(texts.iter().any(|texts| texts[0]["seconds"] == 900), "the edit is not forgotten: {merged:?}");
    assert!(!meeting.server().rows().contains_key(&school.log_of_ada));
    meeting.assert_equal();
}
