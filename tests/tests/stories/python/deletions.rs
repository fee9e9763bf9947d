//! Rows go, and what hangs on them goes too.
//!
//! Goal: a deletion is one everywhere, cascades included; a hard one leaves nothing of the text; what is made again is back.
//! Method: either side deletes with its own means (SQL with cascades on ours, Django on the other), then one transfer.

use morango::prelude::Direction;
use serde_json::{Value, json};

use super::meeting::{Caller, Cast, Meeting};
use super::school::{School, furnish};

fn begin(cast: Cast) -> (Meeting, School) {
    let mut meeting = Meeting::begin(cast);
    let dataset = meeting.dataset.clone();
    let school = furnish(&mut meeting.server(), &dataset);
    meeting.pull();
    (meeting, school)
}

/// The upper school is gone, the class in it and both memberships; their last texts are kept.
fn assert_upper_school_is_gone(meeting: &mut Meeting, school: &School) {
    meeting.assert_equal();
    let rows = meeting.rust().rows();
    for id in [&school.upper, &school.lower, &school.membership_of_ada] {
        assert!(!rows.contains_key(id));
        let record = meeting.rust().record(id);
        assert_eq!((&record["deleted"], &record["hard_deleted"]), (&json!(true), &json!(false)));
    }
    assert_eq!(meeting.rust().record(&school.upper)["serialized"][0]["name"], "Upper school");
}

/// Asserts that nothing is left to move. Only a Python peer of an old version that received the deletion takes it for one of
/// its own, and gives it back.
fn assert_receiver_notes_no_deletion_of_its_own(meeting: &mut Meeting, received: Direction) {
    let python_received = (meeting.cast.caller == Caller::Rust) == (received == Direction::Push);
    let notes = python_received && meeting.cast.theirs.notes_deletions_that_came();
    let given_back = if notes { 4 } else { 0 };
    let expected = if received == Direction::Push { (given_back, 0) } else { (0, given_back) };
    assert_eq!((meeting.pull(), meeting.push()), expected);
    meeting.assert_equal();
}

pub(super) fn a_deletion_pushed_takes_along_what_hangs_on_it(cast: Cast) {
    let (mut meeting, school) = begin(cast);
    meeting.client().delete("classroom", &school.upper);

    assert_eq!(meeting.push(), 4);

    assert_upper_school_is_gone(&mut meeting, &school);
    assert_receiver_notes_no_deletion_of_its_own(&mut meeting, Direction::Push);
}

pub(super) fn a_deletion_pulled_takes_along_what_hangs_on_it(cast: Cast) {
    let (mut meeting, school) = begin(cast);
    meeting.server().delete("classroom", &school.upper);

    assert_eq!(meeting.pull(), 4);

    assert_upper_school_is_gone(&mut meeting, &school);
    assert_receiver_notes_no_deletion_of_its_own(&mut meeting, Direction::Pull);
}

/// Bert is gone with all that was his, and no text of his is left on either side.
fn assert_nothing_is_left_of_bert(meeting: &mut Meeting, school: &School) {
    meeting.assert_equal();
    let of_bert = |told: &Value| told.to_string().contains(&school.bert);
    for record in meeting.rust().records(&[]).values() {
        let was_his = of_bert(&record["partition"]);
        assert_eq!(record["hard_deleted"], was_his, "{record:?}");
        assert!(!was_his || !of_bert(&record["serialized"]), "{record:?}");
    }
}

pub(super) fn a_hard_deletion_pushed_leaves_nothing_of_the_text(cast: Cast) {
    let (mut meeting, school) = begin(cast);
    meeting.client().hard_delete("user", &school.bert);

    // Bert, his membership, his assignment, his log, his feedback.
    assert_eq!(meeting.push(), 5);

    assert_nothing_is_left_of_bert(&mut meeting, &school);
}

pub(super) fn a_hard_deletion_pulled_leaves_nothing_of_the_text(cast: Cast) {
    let (mut meeting, school) = begin(cast);
    meeting.server().hard_delete("user", &school.bert);

    assert_eq!(meeting.pull(), 5);

    assert_nothing_is_left_of_bert(&mut meeting, &school);
}

pub(super) fn a_membership_made_again_after_its_deletion_is_back_on_both_sides(cast: Cast) {
    let (mut meeting, school) = begin(cast);
    let fields = json!({"dataset_id": meeting.dataset, "user_id": school.ada, "classroom_id": school.lower});
    meeting.client().delete("membership", &school.membership_of_ada);
    meeting.push();
    meeting.assert_equal();

    let again = meeting.server().create("membership", &fields);
    meeting.pull();

    assert_eq!(again, school.membership_of_ada, "the same two make the same record");
    if cast.caller == Caller::Rust && cast.theirs.notes_deletions_that_came() {
        // An old version finds its note of the deletion that came only now, and deletes the record once more. That is wrong,
        // and not ours to mend; what matters here is that both sides agree.
        meeting.assert_equal_records();
        assert_eq!(meeting.client().record(&again)["deleted"], true);
        return;
    }
    assert_eq!(meeting.client().record(&again)["deleted"], false);
    assert!(meeting.client().rows().contains_key(&again));
    meeting.assert_equal();
}

pub(super) fn a_membership_made_again_after_its_hard_deletion_is_back_on_both_sides(cast: Cast) {
    let (mut meeting, school) = begin(cast);
    let fields = json!({"dataset_id": meeting.dataset, "user_id": school.ada, "classroom_id": school.lower});
    meeting.client().hard_delete("membership", &school.membership_of_ada);
    meeting.push();
    meeting.assert_equal();
    assert_eq!(meeting.server().record(&school.membership_of_ada)["hard_deleted"], true);

    let again = meeting.server().create("membership", &fields);
    meeting.pull();

    assert_eq!(again, school.membership_of_ada);
    let record = meeting.client().record(&again);
    assert_eq!((&record["deleted"], &record["hard_deleted"]), (&json!(false), &json!(false)));
    assert_eq!(record["serialized"][0]["user_id"], json!(school.ada));
    meeting.assert_equal();
}

pub(super) fn a_row_added_to_what_was_deleted_on_the_other_side_goes_with_it(cast: Cast) {
    let (mut meeting, school) = begin(cast);
    let fields = json!({"dataset_id": meeting.dataset, "user_id": school.bert, "text": "written meanwhile"});
    let feedback = meeting.server().create("feedback", &fields);
    meeting.client().delete("user", &school.bert);

    meeting.pull();
    meeting.push();
    meeting.pull();

    for rows in [meeting.client().rows(), meeting.server().rows()] {
        assert!(!rows.contains_key(&feedback) && !rows.contains_key(&school.bert));
    }
    meeting.assert_equal();
    let record = meeting.server().record(&feedback);
    assert_eq!((&record["deleted"], &record["serialized"][0]["text"]), (&json!(true), &json!("written meanwhile")));
}
