//! *Queue*: the sender notes what the receiver lacks.

use crate::Result;
use crate::hook::Phase;
use crate::port::Progress;
use crate::session::Stage;
use crate::transfer::context::Context;
use crate::transfer::work::Work;

/// Queues what the receiver lacks, and counts it. Both sides' counters are in the session.
///
/// What this side told of its own does not matter here: another sync may since have brought a newer state of a record that it promised,
/// under the stamp of an instance that it did not name. The storage compares the receiver's with what it has when it looks.
pub(super) fn run(context: &mut Context<'_>, work: &mut Work<'_>) -> Result<()> {
    // From here on what is ours may leave.
    work.note_told()?;
    let session = &context.session;
    let total = work.queue(session, &session.receiver_fsic()?.of_receiver(&session.filter)?)?;
    context.session.records_total = Some(total);
    if !context.is_in_transaction {
        context.tell(Stage::Queuing, Phase::InProgress(Progress { done: total, total: Some(total) }));
    }
    Ok(())
}
