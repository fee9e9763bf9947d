//! Why a record did not become a row, and which errors of the database are a record's own fault.

use diesel::result::Error as DieselError;
use morango::{ErrorKind, model::FieldErrors};

use crate::error::{Fault, kind_of};
use crate::rows::ApplyError;

/// Why a record waits. The kinds' names are kept in the store and stand in reports: they stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// `serialized` is no JSON object.
    Malformed,
    /// A field is missing, of the wrong form, too long, or refused by the application's validation.
    InvalidField,
    /// A foreign key points at a record that is not in the store.
    MissingForeignKey,
    /// A foreign key points at a record that waits itself.
    ForeignKeyWaits,
    /// The row was changed here, and the change could not be serialized: it would be lost.
    LocalChangeWaits,
    /// A constraint of the application's table refuses the row.
    Constraint,
    /// The database refuses the row for another reason.
    Database,
}

impl FailureKind {
    /// The stable name.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::InvalidField => "invalid-field",
            Self::MissingForeignKey => "missing-foreign-key",
            Self::ForeignKeyWaits => "foreign-key-waits",
            Self::LocalChangeWaits => "local-change-waits",
            Self::Constraint => "constraint",
            Self::Database => "database",
        }
    }
}

/// A record's failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) kind: FailureKind,
    pub(super) reason: String,
}

impl Failure {
    pub(super) fn new(kind: FailureKind, reason: impl std::fmt::Display) -> Self {
        Self { kind, reason: reason.to_string() }
    }

    /// The row holds a change of the application that could not be serialized.
    pub(super) fn local_change() -> Self {
        let reason = "the row was changed here, and the change was set aside; it would be written over";
        Self::new(FailureKind::LocalChangeWaits, reason)
    }

    /// What is wrong with a row that could not be written.
    ///
    /// # Errors
    /// The failure is none of the record's: the disk is full, the file is damaged. Then nothing is to be noted against the record.
    pub(super) fn of_apply(error: ApplyError) -> Result<Self, Fault> {
        match error {
            ApplyError::Fields(errors) => Ok(Self::of_fields(&errors)),
            ApplyError::Database(error) => Self::of_database(error),
        }
    }

    fn of_fields(errors: &FieldErrors) -> Self {
        Self::new(FailureKind::InvalidField, errors)
    }

    /// What is wrong with a row that the database refused.
    ///
    /// # Errors
    /// See [`Failure::of_apply`].
    pub(super) fn of_database(error: DieselError) -> Result<Self, Fault> {
        let reason = error.to_string();
        match kind_of(&error) {
            ErrorKind::InvalidInput => Ok(Self::new(FailureKind::Constraint, reason)),
            ErrorKind::Storage => Ok(Self::new(FailureKind::Database, reason)),
            _ => Err(error.into()),
        }
    }
}
