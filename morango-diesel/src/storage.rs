//! The storage over one SQLite file: how it is opened, and the table of contents of its verbs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use diesel::sqlite::SqliteConnection;

use crate::backend::sqlite::{ConnectionOptions, Durability};
use crate::error::Fault;
use crate::pool::Pool;

/// How long a statement waits for another program's lock, unless an application chooses otherwise.
const BUSY_TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);

/// A SQLite file that holds an application's tables and, beside them, the engine's own, whose names begin with `morango_`.
///
/// It may be cloned: the clones share their connections. Use one storage per file and program.
#[derive(Debug, Clone)]
pub struct SqliteStorage {
    pool: Arc<Pool>,
}

/// How a [`SqliteStorage`] is to be opened.
#[derive(Debug, Clone)]
#[must_use = "nothing is opened before `open`"]
pub struct SqliteStorageBuilder {
    path: PathBuf,
    busy_timeout: Duration,
}

impl SqliteStorageBuilder {
    /// How long to wait for another program's lock before a call fails as busy. Unless set, 5 seconds.
    pub fn busy_timeout(mut self, busy_timeout: Duration) -> Self {
        self.busy_timeout = busy_timeout;
        self
    }

    /// Opens the file, which is created if it is not there.
    ///
    /// # Errors
    /// It cannot be opened or written to, is no database, or is locked by another for longer than the busy timeout.
    pub fn open(self) -> morango::Result<SqliteStorage> {
        let path = std::path::absolute(&self.path).unwrap_or(self.path);
        let pool = Pool::new(path, ConnectionOptions { busy_timeout: self.busy_timeout });
        let storage = SqliteStorage { pool: Arc::new(pool) };
        storage.read("open", |_| Ok(()))?;
        Ok(storage)
    }
}

impl SqliteStorage {
    /// Opens a file, which is created if it is not there; see [`SqliteStorage::builder`] for more choice.
    ///
    /// # Errors
    /// It cannot be opened or written to, is no database, or is locked by another for longer than 5 seconds.
    pub fn open(path: impl AsRef<Path>) -> morango::Result<Self> {
        Self::builder(path).open()
    }

    /// The storage of a file, yet to be opened.
    pub fn builder(path: impl AsRef<Path>) -> SqliteStorageBuilder {
        SqliteStorageBuilder { path: path.as_ref().to_owned(), busy_timeout: BUSY_TIMEOUT_DEFAULT }
    }

    /// A connection for the application's own use, set up like the storage's own: with foreign keys, with triggers that
    /// see replaced rows, and with the same patience.
    ///
    /// # Errors
    /// Those of [`SqliteStorage::open`].
    pub fn connect(&self) -> morango::Result<SqliteConnection> {
        self.pool.connect()
    }

    /// Runs work that only reads, and sees one state throughout. `operation` is a fragment such as `list certificates`.
    pub(crate) fn read<R>(
        &self,
        operation: &str,
        work: impl FnOnce(&mut SqliteConnection) -> Result<R, Fault>,
    ) -> morango::Result<R> {
        self.pool.read(work).map_err(|fault| self.told(operation, fault))
    }

    /// Runs work that writes, in one transaction that is on the disk before this returns.
    pub(crate) fn write<R>(
        &self,
        operation: &str,
        work: impl FnOnce(&mut SqliteConnection) -> Result<R, Fault>,
    ) -> morango::Result<R> {
        self.pool.write(Durability::Durable, work).map_err(|fault| self.told(operation, fault))
    }

    /// Runs work that writes what a power failure may take back: see [`Durability::Buffered`].
    pub(crate) fn write_buffered<R>(
        &self,
        operation: &str,
        work: impl FnOnce(&mut SqliteConnection) -> Result<R, Fault>,
    ) -> morango::Result<R> {
        self.pool.write(Durability::Buffered, work).map_err(|fault| self.told(operation, fault))
    }

    fn told(&self, operation: &str, fault: Fault) -> morango::Error {
        fault.during(format!("{operation} in {}", self.pool.path().display()))
    }
}
