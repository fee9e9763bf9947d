//! The storage over one SQLite file: how it is opened, and the table of contents of its verbs.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use diesel::sqlite::SqliteConnection;
use morango::model::Registry;
use morango::{Error, ErrorKind};

use crate::backend::sqlite::{ConnectionOptions, Durability};
use crate::error::Fault;
use crate::models::{self, InstalledModels};
use crate::pool::Pool;
use crate::rows::SqliteModel;
use crate::{schema, transaction, triggers};

/// How long a statement waits for another program's lock, unless an application chooses otherwise.
const BUSY_TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);

/// A SQLite file that holds an application's tables and, beside them, the engine's own, whose names begin with `morango_`.
///
/// It may be cloned: the clones share their connections. Use one storage per file and program.
#[derive(Debug, Clone)]
pub struct SqliteStorage(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pool: Pool,
    models_by_hand: Vec<SqliteModel>,
    installed: RwLock<Option<Arc<InstalledModels>>>,
}

/// How a [`SqliteStorage`] is to be opened.
#[derive(Debug, Clone)]
#[must_use = "nothing is opened before `open`"]
pub struct SqliteStorageBuilder {
    path: PathBuf,
    busy_timeout: Duration,
    models: Vec<SqliteModel>,
}

impl SqliteStorageBuilder {
    /// How long to wait for another program's lock before a call fails as busy. Unless set, 5 seconds.
    pub fn busy_timeout(mut self, busy_timeout: Duration) -> Self {
        self.busy_timeout = busy_timeout;
        self
    }

    /// Adds the rows of a model that did not register itself, as in a test that makes its registry by hand.
    pub fn model(mut self, model: SqliteModel) -> Self {
        self.models.push(model);
        self
    }

    /// Opens the file, which is created if it is not there.
    ///
    /// # Errors
    /// It cannot be opened or written to, is no database, or is locked by another for longer than the busy timeout.
    pub fn open(self) -> morango::Result<SqliteStorage> {
        let path = std::path::absolute(&self.path).unwrap_or(self.path);
        let pool = Pool::new(path, ConnectionOptions { busy_timeout: self.busy_timeout });
        let inner = Inner { pool, models_by_hand: self.models, installed: RwLock::default() };
        let storage = SqliteStorage(Arc::new(inner));
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
        SqliteStorageBuilder { path: path.as_ref().to_owned(), busy_timeout: BUSY_TIMEOUT_DEFAULT, models: Vec::new() }
    }

    /// A connection for the application's own use, set up like the storage's own: with foreign keys, with triggers that
    /// see replaced rows, and with the same patience.
    ///
    /// # Errors
    /// Those of [`SqliteStorage::open`].
    pub fn connect(&self) -> morango::Result<SqliteConnection> {
        self.0.pool.connect()
    }

    /// Looks for rows that vanished without a trace and marks them as deleted; returns how many there are.
    ///
    /// On SQLite an `INSERT OR REPLACE` that displaces *another* row by a unique constraint tells nobody, unless its
    /// connection has `recursive_triggers` on. Ours have it on, other programs' seldom. This reads every record once. It takes
    /// a row that is not there for deleted: do not call it over a table that was emptied by mistake.
    ///
    /// # Errors
    /// The database fails, or no engine was built over this storage yet.
    pub fn find_displaced(&self) -> morango::Result<u64> {
        let models = self.models()?;
        self.write("look for displaced rows", |connection| {
            models.all().iter().try_fold(0, |sum, model| Ok(sum + triggers::mark_displaced(connection, model)?))
        })
    }

    /// The models that were installed by `prepare`.
    ///
    /// # Errors
    /// It was not called yet.
    pub(crate) fn models(&self) -> morango::Result<Arc<InstalledModels>> {
        let installed = self.0.installed.read().unwrap_or_else(PoisonError::into_inner);
        installed.clone().ok_or_else(|| {
            let message = format!("use the database {}: no model is installed yet", self.0.pool.path().display());
            Error::new(ErrorKind::Configuration, message).with_hint("build an engine over this storage first")
        })
    }

    fn install(&self, registry: &Registry) -> morango::Result<()> {
        let rows = models::with_rows(registry, &self.0.models_by_hand)?;
        let installed = self.write("prepare the engine's tables", |connection| {
            schema::bring_up_to_date(connection)?;
            transaction::reset_capture(connection)?;
            let installed = models::install(connection, &rows)?;
            triggers::install(connection, &installed)?;
            Ok(installed)
        })?;
        *self.0.installed.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(installed));
        Ok(())
    }

    /// Runs work that only reads, and sees one state throughout. `operation` is a fragment such as `list certificates`.
    pub(crate) fn read<R>(
        &self,
        operation: &str,
        work: impl FnOnce(&mut SqliteConnection) -> Result<R, Fault>,
    ) -> morango::Result<R> {
        self.0.pool.read(work).map_err(|fault| self.told(operation, fault))
    }

    /// Runs work that writes, in one transaction that is on the disk before this returns.
    pub(crate) fn write<R>(
        &self,
        operation: &str,
        work: impl FnOnce(&mut SqliteConnection) -> Result<R, Fault>,
    ) -> morango::Result<R> {
        self.0.pool.write(Durability::Durable, work).map_err(|fault| self.told(operation, fault))
    }

    /// Runs work that writes what a power failure may take back: see [`Durability::Buffered`].
    pub(crate) fn write_buffered<R>(
        &self,
        operation: &str,
        work: impl FnOnce(&mut SqliteConnection) -> Result<R, Fault>,
    ) -> morango::Result<R> {
        self.0.pool.write(Durability::Buffered, work).map_err(|fault| self.told(operation, fault))
    }

    fn told(&self, operation: &str, fault: Fault) -> morango::Error {
        fault.during(format!("{operation} in {}", self.0.pool.path().display()))
    }
}
