//! Nonces, sync sessions and transfer sessions, as they are kept.
//!
//! Nothing of them is needed after a power failure but that what was committed last is what is lost first: a session that
//! falls back a step is asked to make it again. So their commits do not wait for the disk; the next one that raises a
//! counter takes them with it.

mod columns;
mod memory;
mod nonce;
mod old;
mod sync;
mod transfer;

pub(crate) use memory::{recall, remember};
pub(crate) use nonce::{issue_nonce, take_nonce};
pub(crate) use old::{forget_session, forget_sessions};
pub(crate) use sync::{close_sync_session, create_sync_session, sync_session, sync_sessions, update_sync_session};
pub(crate) use transfer::{
    check_open, create_transfer_session, lock_open_transfer, note_queued, transfer_session, transfer_sessions,
    update_transfer_session,
};
