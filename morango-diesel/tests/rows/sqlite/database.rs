//! A SQLite database in memory.
//!
//! A sibling for another database has the same items in the same order.

use diesel::connection::{Connection as _, SimpleConnection as _};
use diesel::prelude::*;
use morango_diesel::SqliteModel;

pub(crate) type Connection = SqliteConnection;
pub(crate) type Model = SqliteModel;

/// A connection to a database with these tables.
pub(crate) fn connection_with(tables: &str) -> Connection {
    let mut connection = SqliteConnection::establish(":memory:").expect("SQLite is bundled");
    connection.batch_execute(tables).expect("the table is made");
    connection
}
