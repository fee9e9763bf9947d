//! *Queue*: the sender notes what the receiver lacks.

use crate::Result;
use crate::counter::difference;
use crate::transfer::context::Context;

/// Queues what the receiver lacks, and says how many records that are. Both sides' counters are in the session.
pub(in crate::transfer) fn run(context: &Context<'_>) -> Result<u64> {
    let session = &context.session;
    let has = session.producer_fsic().expand_for_use(&session.filter)?;
    let lacks = difference(&has, &session.receiver_fsic().expand_for_use(&session.filter)?);
    tracing::debug!(lacks = lacks.len(), "queuing what the receiver lacks");
    context.home.storage.queue(session, &lacks)
}
