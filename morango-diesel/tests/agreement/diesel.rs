//! A device over Diesel, whichever the database is.

use std::collections::BTreeMap;
use std::sync::Arc;

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use morango::port::Storage;
use morango_diesel::Syncable as _;

use super::database::{Connection, Database, INSTANCE, Storage as DieselStorage};
use crate::device::{Device, instance};
use crate::library::{
    Book, Note, Shelf, TABLES, book, book_id, books, note, note_id, notes, registry, row_text, shelf, shelf_id, shelves,
};
use crate::steps::{Edit, What};

struct OverDiesel {
    storage: DieselStorage,
    connection: Connection,
    // The last to go.
    _database: Database,
}

/// The device of this number.
pub(crate) fn device(number: usize) -> Box<dyn Device> {
    let database = Database::new();
    let storage = database.open();
    let mut connection = storage.connect().expect("it connects");
    connection.batch_execute(TABLES).expect("the application's tables are made");
    storage.prepare(&Arc::new(registry())).expect("our tables are made");
    storage.adopt_instance(&instance(number)).expect("the instance is adopted");
    Box::new(OverDiesel { storage, connection, _database: database })
}

#[derive(QueryableByName)]
struct Claim {
    #[diesel(sql_type = Text)]
    partition: String,
    #[diesel(sql_type = Text)]
    instance: String,
    #[diesel(sql_type = BigInt)]
    counter: i64,
}

impl Device for OverDiesel {
    fn storage(&self) -> &dyn Storage {
        &self.storage
    }

    fn edit(&mut self, edit: &Edit) -> bool {
        apply(&mut self.connection, edit).is_ok()
    }

    fn rows(&mut self) -> BTreeMap<String, String> {
        let connection = &mut self.connection;
        let shelves = shelves::table.select(Shelf::as_select()).load(connection).expect("the shelves");
        let books = books::table.select(Book::as_select()).load(connection).expect("the books");
        let notes = notes::table.select(Note::as_select()).load(connection).expect("the notes");
        let shelves = shelves.iter().map(row_text);
        shelves.chain(books.iter().map(row_text)).chain(notes.iter().map(row_text)).collect()
    }

    fn claims(&mut self) -> BTreeMap<(String, String), i64> {
        let query = format!("SELECT partition, {INSTANCE} AS instance, counter FROM morango_database_max_counter");
        let claims: Vec<Claim> = diesel::sql_query(query).load(&mut self.connection).expect("the counters");
        claims.into_iter().map(|claim| ((claim.partition, claim.instance), claim.counter)).collect()
    }

    fn counter(&mut self) -> i64 {
        let query = "SELECT '' AS partition, '' AS instance, counter FROM morango_instance WHERE is_current = 1";
        diesel::sql_query(query).get_result::<Claim>(&mut self.connection).expect("the counter").counter
    }
}

fn apply(connection: &mut Connection, edit: &Edit) -> Result<(), String> {
    let told = |error: diesel::result::Error| error.to_string();
    let created = |created: morango::Result<()>| created.map_err(|error| error.report());
    match edit {
        Edit::Shelf { key, label, parent } => {
            let row = shelf(*key, *label, *parent);
            let values = (shelves::label.eq(row.label.clone()), shelves::parent_id.eq(row.parent_id));
            let there = diesel::update(shelves::table.find(shelf_id(*key))).set(values).execute(connection);
            if there.map_err(told)? == 0 {
                created(row.create(connection).map(|_| ()))?;
            }
        }
        Edit::Book { key, shelf, title } => {
            let row = book(*key, *shelf, *title);
            let values = (books::shelf_id.eq(row.shelf_id), books::title.eq(row.title.clone()));
            let there = diesel::update(books::table.find(book_id(*key))).set(values).execute(connection);
            if there.map_err(told)? == 0 {
                created(row.create(connection).map(|_| ()))?;
            }
        }
        Edit::Note { key, book, shelf, pages, text } => {
            let row = note(*key, *book, *shelf, *pages, *text);
            let values = (
                notes::book_id.eq(row.book_id),
                notes::shelf_id.eq(row.shelf_id),
                notes::pages.eq(row.pages),
                notes::text.eq(row.text.clone()),
            );
            let there = diesel::update(notes::table.find(note_id(*key))).set(values).execute(connection);
            if there.map_err(told)? == 0 {
                created(row.create(connection).map(|_| ()))?;
            }
        }
        Edit::GiveAway { book, owner } => {
            let given = diesel::update(books::table.find(book_id(*book))).set(books::owner.eq(format!("owner{owner}")));
            given.execute(connection).map_err(told)?;
        }
        Edit::Delete { what, key } => {
            match what {
                What::Shelf => diesel::delete(shelves::table.find(shelf_id(*key))).execute(connection),
                What::Book => diesel::delete(books::table.find(book_id(*key))).execute(connection),
                What::Note => diesel::delete(notes::table.find(note_id(*key))).execute(connection),
            }
            .map_err(told)?;
        }
        Edit::HardDelete { what, key } => {
            created(match what {
                What::Shelf => Shelf::hard_delete_by_id(shelf_id(*key), connection).map(|_| ()),
                What::Book => Book::hard_delete_by_id(book_id(*key), connection).map(|_| ()),
                What::Note => Note::hard_delete_by_id(note_id(*key), connection).map(|_| ()),
            })?;
        }
    }
    Ok(())
}
