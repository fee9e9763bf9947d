//! A PostgreSQL database, and what a story has to say otherwise on PostgreSQL.
//!
//! A sibling for another database has the same items in the same order.

use diesel::connection::Connection as _;
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use morango::id::SyncId;
use morango_diesel::PostgresStorage;
use morango_memory::MemoryModel;

pub(crate) type Storage = PostgresStorage;
pub(crate) type Connection = PgConnection;
/// The type of the columns that hold ids.
pub(crate) type Key = diesel::sql_types::Text;

/// A model of the application.
macro_rules! model {
    ($model:ident in $table:ident: $($item:tt)*) => {
        #[derive(Debug, Clone, PartialEq, Queryable, Selectable, Syncable)]
        #[diesel(table_name = $table)]
        $($item)*

        impl super::rows::Kept for $model {
            fn all(connection: &mut super::database::Connection) -> Vec<Self> {
                $table::table.order($table::id).select(Self::as_select()).load(connection).expect("the rows")
            }
        }
    };
}
pub(crate) use model;

/// A database of its own on the server, which is dropped in the end.
pub(crate) struct Database {
    name: String,
}

impl Database {
    pub(crate) fn new() -> Self {
        let name = format!("morango_test_{}", SyncId::random());
        run_on_server(&format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"));
        Self { name }
    }

    pub(crate) fn url(&self) -> String {
        let server = server();
        let (place, options) = server.split_once('?').map_or((server.as_str(), None), |(one, two)| (one, Some(two)));
        let (address, _) = place.rsplit_once('/').expect("the URL ends with a database");
        let options = options.map(|options| format!("?{options}")).unwrap_or_default();
        format!("{address}/{}{options}", self.name)
    }

    pub(crate) fn open(&self) -> Storage {
        PostgresStorage::open(self.url()).expect("open the database")
    }

    /// A connection that nobody of ours has set up.
    pub(crate) fn plain_connection(&self) -> Connection {
        PgConnection::establish(&self.url()).expect("another connection")
    }

    /// Another program writes, of which we know nothing.
    pub(crate) fn run_elsewhere(&self, statements: &[&str]) {
        let mut connection = self.plain_connection();
        for statement in statements {
            connection.batch_execute(&dialect(statement)).expect(statement);
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        run_on_server(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

fn server() -> String {
    std::env::var("MORANGO_POSTGRES_URL").expect(
        "set MORANGO_POSTGRES_URL to the URL of a PostgreSQL server on which a superuser may create and drop databases, \
         as `cargo xtask test` does, for example postgres://postgres@127.0.0.1:54321/postgres",
    )
}

fn run_on_server(statement: &str) {
    let mut connection = PgConnection::establish(&server()).expect("connect to the server of MORANGO_POSTGRES_URL");
    connection.batch_execute(statement).expect(statement);
}

/// The application's tables: the statements that make them.
pub(crate) type Tables = &'static str;

/// The tables as this database takes them.
pub(crate) const fn tables(statements: &'static str, _: fn() -> Vec<MemoryModel>) -> Tables {
    statements
}

/// So many as a database does in the blink of an eye: all of them.
pub(crate) const fn many(number: usize) -> usize {
    number
}

/// A statement of a story as this database takes it.
pub(crate) fn dialect(statement: &str) -> String {
    statement.replace("X'", "'\\x").replace("BLOB", "BYTEA")
}

/// Bytes, or a text by its bytes, in one of our own tables.
pub(crate) fn bytes(digits: &str) -> String {
    format!("'\\x{digits}'")
}

/// An id in one of our own tables.
pub(crate) fn id(digits: impl std::fmt::Display) -> String {
    format!("'{digits}'")
}

/// What each version of this software adds to the engine's own tables, in their order: as it was when it was first in use, and as it is.
pub(crate) const VERSIONS: &[[&str; 2]] = &[
    [include_str!("../../fixtures/schema/postgres/1_tables.sql"), include_str!("../../../src/backend/postgres.sql")],
    [include_str!("../../fixtures/schema/postgres/2_resume.sql"), include_str!("../../../src/backend/resume.sql")],
    [include_str!("../../fixtures/schema/postgres/3_waiting.sql"), include_str!("../../../src/backend/waiting.sql")],
    [
        include_str!("../../fixtures/schema/postgres/4_conflicts.sql"),
        include_str!("../../../src/backend/conflicts.sql"),
    ],
    [
        include_str!("../../fixtures/schema/postgres/5_housekeeping.sql"),
        include_str!("../../../src/backend/housekeeping.sql"),
    ],
    [
        include_str!("../../fixtures/schema/postgres/6_completed.sql"),
        include_str!("../../../src/backend/postgres/completed.sql"),
    ],
    [
        include_str!("../../fixtures/schema/postgres/7_handed_over.sql"),
        include_str!("../../../src/backend/postgres/handed_over.sql"),
    ],
    [
        include_str!("../../fixtures/schema/postgres/8_waiting.sql"),
        include_str!("../../../src/backend/postgres/waiting.sql"),
    ],
    [
        include_str!("../../fixtures/schema/postgres/9_gave_way.sql"),
        include_str!("../../../src/backend/postgres/gave_way.sql"),
    ],
    [
        include_str!("../../fixtures/schema/postgres/10_row_before.sql"),
        include_str!("../../../src/backend/postgres/row_before.sql"),
    ],
];

/// What the first version added while it was being made, and was in use already.
pub(crate) const UNFINISHED: &[&str] = &[
    include_str!("../../fixtures/schema/postgres/1_tables_without_unclaimed.sql"),
    include_str!("../../fixtures/schema/postgres/1_tables_without_session_memory.sql"),
];

pub(crate) const MARKS: &str = "SELECT name || ':' || row_id || ':' || is_hard AS mark
     FROM morango_mark JOIN morango_model ON number = model ORDER BY (name || ':' || row_id) COLLATE \"C\"";

/// How many rows are marked.
pub(crate) const MARKED: &str = "SELECT count(*) FROM morango_mark";

/// 1 if changes are captured.
pub(crate) const IS_CAPTURED: &str = "SELECT CAST(CASE WHEN coalesce(current_setting('morango.capture', true), '') IN ('', 'on') THEN 1 ELSE 0 END AS BIGINT)";

/// How often anybody else wrote to the database: the server counts that for all databases together only.
pub(crate) const WRITES: &str = "SELECT CAST(0 AS BIGINT)";

/// How many triggers capture changes.
pub(crate) const TRIGGERS: &str = "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'morango\\_capture\\_%'";

/// How many triggers a model has.
pub(crate) const TRIGGERS_OF_MODEL: i64 = 4;

/// Statements that take the capture of insertions away.
pub(crate) fn drop_capture(connection: &mut Connection) -> String {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::Text)]
        statement: String,
    }
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT format('DROP TRIGGER %I ON %s;', tgname, CAST(tgrelid AS regclass)) AS statement FROM pg_trigger
         WHERE NOT tgisinternal AND tgname LIKE '%insert%'",
    )
    .load(connection)
    .expect("read the triggers");
    rows.into_iter().map(|row| row.statement).collect()
}

/// The statement that lets a note point at nobody from now on.
pub(crate) const NO_FOREIGN_KEYS: &str = "ALTER TABLE notes DROP CONSTRAINT notes_owner_id_fkey";

/// A trigger that lets no record about dogs into the store, and its end.
pub(crate) const NO_DOGS: [&str; 2] = [
    "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no dogs'; END $$;
     CREATE TRIGGER meddler BEFORE INSERT ON morango_store FOR EACH ROW
     WHEN (convert_from(NEW.serialized, 'UTF8') LIKE '%dog%') EXECUTE FUNCTION meddle()",
    "DROP TRIGGER meddler ON morango_store",
];

/// Looks whether the database is sound: a server does that by itself.
pub(crate) fn check(_: &mut Connection) {}
