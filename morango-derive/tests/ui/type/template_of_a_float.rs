use diesel::prelude::*;
use morango_diesel::Syncable;

diesel::table! { notes (id) { id -> Text, title -> Double } }

#[derive(Queryable, Selectable, Syncable)]
#[diesel(table_name = notes)]
#[morango(profile = "notebook", model = "note", partition = "${title}:notes")]
struct Note {
    id: morango::id::SyncId,
    title: f64,
}

fn main() {}
