//! What only a story that is about SQL does on a device: statements of its own.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use morango::id::SyncId;

use super::database::{Connection, Database, dialect};
use super::{library, notebook};

pub(crate) fn run(connection: &mut Connection, statement: &str) {
    connection.batch_execute(&dialect(statement)).unwrap_or_else(|error| panic!("{statement}: {error}"));
}

/// A number that one row gives.
pub(crate) fn number(connection: &mut Connection, query: &str) -> i64 {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        number: i64,
    }
    let query = format!("SELECT ({query}) AS number");
    diesel::sql_query(query).get_result::<Row>(connection).expect("a number").number
}

impl library::Device {
    pub(crate) fn run(&mut self, statement: &str) {
        run(&mut self.connection, statement);
    }

    pub(crate) fn number(&mut self, query: &str) -> i64 {
        number(&mut self.connection, query)
    }
}

impl notebook::Device {
    /// A device whose database is open and empty.
    pub(crate) fn without_engine() -> Self {
        let database = Database::new();
        let storage = database.open();
        let connection = storage.connect().expect("connect to it");
        Self { storage, connection, database }
    }

    pub(crate) fn run(&mut self, statement: &str) {
        run(&mut self.connection, statement);
    }

    pub(crate) fn number(&mut self, query: &str) -> i64 {
        number(&mut self.connection, query)
    }

    /// Somebody opens a note so many times, of which nobody else learns.
    pub(crate) fn open(&mut self, note: SyncId, times: i32) {
        self.run(&format!("UPDATE notes SET opened = {times} WHERE id = '{note}'"));
    }
}
