use diesel::prelude::*;
use morango::id::SyncId;
use morango_diesel::Syncable;

diesel::table! {
    notes (id) { id -> Text, count -> Integer }
}

#[derive(Queryable, Selectable, Syncable)]
#[diesel(table_name = notes)]
#[morango(profile = "notebook", model = "note", partition = "notes", merge(with = rows))]
struct Note {
    id: SyncId,
    #[morango(merge(with = values))]
    count: i32,
}

fn rows(_: &Note, _: &Note) -> Result<String, String> {
    Err(String::new())
}

fn values(_: &i32, _: &i64) -> Result<i32, String> {
    Err(String::new())
}

fn main() {}
