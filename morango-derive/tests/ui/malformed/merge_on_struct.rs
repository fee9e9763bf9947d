use morango::id::SyncId;
use morango_diesel::Syncable;

macro_rules! model {
    ($name:ident, $($policy:tt)*) => {
        #[derive(Syncable)]
        #[diesel(table_name = notes)]
        #[morango(profile = "notebook", model = "note", partition = "notes", $($policy)*)]
        struct $name {
            id: SyncId,
            title: String,
        }
    };
}

model!(Alone, merge);
model!(InQuotes, merge = "ours");
model!(InParentheses, merge(ours));
model!(Behind, merge = newest(title));
model!(WithoutField, merge(newest));
model!(FieldInQuotes, merge(newest = "title"));
model!(FunctionBehind, merge = with);
model!(FunctionInQuotes, merge(with = "path"));
model!(Empty, merge());
model!(Two, merge(newest = title, with = path));

fn main() {}
