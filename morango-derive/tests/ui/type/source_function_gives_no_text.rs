use diesel::prelude::*;
use morango_diesel::Syncable;

diesel::table! { notes (id) { id -> Text, title -> Text } }

#[derive(Queryable, Selectable, Syncable)]
#[diesel(table_name = notes)]
#[morango(profile = "notebook", model = "note", partition = "notes", source_id(with = source))]
struct Note {
    id: morango::id::SyncId,
    title: String,
}

fn source(_: &Note) -> u32 {
    5
}

fn main() {}
