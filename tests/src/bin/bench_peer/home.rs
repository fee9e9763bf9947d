//! Where a measured peer keeps its data: a file, or a database of a PostgreSQL server.

use std::path::Path;

use diesel::Connection as _;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use morango::prelude::*;
use morango_diesel::{PostgresStorage, SqliteStorage};
use morango_examples::school;
use morango_tests::sampler;

use crate::Outcome;

/// The storage of a peer.
pub(crate) enum Home {
    Sqlite(SqliteStorage),
    Postgres(PostgresStorage),
}

/// A connection of the application.
pub(crate) enum Connection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Does something with a connection, whichever it is.
macro_rules! over {
    ($connection:expr, $name:ident => $work:expr) => {
        match $connection {
            $crate::home::Connection::Sqlite($name) => $work,
            $crate::home::Connection::Postgres($name) => $work,
        }
    };
}
pub(crate) use over;

impl Home {
    /// Opens a database by its path or its URL, and makes the application's tables where they are not there yet.
    pub(crate) fn open(database: &str) -> Outcome<Self> {
        if is_postgres(database) {
            let storage = PostgresStorage::open(database)?;
            school::create_postgres_tables(&mut storage.connect()?)?;
            sampler::create_postgres_table(&mut storage.connect()?)?;
            return Ok(Self::Postgres(storage));
        }
        let storage = SqliteStorage::open(Path::new(database))?;
        school::create_tables(&mut storage.connect()?)?;
        sampler::create_table(&mut storage.connect()?)?;
        Ok(Self::Sqlite(storage))
    }

    /// An engine on it.
    pub(crate) fn engine(&self) -> morango::Result<Engine> {
        match self {
            Self::Sqlite(storage) => Engine::builder(storage.clone()).build(),
            Self::Postgres(storage) => Engine::builder(storage.clone()).build(),
        }
    }

    /// Where it is, for people: the path of a file.
    pub(crate) fn location(&self) -> String {
        match self {
            Self::Sqlite(storage) => storage.location(),
            Self::Postgres(storage) => storage.location(),
        }
    }

    /// A connection of the application's own.
    pub(crate) fn connect(&self) -> morango::Result<Connection> {
        match self {
            Self::Sqlite(storage) => storage.connect().map(Connection::Sqlite),
            Self::Postgres(storage) => storage.connect().map(Connection::Postgres),
        }
    }
}

/// Whether this is the URL of a database of a server.
pub(crate) fn is_postgres(database: &str) -> bool {
    database.starts_with("postgres://")
}

/// Makes an empty database of a server. Whoever started the server chose the name, so there is nothing in it to quote.
pub(crate) fn create_database(url: &str) -> Outcome {
    let (server, name) = url.rsplit_once('/').ok_or("a database is named like postgres://user@host:port/database")?;
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_') {
        return Err(format!("{name:?} is no name for a measured database").into());
    }
    let mut connection = PgConnection::establish(&format!("{server}/postgres"))?;
    // Nobody is ever connected to this template, and it is as empty as can be.
    Ok(connection.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"))?)
}
