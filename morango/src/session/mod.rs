//! What is happening: two peers in a sync session, and the transfers within it.
//!
//! Plain values that a storage keeps and both sides of the engine share. Nothing here acts.

mod capability;
mod stage;
mod sync;
mod transfer;

pub use capability::{Capabilities, Capability, FsicForm};
pub use stage::{Stage, StageStatus, is_beyond};
pub use sync::{Side, SyncHolder, SyncPlan, SyncSession, SyncSessionOrder, SyncSessionQuery};
pub use transfer::{Direction, Role, TransferSession};
