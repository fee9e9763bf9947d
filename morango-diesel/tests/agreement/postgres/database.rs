//! A PostgreSQL database.

use diesel::connection::{Connection as _, SimpleConnection as _};
use morango::id::SyncId;
use morango_diesel::PostgresStorage;

pub(crate) type Storage = PostgresStorage;
pub(crate) type Connection = diesel::PgConnection;

/// A database of its own on the server, which is dropped in the end.
pub(crate) struct Database {
    name: String,
}

impl Database {
    pub(crate) fn new() -> Self {
        let name = format!("morango_test_{}", SyncId::random());
        run_on_server(&format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"));
        Self { name }
    }

    pub(crate) fn open(&self) -> Storage {
        let server = server();
        let (place, options) = server.split_once('?').map_or((server.as_str(), None), |(one, two)| (one, Some(two)));
        let (address, _) = place.rsplit_once('/').expect("the URL ends with a database");
        let options = options.map(|options| format!("?{options}")).unwrap_or_default();
        PostgresStorage::open(format!("{address}/{}{options}", self.name)).expect("open the database")
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        run_on_server(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

fn server() -> String {
    std::env::var("MORANGO_POSTGRES_URL").expect(
        "set MORANGO_POSTGRES_URL to the URL of a PostgreSQL server on which a superuser may create and drop databases, \
         as `cargo xtask test` does, for example postgres://postgres@127.0.0.1:54321/postgres",
    )
}

fn run_on_server(statement: &str) {
    let mut connection =
        diesel::PgConnection::establish(&server()).expect("connect to the server of MORANGO_POSTGRES_URL");
    connection.batch_execute(statement).expect(statement);
}

/// The digits of a column that holds an instance's id.
pub(crate) const INSTANCE: &str = "replace(CAST(instance AS TEXT), '-', '')";
