use morango::id::SyncId;
use morango_diesel::Syncable;

#[derive(Syncable)]
#[diesel(table_name = notes)]
#[morango(profile = "notebook", model = "note", partition = "notes")]
struct Note {
    id: SyncId,
    #[morango(skip, foreign_key = Owner)]
    owner_id: SyncId,
    #[morango(skip, rename = "caption")]
    title: String,
    #[morango(skip, with = shouting)]
    colour: String,
}

struct Owner;

fn main() {}
