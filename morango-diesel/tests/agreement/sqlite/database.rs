//! A SQLite file.

use morango_diesel::SqliteStorage;
use tempfile::TempDir;

pub(crate) type Storage = SqliteStorage;
pub(crate) type Connection = diesel::SqliteConnection;

/// A file of its own, which goes with its directory.
pub(crate) struct Database {
    directory: TempDir,
}

impl Database {
    pub(crate) fn new() -> Self {
        Self { directory: TempDir::new().expect("a directory") }
    }

    pub(crate) fn open(&self) -> Storage {
        SqliteStorage::open(self.directory.path().join("library.db")).expect("open the database")
    }
}

/// The digits of a column that holds an instance's id.
pub(crate) const INSTANCE: &str = "lower(hex(instance))";
