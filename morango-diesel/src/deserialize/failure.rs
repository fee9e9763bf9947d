//! Why a record did not become a row, and which errors of the database are a record's own fault.

use diesel::result::{DatabaseErrorKind, Error as DieselError};
use morango::model::FieldErrors;
use morango::port::WaitingKind;
use morango::{Error, ErrorKind};

use crate::error::{Fault, is_about_the_statement, kind_of};
use crate::rows::ApplyError;

/// A record's failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) kind: WaitingKind,
    pub(super) reason: String,
    /// Whether another row holds what may stand in one row only: it might give it up.
    pub(super) is_clash: bool,
}

impl Failure {
    pub(super) fn new(kind: WaitingKind, reason: impl std::fmt::Display) -> Self {
        Self { kind, reason: reason.to_string(), is_clash: false }
    }

    /// The row holds a change of the application that could not be serialized.
    pub(super) fn local_change() -> Self {
        let reason = "the row was changed here, and the change was set aside; it would be written over";
        Self::new(WaitingKind::LocalChangeWaits, reason)
    }

    /// The same failure with more about it.
    pub(super) fn with(mut self, more: &str) -> Self {
        self.reason.push_str("; ");
        self.reason.push_str(more);
        self
    }

    /// What is wrong with a row that could not be written.
    ///
    /// # Errors
    /// The failure is none of the record's: the disk is full, the file is damaged. Then nothing is to be noted against the record.
    pub(super) fn of_apply(error: ApplyError) -> Result<Self, Fault> {
        match error {
            ApplyError::Fields(errors) => Ok(Self::of_fields(&errors)),
            ApplyError::OutsidePartition { place, partition } => {
                let reason =
                    format_args!("its fields place it under {place:?}, and its record lies under {partition:?}");
                Ok(Self::new(WaitingKind::OutsidePartition, reason))
            }
            ApplyError::Ignored => Ok(Self::ignored()),
            ApplyError::Database(error) => Self::of_database(error),
        }
    }

    /// The database did nothing and said nothing.
    pub(super) fn ignored() -> Self {
        Self::new(WaitingKind::Database, "a trigger on the table kept the row as it was, without a word")
    }

    /// Another row would have been deleted for this one.
    pub(super) fn replaced() -> Self {
        let reason = "another row holds what may stand in one row only, and the table would delete it for this one";
        Self { is_clash: true, ..Self::new(WaitingKind::Constraint, reason) }
    }

    fn of_fields(errors: &FieldErrors) -> Self {
        Self::new(WaitingKind::InvalidField, errors)
    }

    /// What is wrong with a row that the database refused.
    ///
    /// # Errors
    /// See [`Failure::of_apply`].
    pub(super) fn of_database(error: DieselError) -> Result<Self, Fault> {
        let Some(kind) = fault_of_record(&error) else {
            return Err(error.into());
        };
        let is_clash = matches!(error, DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _));
        Ok(Self { is_clash, ..Self::new(kind, error) })
    }

    /// What is wrong with a record whose transaction the database refused or undid.
    pub(super) fn of_transaction(error: &Error) -> Self {
        let source = std::error::Error::source(error);
        let cause = source.and_then(|source| source.downcast_ref::<DieselError>());
        let kind = cause.and_then(fault_of_record).unwrap_or(WaitingKind::Constraint);
        Self::new(kind, source.map_or_else(|| error.to_string(), ToString::to_string))
    }
}

/// What an error of the database says about the record whose row it was about; `None` where it is none of the record's fault.
fn fault_of_record(error: &DieselError) -> Option<WaitingKind> {
    match kind_of(error) {
        ErrorKind::InvalidInput => Some(WaitingKind::Constraint),
        ErrorKind::Storage if !is_about_the_statement(error) => Some(WaitingKind::Database),
        _ => None,
    }
}

/// The error of a transaction that the database undid because of one row. Where that is a record's own fault, it is found by
/// taking the records one by one.
pub(super) fn undone_by(error: DieselError) -> Fault {
    match fault_of_record(&error) {
        Some(_) => Error::new(ErrorKind::InvalidInput, "write a row").with_source(error).into(),
        None => error.into(),
    }
}
