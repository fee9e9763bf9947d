//! What can be wrong with the fields of a received or new row, all at once.

use std::fmt;

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The field's name in the stored JSON.
    pub field: String,
    /// What is wrong, as a fragment: `expected a whole number, found "x"`.
    pub reason: String,
}

/// What is wrong with the fields of a row: at least one error.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldErrors(Vec<FieldError>);

impl FieldErrors {
    /// No errors so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what is wrong with one field.
    pub fn add(&mut self, field: &str, reason: impl fmt::Display) {
        self.0.push(FieldError { field: field.to_owned(), reason: reason.to_string() });
    }

    /// Keeps a field's value, or notes why there is none.
    pub fn take<T>(&mut self, field: &str, value: Result<T, String>) -> Option<T> {
        value.map_err(|reason| self.add(field, reason)).ok()
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The errors, in the order of the fields.
    pub fn iter(&self) -> impl Iterator<Item = &FieldError> {
        self.0.iter()
    }

    /// `Ok` where nothing is wrong.
    ///
    /// # Errors
    /// These errors, if there is any.
    pub fn into_result(self) -> Result<(), Self> {
        if self.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for FieldErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, error) in self.0.iter().enumerate() {
            let separator = if position == 0 { "" } else { "; " };
            write!(formatter, "{separator}{}: {}", error.field, error.reason)?;
        }
        Ok(())
    }
}

impl std::error::Error for FieldErrors {}
