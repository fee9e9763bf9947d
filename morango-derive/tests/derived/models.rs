//! Models in every shape that the attributes allow.

use diesel::prelude::*;
use morango::id::SyncId;
use morango::model::{IdRule, Model, SourceRule};
use morango_diesel::Syncable;

mod schema {
    diesel::table! {
        owners (id) { id -> Text, name -> Text }
    }
    diesel::table! {
        notes (id) { id -> Binary, owner -> Text, parent_id -> Nullable<Binary>, class_id -> Text, title -> Text, shade -> Integer }
    }
    diesel::table! {
        marks (id) { id -> Text }
    }
}

/// Its id is that of a root certificate.
#[derive(Queryable, Selectable, Syncable)]
#[diesel(table_name = schema::owners, check_for_backend(diesel::sqlite::Sqlite))]
#[morango(profile = "notebook", model = "owner", partition = "${id}:profile", record_id = source_id)]
struct Owner {
    id: SyncId,
    name: String,
}

#[derive(Queryable, Selectable, Syncable)]
#[diesel(table_name = schema::notes)]
#[morango(profile = "notebook", model = "note")]
#[morango(partition = "${owner}:notes", source_id = "${owner}:${class_id}", depends_on(Mark, self::Owner))]
struct Note {
    id: SyncId,
    #[morango(foreign_key = Owner)]
    owner: SyncId,
    #[morango(foreign_key = Self, may_be_missing)]
    parent_id: Option<SyncId>,
    #[morango(rename = "class", max_length = 5, validate = named)]
    class_id: String,
    #[morango(with = self::reversed)]
    title: String,
    #[diesel(column_name = shade)]
    #[morango(skip)]
    colour: i32,
}

#[derive(Queryable, Selectable, Syncable)]
#[diesel(table_name = schema::marks)]
#[morango(profile = "notebook", model = "mark", partition = "marks", source_id(with = Mark::source), crate = renamed)]
struct Mark {
    id: SyncId,
}

use morango_diesel as renamed;

impl Mark {
    fn source(&self) -> String {
        "the only one".to_owned()
    }
}

mod reversed {
    use morango_diesel::__private::serde_json::Value;

    pub(super) fn write(title: &String) -> Value {
        title.chars().rev().collect::<String>().into()
    }

    pub(super) fn read(value: &Value) -> Result<String, String> {
        Ok(value.as_str().ok_or("expected a text")?.chars().rev().collect())
    }
}

fn named(text: &String) -> Result<(), &'static str> {
    if text.is_empty() { Err("it must not be empty") } else { Ok(()) }
}

#[test]
fn fields_ids_and_foreign_keys_are_as_the_attributes_say() {
    assert_eq!(Owner::definition().id_rule, IdRule::SourceId);
    assert_eq!(Owner::definition().source, SourceRule::Random);
    assert_eq!(Mark::definition().source, SourceRule::Function);
    let note = Note::definition();
    assert_eq!(note.source, SourceRule::Template("${owner}:${class_id}"));
    let wire_names: Vec<&str> = note.fields.iter().map(|field| field.wire_name).collect();
    assert_eq!(wire_names, ["owner_id", "parent_id", "class", "title", "colour"]);
    assert_eq!(note.fields[4].column, "shade");
    assert_eq!(note.depends_on.len(), 2);
    let targets: Vec<&str> = note.foreign_keys.iter().map(|key| (key.target.definition)().name).collect();
    assert_eq!(targets, ["owner", "note"]);
}
