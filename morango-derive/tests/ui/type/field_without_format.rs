use diesel::prelude::*;
use morango_diesel::Syncable;

diesel::table! { notes (id) { id -> Text, title -> Text } }

#[derive(Queryable, Selectable, Syncable)]
#[diesel(table_name = notes)]
#[morango(profile = "notebook", model = "note", partition = "notes")]
struct Note {
    id: morango::id::SyncId,
    title: morango::id::CertificateId,
}

fn main() {}
