//! The application that the histories are about: shelves within shelves, books on them, and notes on books.
//!
//! Every source id is made from a key, so that a device of each kind gives a row the same id.

use diesel::prelude::*;
use morango::id::SyncId;
use morango::model::{Model, Registry};
use morango::record::record_id;
use morango_diesel::Syncable;
use morango_memory::{MemoryModel, OnDelete};

pub(crate) const PROFILE: &str = "library";

/// The root under which the books lie, as a certificate would have it; all else lies elsewhere.
pub(crate) const BOOKS: &str = "b00cb00cb00cb00cb00cb00cb00cb00c";

diesel::table! {
    shelves (id) { id -> Text, key -> Text, label -> Text, parent_id -> Nullable<Text> }
}

diesel::table! {
    books (id) { id -> Text, key -> Text, owner -> Text, shelf_id -> Text, title -> Text }
}

diesel::table! {
    notes (id) { id -> Text, key -> Text, book_id -> Text, shelf_id -> Nullable<Text>, pages -> Integer, text -> Text }
}

pub(crate) const TABLES: &str = "
    CREATE TABLE shelves (
        id TEXT PRIMARY KEY NOT NULL, key TEXT NOT NULL, label TEXT NOT NULL, parent_id TEXT REFERENCES shelves (id)
    );
    CREATE TABLE books (
        id TEXT PRIMARY KEY NOT NULL, key TEXT NOT NULL, owner TEXT NOT NULL,
        shelf_id TEXT NOT NULL REFERENCES shelves (id), title TEXT NOT NULL UNIQUE CHECK (title <> 'forbidden')
    );
    CREATE TABLE notes (
        id TEXT PRIMARY KEY NOT NULL, key TEXT NOT NULL, book_id TEXT NOT NULL REFERENCES books (id) ON DELETE CASCADE,
        shelf_id TEXT REFERENCES shelves (id) ON DELETE SET NULL, pages INTEGER NOT NULL, text TEXT NOT NULL
    );";

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Syncable)]
#[diesel(table_name = shelves)]
#[morango(profile = "library", model = "shelf", source_id = "${key}", partition = "lib:shelves")]
pub(crate) struct Shelf {
    pub(crate) id: SyncId,
    pub(crate) key: String,
    pub(crate) label: String,
    #[morango(foreign_key = Self)]
    pub(crate) parent_id: Option<SyncId>,
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Syncable)]
#[diesel(table_name = books)]
#[morango(
    profile = "library",
    model = "book",
    source_id = "${key}",
    partition = "b00cb00cb00cb00cb00cb00cb00cb00c:${owner}"
)]
pub(crate) struct Book {
    pub(crate) id: SyncId,
    pub(crate) key: String,
    pub(crate) owner: String,
    #[morango(foreign_key = Shelf)]
    pub(crate) shelf_id: SyncId,
    #[morango(max_length = 20)]
    pub(crate) title: String,
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Syncable)]
#[diesel(table_name = notes)]
#[morango(profile = "library", model = "note", source_id = "${key}", partition = "lib:notes")]
pub(crate) struct Note {
    pub(crate) id: SyncId,
    pub(crate) key: String,
    #[morango(foreign_key = Book)]
    pub(crate) book_id: SyncId,
    #[morango(foreign_key = Shelf)]
    pub(crate) shelf_id: Option<SyncId>,
    #[morango(merge = max)]
    pub(crate) pages: i32,
    pub(crate) text: String,
}

pub(crate) fn registry() -> Registry {
    let registry = Registry::builder().model::<Shelf>().model::<Book>().model::<Note>().build();
    registry.expect("a sound registry")
}

/// The same tables in memory.
pub(crate) fn memory_models() -> [MemoryModel; 3] {
    [
        MemoryModel::of::<Shelf>().references("parent_id", OnDelete::Refuse),
        MemoryModel::of::<Book>()
            .references("shelf_id", OnDelete::Refuse)
            .unique(["title"])
            .check("title", |title| title != "forbidden"),
        MemoryModel::of::<Note>().references("book_id", OnDelete::Cascade).references("shelf_id", OnDelete::SetNull),
    ]
}

/// To whom the book of this key belongs when it is made.
pub(crate) fn owner_of(key: u8) -> String {
    format!("owner{}", key % 2)
}

pub(crate) fn shelf_id(key: u8) -> SyncId {
    record_id("lib:shelves", &format!("s{key}"), "shelf")
}

pub(crate) fn book_id(key: u8) -> SyncId {
    record_id(&format!("{BOOKS}:{}", owner_of(key)), &format!("b{key}"), "book")
}

pub(crate) fn note_id(key: u8) -> SyncId {
    record_id("lib:notes", &format!("n{key}"), "note")
}

pub(crate) fn shelf(key: u8, label: u8, parent: Option<u8>) -> Shelf {
    let (id, label) = (SyncId::unset(), format!("label {label}"));
    Shelf { id, key: format!("s{key}"), label, parent_id: parent.map(shelf_id) }
}

pub(crate) fn book(key: u8, shelf: u8, title: u8) -> Book {
    let title = if title == 0 { "forbidden".to_owned() } else { format!("title {title}") };
    Book { id: SyncId::unset(), key: format!("b{key}"), owner: owner_of(key), shelf_id: shelf_id(shelf), title }
}

pub(crate) fn note(key: u8, book: u8, shelf: Option<u8>, pages: i32, text: u8) -> Note {
    Note {
        id: SyncId::unset(),
        key: format!("n{key}"),
        book_id: book_id(book),
        shelf_id: shelf.map(shelf_id),
        pages,
        text: format!("text {text}"),
    }
}

/// A row as it is compared: its model, its id, and its fields.
pub(crate) fn row_text<M: Model>(row: &M) -> (String, String) {
    let mut object = morango::model::ObjectWriter::new();
    row.write_fields(&mut object);
    (format!("{} {}", M::definition().name, row.id()), object.finish())
}
