use morango::id::SyncId;
use morango_diesel::Syncable;

#[derive(Syncable)]
#[diesel(table_name = notes)]
#[morango(profile = notebook, model = "note", partion = "${ownr_id}", model = "memo")]
#[morango(partition = "${ownr_id}:notes", source_id = "${id}")]
struct Note {
    id: SyncId,
    #[morango(foreign_key = Owner, skipp)]
    owner_id: SyncId,
    #[morango(skip, rename = "caption", max_length = -1)]
    title: String,
}

fn use_without_errors_of_its_own<C: morango_diesel::RecordConnection>(note: Note, connection: &mut C) {
    note.create(connection);
}

fn main() {}
