use morango::id::SyncId;
use morango_diesel::Syncable;

macro_rules! model {
    ($name:ident, $field:ident) => {
        #[derive(Syncable)]
        #[diesel(table_name = notes)]
        #[morango(profile = "notebook", model = "note", partition = "notes", merge(newest = $field))]
        struct $name {
            id: SyncId,
            #[morango(foreign_key = Owner)]
            owner_id: SyncId,
            #[morango(skip)]
            seen_at: i64,
            edited_at: i64,
        }
    };
}

model!(Unknown, changed);
model!(Misspelt, editd_at);
model!(AtHome, seen_at);
model!(AnId, id);
model!(AForeignKey, owner_id);

#[derive(Syncable)]
#[diesel(table_name = notes)]
#[morango(profile = "notebook", model = "note", partition = "notes", merge(newest = when))]
struct Empty {
    id: SyncId,
}

fn main() {}
