//! Models that an application has a macro of its own for, which puts the derive on them.

use diesel::prelude::*;
use morango::id::SyncId;
use morango::model::Model;
use morango_diesel::Syncable;

mod schema {
    diesel::table! {
        notes (id) { id -> Text, owner -> Text, title -> Text, shade -> Integer, hits -> Integer, home -> Integer }
    }
}

macro_rules! model {
    ($($item:tt)*) => {
        #[derive(Queryable, Selectable, Syncable)]
        $($item)*
    };
}

model! {
    #[diesel(table_name = schema::notes)]
    #[morango(profile = "notebook", model = "note", partition = "${owner}:notes", source_id(with = source_of))]
    struct Note {
        id: SyncId,
        owner: String,
        #[morango(max_length = 5, validate = named)]
        title: String,
        #[morango(with = shade)]
        shade: i32,
        #[morango(merge(with = sum))]
        hits: i32,
        #[morango(skip)]
        home: i32,
    }
}

mod shade {
    use morango_diesel::__private::serde_json::Value;

    pub(super) fn write(shade: &i32) -> Value {
        (*shade).into()
    }

    pub(super) fn read(value: &Value) -> Result<i32, &'static str> {
        value.as_i64().and_then(|shade| shade.try_into().ok()).ok_or("expected a shade")
    }
}

fn source_of(note: &Note) -> String {
    note.title.clone()
}

fn named(text: &String) -> Result<(), &'static str> {
    if text.is_empty() { Err("it must not be empty") } else { Ok(()) }
}

fn sum(ours: &i32, theirs: &i32) -> Result<i32, &'static str> {
    ours.checked_add(*theirs).ok_or("too many")
}

#[test]
fn a_macro_of_the_application_may_put_the_derive_on_models() {
    let note = Note { id: SyncId::unset(), owner: "ada".into(), title: "too long".into(), shade: 1, hits: 0, home: 0 };
    assert_eq!(note.field_text("owner").as_deref(), Some("ada"));
    assert_eq!(note.source_id_by_function().as_deref(), Some("too long"));
    assert!(note.validate().is_err());
}
