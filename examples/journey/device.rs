//! One device of the journey: a database, an engine, a port, and the accounts of those who may ask it for certificates.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, RwLock};

use diesel::{PgConnection, SqliteConnection};
use morango::client::HttpPeer;
use morango::port::{Accounts, Credentials, GrantRequest};
use morango::prelude::*;
use morango::server::Server;
use morango_diesel::{PostgresStorage, SqliteStorage};
use morango_examples::school;

use crate::{Outcome, show};

/// A device with the school's tables, which answers on a port of its own from the start.
pub(crate) struct Device {
    pub(crate) name: &'static str,
    pub(crate) engine: Engine,
    pub(crate) accounts: DeviceAccounts,
    storage: Storage,
    server: Server,
}

/// The database of a device.
enum Storage {
    Sqlite(SqliteStorage),
    Postgres(PostgresStorage),
}

/// A connection as the application of a device has it.
pub(crate) enum Connection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Device {
    /// A device that keeps its data in a file.
    pub(crate) fn new(name: &'static str, folder: &Path) -> Outcome<Self> {
        let file = format!("{}.db", name.to_lowercase().replace(' ', "-"));
        let storage = SqliteStorage::open(folder.join(file))?;
        school::create_tables(&mut storage.connect()?)?;
        let engine = Engine::builder(storage.clone()).build()?;
        Self::with(name, engine, Storage::Sqlite(storage))
    }

    /// A device that keeps its data in a PostgreSQL database.
    pub(crate) fn on_postgres(name: &'static str, url: &str) -> Outcome<Self> {
        let storage = PostgresStorage::open(url)?;
        school::create_postgres_tables(&mut storage.connect()?)?;
        let engine = Engine::builder(storage.clone()).build()?;
        Self::with(name, engine, Storage::Postgres(storage))
    }

    fn with(name: &'static str, engine: Engine, storage: Storage) -> Outcome<Self> {
        let accounts = DeviceAccounts::default();
        let server = Server::bind(engine.router(accounts.clone()), "127.0.0.1:0")?;
        Ok(Self { name, engine, accounts, storage, server })
    }

    /// A connection as the application of a device with a file has it.
    pub(crate) fn connect(&self) -> Outcome<SqliteConnection> {
        match self.connection()? {
            Connection::Sqlite(connection) => Ok(connection),
            Connection::Postgres(_) => Err(format!("{} keeps its data in no file", self.name).into()),
        }
    }

    /// A connection as the application has it.
    pub(crate) fn connection(&self) -> Outcome<Connection> {
        Ok(match &self.storage {
            Storage::Sqlite(storage) => Connection::Sqlite(storage.connect()?),
            Storage::Postgres(storage) => Connection::Postgres(storage.connect()?),
        })
    }

    /// Where the device answers.
    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// Asks another device for a certificate under the one that it speaks with.
    pub(crate) fn request_certificate(
        &self,
        from: &Self,
        parent: &Certificate,
        scope: &str,
        params: &[(&str, &str)],
        credentials: &Credentials,
    ) -> Outcome<Certificate> {
        let certificate = self.ask_for_certificate(from, parent, scope, params, credentials)?;
        show::line(&format!("{} is given a {scope} certificate by {}", self.name, from.name));
        Ok(certificate)
    }

    /// The same without telling of it.
    pub(crate) fn ask_for_certificate(
        &self,
        from: &Self,
        parent: &Certificate,
        scope: &str,
        params: &[(&str, &str)],
        credentials: &Credentials,
    ) -> morango::Result<Certificate> {
        let peer = HttpPeer::new(&from.url())?;
        self.engine.request_certificate(&peer, parent, scope, params, credentials)
    }

    /// Syncs both ways with another device.
    pub(crate) fn sync(&self, other: &Self, certificate: &Certificate) -> morango::Result<SyncReport> {
        let peer = HttpPeer::new(&other.url())?;
        self.engine.sync(&peer, certificate, SyncOptions::both_ways())
    }

    /// Meets another device: both ways, with a bar that shows how far it is.
    pub(crate) fn meet(&self, other: &Self, certificate: &Certificate) -> Outcome<SyncReport> {
        let peer = HttpPeer::new(&other.url())?;
        let bar = show::Bar::new(&format!("{} meets {}", self.name, other.name));
        let watcher = bar.clone();
        let options = SyncOptions::both_ways().on_event(move |event| watcher.watch(event));
        let report = self.engine.sync(&peer, certificate, options)?;
        bar.finish(&show::summary(&report));
        Ok(report)
    }
}

/// Who may ask a device for which certificate: administrators for any, a learner for their own.
#[derive(Clone, Default)]
pub(crate) struct DeviceAccounts(Arc<RwLock<BTreeMap<String, Account>>>);

struct Account {
    password: String,
    learner: Option<SyncId>,
}

impl DeviceAccounts {
    /// Lets an administrator in.
    pub(crate) fn add_administrator(&self, name: &str, password: &str) {
        self.add(name, Account { password: password.to_owned(), learner: None });
    }

    /// Lets a learner in.
    pub(crate) fn add_learner(&self, name: &str, password: &str, id: SyncId) {
        self.add(name, Account { password: password.to_owned(), learner: Some(id) });
    }

    fn add(&self, name: &str, account: Account) {
        self.0.write().expect("nobody panics while holding the accounts").insert(name.to_owned(), account);
    }
}

impl Accounts for DeviceAccounts {
    fn authorize(&self, credentials: &Credentials, request: &GrantRequest<'_>) -> morango::Result<()> {
        let accounts = self.0.read().expect("nobody panics while holding the accounts");
        let account = accounts
            .get(&credentials.user)
            .filter(|account| account.password == credentials.password)
            .ok_or_else(|| morango::Error::unauthenticated("log in: no account has this name and password"))?;
        let is_allowed = match account.learner {
            None => true,
            Some(learner) => {
                request.scope_definition == school::SINGLE_USER
                    && request.scope_params.get("user_id") == Some(&*learner.to_string())
            }
        };
        if is_allowed {
            Ok(())
        } else {
            Err(morango::Error::forbidden(format!(
                "grant {:?} the scope {:?}: learners get their own only",
                credentials.user, request.scope_definition
            )))
        }
    }
}
