//! Who is watching: what the engine tells while it works, and whom it tells before and after.

mod event;
mod transfer;

pub use event::{Event, Phase, RenewalCause, Totals, Watcher};
pub use transfer::{GuestError, Hook, HookFailure, HookMoment, Party, TransferEnd, TransferInfo};
