//! Where a device keeps its data: which database, its storage, and how a story reaches the application's own tables in it.
//!
//! Stories are written once and told on each database: what differs between the databases differs here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use diesel::Connection as _;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::SqliteConnection;
use morango::engine::EngineBuilder;
use morango::model::Registry;
use morango::port::Storage as _;
use morango::prelude::*;
use morango_diesel::{PostgresStorage, Rows, SqliteStorage, Syncable};
use morango_examples::school;

use crate::device::Restoring;
use crate::postgres::{Template, TestDatabase};

/// A kind of database that a device may be on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Database {
    /// A file.
    Sqlite,
    /// A database of the server that the tests are given.
    Postgres,
}

/// A row that is at home in every kind of database.
pub trait AnyRow: Syncable + Rows<SqliteConnection> + Rows<PgConnection> {}

impl<M: Syncable + Rows<SqliteConnection> + Rows<PgConnection>> AnyRow for M {}

/// The storage of a device.
#[derive(Clone)]
pub(crate) enum Home {
    Sqlite(SqliteStorage),
    /// The database goes when the last device on it does.
    Postgres(PostgresStorage, Arc<TestDatabase>, Idle),
}

/// A connection of an application to its database.
pub(crate) enum Connection {
    Sqlite(SqliteConnection),
    Postgres(Lease),
}

/// The application's connection that nobody uses at the moment: for each the server starts a process, which takes longer than what is
/// mostly asked of it.
pub(crate) type Idle = Arc<Mutex<Option<PgConnection>>>;

/// A connection to a server. It may be used again where it is known what was done with it.
pub(crate) struct Lease {
    connection: Option<PgConnection>,
    idle: Option<Idle>,
}

/// What every database of the server begins with: the application's tables, and the engine's own.
static WITH_TABLES: LazyLock<Template> = LazyLock::new(|| {
    Template::make(|url| {
        let storage = PostgresStorage::open(url).expect("a database of the server");
        make_postgres_tables(&mut storage.connect().expect("a connection to it"));
        let registry = Registry::collect().expect("the models fit together");
        storage.prepare(&Arc::new(registry)).expect("the engine's tables and triggers");
    })
});

fn make_postgres_tables(connection: &mut PgConnection) {
    school::create_postgres_tables(connection).expect("the school's tables");
    crate::sampler::create_postgres_table(connection).expect("the sampler's table");
}

/// A connection of somebody else, within a transaction that they have not ended. It is undone when this is dropped.
pub struct Hold(Connection);

impl Hold {
    /// They keep what they did.
    pub fn commit(mut self) {
        self.0.run("COMMIT").expect("what they did is kept");
    }
}

/// A copy of a database.
#[derive(Debug)]
pub(crate) enum Kept {
    File(PathBuf),
    Database(TestDatabase),
}

/// Does something with a connection, whichever it is.
macro_rules! over {
    ($connection:expr, $name:ident => $work:expr) => {
        match $connection {
            $crate::database::Connection::Sqlite($name) => $work,
            $crate::database::Connection::Postgres(lease) => {
                let $name = lease.connection();
                $work
            }
        }
    };
}
pub(crate) use over;

impl Home {
    /// Makes a database of this kind, with the application's tables; a file lies in `folder`.
    pub(crate) fn new(kind: Database, folder: &Path) -> Self {
        match kind {
            Database::Sqlite => {
                let storage = SqliteStorage::open(folder.join("school.db")).expect("a database file");
                let mut connection = storage.connect().expect("a connection to it");
                school::create_tables(&mut connection).expect("the school's tables");
                crate::sampler::create_table(&mut connection).expect("the sampler's table");
                Self::Sqlite(storage)
            }
            Database::Postgres => Self::over(&Arc::new(TestDatabase::like(&WITH_TABLES))),
        }
    }

    /// Makes a database of this server, with the application's tables.
    pub(crate) fn on_server(url: &str) -> Self {
        let database = TestDatabase::create_on(url);
        let mut connection = PgConnection::establish(database.url()).expect("a connection to it");
        make_postgres_tables(&mut connection);
        Self::over(&Arc::new(database))
    }

    /// The same database, opened anew: no connection is shared. Locks are waited for so long.
    pub(crate) fn opened_again(&self, patience: Duration) -> Self {
        match self {
            Self::Sqlite(storage) => {
                let again = SqliteStorage::builder(storage.location()).busy_timeout(patience).open();
                Self::Sqlite(again.expect("the database file"))
            }
            Self::Postgres(_, database, _) => {
                let again = PostgresStorage::builder(database.url()).lock_timeout(patience).open();
                Self::Postgres(again.expect("the database of the server"), Arc::clone(database), Idle::default())
            }
        }
    }

    /// A storage over a database of the server.
    pub(crate) fn over(database: &Arc<TestDatabase>) -> Self {
        let storage = PostgresStorage::open(database.url()).expect("a database of the server");
        Self::Postgres(storage, Arc::clone(database), Idle::default())
    }

    /// Which kind of database it is.
    pub(crate) fn kind(&self) -> Database {
        match self {
            Self::Sqlite(_) => Database::Sqlite,
            Self::Postgres(..) => Database::Postgres,
        }
    }

    /// A copy in the place of this database.
    pub(crate) fn restored(self, folder: &Path, kept: &Kept, manner: Restoring) -> Self {
        let home = match (self, kept) {
            (Self::Sqlite(storage), Kept::File(backup)) => {
                drop(storage);
                let file = folder.join("school.db");
                for name in ["school.db-wal", "school.db-shm"] {
                    let _ = std::fs::remove_file(folder.join(name));
                }
                if manner == Restoring::AsNew {
                    std::fs::remove_file(&file).expect("the old file goes");
                }
                std::fs::copy(backup, &file).expect("the backup is put back");
                Self::Sqlite(SqliteStorage::open(&file).expect("a database file"))
            }
            (Self::Postgres(storage, database, idle), Kept::Database(backup)) => {
                drop((storage, idle));
                database.take_over(backup);
                Self::over(&database)
            }
            (Self::Sqlite(_), Kept::Database(_)) | (Self::Postgres(..), Kept::File(_)) => {
                panic!("a backup is put back on the kind of database that it is of")
            }
        };
        // A database of a server cannot be overwritten from outside; so what it was is not known, as if it were older than the notes.
        if manner == Restoring::Unseen {
            home.connect().run("DELETE FROM morango_fact WHERE name = 'identity'").expect("nothing is noted");
        }
        home
    }

    /// An engine on this storage.
    pub(crate) fn engine(&self) -> Engine {
        self.builder().build().expect("an engine on the database")
    }

    /// The beginning of an engine on this storage.
    pub(crate) fn builder(&self) -> EngineBuilder {
        match self {
            Self::Sqlite(storage) => Engine::builder(storage.clone()),
            Self::Postgres(storage, ..) => Engine::builder(storage.clone()),
        }
    }

    /// A new connection, for anything: who knows what another one would still see as it was.
    pub(crate) fn connect(&self) -> Connection {
        match self {
            Self::Sqlite(storage) => Connection::Sqlite(storage.connect().expect("a connection to the database")),
            Self::Postgres(storage, _, idle) => {
                take_idle(idle);
                let connection = storage.connect().expect("a connection to the database");
                Connection::Postgres(Lease { connection: Some(connection), idle: None })
            }
        }
    }

    /// A connection for what leaves it as it was: to read, and to save rows.
    pub(crate) fn lease(&self) -> Connection {
        let Self::Postgres(storage, _, idle) = self else { return self.connect() };
        // It may have been cut since.
        let alive = take_idle(idle).and_then(|mut it| it.batch_execute("SELECT 1").is_ok().then_some(it));
        let connection = alive.unwrap_or_else(|| storage.connect().expect("a connection to the database"));
        Connection::Postgres(Lease { connection: Some(connection), idle: Some(Arc::clone(idle)) })
    }
}

fn take_idle(idle: &Idle) -> Option<PgConnection> {
    idle.lock().unwrap_or_else(PoisonError::into_inner).take()
}

impl Lease {
    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect("it is there until it is given back")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(idle) = self.idle.take().filter(|_| !std::thread::panicking()) {
            *idle.lock().unwrap_or_else(PoisonError::into_inner) = self.connection.take();
        }
    }
}

impl Connection {
    /// Runs SQL as any program could that knows nothing of the engine.
    pub(crate) fn run(&mut self, statements: &str) -> QueryResult<()> {
        over!(self, connection => connection.batch_execute(statements))
    }

    /// Runs SQL, and leaves the transaction open that it began.
    pub(crate) fn hold(mut self, statements: &str) -> Hold {
        self.run(statements).unwrap_or_else(|error| panic!("{statements}: {error}"));
        Hold(self)
    }

    /// The one number that a query gives under the name `number`.
    pub(crate) fn number(&mut self, query: &str) -> i64 {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = BigInt)]
            number: i64,
        }
        let row: QueryResult<Row> = over!(self, connection => sql_query(query).get_result(connection));
        row.unwrap_or_else(|error| panic!("{query}: {error}")).number
    }

    /// Runs one statement; how many rows it touched.
    pub(crate) fn execute(&mut self, statement: &str) -> QueryResult<usize> {
        over!(self, connection => sql_query(statement).execute(connection))
    }

    /// The records in the store whose rows wait.
    pub(crate) fn waiting(&mut self) -> BTreeSet<SyncId> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = Text)]
            id: String,
        }
        let id = self.digits_of("record_id");
        let statement = format!("SELECT {id} AS id FROM morango_store WHERE is_dirty = 1");
        let rows: QueryResult<Vec<Row>> = over!(self, connection => sql_query(statement).load(connection));
        rows.expect("the store can be read").iter().map(|row| row.id.parse().expect("an id")).collect()
    }

    /// The database max counters: partition, instance, counter.
    pub(crate) fn counters(&mut self) -> BTreeSet<(String, String, i64)> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = Text)]
            partition: String,
            #[diesel(sql_type = Text)]
            instance: String,
            #[diesel(sql_type = BigInt)]
            counter: i64,
        }
        let instance = self.digits_of("instance");
        let statement = format!("SELECT partition, {instance} AS instance, counter FROM morango_database_max_counter");
        let rows: QueryResult<Vec<Row>> = over!(self, connection => sql_query(statement).load(connection));
        let rows = rows.expect("the counters can be read").into_iter();
        rows.map(|row| (row.partition, row.instance, row.counter)).collect()
    }

    /// How the digits of an id are had from a column of our own tables.
    fn digits_of(&self, column: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("lower(hex({column}))"),
            Self::Postgres(_) => format!("replace({column}::text, '-', '')"),
        }
    }
}

/// Makes a row on the connection of an operation, on whichever database it is.
///
/// # Errors
/// The row cannot be made.
pub fn create_within<M: AnyRow>(context: &mut OperationContext<'_>, database: Database, row: M) -> morango::Result<M> {
    match database {
        Database::Sqlite => row.create(context.connection::<SqliteConnection>()?),
        Database::Postgres => row.create(context.connection::<PgConnection>()?),
    }
}

/// Runs SQL on the connection of an operation, on whichever database it is.
///
/// # Errors
/// The database refuses it.
pub fn run_within(context: &mut OperationContext<'_>, database: Database, statements: &str) -> Result<(), GuestError> {
    match database {
        Database::Sqlite => Ok(context.connection::<SqliteConnection>()?.batch_execute(statements)?),
        Database::Postgres => Ok(context.connection::<PgConnection>()?.batch_execute(statements)?),
    }
}

/// A text as it stands in a statement.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
