//! What the engine needs from outside: a place to keep things, a peer to talk to, the time, and who the users are.
//!
//! Ports are traits in the engine's own words. Whoever implements one knows SQL or HTTP; the engine does not.

mod accounts;
mod clock;
mod forgetting;
mod peer;
mod renewal;
mod storage;
mod transaction;
mod waiting;

pub use accounts::{Accounts, Credentials, GrantRequest, NoAccounts};
pub use clock::{Clock, SystemClock};
pub use forgetting::{Forgetting, Forgotten, Papers, Unsent};
pub use peer::{
    CertificateQuery, Peer, PeerInfo, ProceedRequest, ReceivedRecord, RemoteTransfer, SyncSessionAnswer,
    SyncSessionRequest, Traffic, TransferSessionRequest,
};
pub use renewal::{Adoption, OwnCounters, Renewal, Renewed};
pub use storage::{
    ApplyFailure, Chunk, DequeueReport, DeserializeReport, Progress, REPORTED_MAX, ReceivedChunk, Rejection,
    SerializeReport, SetAside, Storage, StoredCertificate, Watch,
};
pub(crate) use transaction::in_pages;
pub use transaction::{Isolation, SessionMemory, TouchedRecord, Transaction};
pub use waiting::{
    DeserializeOrder, FailedBefore, NoRow, Waiting, WaitingCursor, WaitingKind, WaitingPage, WaitingRecords,
    WaitingSource, WaitingState,
};
