use morango_diesel::Syncable;

#[derive(Syncable)]
#[diesel(table_name = notes)]
#[morango(profile = "notebook", model = "note", partition = "notes")]
enum Note {
    Short,
    Long,
}

#[derive(Syncable)]
#[diesel(table_name = notes)]
#[morango(profile = "notebook", model = "other", partition = "notes")]
union Other {
    id: u32,
}

fn main() {}
