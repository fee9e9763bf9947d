//! The storage over one SQLite file: how it is opened, and the table of contents of its verbs.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::sqlite::SqliteConnection;
use morango::counter::{Fsic, Lack};
use morango::id::{CertificateId, DatabaseId, NonceId, SyncSessionId, TransferSessionId};
use morango::identity::{Certificate, Instance, Nonce, PrivateKey};
use morango::model::Registry;
use morango::port::{
    CertificateQuery, Chunk, DequeueReport, DeserializeReport, Rejection, SerializeReport, Storage, StoredCertificate,
    Watch,
};
use morango::record::{BufferRecord, StoreRecord};
use morango::scope::Filter;
use morango::session::{Role, SyncSession, TransferSession};
use morango::{Error, ErrorKind, Result};

use crate::backend::sqlite::{ConnectionOptions, Durability, KIND};
use crate::error::Fault;
use crate::models::{self, InstalledModels};
use crate::pool::Pool;
use crate::rows::SqliteModel;
use crate::{
    certificates, counters, dequeue, deserialize, instance, queue, receive, records, schema, serialize, sessions,
    transaction, triggers,
};

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
    pub fn open(self) -> Result<SqliteStorage> {
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
    pub fn find_displaced(&self) -> Result<u64> {
        let models = self.models()?;
        self.write("look for displaced rows", |connection| {
            models.all().iter().try_fold(0, |sum, model| Ok(sum + triggers::mark_displaced(connection, model)?))
        })
    }

    /// The models that were installed by `prepare`.
    ///
    /// # Errors
    /// It was not called yet.
    pub(crate) fn models(&self) -> Result<Arc<InstalledModels>> {
        let installed = self.0.installed.read().unwrap_or_else(PoisonError::into_inner);
        installed.clone().ok_or_else(|| {
            let message = format!("use the database {}: no model is installed yet", self.0.pool.path().display());
            Error::new(ErrorKind::Configuration, message).with_hint("build an engine over this storage first")
        })
    }

    fn install(&self, registry: &Registry) -> Result<()> {
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
    ) -> Result<R> {
        self.0.pool.read(work).map_err(|fault| self.told(operation, fault))
    }

    /// Runs work that writes, in one transaction that is on the disk before this returns.
    pub(crate) fn write<R>(
        &self,
        operation: &str,
        work: impl FnOnce(&mut SqliteConnection) -> Result<R, Fault>,
    ) -> Result<R> {
        self.0.pool.write(Durability::Durable, work).map_err(|fault| self.told(operation, fault))
    }

    /// Runs work that writes what a power failure may take back: see [`Durability::Buffered`].
    pub(crate) fn write_buffered<R>(
        &self,
        operation: &str,
        work: impl FnOnce(&mut SqliteConnection) -> Result<R, Fault>,
    ) -> Result<R> {
        self.0.pool.write(Durability::Buffered, work).map_err(|fault| self.told(operation, fault))
    }

    fn told(&self, operation: &str, fault: Fault) -> morango::Error {
        fault.during(format!("{operation} in {}", self.0.pool.path().display()))
    }
}

impl Storage for SqliteStorage {
    fn prepare(&self, registry: &Arc<Registry>) -> Result<()> {
        self.install(registry)
    }

    fn database_id(&self) -> Result<DatabaseId> {
        instance::database_id(self)
    }

    fn renew_database_id(&self) -> Result<DatabaseId> {
        instance::renew_database_id(self)
    }

    fn location(&self) -> String {
        self.0.pool.path().display().to_string()
    }

    fn kind(&self) -> &'static str {
        KIND
    }

    fn adopt_instance(&self, instance: &Instance) -> Result<()> {
        instance::adopt_instance(self, instance)
    }

    fn save_certificates(
        &self,
        certificates: &[Certificate],
        key: Option<(&CertificateId, &PrivateKey)>,
    ) -> Result<()> {
        certificates::save_certificates(self, certificates, key)
    }

    fn certificate(&self, id: &CertificateId) -> Result<Option<StoredCertificate>> {
        certificates::certificate(self, id)
    }

    fn certificates(&self, query: &CertificateQuery) -> Result<Vec<StoredCertificate>> {
        certificates::certificates(self, query)
    }

    fn private_key(&self, id: &CertificateId) -> Result<Option<PrivateKey>> {
        certificates::private_key(self, id)
    }

    fn issue_nonce(&self, nonce: &Nonce, stale_before: DateTime<Utc>) -> Result<()> {
        sessions::issue_nonce(self, nonce, stale_before)
    }

    fn take_nonce(&self, id: &NonceId) -> Result<Option<Nonce>> {
        sessions::take_nonce(self, id)
    }

    fn create_sync_session(&self, session: &SyncSession) -> Result<()> {
        sessions::create_sync_session(self, session)
    }

    fn sync_session(&self, id: &SyncSessionId) -> Result<Option<SyncSession>> {
        sessions::sync_session(self, id)
    }

    fn close_sync_session(&self, id: &SyncSessionId, now: DateTime<Utc>) -> Result<()> {
        sessions::close_sync_session(self, id, now)
    }

    fn create_transfer_session(&self, session: &TransferSession) -> Result<TransferSession> {
        sessions::create_transfer_session(self, session)
    }

    fn transfer_session(&self, id: &TransferSessionId) -> Result<Option<TransferSession>> {
        sessions::transfer_session(self, id)
    }

    fn update_transfer_session(
        &self,
        id: &TransferSessionId,
        change: &mut dyn FnMut(&mut TransferSession),
    ) -> Result<Option<TransferSession>> {
        sessions::update_transfer_session(self, id, change)
    }

    fn serialize(&self, profile: &str, filter: &Filter, watch: Watch<'_>) -> Result<SerializeReport> {
        serialize::serialize(self, profile, filter, watch)
    }

    fn fsic(&self, profile: &str, filter: &Filter, role: Role) -> Result<Fsic> {
        self.read("compute the counters", |connection| counters::fsic(connection, profile, filter, role))
    }

    fn queue(&self, session: &TransferSession, lacks: &[Lack]) -> Result<u64> {
        queue::queue(self, session, lacks)
    }

    fn queued_chunk(&self, session: &TransferSessionId, offset: u64, limit: usize) -> Result<Chunk> {
        queue::queued_chunk(self, session, offset, limit)
    }

    fn receive_chunk(
        &self,
        session: &TransferSessionId,
        digest: &[u8; 32],
        records: &[BufferRecord],
        rejections: &[Rejection],
    ) -> Result<u64> {
        receive::receive_chunk(self, session, digest, records, rejections)
    }

    fn dequeue(&self, session: &TransferSession, watch: Watch<'_>) -> Result<DequeueReport> {
        dequeue::dequeue(self, session, watch)
    }

    fn deserialize(&self, profile: &str, filter: &Filter, watch: Watch<'_>) -> Result<DeserializeReport> {
        deserialize::deserialize(self, profile, filter, watch)
    }

    fn clean_up(&self, session: &TransferSessionId, now: DateTime<Utc>) -> Result<()> {
        receive::clean_up(self, session, now)
    }

    fn rejections(&self, session: &TransferSessionId, limit: usize) -> Result<Vec<Rejection>> {
        receive::rejections(self, session, limit)
    }

    fn for_each_record(
        &self,
        profile: &str,
        filter: &Filter,
        each: &mut dyn FnMut(StoreRecord) -> Result<()>,
    ) -> Result<()> {
        records::for_each_record(self, profile, filter, each)
    }
}
