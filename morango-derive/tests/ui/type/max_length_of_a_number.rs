use diesel::prelude::*;
use morango_diesel::Syncable;

diesel::table! { notes (id) { id -> Text, title -> Integer } }

#[derive(Queryable, Selectable, Syncable)]
#[diesel(table_name = notes)]
#[morango(profile = "notebook", model = "note", partition = "notes")]
struct Note {
    id: morango::id::SyncId,
    #[morango(max_length = 3)]
    title: i32,
}

fn main() {}
