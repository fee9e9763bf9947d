//! A device of ours: a database, an engine on it, and a port on loopback where it answers.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use diesel::sqlite::SqliteConnection;
use morango::client::HttpPeer;
use morango::engine::EngineBuilder;
use morango::port::{Accounts, Credentials, GrantRequest, Storage};
use morango::prelude::*;
use morango::record::StoreRecord;
use morango::scope::Filter;
use morango::server::Server;
use morango::session::Capabilities;
use morango_diesel::SqliteStorage;
use morango_examples::school::{self, Dataset};
use tempfile::TempDir;

use crate::database::{AnyRow, Connection, Database, Hold, Home, Kept, over, quoted};

/// A device with the school's tables.
pub struct Device {
    /// What the story calls it.
    pub name: &'static str,
    /// Its engine.
    pub engine: Engine,
    home: Home,
    server: Option<Server>,
    folder: TempDir,
}

impl Device {
    /// A new device with an empty school, on SQLite.
    pub fn new(name: &'static str) -> Self {
        Self::on(Database::Sqlite, name)
    }

    /// A new device with an empty school, on a database of this kind.
    pub fn on(database: Database, name: &'static str) -> Self {
        Self::at_home(name, |folder| Home::new(database, folder))
    }

    /// A new device with an empty school, on a database of this PostgreSQL server: the URL of a superuser there.
    pub fn on_server(url: &str, name: &'static str) -> Self {
        Self::at_home(name, |_| Home::on_server(url))
    }

    fn at_home(name: &'static str, home: impl FnOnce(&Path) -> Home) -> Self {
        let folder = tempfile::Builder::new().prefix(name).tempdir().expect("a folder for the device");
        let home = home(folder.path());
        let engine = home.engine();
        Self { name, engine, home, server: None, folder }
    }

    /// The beginning of another engine on this device.
    pub fn builder(&self) -> EngineBuilder {
        self.home.builder()
    }

    /// Goes on with an engine that is told more. It answers again once it is asked to.
    pub fn rebuild(&mut self, with: impl FnOnce(EngineBuilder) -> EngineBuilder) {
        self.engine = with(self.builder()).build().expect("an engine on the database");
    }

    /// A copy of the database as it is now.
    pub fn back_up(&mut self) -> Backup {
        match &self.home {
            Home::Sqlite(_) => {
                let path = self.file(&format!("{}.backup", SyncId::random()));
                self.sql(&format!("VACUUM INTO {}", quoted(&path.display().to_string())));
                Backup(Kept::File(path))
            }
            Home::Postgres(_, database, _) => {
                let database = Arc::clone(database);
                let backup = database.copy();
                self.home = Home::over(&database);
                self.engine = self.home.engine();
                Backup(Kept::Database(backup))
            }
        }
    }

    /// The same device, on which a backup was put back while it was switched off.
    #[must_use]
    pub fn restored(self, backup: &Backup, manner: Restoring) -> Self {
        let Self { name, engine, home, server, folder } = self;
        drop((engine, server));
        let home = home.restored(folder.path(), &backup.0, manner);
        let engine = home.engine();
        Self { name, engine, home, server: None, folder }
    }

    /// Another device that begins with a copy of this one's database.
    #[must_use]
    pub fn copied(&mut self, name: &'static str, manner: Restoring) -> Self {
        let backup = self.back_up();
        Self::on(self.home.kind(), name).restored(&backup, manner)
    }

    /// From now on the device can do no more than this.
    pub fn limit(&mut self, capabilities: Capabilities) {
        self.engine = self.builder().capabilities(capabilities).build().expect("an engine on the database");
    }

    /// Its storage, as the engine knows it.
    pub fn storage(&self) -> &dyn Storage {
        self.engine.storage().as_ref()
    }

    /// The storage of a device on SQLite.
    pub fn sqlite(&self) -> &SqliteStorage {
        match &self.home {
            Home::Sqlite(storage) => storage,
            Home::Postgres(..) => panic!("{} is not on SQLite", self.name),
        }
    }

    /// The URL of the database of a device on PostgreSQL.
    pub fn postgres_url(&self) -> &str {
        match &self.home {
            Home::Postgres(_, database, _) => database.url(),
            Home::Sqlite(_) => panic!("{} is not on PostgreSQL", self.name),
        }
    }

    /// Goes on with another storage over the same file.
    pub fn reopen(&mut self, storage: SqliteStorage) {
        self.home = Home::Sqlite(storage);
        self.engine = self.home.engine();
    }

    /// Where the database is, as another program is told it: a file's path, or the URL of a database of the server.
    pub fn place(&self) -> String {
        match &self.home {
            Home::Sqlite(_) => self.database().display().to_string(),
            Home::Postgres(_, database, _) => database.url().to_owned(),
        }
    }

    /// Which kind of database the device is on.
    pub fn kind(&self) -> Database {
        self.home.kind()
    }

    /// Goes on with a storage that waits so long for what another holds. It answers again once it is asked to.
    pub fn be_patient_for(&mut self, patience: Duration) {
        self.home = self.home.opened_again(patience);
        self.engine = self.home.engine();
    }

    /// The beginning of an engine on the same database that shares nothing else with this one, as if another process had it.
    pub fn builder_apart(&self) -> EngineBuilder {
        self.home.opened_again(Duration::from_secs(5)).builder()
    }

    /// What runs SQL on this device's database as somebody else, and does not end the transaction that it begins.
    pub fn holder(&self) -> impl Fn(&str) -> Hold + Send + Sync + use<> {
        let home = self.home.opened_again(Duration::from_secs(5));
        move |statements| home.connect().hold(statements)
    }

    /// The one number that a query gives under the name `number`.
    pub fn number(&self, query: &str) -> i64 {
        self.connection().number(query)
    }

    /// The database file of a device on SQLite.
    pub fn database(&self) -> PathBuf {
        self.folder.path().join("school.db")
    }

    /// This device's folder, which is deleted with it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A file of this device's folder, for whatever a story needs beside the database.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A connection as the application of a device on SQLite has it.
    pub fn connect(&self) -> SqliteConnection {
        self.sqlite().connect().expect("a connection to the database")
    }

    /// A connection as the application has it, on whichever database it is.
    pub(crate) fn connection(&self) -> Connection {
        self.home.lease()
    }

    /// The application makes a row.
    pub fn create<M: AnyRow>(&self, row: M) -> M {
        over!(&mut self.connection(), connection => row.create(connection)).expect("the row is created")
    }

    /// The application makes many rows at once.
    pub fn create_many<M: AnyRow>(&self, rows: impl IntoIterator<Item = M>) -> Vec<M> {
        over!(&mut self.connection(), connection => M::create_many(rows, connection)).expect("the rows are created")
    }

    /// The application deletes a row and what hangs on it, for good; whether it was there.
    pub fn hard_delete<M: AnyRow>(&self, id: SyncId) -> bool {
        over!(&mut self.connection(), connection => M::hard_delete_by_id(id, connection)).expect("the row is deleted")
    }

    /// Runs SQL as any program could that knows nothing of the engine, over a connection set up like the storage's own.
    pub fn sql(&self, statements: &str) {
        self.writer()(statements);
    }

    /// What runs SQL like [`Device::sql`], from wherever it is called.
    pub fn writer(&self) -> impl Fn(&str) + Send + Sync + use<> {
        let home = self.home.clone();
        move |statements| home.connect().run(statements).unwrap_or_else(|error| panic!("{statements}: {error}"))
    }

    /// Runs one statement in the same way; how many rows it touched.
    pub fn execute(&self, statement: &str) -> usize {
        self.connection().execute(statement).unwrap_or_else(|error| panic!("{statement}: {error}"))
    }

    /// Begins to answer on loopback, and says where.
    pub fn serve(&mut self, accounts: impl Accounts) -> String {
        let server = Server::bind(self.engine.router(accounts), "127.0.0.1:0").expect("a port on loopback");
        let url = server.url();
        self.server = Some(server);
        url
    }

    /// No longer answers.
    pub fn fall_silent(&mut self) {
        self.server = None;
    }

    /// Founds a school: the root certificate and the dataset row made for it.
    pub fn found_school(&self) -> Certificate {
        let root = self
            .engine
            .create_root_certificate(school::PROFILE, school::FULL_FACILITY, &[])
            .expect("a root certificate");
        self.create(Dataset { id: root.id().into(), description: "Harbour School".to_owned(), allow_guests: true });
        root
    }

    /// Asks the peer at `url` for a certificate under `root`, with an account of [`SchoolAccounts`].
    pub fn request(
        &self,
        url: &str,
        root: &CertificateId,
        scope: &str,
        params: &[(&str, &str)],
        user: &str,
    ) -> Certificate {
        let peer = HttpPeer::new(url).expect("a peer's address");
        self.engine
            .request_certificate(&peer, *root, scope, params, &Credentials::new(user, "secret"))
            .expect("a certificate")
    }

    /// Syncs with the peer at `url`.
    ///
    /// # Errors
    /// The sync failed.
    pub fn attempt_sync(
        &self,
        url: &str,
        certificate: &Certificate,
        options: SyncOptions,
    ) -> morango::Result<SyncReport> {
        let peer = HttpPeer::new(url)?;
        self.engine.sync(&peer, certificate, options)
    }

    /// Syncs with the peer at `url`, which has to go well.
    pub fn sync(&self, url: &str, certificate: &Certificate, options: SyncOptions) -> SyncReport {
        self.attempt_sync(url, certificate, options)
            .unwrap_or_else(|error| panic!("{} could not sync: {}", self.name, error.report()))
    }

    /// Brings local changes into the store.
    pub fn serialize(&self) {
        let report = self.storage().serialize(school::PROFILE, &Filter::everything(), &|_| ControlFlow::Continue(()));
        report.expect("local changes are serialized");
    }

    /// Every store record.
    pub fn store(&self) -> BTreeMap<SyncId, StoreRecord> {
        let mut records = BTreeMap::new();
        self.storage()
            .for_each_record(school::PROFILE, &Filter::everything(), &mut |record| {
                records.insert(record.id, record);
                Ok(())
            })
            .expect("the store can be read");
        records
    }

    /// One store record.
    pub fn record(&self, id: &SyncId) -> StoreRecord {
        self.store().remove(id).unwrap_or_else(|| panic!("{} has no record {id}", self.name))
    }

    /// The ids of the records in the store whose rows wait.
    pub fn waiting(&self) -> BTreeSet<SyncId> {
        self.connection().waiting()
    }

    /// The database max counters: partition, instance, counter.
    pub fn counters(&self) -> BTreeSet<(String, String, i64)> {
        self.connection().counters()
    }
}

/// A copy of a device's database.
#[derive(Debug)]
pub struct Backup(Kept);

/// What becomes of a database in whose place a backup is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restoring {
    /// The backup is another file, or another database of the server, which shows.
    AsNew,
    /// Nothing shows that it is another one: the backup is written over the old file, say.
    Unseen,
}

/// The accounts of a school: `admin` may have any scope, anybody else only that of a single user, for the id in `learners`.
#[derive(Debug, Clone, Default)]
pub struct SchoolAccounts {
    /// User names, and the ids of the learners that they are.
    pub learners: BTreeMap<String, SyncId>,
}

impl SchoolAccounts {
    /// The admin alone.
    pub fn admin() -> Self {
        Self::default()
    }

    /// The same, and a learner.
    #[must_use]
    pub fn with_learner(mut self, name: &str, id: SyncId) -> Self {
        self.learners.insert(name.to_owned(), id);
        self
    }
}

impl Accounts for SchoolAccounts {
    fn authorize(&self, credentials: &Credentials, request: &GrantRequest<'_>) -> morango::Result<()> {
        let values = credentials.user_values();
        let name = values.get("username").map_or("", String::as_str);
        if credentials.password != "secret" {
            return Err(morango::Error::unauthenticated(format!("log in as {name:?}: the password is wrong")));
        }
        if name == "admin" {
            return Ok(());
        }
        let id = self
            .learners
            .get(name)
            .ok_or_else(|| morango::Error::unauthenticated(format!("log in as {name:?}: nobody has this name")))?;
        let own = request.scope_params.get("user_id") == Some(id.to_string().as_str());
        if request.scope_definition == school::SINGLE_USER && own {
            Ok(())
        } else {
            Err(morango::Error::forbidden(format!("grant {name:?} the scope {:?}", request.scope_definition)))
        }
    }
}
