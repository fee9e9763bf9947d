//! *Initialize*: the transfer session is made, or the open one of the same sync session and direction is taken up.

use crate::Result;
use crate::id::TransferSessionId;
use crate::port::Isolation;
use crate::scope::Filter;
use crate::session::{Direction, StageStatus, SyncSession, TransferSession};
use crate::transfer::context::Home;
use crate::transfer::operations::Beginning;

/// What is known of a transfer session before there is one.
pub(in crate::transfer) struct NewTransfer<'a> {
    pub(in crate::transfer) id: TransferSessionId,
    pub(in crate::transfer) sync_session: &'a SyncSession,
    pub(in crate::transfer) direction: Direction,
    pub(in crate::transfer) filter: &'a Filter,
    pub(in crate::transfer) records_total: Option<u64>,
    /// Pending where operations are to run once the session is there.
    pub(in crate::transfer) status: StageStatus,
}

/// Runs the client's operations that come before there is a session, and says which filter is to be asked for.
///
/// # Errors
/// The storage or an operation fails.
pub(in crate::transfer) fn prepare(beginning: &Beginning<'_>) -> Result<Filter> {
    let lineup = beginning.lineup();
    if lineup.before.is_empty() {
        return Ok(beginning.filter.clone());
    }
    let info = beginning.info()?;
    let mut filter = None;
    beginning.home.storage.transaction("prepare a transfer session", Isolation::Plain, &mut |transaction| {
        filter = Some(lineup.run_before_session(beginning, &info, transaction)?);
        Ok(())
    })?;
    Ok(filter.expect("work that succeeded within a transaction has an outcome"))
}

/// Makes the session on this side. What comes back may be an older one, with another id.
///
/// # Errors
/// The storage fails.
pub(in crate::transfer) fn run(home: &Home, new: &NewTransfer<'_>) -> Result<TransferSession> {
    home.storage.create_transfer_session(&new.session(home))
}

/// Makes the session on the server, in the transaction of the operations that come before it.
///
/// # Errors
/// The storage or an operation fails.
pub(in crate::transfer) fn run_prepared(beginning: &Beginning<'_>, new: &NewTransfer<'_>) -> Result<TransferSession> {
    let (home, lineup) = (beginning.home, beginning.lineup());
    if lineup.before.is_empty() {
        return run(home, new);
    }
    let info = beginning.info()?;
    let mut session = None;
    home.storage.transaction("create a transfer session", Isolation::Plain, &mut |transaction| {
        let filter = lineup.run_before_session(beginning, &info, transaction)?;
        let new = NewTransfer { filter: &filter, ..*new };
        session = Some(transaction.create_transfer_session(&new.session(home))?);
        Ok(())
    })?;
    Ok(session.expect("work that succeeded within a transaction has an outcome"))
}

impl NewTransfer<'_> {
    fn session(&self, home: &Home) -> TransferSession {
        TransferSession {
            status: self.status,
            records_total: self.records_total,
            ..TransferSession::begin(self.sync_session, self.id, self.direction, self.filter.clone(), home.clock.now())
        }
    }
}
