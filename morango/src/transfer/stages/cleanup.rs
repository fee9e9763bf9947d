//! *Cleanup*: the buffers are deleted and the session is closed.

use crate::Result;
use crate::id::TransferSessionId;
use crate::transfer::context::Home;

/// Closes the session on this side.
pub(in crate::transfer) fn run(home: &Home, id: &TransferSessionId) -> Result<()> {
    home.storage.clean_up(id, home.clock.now())
}
