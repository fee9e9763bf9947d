//! The storage over one PostgreSQL database: how it is reached.

use std::time::Duration;

use diesel::pg::PgConnection;
use morango::Result;

use crate::backend::{self, Target};
use crate::rows::{PostgresModel, TableRows};
use crate::storage::DieselStorage;
use crate::verbs::implement_storage;

/// How long a statement waits for another connection's lock, unless an application chooses otherwise.
const LOCK_TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);

/// Connections that are open at one time, unless an application chooses otherwise.
const CONNECTIONS_DEFAULT: usize = 8;

/// A PostgreSQL database that holds an application's tables and, beside them, the engine's own, whose names begin with
/// `morango_`.
///
/// It may be cloned: the clones share their connections. Several programs, on several machines, may have a storage on the same
/// database at the same time; give all of them the same `MORANGO_SYSTEM_ID` and `MORANGO_NODE_ID`, so that they are one instance.
#[derive(Debug, Clone)]
pub struct PostgresStorage(DieselStorage);

implement_storage!(PostgresStorage);

/// How a [`PostgresStorage`] is to be reached.
#[derive(Clone)]
#[must_use = "nothing is opened before `open`"]
pub struct PostgresStorageBuilder {
    url: String,
    schema: Option<String>,
    connections: usize,
    lock_timeout: Duration,
    statement_timeout: Option<Duration>,
    models: Vec<TableRows>,
}

impl PostgresStorageBuilder {
    /// How many connections are open at one time. Unless set, 8; at least 1.
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections.max(1);
        self
    }

    /// How long to wait for another connection's lock before a call fails as busy. Unless set, 5 seconds.
    pub fn lock_timeout(mut self, lock_timeout: Duration) -> Self {
        self.lock_timeout = lock_timeout;
        self
    }

    /// How long one statement may take before a call fails as busy. Unless set, that is not bounded.
    pub fn statement_timeout(mut self, statement_timeout: Duration) -> Self {
        self.statement_timeout = Some(statement_timeout);
        self
    }

    /// The schema that holds the engine's tables, which is made if it is not there, and in which tables of the application are
    /// looked for before `public`. Unless set, the user's own search path says where they are.
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = Some(schema.into());
        self
    }

    /// Adds the rows of a model that did not register itself, as in a test that makes its registry by hand.
    pub fn model(mut self, model: PostgresModel) -> Self {
        self.models.push(TableRows::Postgres(model));
        self
    }

    /// Opens the database.
    ///
    /// # Errors
    /// The server cannot be reached or refuses the user, the database is not there, or its texts are not in UTF-8.
    pub fn open(self) -> Result<PostgresStorage> {
        let target = backend::postgres::Target {
            location: without_password(&self.url),
            url: self.url,
            schema: self.schema,
            connections_max: self.connections,
            lock_timeout: self.lock_timeout,
            statement_timeout: self.statement_timeout,
        };
        DieselStorage::open(Target::Postgres(target), self.models).map(PostgresStorage)
    }
}

impl std::fmt::Debug for PostgresStorageBuilder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("PostgresStorageBuilder")
            .field("url", &without_password(&self.url))
            .field("schema", &self.schema)
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}

impl PostgresStorage {
    /// Opens a database by its URL, `postgres://user@host/database` for example; see [`PostgresStorage::builder`] for more choice.
    ///
    /// # Errors
    /// Those of [`PostgresStorageBuilder::open`].
    pub fn open(url: impl Into<String>) -> Result<Self> {
        Self::builder(url).open()
    }

    /// The storage of a database, yet to be opened.
    pub fn builder(url: impl Into<String>) -> PostgresStorageBuilder {
        PostgresStorageBuilder {
            url: url.into(),
            schema: None,
            connections: CONNECTIONS_DEFAULT,
            lock_timeout: LOCK_TIMEOUT_DEFAULT,
            statement_timeout: None,
            models: Vec::new(),
        }
    }

    /// A connection for the application's own use, with the same search path and the same patience as the storage's own.
    ///
    /// # Errors
    /// Those of [`PostgresStorageBuilder::open`].
    pub fn connect(&self) -> Result<PgConnection> {
        self.0.check_occupant()?;
        self.0.target().connect_postgres()
    }

    /// Looks for rows that vanished without a trace and marks them as deleted; returns how many there are.
    ///
    /// Triggers see every deletion, unless somebody switched them off, as `session_replication_role` does. This reads every record
    /// once. It takes a row that is not there for deleted: do not call it over a table that was emptied by mistake.
    ///
    /// # Errors
    /// The database fails, or no engine was built over this storage yet.
    pub fn find_displaced(&self) -> Result<u64> {
        self.0.find_displaced()
    }
}

/// A URL or connection text without the password in it.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        // `host=… password=…`: only what is certainly no secret is told.
        let told = |part: &&str| ["host=", "port=", "dbname=", "user="].iter().any(|name| part.starts_with(name));
        return url.split_whitespace().filter(told).collect::<Vec<_>>().join(" ");
    };
    let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
    match rest.rsplit_once('@') {
        Some((user, place)) => {
            let user = user.split_once(':').map_or(user, |(user, _)| user);
            format!("{scheme}://{user}@{place}")
        }
        None => format!("{scheme}://{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_told() {
        let told = [
            ("postgres://ada:se@cret@localhost:5432/school?sslmode=require", "postgres://ada@localhost:5432/school"),
            ("postgres://localhost/school?password=secret", "postgres://localhost/school"),
            ("postgresql://ada@/school?host=/run/postgres", "postgresql://ada@/school"),
            ("host=localhost dbname=school user=ada password=secret", "host=localhost dbname=school user=ada"),
        ];
        for (url, expected) in told {
            assert_eq!(without_password(url), expected);
            assert!(!format!("{:?}", PostgresStorage::builder(url)).contains("secret"));
        }
    }
}
