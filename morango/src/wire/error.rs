//! Why a body cannot be read.

use std::fmt;

use crate::{Error, ErrorKind};

/// A body from a peer is not what it should be.
#[derive(Debug)]
#[non_exhaustive]
pub enum WireError {
    /// It is no JSON, or JSON of another shape.
    Malformed {
        /// What was to be read, for example `a certificate`.
        what: &'static str,
        /// What is wrong with it, in few words.
        problem: String,
    },
    /// It is longer than a limit allows.
    TooMuch {
        /// What is too long, for example `records in one chunk`.
        what: &'static str,
        /// The limit.
        max: usize,
    },
}

impl WireError {
    /// A body of another shape. The problem is cut, since it may quote a peer's text of any length.
    pub(super) fn malformed(what: &'static str, problem: &impl fmt::Display) -> Self {
        let problem: String = problem.to_string().chars().take(200).collect();
        Self::Malformed { what, problem }
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { what, problem } => write!(formatter, "read {what}: {problem}"),
            Self::TooMuch { what, max } => write!(formatter, "take more than {max} {what}"),
        }
    }
}

impl std::error::Error for WireError {}

impl From<WireError> for Error {
    fn from(error: WireError) -> Self {
        let kind = match &error {
            WireError::Malformed { .. } => ErrorKind::MessageMalformed,
            WireError::TooMuch { .. } => ErrorKind::LimitExceeded,
        };
        Self::new(kind, error.to_string())
    }
}
