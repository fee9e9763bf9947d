//! The storage over one SQLite file: how it is opened.

use std::path::{Path, PathBuf};
use std::time::Duration;

use diesel::sqlite::SqliteConnection;
use morango::Result;

use crate::backend::{self, Target};
use crate::rows::{SqliteModel, TableRows};
use crate::storage::DieselStorage;
use crate::verbs::implement_storage;

/// How long a statement waits for another program's lock, unless an application chooses otherwise.
const BUSY_TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);

/// A SQLite file that holds an application's tables and, beside them, the engine's own, whose names begin with `morango_`.
///
/// It may be cloned: the clones share their connections. Use one storage per file and program.
#[derive(Debug, Clone)]
pub struct SqliteStorage(DieselStorage);

implement_storage!(SqliteStorage);

/// How a [`SqliteStorage`] is to be opened.
#[derive(Debug, Clone)]
#[must_use = "nothing is opened before `open`"]
pub struct SqliteStorageBuilder {
    path: PathBuf,
    busy_timeout: Duration,
    models: Vec<TableRows>,
}

impl SqliteStorageBuilder {
    /// How long to wait for another program's lock before a call fails as busy. Unless set, 5 seconds.
    pub fn busy_timeout(mut self, busy_timeout: Duration) -> Self {
        self.busy_timeout = busy_timeout;
        self
    }

    /// Adds the rows of a model that did not register itself, as in a test that makes its registry by hand.
    pub fn model(mut self, model: SqliteModel) -> Self {
        self.models.push(TableRows::Sqlite(model));
        self
    }

    /// Opens the file, which is created if it is not there.
    ///
    /// # Errors
    /// It cannot be opened or written to, is no database, or is locked by another for longer than the busy timeout.
    pub fn open(self) -> Result<SqliteStorage> {
        let path = std::path::absolute(&self.path).unwrap_or(self.path);
        let target = backend::sqlite::Target { path, busy_timeout: self.busy_timeout };
        DieselStorage::open(Target::Sqlite(target), self.models).map(SqliteStorage)
    }
}

impl SqliteStorage {
    /// Opens a file, which is created if it is not there; see [`SqliteStorage::builder`] for more choice.
    ///
    /// # Errors
    /// It cannot be opened or written to, is no database, or is locked by another for longer than 5 seconds.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::builder(path).open()
    }

    /// The storage of a file, yet to be opened.
    pub fn builder(path: impl AsRef<Path>) -> SqliteStorageBuilder {
        SqliteStorageBuilder { path: path.as_ref().to_owned(), busy_timeout: BUSY_TIMEOUT_DEFAULT, models: Vec::new() }
    }

    /// A connection for the application's own use, set up like the storage's own: with foreign keys, with triggers that
    /// see replaced rows, and with the same patience.
    ///
    /// # Errors
    /// Those of [`SqliteStorage::open`].
    pub fn connect(&self) -> Result<SqliteConnection> {
        self.0.check_occupant()?;
        self.0.connect_sqlite()
    }

    /// Looks for rows that vanished without a trace and marks them as deleted; returns how many there are.
    ///
    /// On SQLite an `INSERT OR REPLACE` that displaces *another* row by a unique constraint tells nobody, unless its
    /// connection has `recursive_triggers` on. Ours have it on, other programs' seldom. This reads every record once. It takes
    /// a row that is not there for deleted: do not call it over a table that was emptied by mistake.
    ///
    /// # Errors
    /// The database fails, or no engine was built over this storage yet.
    pub fn find_displaced(&self) -> Result<u64> {
        self.0.find_displaced()
    }
}
