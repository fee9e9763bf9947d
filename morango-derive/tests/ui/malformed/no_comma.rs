use morango::id::SyncId;
use morango_diesel::Syncable;

#[derive(Syncable)]
#[diesel(table_name = notes)]
#[morango(profile = "notebook" model = "note", partition = "notes")]
#[morango(depends_on(Owner) source_id = random)]
struct Note {
    id: SyncId,
    title: String,
}

fn main() {}
