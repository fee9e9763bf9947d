//! What an application does with its rows, in memory.
//!
//! A sibling for databases has the same items in the same order.

use morango::id::SyncId;
use morango::model::Model;
use morango::port::Transaction;
use morango::{Error, ErrorKind, Result};
use morango_memory::{Application, MemoryStorage};

use super::database::{Connection, Database, Storage, Tables};
use super::notebook::{self, Note};

/// A model whose rows are kept in memory.
pub(crate) trait Kept: Model + Sync + Clone {}

impl<M: Model + Sync + Clone> Kept for M {}

pub(crate) fn with_tables(tables: Tables) -> (Database, Storage, Connection) {
    let storage = MemoryStorage::new(tables());
    (Database, storage.clone(), storage)
}

pub(crate) fn create<M: Kept>(connection: &mut Connection, row: M) -> Result<M> {
    connection.with_rows(|rows| create_in(rows, row))
}

pub(crate) fn insert<M: Kept>(connection: &mut Connection, row: &M) {
    connection.with_rows(|rows| rows.insert(row.clone())).expect("the row is inserted");
}

pub(crate) fn get<M: Kept>(connection: &mut Connection, id: SyncId) -> Option<M> {
    connection.with_rows(|rows| Ok(rows.get(id))).expect("the row is read")
}

pub(crate) fn all<M: Kept>(connection: &mut Connection) -> Vec<M> {
    connection.with_rows(|rows| Ok(rows.all())).expect("the rows are read")
}

pub(crate) fn change<M: Kept>(connection: &mut Connection, id: SyncId, change: impl FnOnce(&mut M)) {
    let changed = connection.with_rows(|rows| rows.update(id, change));
    assert!(changed.expect("the row is changed"), "the row is there");
}

pub(crate) fn delete<M: Kept>(connection: &mut Connection, id: SyncId) {
    assert!(connection.with_rows(|rows| rows.delete::<M>(id)).expect("the row is deleted"));
}

pub(crate) fn hard_delete<M: Kept>(connection: &mut Connection, id: SyncId) {
    assert!(connection.with_rows(|rows| rows.hard_delete::<M>(id)).expect("the row is deleted for good"));
}

pub(crate) fn marks(connection: &mut Connection) -> Vec<String> {
    let changed = connection.with_rows(|rows| Ok(rows.changed())).expect("what changed is read");
    let mut marks: Vec<String> =
        changed.into_iter().map(|(model, id, is_hard)| format!("{model}:{id}:{}", u8::from(is_hard))).collect();
    marks.sort();
    marks
}

pub(crate) fn create_within<M: Kept>(transaction: &mut dyn Transaction, row: M) -> Result<M> {
    create_in(application(transaction), row)
}

pub(crate) fn change_within<M: Kept>(transaction: &mut dyn Transaction, id: SyncId, change: impl FnOnce(&mut M)) {
    let changed = application(transaction).update(id, change);
    assert!(changed.expect("the row is changed"), "the row is there");
}

fn application(transaction: &mut dyn Transaction) -> &mut Application {
    transaction.connection().downcast_mut().expect("the transaction is one in memory")
}

fn create_in<M: Kept>(rows: &mut Application, row: M) -> Result<M> {
    let id = rows.create(row)?;
    rows.get(id).ok_or_else(|| Error::new(ErrorKind::Internal, "read the row that was just created"))
}

impl notebook::Device {
    /// Somebody opens a note so many times, of which nobody else learns.
    pub(crate) fn open(&mut self, note: SyncId, times: i32) {
        change(&mut self.connection, note, |note: &mut Note| note.opened = times);
    }
}
