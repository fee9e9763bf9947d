//! A device of ours: a database file, an engine on it, and a port on loopback where it answers.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::PathBuf;

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Binary, Text};
use morango::client::HttpPeer;
use morango::port::{Accounts, Credentials, GrantRequest};
use morango::prelude::*;
use morango::record::StoreRecord;
use morango::scope::Filter;
use morango::server::Server;
use morango_diesel::{SqliteStorage, Syncable};
use morango_examples::school::{self, Dataset};
use tempfile::TempDir;

/// A device with the school's tables.
pub struct Device {
    /// What the story calls it.
    pub name: &'static str,
    /// Its storage.
    pub storage: SqliteStorage,
    /// Its engine.
    pub engine: Engine,
    server: Option<Server>,
    folder: TempDir,
}

impl Device {
    /// A new device with an empty school.
    pub fn new(name: &'static str) -> Self {
        let folder = tempfile::Builder::new().prefix(name).tempdir().expect("a folder for the device");
        let storage = SqliteStorage::open(folder.path().join("school.db")).expect("a database file");
        let mut connection = storage.connect().expect("a connection to it");
        school::create_tables(&mut connection).expect("the school's tables");
        crate::sampler::create_table(&mut connection).expect("the sampler's table");
        let engine = Engine::builder(storage.clone()).build().expect("an engine on the database");
        Self { name, storage, engine, server: None, folder }
    }

    /// The database file.
    pub fn database(&self) -> PathBuf {
        self.folder.path().join("school.db")
    }

    /// A file of this device's folder, for whatever a story needs beside the database.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A connection as the application has it.
    pub fn connect(&self) -> SqliteConnection {
        self.storage.connect().expect("a connection to the database")
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
        Dataset { id: root.id().into(), description: "Harbour School".to_owned(), allow_guests: true }
            .create(&mut self.connect())
            .expect("the dataset's row");
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
        let report = self.storage.serialize(school::PROFILE, &Filter::everything(), &|_| ControlFlow::Continue(()));
        report.expect("local changes are serialized");
    }

    /// Every store record.
    pub fn store(&self) -> BTreeMap<SyncId, StoreRecord> {
        let mut records = BTreeMap::new();
        self.storage
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
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = Binary)]
            record_id: SyncId,
        }
        let rows: Vec<Row> = sql_query("SELECT record_id FROM morango_store WHERE is_dirty = 1")
            .load(&mut self.connect())
            .expect("the store can be read");
        rows.into_iter().map(|row| row.record_id).collect()
    }

    /// The database max counters: partition, instance, counter.
    pub fn counters(&self) -> BTreeSet<(String, String, i64)> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = Text)]
            partition: String,
            #[diesel(sql_type = Binary)]
            instance: InstanceId,
            #[diesel(sql_type = BigInt)]
            counter: i64,
        }
        let rows: Vec<Row> = sql_query("SELECT partition, instance, counter FROM morango_database_max_counter")
            .load(&mut self.connect())
            .expect("the counters can be read");
        rows.into_iter().map(|row| (row.partition, row.instance.to_string(), row.counter)).collect()
    }
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
