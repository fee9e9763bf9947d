//! One of the two peers of a story, whichever it is: its application makes, changes and deletes rows.
//!
//! Values of fields are given as they travel. On our side a row is created by the derive and changed by raw SQL, so that
//! both ways of writing are told of.

use morango::model::{Fields, Model};
use morango::prelude::*;
use morango_examples::school::{Assignment, Classroom, ContentLog, Dataset, Facility, Feedback, Membership, User};
use morango_tests::compare::{Told, rows_of_device, rows_of_python, told_by_device, told_by_python};
use morango_tests::database::quoted;
use morango_tests::device::Device;
use morango_tests::python::PythonPeer;
use morango_tests::sampler::Sampler;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One of the two peers.
pub(super) enum Side<'a> {
    Rust(&'a Device),
    Python(&'a mut PythonPeer),
}

/// Does something with the model of this name.
macro_rules! with_model {
    ($name:expr, $Model:ident => $work:expr) => {
        match $name {
            "dataset" => {
                type $Model = Dataset;
                $work
            }
            "facility" => {
                type $Model = Facility;
                $work
            }
            "classroom" => {
                type $Model = Classroom;
                $work
            }
            "user" => {
                type $Model = User;
                $work
            }
            "membership" => {
                type $Model = Membership;
                $work
            }
            "assignment" => {
                type $Model = Assignment;
                $work
            }
            "contentlog" => {
                type $Model = ContentLog;
                $work
            }
            "feedback" => {
                type $Model = Feedback;
                $work
            }
            "sampler" => {
                type $Model = Sampler;
                $work
            }
            other => panic!("our side has no model {other:?}"),
        }
    };
}

impl Side<'_> {
    /// Makes a row; the answer is its id.
    pub(super) fn create(&mut self, model: &str, fields: &Value) -> String {
        match self {
            Self::Rust(device) => {
                with_model!(model, Model => device.create(read_row::<Model>(fields)).id().to_string())
            }
            Self::Python(peer) => peer.create(model, fields),
        }
    }

    /// Makes many rows at once.
    pub(super) fn create_many(&mut self, model: &str, rows: &[Value]) {
        match self {
            Self::Rust(device) => {
                with_model!(model, Model => {
                    device.create_many(rows.iter().map(read_row::<Model>));
                });
            }
            Self::Python(peer) => {
                peer.run("create_many", json!({"model": model, "rows": rows}));
            }
        }
    }

    /// Changes one field of a row. The column's type makes of the text what it holds.
    pub(super) fn update(&mut self, model: &str, id: &str, field: &str, value: &str) {
        match self {
            Self::Rust(device) => {
                let (value, id) = (quoted(value), quoted(id));
                let changed = device.execute(&format!("UPDATE \"{model}\" SET \"{field}\" = {value} WHERE id = {id}"));
                assert_eq!(changed, 1, "there is one {model} {id}");
            }
            Self::Python(peer) => peer.update(model, id, &json!({field: value})),
        }
    }

    /// Takes the value out of one field of a row.
    pub(super) fn empty(&mut self, model: &str, id: &str, field: &str) {
        match self {
            Self::Rust(device) => {
                let id = quoted(id);
                let changed = device.execute(&format!("UPDATE \"{model}\" SET \"{field}\" = NULL WHERE id = {id}"));
                assert_eq!(changed, 1, "there is one {model} {id}");
            }
            Self::Python(peer) => peer.update(model, id, &json!({field: null})),
        }
    }

    /// Deletes a row and what hangs on it.
    pub(super) fn delete(&mut self, model: &str, id: &str) {
        match self {
            Self::Rust(device) => {
                let deleted = device.execute(&format!("DELETE FROM \"{model}\" WHERE id = {}", quoted(id)));
                assert_eq!(deleted, 1, "there is one {model} {id}");
            }
            Self::Python(peer) => {
                peer.run("delete", json!({"model": model, "id": id}));
            }
        }
    }

    /// Deletes a row and what hangs on it, for good.
    pub(super) fn hard_delete(&mut self, model: &str, id: &str) {
        match self {
            Self::Rust(device) => {
                let id = id.parse().expect("an id");
                let was_there = with_model!(model, Model => device.hard_delete::<Model>(id));
                assert!(was_there, "there is one {model} {id}");
            }
            Self::Python(peer) => {
                peer.run("hard_delete", json!({"model": model, "id": id}));
            }
        }
    }

    /// The store records under these prefixes, by id.
    pub(super) fn records(&mut self, prefixes: &[&str]) -> BTreeMap<String, Told> {
        match self {
            Self::Rust(device) => told_by_device(device, prefixes),
            Self::Python(peer) => told_by_python(peer, prefixes),
        }
    }

    /// One store record.
    pub(super) fn record(&mut self, id: &str) -> Told {
        self.records(&[]).remove(id).unwrap_or_else(|| panic!("this side has no record {id}"))
    }

    /// All rows, by id.
    pub(super) fn rows(&mut self) -> BTreeMap<String, Told> {
        match self {
            Self::Rust(device) => rows_of_device(device, &[]),
            Self::Python(peer) => rows_of_python(peer, &[]),
        }
    }

    /// The instance that stamps what is written on this side.
    pub(super) fn instance(&self) -> String {
        match self {
            Self::Rust(device) => device.engine.instance().id.to_string(),
            Self::Python(peer) => peer.instance_id.clone(),
        }
    }
}

fn read_row<M: Model>(fields: &Value) -> M {
    let text = fields.to_string();
    let fields = Fields::parse(&text).expect("fields are an object");
    M::read_fields(SyncId::unset(), &fields).unwrap_or_else(|error| panic!("{text} is no row: {error}"))
}
