//! *Cleanup*: the buffers are deleted and the session is closed.

use crate::Result;
use crate::id::TransferSessionId;
use crate::transfer::context::Home;
use crate::transfer::work::Work;

/// Closes the session on this side.
pub(super) fn run(home: &Home, id: &TransferSessionId, work: &mut Work<'_>) -> Result<()> {
    work.clean_up(id, home.clock.now())
}

/// Closes a session that came to nothing: no operation has a part in that.
pub(in crate::transfer) fn abandon(home: &Home, id: &TransferSessionId) -> Result<()> {
    run(home, id, &mut Work::Apart(&*home.storage))
}
