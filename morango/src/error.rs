//! One opaque error for everything that crosses the crate's door.
//!
//! It says which operation failed, on what, and why; it keeps its source; and it carries a hint where the reader can act.
//! Rooms have small enums of their own, which turn into this one here at the door. This file knows no HTTP status:
//! the table from kind to status stands in `wire::problem`.

use std::error::Error as StdError;
use std::fmt;

use crate::id::SyncSessionId;

/// The result of everything that can fail across the crate's door.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, for a program that wants to react to it.
///
/// Each kind has a stable [`code`](ErrorKind::code), which also travels in the body of an HTTP answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The models, scopes or settings of this application contradict each other.
    Configuration,
    /// A value given by the caller cannot be used: a template parameter is missing, an id is malformed, a text too long.
    InvalidInput,
    /// A certificate, or a chain of them, does not hold: wrong id, wrong parent, wrong profile, malformed.
    CertificateInvalid,
    /// A certificate is not in this store, or not one that this peer knows.
    CertificateUnknown,
    /// A certificate asks for more than its parent may grant.
    CertificateExceedsParent,
    /// A signature does not verify.
    SignatureInvalid,
    /// The private key of a certificate is not here, so nothing can be signed in its name.
    PrivateKeyMissing,
    /// A nonce is unknown, was used before, or is older than a minute.
    NonceInvalid,
    /// No credentials, or credentials that nobody has.
    Unauthenticated,
    /// The credentials are good, but do not allow this.
    Forbidden,
    /// A filter reaches outside the scopes of the two certificates.
    FilterOutsideScope,
    /// A sync session or transfer session is unknown, or closed.
    SessionUnknown,
    /// A session cannot do this in the stage or direction in which it is.
    SessionConflict,
    /// A sync session that was to be taken up again is not there any more, on this side or the other.
    SessionGone,
    /// Somebody else is at work in a sync session: another thread, or another process.
    SessionHeld,
    /// A stage of the transfer failed on the other side.
    PeerStageFailed,
    /// A record does not belong here: forged id, partition outside the filter, another session's counters.
    RecordRejected,
    /// A record changed since the caller looked at it, so that what was decided about it may be wrong.
    RecordChanged,
    /// A message is not of the shape that the protocol gives it.
    MessageMalformed,
    /// A body, list or text is over a limit of [`limits`](crate::limits).
    LimitExceeded,
    /// The peer answered with something that no Morango peer says: HTML, a wrong status, a contradiction.
    PeerAnswerUnexpected,
    /// The peer answered that it refuses or fails.
    PeerRefused,
    /// Whoever answers at the peer's address cannot show by TLS that it is the peer: its certificate is not one that is trusted here,
    /// is another host's, or has expired.
    PeerUntrusted,
    /// The connection could not be made, or was lost.
    Connection,
    /// The peer did not answer in time.
    Timeout,
    /// The database is locked by another for longer than we wait.
    StorageBusy,
    /// The file is no database, or a damaged one.
    StorageCorrupt,
    /// The disk is full.
    StorageFull,
    /// The database cannot be written to, or not be opened.
    StorageUnavailable,
    /// The database refused a statement for another reason.
    Storage,
    /// An operation of the application failed.
    Operation,
    /// The application asked to stop.
    Cancelled,
    /// A fault of this software: please report it.
    Internal,
}

impl ErrorKind {
    /// The stable name of this kind, for example `filter-outside-scope`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::InvalidInput => "invalid-input",
            Self::CertificateInvalid => "certificate-invalid",
            Self::CertificateUnknown => "certificate-unknown",
            Self::CertificateExceedsParent => "certificate-exceeds-parent",
            Self::SignatureInvalid => "signature-invalid",
            Self::PrivateKeyMissing => "private-key-missing",
            Self::NonceInvalid => "nonce-invalid",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::FilterOutsideScope => "filter-outside-scope",
            Self::SessionUnknown => "session-unknown",
            Self::SessionConflict => "session-conflict",
            Self::SessionGone => "session-gone",
            Self::SessionHeld => "session-held",
            Self::PeerStageFailed => "peer-stage-failed",
            Self::RecordRejected => "record-rejected",
            Self::RecordChanged => "record-changed",
            Self::MessageMalformed => "message-malformed",
            Self::LimitExceeded => "limit-exceeded",
            Self::PeerAnswerUnexpected => "peer-answer-unexpected",
            Self::PeerRefused => "peer-refused",
            Self::PeerUntrusted => "peer-untrusted",
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::StorageBusy => "storage-busy",
            Self::StorageCorrupt => "storage-corrupt",
            Self::StorageFull => "storage-full",
            Self::StorageUnavailable => "storage-unavailable",
            Self::Storage => "storage",
            Self::Operation => "operation-failed",
            Self::Cancelled => "cancelled",
            Self::Internal => "internal",
        }
    }
}

/// Why an operation failed.
///
/// `Display` gives one line, a fragment that follows "failed to …"; [`source`](StdError::source) leads to the cause below,
/// and [`hint`](Error::hint) says what to do where something can be done.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    retryable: bool,
    sync_session: Option<SyncSessionId>,
}

impl Error {
    /// An error of this kind. The message is a lower-case fragment that names operation and subject,
    /// for example `open the database "notes.db"`.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let retryable = matches!(kind, ErrorKind::Connection | ErrorKind::Timeout | ErrorKind::StorageBusy);
        Self(Box::new(Inner { kind, message: message.into(), hint: None, source: None, retryable, sync_session: None }))
    }

    /// The same error with the cause below it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The same error with advice for whoever reads it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// The same error, said to be worth another try (a server that is busy) or not.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.0.retryable = true;
        self
    }

    /// The same error of a sync whose session stays open.
    #[must_use]
    pub(crate) fn leaving_open(mut self, sync_session: SyncSessionId) -> Self {
        self.0.sync_session = Some(sync_session);
        self
    }

    /// The sync session that was left open, to be taken up again with [`Engine::resume`](crate::engine::Engine::resume): of a
    /// sync that was broken off by what may pass, such as a lost connection.
    pub fn sync_session(&self) -> Option<SyncSessionId> {
        self.0.sync_session
    }

    /// What went wrong, for a program.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same call may succeed later without any change: a lost connection, a locked database.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// Whether the peers' certificates or credentials do not allow what was asked.
    pub fn is_permission(&self) -> bool {
        matches!(
            self.0.kind,
            ErrorKind::Forbidden
                | ErrorKind::Unauthenticated
                | ErrorKind::FilterOutsideScope
                | ErrorKind::CertificateExceedsParent
        )
    }

    /// What the reader can do about it, where there is something.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// This line, those of the sources below it and the hint, as one text for a log or a terminal.
    pub fn report(&self) -> String {
        let mut text = format!("failed to {self}");
        let mut source = self.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        if let Some(hint) = self.hint() {
            text.push_str(" (");
            text.push_str(hint);
            text.push(')');
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "[{}] {}", self.0.kind.code(), self.report())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<crate::id::ParseIdError> for Error {
    fn from(error: crate::id::ParseIdError) -> Self {
        Self::new(ErrorKind::InvalidInput, error.to_string())
    }
}
