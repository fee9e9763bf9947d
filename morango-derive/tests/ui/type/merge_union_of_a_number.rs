use diesel::prelude::*;
use morango::id::SyncId;
use morango_diesel::Syncable;

diesel::table! {
    notes (id) { id -> Text, count -> Integer }
}

#[derive(Queryable, Selectable, Syncable)]
#[diesel(table_name = notes)]
#[morango(profile = "notebook", model = "note", partition = "notes")]
struct Note {
    id: SyncId,
    #[morango(merge = union)]
    count: i32,
}

fn main() {}
