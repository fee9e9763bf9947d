//! Diesel's errors as morango's: which kind an error of the database is, said in one place.
//!
//! Inside this crate a [`Fault`] carries either of the two up to the verb, which then says what it was doing and where.

use diesel::result::{ConnectionError, DatabaseErrorKind, Error as DieselError};
use morango::{Error, ErrorKind};

/// What stops a verb's work: the database, or something that the engine itself says.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The database refused; the verb adds what it was doing.
    Database(DieselError),
    /// An error that says everything already.
    Engine(Error),
}

impl From<DieselError> for Fault {
    fn from(error: DieselError) -> Self {
        Self::Database(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Engine(error)
    }
}

impl From<morango::counter::CounterError> for Fault {
    fn from(error: morango::counter::CounterError) -> Self {
        Self::Engine(error.into())
    }
}

impl Fault {
    /// The error as the crate's door gives it, for example for the operation `serialize "notebook" in "notes.db"`.
    pub(crate) fn during(self, operation: impl Into<String>) -> Error {
        match self {
            Self::Database(error) => from_diesel(operation, error),
            Self::Engine(error) => error,
        }
    }
}

/// An error of the database during an operation, for example `insert notebook/note (…) 5c2e…`.
pub(crate) fn from_diesel(operation: impl Into<String>, error: DieselError) -> Error {
    let kind = kind_of(&error);
    let told = Error::new(kind, operation);
    match hint_for(kind, &error) {
        Some(hint) => told.with_hint(hint),
        None => told,
    }
    .with_source(error)
}

/// An error of opening a database.
pub(crate) fn from_connection_error(operation: impl Into<String>, error: ConnectionError) -> Error {
    let kind = match &error {
        ConnectionError::BadConnection(message) => match kind_of_message(message) {
            ErrorKind::Storage => ErrorKind::StorageUnavailable,
            kind => kind,
        },
        _ => ErrorKind::StorageUnavailable,
    };
    let told = Error::new(kind, operation);
    match hint_of_kind(kind) {
        Some(hint) => told.with_hint(hint),
        None => told,
    }
    .with_source(error)
}

/// The kind of an error of the database.
pub(crate) fn kind_of(error: &DieselError) -> ErrorKind {
    match error {
        DieselError::DatabaseError(kind, information) => match kind {
            DatabaseErrorKind::UniqueViolation
            | DatabaseErrorKind::ForeignKeyViolation
            | DatabaseErrorKind::NotNullViolation
            | DatabaseErrorKind::CheckViolation => ErrorKind::InvalidInput,
            DatabaseErrorKind::ReadOnlyTransaction | DatabaseErrorKind::ClosedConnection => {
                ErrorKind::StorageUnavailable
            }
            DatabaseErrorKind::SerializationFailure => ErrorKind::StorageBusy,
            _ => kind_of_message(information.message()),
        },
        // A column of our own tables holds what we never put there.
        DieselError::DeserializationError(_) => ErrorKind::StorageCorrupt,
        _ => ErrorKind::Storage,
    }
}

/// SQLite tells these by its message only, as far as Diesel passes it on.
fn kind_of_message(message: &str) -> ErrorKind {
    let is_one_of = |texts: &[&str]| texts.iter().any(|text| message.starts_with(text));
    if is_one_of(&["database is locked", "database table is locked", "database schema is locked"]) {
        ErrorKind::StorageBusy
    } else if is_one_of(&["database or disk is full"]) {
        ErrorKind::StorageFull
    } else if is_one_of(&["database disk image is malformed", "file is not a database", "malformed database schema"]) {
        ErrorKind::StorageCorrupt
    } else if is_one_of(&[
        "attempt to write a readonly database",
        "unable to open database file",
        "disk I/O error",
        "access permission denied",
        "authorization denied",
    ]) {
        ErrorKind::StorageUnavailable
    } else {
        ErrorKind::Storage
    }
}

/// What the reader can do about it.
fn hint_of_kind(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::StorageBusy => {
            Some("another connection holds the database; try again, or keep its transactions short")
        }
        ErrorKind::StorageFull => Some("free some space on the disk"),
        ErrorKind::StorageCorrupt => {
            Some("if the file was a database, restore it from a backup; peers bring back what they have")
        }
        ErrorKind::StorageUnavailable => {
            Some("the file and its directory must exist, be on a local disk, and be writable for this program")
        }
        _ => None,
    }
}

fn hint_for(kind: ErrorKind, error: &DieselError) -> Option<&'static str> {
    match error {
        DieselError::DatabaseError(_, information) if information.message().starts_with("no such table: morango_") => {
            Some("build an engine over this database first: it creates its tables here")
        }
        _ => hint_of_kind(kind),
    }
}
