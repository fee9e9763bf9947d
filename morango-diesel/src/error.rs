//! Diesel's errors as morango's: which kind an error of the database is.

use diesel::result::{DatabaseErrorKind, Error as DieselError};
use morango::{Error, ErrorKind};

/// An error of the database during an operation, for example `insert notebook/note (…) 5c2e…`.
pub(crate) fn from_diesel(operation: impl Into<String>, error: DieselError) -> Error {
    let kind = kind_of(&error);
    let told = Error::new(kind, operation);
    match kind {
        ErrorKind::StorageBusy => {
            told.with_hint("another connection holds the database; try again, or keep its transactions short")
        }
        ErrorKind::StorageFull => told.with_hint("free some space on the disk"),
        _ => told,
    }
    .with_source(error)
}

fn kind_of(error: &DieselError) -> ErrorKind {
    let DieselError::DatabaseError(kind, information) = error else {
        return ErrorKind::Storage;
    };
    match kind {
        DatabaseErrorKind::UniqueViolation
        | DatabaseErrorKind::ForeignKeyViolation
        | DatabaseErrorKind::NotNullViolation
        | DatabaseErrorKind::CheckViolation => ErrorKind::InvalidInput,
        DatabaseErrorKind::ReadOnlyTransaction | DatabaseErrorKind::ClosedConnection => ErrorKind::StorageUnavailable,
        DatabaseErrorKind::SerializationFailure => ErrorKind::StorageBusy,
        _ => kind_of_message(information.message()),
    }
}

/// SQLite tells these by its message only.
fn kind_of_message(message: &str) -> ErrorKind {
    match message {
        "database is locked" | "database table is locked" => ErrorKind::StorageBusy,
        "database or disk is full" => ErrorKind::StorageFull,
        "database disk image is malformed" | "file is not a database" => ErrorKind::StorageCorrupt,
        "attempt to write a readonly database" | "unable to open database file" | "disk I/O error" => {
            ErrorKind::StorageUnavailable
        }
        _ => ErrorKind::Storage,
    }
}
