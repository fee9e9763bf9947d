//! More records than fit in one chunk.
//!
//! Goal: nothing is lost or doubled between chunks. Method: five thousand logs in chunks of five hundred.

use serde_json::Value;

use super::meeting::{Cast, Meeting};
use super::school::{log, user};

const RECORDS: usize = 5_000;

fn logs(dataset: &str, user: &str) -> Vec<Value> {
    (0..RECORDS).map(|number| log(dataset, user, &format!("lesson {number}"))).collect()
}

pub(super) fn five_thousand_records_are_pulled_in_chunks(cast: Cast) {
    let mut meeting = Meeting::begin(cast);
    let dataset = meeting.dataset.clone();
    let ada = meeting.server().create("user", &user(&dataset, "ada", None));
    meeting.server().create_many("contentlog", &logs(&dataset, &ada));

    assert_eq!(meeting.pull(), 2 + RECORDS as u64);

    meeting.assert_equal();
}

pub(super) fn five_thousand_records_are_pushed_in_chunks(cast: Cast) {
    let mut meeting = Meeting::begin(cast);
    let dataset = meeting.dataset.clone();
    meeting.pull();
    let ada = meeting.client().create("user", &user(&dataset, "ada", None));
    meeting.client().create_many("contentlog", &logs(&dataset, &ada));

    assert_eq!(meeting.push(), 1 + RECORDS as u64);

    meeting.assert_equal();
}
