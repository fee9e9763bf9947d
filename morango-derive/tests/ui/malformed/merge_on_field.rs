use morango::id::SyncId;
use morango_diesel::Syncable;

#[derive(Syncable)]
#[diesel(table_name = notes)]
#[morango(profile = "notebook", model = "note", partition = "notes")]
struct Note {
    id: SyncId,
    #[morango(merge)]
    alone: i32,
    #[morango(merge = "max")]
    in_quotes: i32,
    #[morango(merge(max))]
    in_parentheses: i32,
    #[morango(merge = with(path))]
    function_behind: i32,
    #[morango(merge(with = 5))]
    function_is_a_number: i32,
    #[morango(merge = max + min)]
    two: i32,
}

fn main() {}
