//! Databases of a PostgreSQL server, one for each device and peer that is on one.
//!
//! The server is named in the environment variable `MORANGO_POSTGRES_URL`, the URL of a user who may create and drop databases
//! there. `cargo xtask test` starts a server and sets it.

use std::sync::{Mutex, PoisonError};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::Text;
use morango::prelude::*;

/// A database of its own, which is dropped when this is.
#[derive(Debug)]
pub struct TestDatabase {
    /// The URL of a superuser of the server.
    server: String,
    name: String,
    url: String,
}

/// A database that is made once in a program, and that others begin as copies of: making tables takes longer than most stories.
/// Nobody is connected to it. It stays until the server goes, or the next program comes that makes one.
pub struct Template {
    name: String,
    /// Says in its name, for as long as this program runs, that the template is in use.
    _keeper: Mutex<PgConnection>,
}

/// How the names of templates begin.
const TEMPLATE: &str = "morango_template_";

impl TestDatabase {
    /// Creates an empty database.
    pub fn create() -> Self {
        // Nobody is ever connected to this template, and it is as empty as can be.
        Self::with(server(), "TEMPLATE template0 ENCODING 'UTF8'")
    }

    /// Creates an empty database whose texts are kept in another encoding, `LATIN1` for example.
    pub fn create_in(encoding: &str) -> Self {
        Self::with(server(), &format!("TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'"))
    }

    /// Creates an empty database of another server: the URL of a superuser there.
    pub fn create_on(server: &str) -> Self {
        Self::with(server.to_owned(), "TEMPLATE template0 ENCODING 'UTF8'")
    }

    /// Creates a database that holds what a template does.
    pub fn like(template: &Template) -> Self {
        Self::with(server(), &format!("TEMPLATE {}", template.name))
    }

    fn with(server: String, options: &str) -> Self {
        let database = Self::new(server);
        create(&database.server, &database.name, options);
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
        run(&self.server, &drop_of(&self.name));
        run(&self.server, &disconnection_from(&other.name));
        create(&self.server, &self.name, &format!("TEMPLATE {}", other.name));
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
        let _ = attempt(&self.server, &drop_of(&self.name));
    }
}

impl Template {
    /// Makes a template. `fill` is given the URL of an empty database, and leaves nothing connected to it.
    pub fn make(fill: impl FnOnce(&str)) -> Self {
        let name = format!("{TEMPLATE}{}", SyncId::random());
        let server = server();
        let mut keeper = connect(&server);
        keeper.batch_execute(&format!("SET application_name = '{name}'")).expect("a connection may have a name");
        drop_templates_out_of_use(&mut keeper);
        create(&server, &name, "TEMPLATE template0 ENCODING 'UTF8'");
        fill(&beside(&server, &name));
        run(&server, &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"));
        run(&server, &disconnection_from(&name));
        Self { name, _keeper: Mutex::new(keeper) }
    }
}

/// Drops what programs left that have ended.
fn drop_templates_out_of_use(connection: &mut PgConnection) {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        name: String,
    }
    let left = format!(
        "SELECT CAST(datname AS TEXT) AS name FROM pg_database WHERE datname LIKE '{TEMPLATE}%'
         AND datname NOT IN (SELECT application_name FROM pg_stat_activity WHERE application_name IS NOT NULL)"
    );
    let left: Vec<Row> = sql_query(left).load(connection).expect("the databases can be listed");
    for Row { name } in left {
        // Another program may be at the same.
        let _ = connection.batch_execute(&drop_of(&name));
    }
}

/// Creates a database by copying files, the one which says what has to be known before anything is found included: on a server whose
/// files are in memory that is quicker than copying it page by page, and so is the first connection to it.
fn create(server: &str, name: &str, options: &str) {
    run(server, &format!("CREATE DATABASE {name} {options} STRATEGY FILE_COPY"));
}

fn drop_of(name: &str) -> String {
    format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")
}

fn disconnection_from(name: &str) -> String {
    format!("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'")
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
    attempt(server, statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
}

/// The superuser's connections to the tests' server that nobody uses at the moment: for each the server starts a process.
static IDLE: Mutex<Vec<PgConnection>> = Mutex::new(Vec::new());

/// Runs a statement as the superuser, on a connection that is there or on a new one. Those to other servers are not kept: these
/// may be restarted at any time.
fn attempt(server: &str, statement: &str) -> Result<(), Box<dyn std::error::Error>> {
    let is_kept = server == self::server();
    let idle = if is_kept { IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop() } else { None };
    let mut connection = idle.map_or_else(|| PgConnection::establish(server), Ok)?;
    connection.batch_execute(statement)?;
    if is_kept {
        IDLE.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
    Ok(())
}

fn connect(server: &str) -> PgConnection {
    PgConnection::establish(server).unwrap_or_else(|error| panic!("connect to {server}: {error}"))
}
