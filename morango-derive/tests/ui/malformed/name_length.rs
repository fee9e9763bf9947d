use morango::id::SyncId;
use morango_diesel::Syncable;

#[derive(Syncable)]
#[diesel(table_name = notes)]
#[morango(profile = "", model = "a_model_whose_name_has_forty_one_characters", partition = "notes")]
struct Note {
    id: SyncId,
    title: String,
}

fn main() {}
