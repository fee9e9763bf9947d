//! First meetings, and later ones without contradictions.
//!
//! Goal: what one side has is on the other after one transfer, and nothing travels twice. Method: the server founds a
//! school, the client has a certificate for all of it; either makes and changes rows; the number of records that moved and
//! both databases are compared.

use morango::prelude::Direction;

use super::meeting::{Cast, Meeting};
use super::school::{FURNITURE, furnish};

pub(super) fn a_first_pull_brings_everything(cast: Cast) {
    let mut meeting = Meeting::begin(cast);
    let dataset = meeting.dataset.clone();
    furnish(&mut meeting.server(), &dataset);

    assert_eq!(meeting.pull(), FURNITURE + 1);

    meeting.assert_equal();
}

pub(super) fn a_first_push_brings_everything(cast: Cast) {
    let mut meeting = Meeting::begin(cast);
    let dataset = meeting.dataset.clone();
    assert_eq!(meeting.pull(), 1, "so far the school is its dataset");
    furnish(&mut meeting.client(), &dataset);

    assert_eq!(meeting.push(), FURNITURE);

    meeting.assert_equal();
}

pub(super) fn where_nothing_is_new_nothing_moves(cast: Cast) {
    let mut meeting = Meeting::begin(cast);
    let dataset = meeting.dataset.clone();
    furnish(&mut meeting.server(), &dataset);
    meeting.pull();

    for _ in 0..2 {
        assert_eq!(meeting.pull(), 0);
        assert_eq!(meeting.push(), 0);
    }

    meeting.assert_equal();
}

pub(super) fn changes_on_both_sides_reach_the_other(cast: Cast) {
    let mut meeting = Meeting::begin(cast);
    let dataset = meeting.dataset.clone();
    let school = furnish(&mut meeting.server(), &dataset);
    meeting.pull();

    meeting.client().update("user", &school.ada, "full_name", "Ada, by the client");
    meeting.server().update("user", &school.bert, "full_name", "Bert, by the server");
    meeting.server().update("contentlog", &school.log_of_ada, "seconds", "900");

    assert_eq!(meeting.pull(), 2);
    assert_eq!(meeting.push(), 1);
    meeting.assert_equal();
    let rows = meeting.client().rows();
    assert_eq!(rows[&school.ada]["full_name"], "Ada, by the client");
    assert_eq!(rows[&school.bert]["full_name"], "Bert, by the server");
    assert_eq!(rows[&school.log_of_ada]["seconds"], 900);
}

pub(super) fn a_filter_narrows_what_is_pulled(cast: Cast) {
    let mut meeting = Meeting::begin(cast);
    let dataset = meeting.dataset.clone();
    let school = furnish(&mut meeting.server(), &dataset);
    let of_all = format!("{dataset}:allusers-ro");
    let of_ada = format!("{dataset}:user-ro:{}", school.ada);

    let moved = meeting.transfer(Direction::Pull, Some(&[&of_all, &of_ada])).expect("the filter is within the scope");

    // The dataset, the facility, two classrooms; Ada, her membership and her two assignments.
    assert_eq!(moved, 8);
    assert_eq!(meeting.client().records(&[]).len(), 8);
    meeting.assert_equal_under(&[&of_all, &of_ada]);
    // No counter says yet that the client has everything of the school, so all of it is sent, some of it again.
    assert_eq!(meeting.pull(), FURNITURE + 1);
    meeting.assert_equal();
}
