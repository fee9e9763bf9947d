use diesel::prelude::*;
use morango::id::SyncId;
use morango_diesel::Syncable;

diesel::table! {
    notes (id) { id -> Text, extra -> Json }
}

#[derive(Queryable, Selectable, Syncable)]
#[diesel(table_name = notes)]
#[morango(profile = "notebook", model = "note", partition = "notes")]
struct Note {
    id: SyncId,
    #[morango(merge = max)]
    extra: morango_diesel::__private::serde_json::Value,
}

fn main() {}
