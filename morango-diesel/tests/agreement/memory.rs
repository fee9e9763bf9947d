//! A device in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use morango::port::Storage;
use morango_memory::{Application, MemoryStorage};

use crate::device::{Device, instance};
use crate::library::{
    Book, Note, Shelf, book, book_id, memory_models, note, note_id, registry, row_text, shelf, shelf_id,
};
use crate::steps::{Edit, What};

struct Memory {
    storage: MemoryStorage,
}

/// The device of this number.
pub(crate) fn device(number: usize) -> Box<dyn Device> {
    let storage = MemoryStorage::new(memory_models());
    storage.prepare(&Arc::new(registry())).expect("it is prepared");
    storage.adopt_instance(&instance(number)).expect("the instance is adopted");
    Box::new(Memory { storage })
}

impl Device for Memory {
    fn storage(&self) -> &dyn Storage {
        &self.storage
    }

    fn edit(&mut self, edit: &Edit) -> bool {
        self.storage.with_rows(|rows| apply(rows, edit)).is_ok()
    }

    fn rows(&mut self) -> BTreeMap<String, String> {
        let rows = self.storage.with_rows(|rows| {
            let shelves = rows.all::<Shelf>().into_iter().map(|row| row_text(&row));
            let books = rows.all::<Book>().into_iter().map(|row| row_text(&row));
            let notes = rows.all::<Note>().into_iter().map(|row| row_text(&row));
            Ok(shelves.chain(books).chain(notes).collect())
        });
        rows.expect("the rows")
    }

    fn claims(&mut self) -> BTreeMap<(String, String), i64> {
        let counters = self.storage.database_max_counters();
        let entry = |(partition, stamp): (&str, morango::counter::Stamp)| {
            ((partition.to_owned(), stamp.instance.to_string()), stamp.counter)
        };
        counters.iter().map(entry).collect()
    }

    fn counter(&mut self) -> i64 {
        self.storage.current_stamp().expect("a stamp").counter
    }
}

fn apply(rows: &mut Application, edit: &Edit) -> morango::Result<()> {
    match edit {
        Edit::Shelf { key, label, parent } => {
            let row = shelf(*key, *label, *parent);
            let change = |there: &mut Shelf| (there.label, there.parent_id) = (row.label.clone(), row.parent_id);
            if !rows.update(shelf_id(*key), change)? {
                rows.create(row)?;
            }
        }
        Edit::Book { key, shelf, title } => {
            let row = book(*key, *shelf, *title);
            let change = |there: &mut Book| (there.shelf_id, there.title) = (row.shelf_id, row.title.clone());
            if !rows.update(book_id(*key), change)? {
                rows.create(row)?;
            }
        }
        Edit::Note { key, book, shelf, pages, text } => {
            let row = note(*key, *book, *shelf, *pages, *text);
            let change = |there: &mut Note| *there = Note { id: there.id, ..row.clone() };
            if !rows.update(note_id(*key), change)? {
                rows.create(row)?;
            }
        }
        Edit::GiveAway { book, owner } => {
            rows.update(book_id(*book), |there: &mut Book| there.owner = format!("owner{owner}"))?;
        }
        Edit::Delete { what, key } => {
            match what {
                What::Shelf => rows.delete::<Shelf>(shelf_id(*key))?,
                What::Book => rows.delete::<Book>(book_id(*key))?,
                What::Note => rows.delete::<Note>(note_id(*key))?,
            };
        }
        Edit::HardDelete { what, key } => {
            match what {
                What::Shelf => rows.hard_delete::<Shelf>(shelf_id(*key))?,
                What::Book => rows.hard_delete::<Book>(book_id(*key))?,
                What::Note => rows.hard_delete::<Note>(note_id(*key))?,
            };
        }
    }
    Ok(())
}
