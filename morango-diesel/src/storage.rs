//! The storage over whichever database it is: how its work runs in transactions, and the table of contents of its verbs.

use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use morango::id::SyncId;
use morango::model::{ModelDefinition, Registry};
use morango::port::Progress;
use morango::{Error, ErrorKind, Result, limits};

use crate::backend::{self, Durability, Lock, Target, Transaction};
use crate::connection::Connection;
use crate::error::Fault;
use crate::models::{self, InstalledModels};
use crate::pool::{Beside, Pool};
use crate::rows::TableRows;
use crate::schema;
use crate::serialize;
use crate::serialize::fold_apart;
use crate::transaction::fold_changes;
use crate::transactions::Transactions;

/// A database that holds an application's tables and, beside them, the engine's own, whose names begin with `morango_`.
///
/// The public storages wrap it. Its clones share their connections.
#[derive(Debug, Clone)]
pub(crate) struct DieselStorage(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pool: Pool,
    models_by_hand: Vec<TableRows>,
    installed: RwLock<Option<Arc<InstalledModels>>>,
}

impl DieselStorage {
    /// Opens a database. Rows of models that did not register themselves are given by hand.
    pub(crate) fn open(target: Target, models_by_hand: Vec<TableRows>) -> Result<Self> {
        let pool = Pool::new(target);
        let storage = Self(Arc::new(Inner { pool, models_by_hand, installed: RwLock::default() }));
        storage.read("open", |_| Ok(()))?;
        Ok(storage)
    }

    /// As [`Pool::check_occupant`].
    pub(crate) fn check_occupant(&self) -> Result<()> {
        self.0.pool.check_occupant()
    }

    /// A connection for the application's own use, which says when the application is at work.
    #[cfg(feature = "sqlite")]
    pub(crate) fn connect_sqlite(&self) -> Result<diesel::sqlite::SqliteConnection> {
        use diesel::Connection as _;

        let mut connection = self.target().connect_sqlite()?;
        connection.set_instrumentation(self.0.pool.callers().watch());
        Ok(connection)
    }

    /// The database.
    pub(crate) fn target(&self) -> &Target {
        self.0.pool.target()
    }

    /// Marks rows that vanished without a trace as deleted; returns how many there are.
    ///
    /// # Errors
    /// The database fails, or no engine was built over this storage yet.
    pub(crate) fn find_displaced(&self) -> Result<u64> {
        let operation = "look for displaced rows";
        let models = self.models()?;
        fold_apart(self, operation)?;
        self.write(operation, |connection| {
            fold_changes(connection)?;
            models.all().iter().try_fold(0, |sum, model| Ok(sum + backend::mark_displaced(connection, model)?))
        })
    }

    /// The models that were installed by `prepare`.
    ///
    /// # Errors
    /// It was not called yet.
    pub(crate) fn models(&self) -> Result<Arc<InstalledModels>> {
        let installed = self.0.installed.read().unwrap_or_else(PoisonError::into_inner);
        installed.clone().ok_or_else(|| {
            let message = format!("use the database {}: no model is installed yet", self.target().location());
            Error::new(ErrorKind::Configuration, message).with_hint("build an engine over this storage first")
        })
    }

    /// Brings the engine's own tables up to date and installs change capture for the registry's models.
    ///
    /// What was noted while no engine was at work is folded here, so that it is never more than was changed since one began or
    /// serialized.
    pub(crate) fn install(&self, registry: &Registry) -> Result<()> {
        let rows = self.rows_of(registry)?;
        let installed = self.write_locked("prepare the engine's tables", Lock::Setup, |connection| {
            schema::bring_up_to_date(connection)?;
            let installed = models::install(connection, &rows)?;
            backend::install_capture(connection, &installed)?;
            Ok(installed)
        })?;
        *self.0.installed.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(installed));
        let operation = "make marks of what was changed";
        let folds = self.read(operation, backend::folds_needed)?;
        serialize::fold(&Transactions::of(self), operation, folds, &|_: Progress| ControlFlow::Continue(()))
    }

    fn rows_of(&self, registry: &Registry) -> Result<Vec<TableRows>> {
        let rows = |definition: &'static ModelDefinition| {
            let is_same = |rows: &&TableRows| (rows.definition().type_id)() == (definition.type_id)();
            match self.0.models_by_hand.iter().find(is_same) {
                Some(rows) => Ok(*rows),
                None => self.target().registered_rows(definition),
            }
        };
        registry.all_models().map(rows).collect()
    }

    /// Runs work that only reads, and sees one state throughout. `operation` is a fragment such as `list certificates`.
    pub(crate) fn read<R>(
        &self,
        operation: &str,
        work: impl FnOnce(&mut Connection<'_>) -> Result<R, Fault>,
    ) -> Result<R> {
        self.read_locked(operation, Lock::None, work)
    }

    /// [`DieselStorage::read`], kept apart from others that write.
    pub(crate) fn read_locked<R>(
        &self,
        operation: &str,
        lock: Lock<'_>,
        work: impl FnOnce(&mut Connection<'_>) -> Result<R, Fault>,
    ) -> Result<R> {
        self.0.pool.read(lock, work).map_err(|fault| self.told(operation, fault))
    }

    /// As [`Pool::beside`].
    pub(crate) fn beside(&self) -> Option<Beside<'_>> {
        self.0.pool.beside()
    }

    /// Runs work that writes, in one transaction that is on the disk before this returns.
    ///
    /// Where the transaction met another one the work is run again: it changes nothing outside of the transaction but what it gives.
    pub(crate) fn write<R>(
        &self,
        operation: &str,
        work: impl FnMut(&mut Connection<'_>) -> Result<R, Fault>,
    ) -> Result<R> {
        self.write_locked(operation, Lock::None, work)
    }

    /// [`DieselStorage::write`], kept apart from others.
    pub(crate) fn write_locked<R>(
        &self,
        operation: &str,
        lock: Lock<'_>,
        work: impl FnMut(&mut Connection<'_>) -> Result<R, Fault>,
    ) -> Result<R> {
        self.run(operation, Transaction { durability: Durability::Durable, lock }, work)
    }

    /// Runs work that writes what a power failure may take back: see [`Durability::Buffered`].
    pub(crate) fn write_buffered<R>(
        &self,
        operation: &str,
        work: impl FnMut(&mut Connection<'_>) -> Result<R, Fault>,
    ) -> Result<R> {
        self.run(operation, Transaction { durability: Durability::Buffered, lock: Lock::None }, work)
    }

    /// Runs one of several transactions of a verb, kept apart from others. It is on the disk with the next durable commit, with which the
    /// verb ends where it comes to its end: a power failure takes back the later parts of the work and never a part from the middle.
    pub(crate) fn write_part<R>(
        &self,
        operation: &str,
        lock: Lock<'_>,
        work: impl FnMut(&mut Connection<'_>) -> Result<R, Fault>,
    ) -> Result<R> {
        self.run(operation, Transaction { durability: Durability::Buffered, lock }, work)
    }

    fn run<R>(
        &self,
        operation: &str,
        transaction: Transaction<'_>,
        mut work: impl FnMut(&mut Connection<'_>) -> Result<R, Fault>,
    ) -> Result<R> {
        let mut pause = Duration::from_millis(limits::TRANSACTION_PAUSE_FIRST_MILLISECONDS);
        let (mut tries, began) = (1, Instant::now());
        // A row that the application holds is waited for in short turns, and in all no longer than for any other lock.
        let is_patient = |fault: &Fault| {
            fault.is_conflict() || (fault.is_wait(transaction.lock) && began.elapsed() < self.target().patience())
        };
        loop {
            match self.0.pool.write(transaction, &mut work) {
                Err(fault) if tries < limits::TRANSACTION_TRIES_MAX && is_patient(&fault) => {
                    tracing::debug!(operation, tries, "a transaction met another one and is run again");
                    // Two that meet would meet again if they paused alike.
                    std::thread::sleep(somewhat_longer(pause));
                    pause = (pause * 2).min(Duration::from_millis(limits::TRANSACTION_PAUSE_MAX_MILLISECONDS));
                    tries += 1;
                }
                outcome => return outcome.map_err(|fault| self.told(operation, fault)),
            }
        }
    }

    /// What stopped an operation, as the crate's door tells it.
    pub(crate) fn told(&self, operation: &str, fault: Fault) -> morango::Error {
        fault.during(format!("{operation} in {}", self.target().location()))
    }
}

/// Up to twice the pause, each time another one.
fn somewhat_longer(pause: Duration) -> Duration {
    let [random, ..] = *SyncId::random().as_bytes();
    pause + pause * u32::from(random) / u32::from(u8::MAX)
}
