//! What comes from Python and cannot stand as it is, or only after something else made room.
//!
//! Goal: our tables hold what they can, the rest waits in the open, and both sides end equal. Method: the Python peer, whose
//! tables demand less, moves branches and names about; ours receives.

use morango::port::{WaitingKind, WaitingRecords};
use morango_examples::school::PROFILE;
use serde_json::{Value, json};

use super::meeting::{Cast, Meeting};
use super::school::{School, classroom, furnish, user};

fn begin(cast: Cast) -> (Meeting, School) {
    let mut meeting = Meeting::begin(cast);
    let dataset = meeting.dataset.clone();
    let school = furnish(&mut meeting.server(), &dataset);
    meeting.pull();
    (meeting, school)
}

/// Why each record that waits on our side does.
fn waiting(meeting: &Meeting) -> Vec<(String, WaitingKind)> {
    let page = meeting.rust.engine.waiting(&WaitingRecords::of(PROFILE), None, 100).expect("they are listed");
    page.records.into_iter().map(|record| (record.id.to_string(), record.kind)).collect()
}

pub(super) fn two_users_who_swap_their_names_under_a_unique_index_both_get_them(cast: Cast) {
    let (mut meeting, _) = begin(cast);
    let dataset = meeting.dataset.clone();
    let carla = meeting.python().create("user", &user(&dataset, "carla", None));
    let dewi = meeting.python().create("user", &user(&dataset, "dewi", None));
    meeting.bring_from_python();
    meeting.rust.execute("CREATE UNIQUE INDEX one_of_each_name ON \"user\" (username)");
    meeting.python().update("user", &carla, "username", "dewi");
    meeting.python().update("user", &dewi, "username", "carla");

    assert_eq!(meeting.bring_from_python(), 2);

    assert_eq!(waiting(&meeting), []);
    assert_eq!(meeting.rust().rows()[&carla]["username"], "dewi");
    meeting.assert_equal();
    assert_eq!(meeting.bring_to_python(), 0);
}

pub(super) fn branches_put_within_each_other_apart_wait_until_one_is_moved(cast: Cast) {
    let (mut meeting, _) = begin(cast);
    let dataset = meeting.dataset.clone();
    let facility = meeting.python().create("facility", &json!({"dataset_id": dataset, "name": "Main house"}));
    let one = meeting.python().create("classroom", &classroom(&dataset, &facility, "one", None));
    let two = meeting.python().create("classroom", &classroom(&dataset, &facility, "two", None));
    meeting.bring_from_python();
    meeting.python().update("classroom", &one, "parent_id", &two);
    meeting.rust().update("classroom", &two, "parent_id", &one);
    meeting.let_records_wait();

    meeting.bring_from_python();

    assert_eq!(waiting(&meeting), [(one.clone(), WaitingKind::Cycle)]);
    assert_eq!(meeting.rust().rows()[&one]["parent_id"], Value::Null, "our rows are a tree");

    // Ours is moved elsewhere, and both sides agree.
    let three = meeting.rust().create("classroom", &classroom(&dataset, &facility, "three", None));
    meeting.rust().update("classroom", &two, "parent_id", &three);
    meeting.bring_to_python();
    meeting.rust.engine.retry_waiting(&WaitingRecords::of(PROFILE)).expect("it is tried again");
    assert_eq!(waiting(&meeting), []);
    meeting.assert_equal();
}

pub(super) fn what_we_hung_on_a_row_that_python_deleted_goes_with_it_on_both_sides(cast: Cast) {
    let (mut meeting, school) = begin(cast);
    let dataset = meeting.dataset.clone();
    let fields = json!({"dataset_id": dataset, "user_id": school.bert, "classroom_id": school.upper});
    let membership = meeting.rust().create("membership", &fields);
    meeting.python().delete("classroom", &school.upper);

    meeting.bring_from_python();
    meeting.bring_to_python();

    for side in [true, false] {
        let record = if side { meeting.rust().record(&membership) } else { meeting.python().record(&membership) };
        assert_eq!(record["deleted"], json!(true), "{record:?}");
    }
    assert!(!meeting.rust().rows().contains_key(&membership));
    meeting.assert_equal();
}

pub(super) fn what_was_dropped_here_stays_on_the_other_side_and_comes_with_its_next_change(cast: Cast) {
    let (mut meeting, school) = begin(cast);
    meeting.rust.execute("CREATE UNIQUE INDEX one_of_each_name ON \"user\" (username)");
    meeting.let_records_wait();
    meeting.python().update("user", &school.ada, "username", "bert");
    meeting.bring_from_python();
    assert_eq!(waiting(&meeting), [(school.ada.clone(), WaitingKind::Constraint)]);

    let ada = school.ada.parse().expect("an id");
    let dropped = meeting.rust.engine.drop_waiting(&WaitingRecords::of(PROFILE).ids([ada]));
    assert_eq!(dropped.expect("it is dropped"), 1);

    assert_eq!(waiting(&meeting), []);
    assert_eq!((meeting.bring_from_python(), meeting.bring_to_python()), (0, 0), "nobody notices");
    meeting.assert_equal_records();
    meeting.python().update("user", &school.ada, "username", "ada-2");
    assert_eq!(meeting.bring_from_python(), 1);
    meeting.assert_equal();
}
