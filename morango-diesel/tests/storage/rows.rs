//! What an application does with its rows, on a database through Diesel.
//!
//! A sibling for the storage in memory has the same items in the same order.

use diesel::prelude::*;
use diesel::sql_types::Text;
use morango::Result;
use morango::id::SyncId;
use morango::port::Transaction;
use morango_diesel::{Rows, Syncable};

use super::database::{Connection, Database, MARKS, Storage, Tables};

/// A model whose rows this database keeps.
pub(crate) trait Kept: Syncable + Rows<Connection> {
    /// All rows, in the order of their ids.
    fn all(connection: &mut Connection) -> Vec<Self>;
}

/// A database with the application's tables in it, and a connection to them.
pub(crate) fn with_tables(tables: Tables) -> (Database, Storage, Connection) {
    let database = Database::new();
    let storage = database.open();
    let mut connection = storage.connect().expect("it connects");
    super::sql::run(&mut connection, tables);
    (database, storage, connection)
}

/// Makes a row with the id that follows from its fields.
pub(crate) fn create<M: Kept>(connection: &mut Connection, row: M) -> Result<M> {
    row.create(connection)
}

/// Inserts a row with the id that it has, as whoever knows nothing of source ids does.
pub(crate) fn insert<M: Kept>(connection: &mut Connection, row: &M) {
    M::insert(row, connection).expect("the row is inserted");
}

pub(crate) fn get<M: Kept>(connection: &mut Connection, id: SyncId) -> Option<M> {
    M::load_one(connection, &id).expect("the row is read")
}

pub(crate) fn all<M: Kept>(connection: &mut Connection) -> Vec<M> {
    M::all(connection)
}

/// Changes the fields of a row that travel.
pub(crate) fn change<M: Kept>(connection: &mut Connection, id: SyncId, change: impl FnOnce(&mut M)) {
    let mut row = get::<M>(connection, id).expect("the row is there");
    change(&mut row);
    assert_eq!(row.upsert(connection), Ok(1));
}

/// Deletes a row, and with it what the tables delete with it.
pub(crate) fn delete<M: Kept>(connection: &mut Connection, id: SyncId) {
    assert_eq!(<M as Rows<Connection>>::delete(connection, &id), Ok(1));
}

/// The same so that nothing of it is left anywhere.
pub(crate) fn hard_delete<M: Kept>(connection: &mut Connection, id: SyncId) {
    assert!(M::hard_delete_by_id(id, connection).expect("the row is deleted for good"));
}

/// What changed since it was last serialized, as `model:id:is_hard`, in order.
pub(crate) fn marks(connection: &mut Connection) -> Vec<String> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        mark: String,
    }
    let rows: Vec<Row> = diesel::sql_query(MARKS).load(connection).expect("read the marks");
    rows.into_iter().map(|row| row.mark).collect()
}

/// Makes a row within a transaction of the engine.
pub(crate) fn create_within<M: Kept>(transaction: &mut dyn Transaction, row: M) -> Result<M> {
    create(connection(transaction), row)
}

/// Changes the fields of a row that travel, within a transaction of the engine.
pub(crate) fn change_within<M: Kept>(transaction: &mut dyn Transaction, id: SyncId, change: impl FnOnce(&mut M)) {
    self::change(connection(transaction), id, change);
}

/// The application's connection, on which a transaction is open.
fn connection(transaction: &mut dyn Transaction) -> &mut Connection {
    transaction.connection().downcast_mut().expect("the connection is of this database's kind")
}
