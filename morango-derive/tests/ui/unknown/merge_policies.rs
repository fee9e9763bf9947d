use morango::id::SyncId;
use morango_diesel::Syncable;

#[derive(Syncable)]
#[diesel(table_name = notes)]
#[morango(profile = "notebook", model = "note", partition = "notes", merge = newst)]
struct Note {
    id: SyncId,
    #[morango(merge = maximum)]
    misspelt: i32,
    #[morango(merge = somehow)]
    nothing_like_it: i32,
    #[morango(merge(newest = misspelt))]
    of_the_struct: i32,
}

#[derive(Syncable)]
#[diesel(table_name = notes)]
#[morango(profile = "notebook", model = "note", partition = "notes", merge = max)]
struct OfAField {
    id: SyncId,
    title: String,
}

fn main() {}
