//! Errors on the line: the one table between our kinds of error and HTTP, and how the errors of existing peers are read.
//!
//! We answer with a status and `{"detail": "…", "code": "filter-outside-scope"}`. Python peers answer with a JSON string,
//! `{"detail"}`, a list of texts, `{"error_class", "error_message"}`, texts by member, or a page of HTML: of those the status
//! and the call tell most, the text the rest.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::buffer::cut;
use super::loose::to_json;
use crate::{Error, ErrorKind, limits};

/// The HTTP status with which we answer an error of this kind.
pub const fn status_of(kind: ErrorKind) -> u16 {
    match kind {
        ErrorKind::InvalidInput
        | ErrorKind::CertificateUnknown
        | ErrorKind::CertificateExceedsParent
        | ErrorKind::PrivateKeyMissing
        | ErrorKind::RecordRejected
        | ErrorKind::MessageMalformed => 400,
        ErrorKind::Unauthenticated => 401,
        ErrorKind::CertificateInvalid
        | ErrorKind::SignatureInvalid
        | ErrorKind::NonceInvalid
        | ErrorKind::Forbidden
        | ErrorKind::FilterOutsideScope => 403,
        ErrorKind::SessionUnknown => 404,
        ErrorKind::SessionConflict | ErrorKind::SessionHeld | ErrorKind::RecordChanged => 409,
        ErrorKind::LimitExceeded => 413,
        ErrorKind::Configuration
        | ErrorKind::SessionGone
        | ErrorKind::PeerStageFailed
        | ErrorKind::PeerAnswerUnexpected
        | ErrorKind::PeerRefused
        | ErrorKind::PeerUntrusted
        | ErrorKind::Connection
        | ErrorKind::Timeout
        | ErrorKind::StorageCorrupt
        | ErrorKind::Storage
        | ErrorKind::Operation
        | ErrorKind::Internal => 500,
        ErrorKind::StorageBusy | ErrorKind::StorageUnavailable | ErrorKind::Cancelled => 503,
        ErrorKind::StorageFull => 507,
    }
}

/// Whether a peer's own word for its error may be ours, too. Faults within the peer are none of ours: a full disk over there is
/// to us a peer that refuses.
const fn concerns_both(kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::CertificateInvalid
        | ErrorKind::CertificateUnknown
        | ErrorKind::CertificateExceedsParent
        | ErrorKind::SignatureInvalid
        | ErrorKind::PrivateKeyMissing
        | ErrorKind::NonceInvalid
        | ErrorKind::Unauthenticated
        | ErrorKind::Forbidden
        | ErrorKind::FilterOutsideScope
        | ErrorKind::SessionUnknown
        | ErrorKind::SessionConflict
        | ErrorKind::PeerStageFailed
        | ErrorKind::RecordRejected
        | ErrorKind::LimitExceeded => true,
        ErrorKind::Configuration
        | ErrorKind::InvalidInput
        | ErrorKind::RecordChanged
        | ErrorKind::MessageMalformed
        | ErrorKind::SessionGone
        | ErrorKind::SessionHeld
        | ErrorKind::PeerAnswerUnexpected
        | ErrorKind::PeerRefused
        | ErrorKind::PeerUntrusted
        | ErrorKind::Connection
        | ErrorKind::Timeout
        | ErrorKind::StorageBusy
        | ErrorKind::StorageCorrupt
        | ErrorKind::StorageFull
        | ErrorKind::StorageUnavailable
        | ErrorKind::Storage
        | ErrorKind::Operation
        | ErrorKind::Cancelled
        | ErrorKind::Internal => false,
    }
}

/// The kinds that a peer may name to us.
const NAMED_BY_PEERS: [ErrorKind; 14] = [
    ErrorKind::CertificateInvalid,
    ErrorKind::CertificateUnknown,
    ErrorKind::CertificateExceedsParent,
    ErrorKind::SignatureInvalid,
    ErrorKind::PrivateKeyMissing,
    ErrorKind::NonceInvalid,
    ErrorKind::Unauthenticated,
    ErrorKind::Forbidden,
    ErrorKind::FilterOutsideScope,
    ErrorKind::SessionUnknown,
    ErrorKind::SessionConflict,
    ErrorKind::PeerStageFailed,
    ErrorKind::RecordRejected,
    ErrorKind::LimitExceeded,
];

/// The body of an answer that says no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What is wrong, for people.
    pub detail: String,
    /// The [code](ErrorKind::code) of the kind, for programs. Python peers send none.
    #[serde(default)]
    pub code: String,
}

/// The body with which we answer an error.
///
/// Where the fault is ours, the peer learns that there is one and not what it is: a message of ours may name files and hosts.
pub fn problem_body(error: &Error) -> Vec<u8> {
    let detail = match error.kind() {
        ErrorKind::StorageBusy => "this peer's database is busy; try again".to_owned(),
        kind if status_of(kind) < 500 || concerns_both(kind) => match error.hint() {
            Some(hint) => format!("failed to {error} ({hint})"),
            None => format!("failed to {error}"),
        },
        _ => "this peer failed; its log says why".to_owned(),
    };
    to_json(&Problem { detail, code: error.kind().code().to_owned() })
}

/// Which call a peer answered: the same status means different things for different calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// What the peer says of itself.
    Info,
    /// A nonce.
    Nonce,
    /// A list of certificates.
    Certificates,
    /// A certificate to be signed.
    RequestCertificate,
    /// The key that a certificate must have which is pushed.
    SharedKey,
    /// A chain of certificates that is pushed.
    PushCertificates,
    /// A sync session to be opened.
    CreateSyncSession,
    /// Whether a sync session is open.
    SyncSession,
    /// A sync session to be closed.
    CloseSyncSession,
    /// A transfer session to be opened.
    CreateTransferSession,
    /// How a transfer session stands.
    TransferSession,
    /// A transfer session to proceed.
    Proceed,
    /// A transfer session to be closed.
    CloseTransferSession,
    /// Records to be taken.
    SendChunk,
    /// Records to be given.
    FetchChunk,
}

impl Call {
    /// What was tried, as a fragment that follows "failed to".
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "ask what the peer is",
            Self::Nonce => "ask for a nonce",
            Self::Certificates => "ask for certificates",
            Self::RequestCertificate => "ask for a certificate to be signed",
            Self::SharedKey => "ask for the key to push a certificate for",
            Self::PushCertificates => "push a certificate",
            Self::CreateSyncSession => "open a sync session",
            Self::SyncSession => "ask whether a sync session is open",
            Self::CloseSyncSession => "close a sync session",
            Self::CreateTransferSession => "open a transfer session",
            Self::TransferSession => "ask how a transfer session stands",
            Self::Proceed => "have the peer proceed",
            Self::CloseTransferSession => "close a transfer session",
            Self::SendChunk => "send records",
            Self::FetchChunk => "fetch records",
        }
    }

    const fn is_about_a_session(self) -> bool {
        match self {
            Self::SyncSession
            | Self::CloseSyncSession
            | Self::TransferSession
            | Self::Proceed
            | Self::CloseTransferSession
            | Self::SendChunk
            | Self::FetchChunk => true,
            Self::Info
            | Self::Nonce
            | Self::Certificates
            | Self::RequestCertificate
            | Self::SharedKey
            | Self::PushCertificates
            | Self::CreateSyncSession
            | Self::CreateTransferSession => false,
        }
    }
}

/// The error that an answer means: its status first, then what its body says.
pub fn error_of_answer(call: Call, status: u16, body: &[u8]) -> Error {
    let said = Said::of(body);
    let kind = said.kind.unwrap_or_else(|| kind_of_python(call, status, &said));
    let text = if said.text.is_empty() { "with an empty body".to_owned() } else { format!("{:?}", said.text) };
    let error = Error::new(kind, format!("{}: the peer answered {status} {text}", call.as_str()));
    match kind {
        ErrorKind::PeerAnswerUnexpected => {
            error.with_hint("is this the address of a Morango peer, without the path of the protocol?")
        }
        ErrorKind::PeerRefused if is_passing(status) => error.retryable(),
        _ => error,
    }
}

/// Whether a status says that the same call may succeed a little later.
const fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 429 | 502 | 503 | 504)
}

/// What an answer's body says.
struct Said {
    /// The kind that a peer of our making names.
    kind: Option<ErrorKind>,
    /// The text, cut.
    text: String,
    /// Whether the body is JSON, as every answer of a Morango peer is but those of crashes.
    is_json: bool,
}

impl Said {
    fn of(body: &[u8]) -> Self {
        match serde_json::from_slice::<Value>(body) {
            Ok(value) => {
                let code = value.get("code").and_then(Value::as_str);
                let kind = NAMED_BY_PEERS.into_iter().find(|kind| Some(kind.code()) == code);
                Self { kind, text: quote(&text_of(&value)), is_json: true }
            }
            Err(_) => Self { kind: None, text: excerpt_of_answer(body), is_json: false },
        }
    }

    fn mentions(&self, word: &str) -> bool {
        self.text.contains(word)
    }
}

/// The text in the shapes in which peers wrap it.
fn text_of(value: &Value) -> String {
    let member = |name: &str| value.get(name).and_then(Value::as_str);
    if let Some(text) = value.as_str().or_else(|| member("detail")) {
        return text.to_owned();
    }
    if let Some(class) = member("error_class") {
        return format!("{class}: {}", member("error_message").unwrap_or_default());
    }
    if let Some([Value::String(text)]) = value.as_array().map(Vec::as_slice) {
        return text.clone();
    }
    value.to_string()
}

/// The start of an answer that is no JSON, fit for a message. Of a page of HTML its title says most.
pub fn excerpt_of_answer(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(4 * limits::QUOTED_ANSWER_BYTES_MAX)]);
    let title = text.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
    quote(title.map_or(text.as_ref(), |(title, _)| title))
}

/// A peer's text on one line, cut to [`limits::QUOTED_ANSWER_BYTES_MAX`].
fn quote(text: &str) -> String {
    let words = text.split(|character: char| character.is_whitespace() || character.is_control());
    let line = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    cut(&line, limits::QUOTED_ANSWER_BYTES_MAX).to_owned()
}

/// What a Python peer means by a status.
///
/// # Source
/// The answers of `api/viewsets.py`, as recorded.
fn kind_of_python(call: Call, status: u16, said: &Said) -> ErrorKind {
    match status {
        401 => ErrorKind::Unauthenticated,
        413 => ErrorKind::LimitExceeded,
        404 if call.is_about_a_session() && said.is_json => ErrorKind::SessionUnknown,
        // A page of HTML is from something that stands between the peers, whatever it refuses.
        400 | 403 if said.is_json => kind_of_refusal(call, status, said),
        400 | 403 | 405..=499 | 500..=599 => ErrorKind::PeerRefused,
        _ => ErrorKind::PeerAnswerUnexpected,
    }
}

fn kind_of_refusal(call: Call, status: u16, said: &Said) -> ErrorKind {
    match (call, status) {
        (Call::RequestCertificate | Call::PushCertificates, 400) if said.mentions("CertificateScopeNotSubset") => {
            ErrorKind::CertificateExceedsParent
        }
        (Call::RequestCertificate, 400) if said.mentions("private key") => ErrorKind::PrivateKeyMissing,
        (Call::RequestCertificate, 400) if said.mentions("parent") => ErrorKind::CertificateUnknown,
        (Call::PushCertificates, 400) if said.mentions("key") => ErrorKind::PrivateKeyMissing,
        (Call::PushCertificates, 403) if said.mentions("Nonce") => ErrorKind::NonceInvalid,
        (Call::PushCertificates, 403) if said.mentions("does not allow") => ErrorKind::Forbidden,
        (Call::CreateSyncSession, 400) if said.mentions("does not exist") => ErrorKind::CertificateUnknown,
        (Call::CreateSyncSession, 400) if said.mentions("profile") => ErrorKind::CertificateInvalid,
        (Call::CreateSyncSession, 403) if said.mentions("once") => ErrorKind::NonceInvalid,
        (Call::CreateSyncSession, 403) if said.mentions("signature") => ErrorKind::SignatureInvalid,
        (Call::CreateSyncSession, 403) | (Call::PushCertificates, _) => ErrorKind::CertificateInvalid,
        (Call::CreateTransferSession, 400) if said.mentions("syncsession") => ErrorKind::SessionUnknown,
        (Call::CreateTransferSession, 403) => ErrorKind::FilterOutsideScope,
        (Call::FetchChunk, 403) => ErrorKind::SessionUnknown,
        (Call::SendChunk, 403) => ErrorKind::SessionConflict,
        (_, 403) => ErrorKind::Forbidden,
        _ => ErrorKind::PeerRefused,
    }
}
