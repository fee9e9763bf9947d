//! *Queue*: the sender notes what the receiver lacks.

use crate::Result;
use crate::counter::{Instances, difference};
use crate::hook::Phase;
use crate::port::Progress;
use crate::session::{FsicForm, Stage};
use crate::transfer::context::Context;
use crate::transfer::work::Work;

/// Queues what the receiver lacks, and counts it. Both sides' counters are in the session.
///
/// What is here now is looked up once more: since this side told its counters another sync may have brought a newer state of a record
/// that they promise, under the stamp of an instance that they do not name. And one map for all says too little of what there is to send.
pub(super) fn run(context: &mut Context<'_>, work: &mut Work<'_>) -> Result<()> {
    // From here on what is ours may leave.
    work.note_told()?;
    let session = &context.session;
    let now = work.fsic(&session.profile, &session.filter, Instances::WithRecords)?.expand_for_use(&session.filter)?;
    let has = match context.exchange().form {
        FsicForm::PerPartition => session.producer_fsic()?.expand_for_use(&session.filter)?.and(now),
        FsicForm::Flat => now,
    };
    // What came here without a claim to be complete is passed on all the same.
    let has = has.and_unclaimed(work.unclaimed(&session.filter)?);
    let lacks = difference(&has, &session.receiver_fsic()?.of_receiver(&session.filter)?);
    tracing::debug!(lacks = lacks.len(), "queuing what the receiver lacks");
    let total = work.queue(session, &lacks)?;
    context.session.records_total = Some(total);
    if !context.is_in_transaction {
        context.tell(Stage::Queuing, Phase::InProgress(Progress { done: total, total: Some(total) }));
    }
    Ok(())
}
