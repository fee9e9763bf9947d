//! What can be wrong with a partition, a filter, a template or a scope definition.
//!
//! Each message is a fragment that follows "failed to …"; texts from elsewhere are quoted only by their first characters.

use std::fmt;

use crate::error::{Error, ErrorKind};
use crate::id::excerpt;

/// Why a partition, filter, template, parameter or scope definition cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScopeError {
    /// A filter without a prefix was asked for; it could be read as everything or as nothing.
    FilterEmpty,
    /// A partition or prefix is blank, so that it would match everything.
    Blank,
    /// A partition or prefix has white space or a NUL in it: filters are split on white space when they travel.
    Character {
        /// The start of the text.
        text: String,
    },
    /// A text or list is longer than this peer takes.
    TooLong {
        /// What it is, for example `prefix`.
        what: &'static str,
        /// The limit that it is over.
        max: usize,
    },
    /// A template has a `$` that begins neither `$name`, `${name}` nor `$$`.
    Template {
        /// The start of the template.
        template: String,
    },
    /// A template names a parameter that has no value, or one that cannot stand in a partition.
    Parameter {
        /// The parameter's name.
        name: String,
        /// What is wrong with its value.
        problem: &'static str,
    },
    /// A text of scope parameters is not a JSON object.
    Params,
    /// A scope definition contradicts itself.
    Definition {
        /// The definition's id.
        id: String,
        /// What is wrong, as a fragment.
        problem: String,
    },
}

impl ScopeError {
    /// A [`ScopeError::Character`] that quotes only the start of the text.
    pub(super) fn character(text: &str) -> Self {
        Self::Character { text: excerpt(text) }
    }

    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::FilterEmpty | Self::Blank => Some("to reach everything, say so with Filter::everything()"),
            Self::Template { .. } => Some("write $$ for a dollar sign"),
            Self::Parameter { .. } => Some("give the scope parameter a value without white space"),
            Self::Character { .. } | Self::TooLong { .. } | Self::Params | Self::Definition { .. } => None,
        }
    }
}

impl fmt::Display for ScopeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FilterEmpty => formatter.write_str("make a filter of no prefixes"),
            Self::Blank => formatter.write_str("use a blank prefix or partition"),
            Self::Character { text } => {
                write!(formatter, "use {text:?} as a partition or prefix: it has white space or a NUL in it")
            }
            Self::TooLong { what, max } => write!(formatter, "take a {what}: it is over the limit of {max}"),
            Self::Template { template } => {
                write!(formatter, "read the template {template:?}: it has a `$` without a name")
            }
            Self::Parameter { name, problem } => write!(formatter, "fill the scope parameter {name:?}: {problem}"),
            Self::Params => formatter.write_str("read scope parameters: they are not the text of a JSON object"),
            Self::Definition { id, problem } => write!(formatter, "define the scope {id:?}: {problem}"),
        }
    }
}

impl std::error::Error for ScopeError {}

impl From<ScopeError> for Error {
    fn from(error: ScopeError) -> Self {
        let kind = match &error {
            ScopeError::TooLong { .. } => ErrorKind::LimitExceeded,
            ScopeError::Definition { .. } => ErrorKind::Configuration,
            ScopeError::FilterEmpty
            | ScopeError::Blank
            | ScopeError::Character { .. }
            | ScopeError::Template { .. }
            | ScopeError::Parameter { .. }
            | ScopeError::Params => ErrorKind::InvalidInput,
        };
        let outer = Self::new(kind, error.to_string());
        match error.hint() {
            Some(hint) => outer.with_hint(hint),
            None => outer,
        }
    }
}
