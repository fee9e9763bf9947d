//! Diesel's errors as morango's: which kind an error of the database is, said in one place.
//!
//! Inside this crate a [`Fault`] carries either of the two up to the verb, which then says what it was doing and where.

use diesel::result::{ConnectionError, DatabaseErrorKind, Error as DieselError};
use morango::{Error, ErrorKind};

#[cfg(any(feature = "sqlite", feature = "postgres"))]
use crate::backend::{Lock, is_conflict, kind_of_message};

/// Without a database nothing says anything.
#[cfg(not(any(feature = "sqlite", feature = "postgres")))]
fn kind_of_message(_: &str) -> ErrorKind {
    ErrorKind::Storage
}

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
    /// Whether the transaction met another one and may succeed if it is run again.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn is_conflict(&self) -> bool {
        self.database_error().is_some_and(is_conflict)
    }

    /// Whether the transaction gave up waiting for a row: one that writes the application's rows waits for them only shortly, so as not
    /// to be in the way.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn is_wait(&self, lock: Lock<'_>) -> bool {
        lock.sees_one_state() && self.database_error().is_some_and(|error| kind_of(error) == ErrorKind::StorageBusy)
    }

    /// Whether the database cannot be reached any more, or not be written to.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn is_unavailable(&self) -> bool {
        self.database_error().is_some_and(|error| kind_of(error) == ErrorKind::StorageUnavailable)
    }

    /// What the database said. Of a part of the transaction's work it lies below what that says of itself.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    fn database_error(&self) -> Option<&DieselError> {
        use std::error::Error as _;

        match self {
            Self::Database(error) => Some(error),
            Self::Engine(error) => {
                std::iter::successors(error.source(), |error: &&(dyn std::error::Error + 'static)| (*error).source())
                    .find_map(|error| error.downcast_ref::<DieselError>())
            }
        }
    }

    /// The error as the crate's door gives it, for example for the operation `serialize "notebook" in "notes.db"`.
    pub(crate) fn during(self, operation: impl Into<String>) -> Error {
        match self {
            Self::Database(error) => from_diesel(operation, error),
            Self::Engine(error) => error,
        }
    }
}

/// Why the work of a transaction failed, kept while the transaction is undone.
///
/// A database that fails may have undone it by itself, as SQLite does where the disk does not work. That there is nothing to be undone
/// is then all that is heard of undoing it, and says nothing of what went wrong.
#[cfg(feature = "sqlite")]
#[derive(Debug, Default)]
pub(crate) struct Reason(Option<Fault>);

#[cfg(feature = "sqlite")]
impl Reason {
    /// What Diesel is to be told of the work.
    pub(crate) fn keep<R>(&mut self, outcome: Result<R, Fault>) -> Result<R, DieselError> {
        outcome.map_err(|fault| {
            self.0 = Some(fault);
            DieselError::RollbackTransaction
        })
    }

    /// What is told of the transaction: what the work said, where it failed.
    pub(crate) fn tell<R>(self, outcome: Result<R, DieselError>) -> Result<R, Fault> {
        outcome.map_err(|error| self.0.unwrap_or(Fault::Database(error)))
    }
}

/// An error of the database during an operation, for example `insert notebook/note (…) 5c2e…`.
pub(crate) fn from_diesel(operation: impl Into<String>, error: DieselError) -> Error {
    let kind = kind_of(&error);
    let told = Error::new(kind, operation);
    // The next call makes another connection.
    let told = if is_connection_lost(&error) { told.retryable() } else { told };
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

fn is_connection_lost(error: &DieselError) -> bool {
    match error {
        DieselError::DatabaseError(kind, _) => {
            matches!(kind, DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand)
        }
        DieselError::RollbackErrorOnCommit { commit_error, .. } => is_connection_lost(commit_error),
        _ => false,
    }
}

/// The kind of an error of the database.
pub(crate) fn kind_of(error: &DieselError) -> ErrorKind {
    match error {
        DieselError::DatabaseError(kind, information) => match kind {
            DatabaseErrorKind::UniqueViolation
            | DatabaseErrorKind::ForeignKeyViolation
            | DatabaseErrorKind::NotNullViolation
            | DatabaseErrorKind::CheckViolation
            | DatabaseErrorKind::RestrictViolation
            | DatabaseErrorKind::ExclusionViolation => ErrorKind::InvalidInput,
            DatabaseErrorKind::ReadOnlyTransaction
            | DatabaseErrorKind::ClosedConnection
            | DatabaseErrorKind::UnableToSendCommand => ErrorKind::StorageUnavailable,
            DatabaseErrorKind::SerializationFailure => ErrorKind::StorageBusy,
            _ => kind_of_message(information.message()),
        },
        DieselError::RollbackErrorOnCommit { commit_error, .. } => kind_of(commit_error),
        // A column of our own tables holds what we never put there.
        DieselError::DeserializationError(_) => ErrorKind::StorageCorrupt,
        _ => ErrorKind::Storage,
    }
}

/// Whether a statement could not run whatever it is about: a table or column that it names is not there, or memory is short.
pub(crate) fn is_about_the_statement(error: &DieselError) -> bool {
    let DieselError::DatabaseError(_, information) = error else { return false };
    let message = information.message();
    ["no such table", "no such column", "no such function", "out of memory", "interrupted"]
        .iter()
        .any(|text| message.starts_with(text))
        || message.contains(" has no column named ")
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
        ErrorKind::StorageUnavailable => Some(
            "a file and its directory must exist, be on a local disk, and be writable for this program; a server must run and let it in",
        ),
        _ => None,
    }
}

fn is_missing_table_of_ours(message: &str) -> bool {
    message.starts_with("no such table: morango_")
        || (message.starts_with("relation \"morango_") && message.ends_with("does not exist"))
}

fn hint_for(kind: ErrorKind, error: &DieselError) -> Option<&'static str> {
    match error {
        DieselError::DatabaseError(_, information) if is_missing_table_of_ours(information.message()) => {
            Some("build an engine over this database first: it creates its tables here")
        }
        _ => hint_of_kind(kind),
    }
}
