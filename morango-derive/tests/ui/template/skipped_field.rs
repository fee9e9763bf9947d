use morango::id::SyncId;
use morango_diesel::Syncable;

#[derive(Syncable)]
#[diesel(table_name = notes)]
#[morango(profile = "notebook", model = "note", partition = "${title}:notes")]
struct Note {
    id: SyncId,
    #[morango(skip)]
    title: String,
}

fn main() {}
