//! What a story's school consists of, and the fields of its rows as they travel.

use serde_json::{Value, json};

use super::side::Side;

/// The people and rooms of the school, by id.
pub(super) struct School {
    pub(super) upper: String,
    pub(super) lower: String,
    pub(super) ada: String,
    pub(super) bert: String,
    pub(super) log_of_ada: String,
    pub(super) membership_of_ada: String,
}

/// How many records a furnished school has beside its dataset.
pub(super) const FURNITURE: u64 = 14;

/// Makes rooms, people, and what they have to do and did, on one side.
pub(super) fn furnish(side: &mut Side<'_>, dataset: &str) -> School {
    let facility = side.create("facility", &json!({"dataset_id": dataset, "name": "Main house"}));
    let upper = side.create("classroom", &classroom(dataset, &facility, "Upper school", None));
    let lower = side.create("classroom", &classroom(dataset, &facility, "7b", Some(&upper)));
    let ada = side.create("user", &user(dataset, "ada", Some(2013)));
    let bert = side.create("user", &user(dataset, "bert", None));
    let [(log_of_ada, membership_of_ada), _] = [&ada, &bert].map(|id| {
        let membership =
            side.create("membership", &json!({"dataset_id": dataset, "user_id": id, "classroom_id": lower}));
        let due = json!("2026-09-11T12:00:00Z");
        side.create(
            "assignment",
            &json!({"dataset_id": dataset, "user_id": id, "title": "Read chapter 3", "due": due}),
        );
        side.create("feedback", &json!({"dataset_id": dataset, "user_id": id, "text": "It was fun"}));
        (side.create("contentlog", &log(dataset, id, "Fractions")), membership)
    });
    // One that has a value left out.
    side.create("assignment", &json!({"dataset_id": dataset, "user_id": ada, "title": "Rest", "due": null}));
    School { upper, lower, ada, bert, log_of_ada, membership_of_ada }
}

/// The fields of a classroom.
pub(super) fn classroom(dataset: &str, facility: &str, name: &str, parent: Option<&str>) -> Value {
    json!({"dataset_id": dataset, "facility_id": facility, "name": name, "parent_id": parent})
}

/// The fields of a person.
pub(super) fn user(dataset: &str, username: &str, birth_year: Option<i32>) -> Value {
    json!({"dataset_id": dataset, "username": username, "full_name": "", "birth_year": birth_year})
}

/// The fields of a log.
pub(super) fn log(dataset: &str, user: &str, content: &str) -> Value {
    json!({
        "dataset_id": dataset, "user_id": user, "content": content, "progress": 0.1, "seconds": 240,
        "started": "2026-01-02T03:04:05.678Z", "extra": "{\"tries\": [1, 2.5, null], \"of\": \"é\"}",
    })
}
