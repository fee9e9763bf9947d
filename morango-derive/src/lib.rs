//! `#[derive(Syncable)]` and `scope_definitions!`: what an application writes down about its data, checked as it compiles.
//!
//! Both go the same way: *parse* the tokens into a tree that remembers where each word stood, *check* the rules that take
//! more than one word, *expand*. No step stops at a mistake: all of them are told at once, each at the word that is wrong,
//! with what to write in its place. This crate uses none of ours; what it writes names only their hidden doors.

mod diagnostics;
mod item;
mod scopes;
mod spanned;
mod symbol;
mod syncable;
mod template;

use proc_macro::TokenStream;

/// Makes a struct a model: a row type whose rows are synced.
///
/// On the struct stand
///
/// | attribute | what it says |
/// | --- | --- |
/// | `#[diesel(table_name = notes)]` | the table, as for Diesel's own derives |
/// | `profile = "notebook"` | the profile that the model belongs to |
/// | `model = "note"` | the model's name on the wire |
/// | `partition = "${owner_id}:notes"` | a template over the row's fields and `${id}`: who may see the row hangs on it |
/// | `source_id = random` | the default: a row gets a random source id when it is created |
/// | `source_id = "${user_id}:${class_id}"` | a template: the same fields give the same record on every device |
/// | `source_id(with = path::to::function)` | the same by a function `fn(&Row) -> String` |
/// | `record_id = source_id` | the record's id is its source id, for what stands for a root certificate |
/// | `depends_on(Model, …)` | models whose rows must be there first, though no foreign key says so |
/// | `merge = ours`, `merge = theirs` | what stays of a record that two peers changed without knowledge of each other; the other content is kept beside it. Without a word, Morango's own rule: ours |
/// | `merge(newest = edited_at)` | the one whose field is greater stays: of two times, the later |
/// | `merge(with = path::to::function)` | what a function `fn(&Row, &Row) -> Result<Row, impl Display>` makes of ours and theirs; an error leaves it to Morango's own rule |
/// | `database = sqlite`, `database = postgres` | the only database that the rows can be in, where a column is of a type that the other one does not have |
/// | `crate = path` | where `morango_diesel` is found under another name |
///
/// and on a field
///
/// | attribute | what it says |
/// | --- | --- |
/// | `foreign_key = Model` | the field, `SyncId` or `Option<SyncId>`, holds the id of a record of that model; `Self` for its own kind, once |
/// | `may_be_missing` | beside `foreign_key`: the row may stand where the record it points at is not here |
/// | `skip` | the field stays at home: it is not sent, and gets its `Default` on arrival |
/// | `rename = "text"` | its name on the wire; otherwise the field's, for a foreign key with `_id` at its end |
/// | `with = module` | its own format: the module has `fn write(&T) -> serde_json::Value` and `fn read(&serde_json::Value) -> Result<T, impl Display>` |
/// | `max_length = 40` | characters that a text may have |
/// | `validate = path` | a function `fn(&T) -> Result<(), impl Display>` |
/// | `merge = ours`, `merge = theirs` | in a conflict this field is merged by itself, whatever becomes of the rest of the record |
/// | `merge = max`, `merge = min` | the greater, the lesser value; one that holds nothing loses |
/// | `merge = union` | of two JSON arrays: the elements of ours, then those that only theirs has |
/// | `merge(with = path::to::function)` | what a function `fn(&T, &T) -> Result<T, impl Display>` makes of ours and theirs |
///
/// all in `#[morango(…)]`. The record's id is the field `id: SyncId`. A column of another name than its field is told with
/// `#[diesel(column_name = …)]`. The struct must also derive Diesel's `Queryable` and `Selectable`.
#[proc_macro_derive(Syncable, attributes(morango, diesel))]
pub fn derive_syncable(input: TokenStream) -> TokenStream {
    syncable::derive(&syn::parse_macro_input!(input as syn::DeriveInput)).into()
}

/// Writes down the scopes that certificates of a profile can grant.
///
/// ```text
/// scope_definitions! {
///     profile = "notebook";
///     /// Everything that belongs to owner ${owner_id}.
///     "whole-notebook" (version = 1, primary = owner_id) { read_write: ["${owner_id}"] }
///     /// The notes of ${owner_id}, to read.
///     "reader" (version = 1) { read: ["${owner_id}:profile", "${owner_id}:notes"] }
/// }
/// ```
///
/// The doc comment is the description, for people; it may name parameters. `version` is raised when the templates change.
/// `primary` names the parameter that holds a root certificate's own id, with which all its templates begin; a definition
/// without one makes no root certificates. Each text within `read`, `write` and `read_write` is the template of one prefix.
#[proc_macro]
pub fn scope_definitions(input: TokenStream) -> TokenStream {
    scopes::define(input.into()).into()
}
