//! Databases of a PostgreSQL server, one for each device and peer that is on one.
//!
//! The server is named in the environment variable `MORANGO_POSTGRES_URL`, the URL of a user who may create and drop databases
//! there. `cargo xtask test` starts a server and sets it.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use morango::prelude::*;

/// A database of its own, which is dropped when this is.
#[derive(Debug)]
pub struct TestDatabase {
    /// The URL of a superuser of the server.
    server: String,
    name: String,
    url: String,
}

impl TestDatabase {
    /// Creates an empty database.
    pub fn create() -> Self {
        Self::with(server(), "ENCODING 'UTF8'")
    }

    /// Creates an empty database whose texts are kept in another encoding, `LATIN1` for example.
    pub fn create_in(encoding: &str) -> Self {
        Self::with(server(), &format!("ENCODING '{encoding}' LOCALE 'C'"))
    }

    /// Creates an empty database of another server: the URL of a superuser there.
    pub fn create_on(server: &str) -> Self {
        Self::with(server.to_owned(), "ENCODING 'UTF8'")
    }

    fn with(server: String, options: &str) -> Self {
        let database = Self::new(server);
        // Nobody is ever connected to this template, and it is as empty as can be.
        run(&database.server, &format!("CREATE DATABASE {} TEMPLATE template0 {options}", database.name));
        database
    }

    /// Another database that holds what this one does. Whoever is connected to this one is not any more.
    #[must_use]
    pub fn copy(&self) -> Self {
        let copy = Self::new(self.server.clone());
        copy.take_over(self);
        copy
    }

    /// Becomes a copy of another one, in place of what was here. Nobody is connected to either any more.
    pub fn take_over(&self, other: &Self) {
        run(&self.server, &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        let others = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'", other.name);
        run(&self.server, &others);
        run(&self.server, &format!("CREATE DATABASE {} TEMPLATE {}", self.name, other.name));
    }

    fn new(server: String) -> Self {
        let name = format!("morango_test_{}", SyncId::random());
        let url = beside(&server, &name);
        Self { server, name, url }
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // Whoever is still connected has to go: pools keep connections, and a peer may have been killed. A server that is
        // gone by now took the database along.
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let _ = PgConnection::establish(&self.server).map(|mut connection| connection.batch_execute(&statement));
    }
}

/// The server that the tests are given.
pub(crate) fn server() -> String {
    std::env::var("MORANGO_POSTGRES_URL").expect(
        "the stories on PostgreSQL need a server: run `cargo xtask test`, or set MORANGO_POSTGRES_URL to what \
         `cargo xtask postgres` prints",
    )
}

/// The URL of another database of the same server.
fn beside(server: &str, name: &str) -> String {
    let (address, options) = server.split_once('?').map_or((server, None), |(address, rest)| (address, Some(rest)));
    let (host, _) = address.rsplit_once('/').expect("a URL such as postgres://user@host:port/database");
    options.map_or_else(|| format!("{host}/{name}"), |options| format!("{host}/{name}?{options}"))
}

/// Runs a statement as the superuser.
fn run(server: &str, statement: &str) {
    let mut connection = PgConnection::establish(server).unwrap_or_else(|error| panic!("connect to {server}: {error}"));
    connection.batch_execute(statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
}
