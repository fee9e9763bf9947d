use morango::id::SyncId;
use morango_diesel::Syncable;

#[derive(Syncable)]
#[diesel(table_name = notes)]
#[morango(profile = "notebook", model = "note", partition = "notes")]
struct Note {
    id: SyncId,
    #[morango(foreign_key = Owner, merge = max)]
    owner_id: SyncId,
    #[morango(foreign_key = Owner, merge = min)]
    editor_id: SyncId,
    #[morango(foreign_key = Self, merge = union)]
    parent_id: Option<SyncId>,
}

fn main() {}
