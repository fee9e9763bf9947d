//! What a program that syncs has at hand with `use morango::prelude::*`.

pub use crate::engine::{CancelToken, Engine, SyncOptions, SyncReport, SyncTask, TransferReport};
pub use crate::hook::{Event, Phase};
pub use crate::id::{CertificateId, SyncId};
pub use crate::identity::Certificate;
pub use crate::port::{Accounts, Credentials, GrantRequest, NoAccounts};
pub use crate::scope::{Filter, ScopeParams};
pub use crate::session::{Direction, Stage};
pub use crate::{Error, ErrorKind};
