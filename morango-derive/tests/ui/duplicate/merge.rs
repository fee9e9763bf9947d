use morango::id::SyncId;
use morango_diesel::Syncable;

#[derive(Syncable)]
#[diesel(table_name = notes)]
#[morango(profile = "notebook", model = "note", partition = "notes", merge = ours, merge = theirs)]
struct Note {
    id: SyncId,
    #[morango(merge = max, merge(with = path))]
    count: i32,
}

fn main() {}
