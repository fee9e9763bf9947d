use morango::id::SyncId;
use morango_diesel::Syncable;

#[derive(Syncable)]
#[diesel(table_name = notes)]
#[morango(profile = "notebook", model = "note", partition = "notes")]
struct Note {
    id: SyncId,
    #[morango(rename = "id")]
    title: String,
    #[morango(rename = "_morango_source_id")]
    source: String,
    _morango_partition: String,
    #[morango(rename = "")]
    empty: String,
}

fn main() {}
