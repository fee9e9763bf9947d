//! A place of a device's own on a PostgreSQL server: a schema, which goes when the device does.
//!
//! The server is named in the environment variable `MORANGO_POSTGRES_URL`, the URL of a user who may make schemas there.

use std::sync::atomic::{AtomicU64, Ordering};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use morango_diesel::PostgresStorage;

const VARIABLE: &str = "MORANGO_POSTGRES_URL";

/// A schema of the server.
#[derive(Debug)]
pub(crate) struct Schema {
    url: String,
    name: String,
}

/// Whether there is a server.
pub(crate) fn is_there() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

impl Schema {
    /// A new one, under a name that no other process has.
    pub(crate) fn create() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let url = std::env::var(VARIABLE).expect("whoever makes a schema has looked whether there is a server");
        let schema = Self { url, name: format!("morango_simulation_{}_{number}", std::process::id()) };
        let name = &schema.name;
        schema.run(&format!("DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}")).expect("a schema is made");
        schema
    }

    /// A storage in it.
    pub(crate) fn open(&self) -> PostgresStorage {
        PostgresStorage::builder(&*self.url).schema(&*self.name).connections(4).open().expect("the server answers")
    }

    fn run(&self, statements: &str) -> Result<(), String> {
        let mut connection = PgConnection::establish(&self.url).map_err(|error| error.to_string())?;
        connection.batch_execute(statements).map_err(|error| error.to_string())
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        // A server that is gone by now took it along.
        let _ = self.run(&format!("DROP SCHEMA IF EXISTS {} CASCADE", self.name));
    }
}
