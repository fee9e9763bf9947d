//! *Queue*: the sender notes what the receiver lacks.

use crate::Result;
use crate::counter::difference;
use crate::transfer::context::Context;

/// Queues what the receiver lacks, and counts it. Both sides' counters are in the session.
pub(super) fn run(context: &mut Context<'_>) -> Result<()> {
    let session = &context.session;
    let has = session.producer_fsic().expand_for_use(&session.filter)?;
    let lacks = difference(&has, &session.receiver_fsic().expand_for_use(&session.filter)?);
    tracing::debug!(lacks = lacks.len(), "queuing what the receiver lacks");
    let total = context.home.storage.queue(session, &lacks)?;
    context.session.records_total = Some(total);
    Ok(())
}
