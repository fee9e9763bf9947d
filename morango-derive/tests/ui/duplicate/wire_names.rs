use morango::id::SyncId;
use morango_diesel::Syncable;

#[derive(Syncable)]
#[diesel(table_name = notes)]
#[morango(profile = "notebook", model = "note", partition = "notes")]
struct Note {
    id: SyncId,
    title: String,
    #[morango(rename = "title")]
    caption: String,
    #[morango(foreign_key = Owner)]
    owner: SyncId,
    owner_id: String,
}

struct Owner;

fn main() {}
