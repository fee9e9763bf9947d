use diesel::prelude::*;
use morango_diesel::Syncable;

diesel::table! { notes (id) { id -> Text, title -> Text } }

#[derive(Queryable, Selectable, Syncable)]
#[diesel(table_name = notes)]
#[morango(profile = "notebook", model = "note", partition = "notes")]
struct Note {
    id: morango::id::SyncId,
    #[morango(with = shouting)]
    title: String,
}

mod shouting {
    pub fn write(_: &String) -> morango_diesel::__private::serde_json::Value {
        Default::default()
    }
}

fn main() {}
