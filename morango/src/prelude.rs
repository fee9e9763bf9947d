//! What a program that syncs has at hand with `use morango::prelude::*`.

#[cfg(feature = "client")]
pub use crate::client::HttpPeer;
pub use crate::engine::{CancelToken, Engine, SyncOptions, SyncReport, SyncTask, TransferReport};
pub use crate::hook::{Event, GuestError, Hook, Phase, TransferEnd, TransferInfo};
pub use crate::id::{CertificateId, InstanceId, SyncId};
pub use crate::identity::Certificate;
pub use crate::port::{Accounts, Credentials, GrantRequest, NoAccounts, Peer, Storage};
pub use crate::record::{Conflict, Resolution};
pub use crate::scope::{Filter, ScopeParams};
pub use crate::scope_definitions;
pub use crate::session::{Direction, Role, Side, Stage};
pub use crate::transfer::{Operation, OperationContext, StageOperation, StageOutcome, StagePart};
pub use crate::{Error, ErrorKind};
/// The time of day, as models have it in their fields.
pub use chrono::{DateTime, Utc};
