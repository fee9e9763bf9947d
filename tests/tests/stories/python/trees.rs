//! A model whose rows point at rows of the same model.
//!
//! Goal: a deep tree whose records arrive in any order is built parents first. Method: a line of classrooms, each within the
//! one before, and a sibling beside each, in one transfer.

use serde_json::{Value, json};

use super::meeting::{Cast, Meeting};
use super::school::classroom;
use super::side::Side;

const DEPTH: usize = 25;

/// Makes the tree; the ids of its line, from the root down.
fn plant(side: &mut Side<'_>, dataset: &str) -> Vec<String> {
    let facility = side.create("facility", &json!({"dataset_id": dataset, "name": "Main house"}));
    let mut line: Vec<String> = Vec::new();
    for level in 0..DEPTH {
        let parent = line.last().map(String::as_str);
        side.create("classroom", &classroom(dataset, &facility, &format!("beside {level}"), parent));
        let id = side.create("classroom", &classroom(dataset, &facility, &format!("level {level}"), parent));
        line.push(id);
    }
    line
}

fn assert_stands(meeting: &mut Meeting, line: &[String]) {
    meeting.assert_equal();
    let (rows, records) = (meeting.rust().rows(), meeting.rust().records(&[]));
    assert_eq!(rows[&line[0]]["parent_id"], Value::Null);
    for pair in line.windows(2) {
        assert_eq!(rows[&pair[1]]["parent_id"], json!(pair[0]));
        assert_eq!(records[&pair[1]]["_self_ref_fk"], json!(pair[0]));
    }
}

pub(super) fn a_deep_tree_is_pulled_in_one_go(cast: Cast) {
    let mut meeting = Meeting::begin(cast);
    let dataset = meeting.dataset.clone();
    let line = plant(&mut meeting.server(), &dataset);

    assert_eq!(meeting.pull(), 2 + 2 * DEPTH as u64);

    assert_stands(&mut meeting, &line);
}

pub(super) fn a_deep_tree_is_pushed_in_one_go(cast: Cast) {
    let mut meeting = Meeting::begin(cast);
    let dataset = meeting.dataset.clone();
    meeting.pull();
    let line = plant(&mut meeting.client(), &dataset);

    assert_eq!(meeting.push(), 1 + 2 * DEPTH as u64);

    assert_stands(&mut meeting, &line);
}
