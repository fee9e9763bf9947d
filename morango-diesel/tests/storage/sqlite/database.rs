//! A SQLite file, and what a story has to say otherwise on SQLite.
//!
//! A sibling for another database has the same items in the same order.

use std::process::Command;

use diesel::connection::Connection as _;
use diesel::prelude::*;
use morango_diesel::SqliteStorage;
use morango_memory::MemoryModel;
use tempfile::TempDir;

pub(crate) type Storage = SqliteStorage;
pub(crate) type Connection = SqliteConnection;
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

/// A file of its own, which goes with its directory.
pub(crate) struct Database {
    directory: TempDir,
}

impl Database {
    pub(crate) fn new() -> Self {
        Self { directory: TempDir::new().expect("a directory") }
    }

    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("notebook.db")
    }

    pub(crate) fn open(&self) -> Storage {
        SqliteStorage::open(self.path()).expect("open the database")
    }

    /// A connection that nobody of ours has set up.
    pub(crate) fn plain_connection(&self) -> Connection {
        let path = self.path().display().to_string();
        let mut connection = SqliteConnection::establish(&path).expect("another connection");
        diesel::sql_query("PRAGMA busy_timeout = 5000").execute(&mut connection).expect("it waits");
        connection
    }

    /// Another program writes: Python, with the SQLite that it brings.
    pub(crate) fn run_elsewhere(&self, statements: &[&str]) {
        let statements: Vec<String> = statements.iter().map(|statement| format!("{statement:?}")).collect();
        let program = format!(
            "import sqlite3\nc = sqlite3.connect({:?})\nfor s in [{}]: c.execute(s)\nc.commit()",
            self.path().display().to_string(),
            statements.join(", ")
        );
        run_python(&program);
    }
}

pub(crate) fn run_python(program: &str) {
    let done = Command::new("python3").args(["-c", program]).output().expect("run python3");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
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
    statement.to_owned()
}

/// Bytes, or a text by its bytes, in one of our own tables. There columns of texts have texts.
pub(crate) fn bytes(digits: &str) -> String {
    if digits.starts_with("7b") { format!("CAST(X'{digits}' AS TEXT)") } else { format!("X'{digits}'") }
}

/// An id in one of our own tables.
pub(crate) fn id(digits: impl std::fmt::Display) -> String {
    format!("X'{digits}'")
}

/// What each version of this software adds to the engine's own tables, in their order: as it was when it was first in use, and as it is.
pub(crate) const VERSIONS: &[[&str; 2]] = &[
    [include_str!("../../fixtures/schema/sqlite/1_tables.sql"), include_str!("../../../src/backend/sqlite.sql")],
    [include_str!("../../fixtures/schema/sqlite/2_resume.sql"), include_str!("../../../src/backend/resume.sql")],
    [include_str!("../../fixtures/schema/sqlite/3_waiting.sql"), include_str!("../../../src/backend/waiting.sql")],
    [include_str!("../../fixtures/schema/sqlite/4_conflicts.sql"), include_str!("../../../src/backend/conflicts.sql")],
    [
        include_str!("../../fixtures/schema/sqlite/5_housekeeping.sql"),
        include_str!("../../../src/backend/housekeeping.sql"),
    ],
    [
        include_str!("../../fixtures/schema/sqlite/6_completed.sql"),
        include_str!("../../../src/backend/sqlite/completed.sql"),
    ],
    [
        include_str!("../../fixtures/schema/sqlite/7_handed_over.sql"),
        include_str!("../../../src/backend/sqlite/handed_over.sql"),
    ],
    [include_str!("../../fixtures/schema/sqlite/8_change.sql"), include_str!("../../../src/backend/sqlite/change.sql")],
    [
        include_str!("../../fixtures/schema/sqlite/9_gave_way.sql"),
        include_str!("../../../src/backend/sqlite/gave_way.sql"),
    ],
    [
        include_str!("../../fixtures/schema/sqlite/10_row_before.sql"),
        include_str!("../../../src/backend/sqlite/row_before.sql"),
    ],
];

/// What the first version added while it was being made, and was in use already.
pub(crate) const UNFINISHED: &[&str] = &[
    include_str!("../../fixtures/schema/sqlite/1_tables_without_unclaimed.sql"),
    include_str!("../../fixtures/schema/sqlite/1_tables_without_session_memory.sql"),
];

/// The marks, with what changes that are not folded yet will make of them: of all that was noted of a row the last arrival counts, and
/// a hard deletion after it.
pub(crate) const MARKS: &str = "WITH noted (model, row_id, number, makes_hard) AS (
         SELECT model, row_id, 0, is_hard FROM morango_mark
         UNION ALL SELECT CASE mode WHEN 3 THEN -model ELSE model END, row_id, number,
             CASE WHEN is_gone = 0 THEN -1 ELSE mode > 1 END FROM morango_change)
     SELECT DISTINCT name || ':' || CASE typeof(row_id) WHEN 'blob' THEN lower(hex(row_id)) ELSE row_id END || ':' || EXISTS (
         SELECT 1 FROM noted AS hard WHERE hard.model = noted.model AND hard.row_id = noted.row_id AND hard.makes_hard = 1
         ) AS mark
     FROM noted JOIN morango_model ON morango_model.number = model ORDER BY mark";

/// How many rows are marked, or are about to be.
pub(crate) const MARKED: &str = "SELECT (SELECT count(*) FROM morango_mark) + (SELECT count(*) FROM morango_change)";

/// 1 if changes are captured.
pub(crate) const IS_CAPTURED: &str = "SELECT mode FROM morango_capture_mode";

/// How often anybody else wrote to the database.
pub(crate) const WRITES: &str = "SELECT data_version FROM pragma_data_version";

/// How many triggers there are.
pub(crate) const TRIGGERS: &str = "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'";

/// How many triggers a model has.
pub(crate) const TRIGGERS_OF_MODEL: i64 = 3;

/// Statements that take the capture of insertions away.
pub(crate) fn drop_capture(_: &mut Connection) -> String {
    ["1", "2", "3"].map(|number| format!("DROP TRIGGER morango_capture_{number}_insert")).join(";")
}

/// The statement that lets a note point at nobody from now on.
pub(crate) const NO_FOREIGN_KEYS: &str = "PRAGMA foreign_keys = OFF";

/// A trigger that lets no record about dogs into the store, and its end.
pub(crate) const NO_DOGS: [&str; 2] = [
    "CREATE TRIGGER meddler BEFORE INSERT ON morango_store WHEN NEW.serialized LIKE '%dog%'
     BEGIN SELECT RAISE(ABORT, 'no dogs'); END",
    "DROP TRIGGER meddler",
];

/// Looks whether the database is sound.
pub(crate) fn check(connection: &mut Connection) {
    diesel::sql_query("PRAGMA integrity_check").execute(connection).expect("the file is sound");
}
