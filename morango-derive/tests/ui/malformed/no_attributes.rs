use morango::id::SyncId;
use morango_diesel::Syncable;

#[derive(Syncable)]
struct Note {
    id: SyncId,
    title: String,
}

fn main() {}
