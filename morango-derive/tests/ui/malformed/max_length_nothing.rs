use morango::id::SyncId;
use morango_diesel::Syncable;

#[derive(Syncable)]
#[diesel(table_name = notes)]
#[morango(profile = "notebook", model = "note", partition = "notes")]
struct Note {
    id: SyncId,
    #[morango(max_length = 0)]
    title: String,
}

fn main() {}
