//! What the applications of a history do to their rows.

use std::collections::BTreeMap;

use morango::prelude::Direction;
use morango_tests::compare::Told;
use serde_json::{Value, json};

use super::plan::{ALL, Change, Edit, New, Sync, Under, Who};
use super::world::World;
use crate::python::school::{classroom, log, user};

/// Something that was made in a history.
pub(super) struct Thing {
    pub(super) model: &'static str,
    pub(super) id: String,
}

/// Texts that are written in different ways by different writers of JSON.
const TEXTS: [&str; 5] = ["plain", "two\nlines, a \"quote\"", "ünï 𝄞\u{2028}", "a\\b/</i>\t\u{1}", ""];

/// Few names, so that many people want the same.
const NAMES: usize = 4;

fn text(value: usize) -> String {
    format!("{value} {}", TEXTS[value % TEXTS.len()])
}

fn name(value: usize) -> String {
    format!("name {}", value % NAMES)
}

impl World {
    /// The first device makes a small school, and the others get it.
    pub(super) fn furnish(&mut self) {
        let dataset = self.dataset.clone();
        self.make(Who::First, "facility", &json!({"dataset_id": dataset, "name": "Main house"}));
        for value in 0..3 {
            let parent = (value == 1).then_some(0);
            for new in [
                New::Classroom { parent, value },
                New::User { name: value },
                New::Membership { user: value, classroom: value },
                New::Log { user: value, value },
            ] {
                assert!(self.edit(Who::First, &Edit::Make(new)), "it is made");
            }
        }
        for client in [Who::Second, Who::Python] {
            let (server, directions, under) = (Who::First, &[Direction::Pull], Under::Everything);
            let sync = Sync { client, server, directions, under, chunk_records_max: 100, is_settled: false };
            self.sync(&sync, &self.everything()).expect("a first pull");
        }
        assert_eq!(ALL.map(|who| self.rows(who).len()), [14; 3], "all have the school");
    }

    fn make(&mut self, who: Who, model: &'static str, fields: &Value) {
        let id = self.side(who).create(model, fields);
        if self.things.iter().all(|thing| thing.id != id) {
            self.things.push(Thing { model, id });
        }
    }

    /// The application of a device does something, if what it takes is there; whether it was.
    pub(super) fn edit(&mut self, who: Who, edit: &Edit) -> bool {
        let rows = self.rows(who);
        match edit {
            Edit::Make(new) => self.make_new(who, new, &rows).is_some(),
            Edit::Change(change) => self.change(who, change, &rows).is_some(),
        }
    }

    fn make_new(&mut self, who: Who, new: &New, rows: &Rows) -> Option<()> {
        let dataset = self.dataset.clone();
        let here = |model: &str, number: usize| self.here(rows, model, number);
        let (model, fields) = match *new {
            New::Classroom { parent, value } => {
                let facility = here("facility", 0)?;
                let parent = parent.and_then(|parent| here("classroom", parent));
                ("classroom", classroom(&dataset, &facility, &text(value), parent.as_deref()))
            }
            New::User { name: value } => {
                let name = name(value);
                let birth_year = (value % 2 == 0).then_some(2013);
                (!is_taken(who, &name, rows)).then(|| ("user", user(&dataset, &name, birth_year)))?
            }
            New::Membership { user, classroom } => {
                let (user, classroom) = (here("user", user)?, here("classroom", classroom)?);
                let fields = json!({"dataset_id": dataset, "user_id": user, "classroom_id": classroom});
                let is_same =
                    |row: &Told| ["user_id", "classroom_id"].iter().all(|key| row.get(*key) == fields.get(key));
                if rows.values().any(is_same) {
                    return None;
                }
                ("membership", fields)
            }
            New::Log { user, value } => ("contentlog", log(&dataset, &here("user", user)?, &text(value))),
            New::Assignment { user, value } => {
                let due = (value % 3 > 0).then(|| format!("2026-09-{:02}T12:00:00Z", 1 + value % 28));
                let fields =
                    json!({"dataset_id": dataset, "user_id": here("user", user)?, "title": text(value), "due": due});
                ("assignment", fields)
            }
            New::Feedback { user, value } => {
                let fields = json!({"dataset_id": dataset, "user_id": here("user", user)?, "text": text(value)});
                ("feedback", fields)
            }
            New::Bulletin { value } => {
                (who == Who::Python).then(|| ("bulletin", json!({"dataset_id": dataset, "text": text(value)})))?
            }
        };
        if who == Who::Python && model == "membership" {
            // What was deleted and is made again before the deletion is in the store, the package marks deleted, and leaves its row.
            self.serialize(who, &self.everything());
        }
        self.make(who, model, &fields);
        Some(())
    }

    fn change(&mut self, who: Who, change: &Change, rows: &Rows) -> Option<()> {
        let here = |model: &str, number: usize| self.here(rows, model, number);
        match *change {
            Change::Value { what, value } => {
                let (model, id) = self.any_here(rows, what)?;
                let (field, value) = changed(model, value)?;
                self.side(who).update(model, &id, field, &value);
            }
            Change::Name { user, name: value } => {
                let (user, name) = (here("user", user)?, name(value));
                (!is_taken(who, &name, rows)).then(|| self.side(who).update("user", &user, "username", &name))?;
            }
            Change::Parent { classroom, parent: Some(parent) } => {
                let (classroom, parent) = (here("classroom", classroom)?, here("classroom", parent)?);
                // No application puts a class below itself.
                (!is_within(rows, &parent, &classroom))
                    .then(|| self.side(who).update("classroom", &classroom, "parent_id", &parent))?;
            }
            Change::Parent { classroom, parent: None } => {
                let classroom = here("classroom", classroom)?;
                self.side(who).empty("classroom", &classroom, "parent_id");
            }
            Change::Deleted { what } => {
                let (model, id) = self.any_here(rows, what)?;
                self.side(who).delete(model, &id);
            }
            Change::HardDeleted { what } => {
                let (model, id) = self.any_here(rows, what)?;
                self.side(who).hard_delete(model, &id);
            }
        }
        Some(())
    }

    /// The one of a model that a number means, among those that are there.
    fn here(&self, rows: &Rows, model: &str, number: usize) -> Option<String> {
        let there = self.things.iter().filter(|thing| thing.model == model);
        one_of(there.filter(|thing| rows.contains_key(&thing.id)), number).map(|thing| thing.id.clone())
    }

    /// The one that a number means, among all that are there but the house: whoever deleted that would end the history.
    fn any_here(&self, rows: &Rows, number: usize) -> Option<(&'static str, String)> {
        let there = self.things.iter().filter(|thing| thing.model != "facility" && rows.contains_key(&thing.id));
        one_of(there, number).map(|thing| (thing.model, thing.id.clone()))
    }
}

type Rows = BTreeMap<String, Told>;

fn one_of<'a>(things: impl Iterator<Item = &'a Thing>, number: usize) -> Option<&'a Thing> {
    let things: Vec<&Thing> = things.collect();
    (!things.is_empty()).then(|| things[number % things.len()])
}

/// Whether a device lets nobody have a name any more.
fn is_taken(who: Who, name: &str, rows: &Rows) -> bool {
    who == Who::First && rows.values().any(|row| row.get("username") == Some(&json!(name)))
}

/// Whether a class is another one, or lies within it. The Python peer may have classes within each other.
fn is_within(rows: &Rows, class: &str, other: &str) -> bool {
    let mut next = Some(class);
    for _ in 0..=rows.len() {
        let Some(id) = next else { return false };
        if id == other {
            return true;
        }
        next = rows.get(id).and_then(|row| row["parent_id"].as_str());
    }
    false
}

/// Which field of a model changes, and what it becomes.
fn changed(model: &str, value: usize) -> Option<(&'static str, String)> {
    Some(match model {
        "classroom" => ("name", text(value)),
        "user" => ("full_name", text(value)),
        "assignment" => ("title", text(value)),
        "contentlog" if value.is_multiple_of(2) => {
            ("progress", format!("{:?}", f64::from(u8::try_from(value % 7).ok()?) / 7.0))
        }
        "contentlog" => ("seconds", value.to_string()),
        "feedback" | "bulletin" => ("text", text(value)),
        _ => return None,
    })
}
