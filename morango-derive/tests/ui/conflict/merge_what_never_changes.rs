use morango::id::SyncId;
use morango_diesel::Syncable;

#[derive(Syncable)]
#[diesel(table_name = notes)]
#[morango(profile = "notebook", model = "note", partition = "${owner_id}:notes", source_id = "${name}")]
struct Note {
    #[morango(merge = ours)]
    id: SyncId,
    #[morango(foreign_key = Owner, merge = theirs)]
    owner_id: SyncId,
    #[morango(merge = max)]
    name: String,
    #[morango(skip, merge = max)]
    colour: i32,
}

fn main() {}
