//! *Queue*: the sender notes what the receiver lacks.

use crate::Result;
use crate::counter::{Instances, difference};
use crate::hook::Phase;
use crate::port::Progress;
use crate::session::{Side, Stage};
use crate::transfer::context::Context;
use crate::transfer::lease;
use crate::transfer::work::Work;

/// Queues what the receiver lacks, and counts it. Both sides' counters are in the session.
///
/// What this side told of its own does not matter here: another sync may since have brought a newer state of a record that it promised,
/// under the stamp of an instance that it did not name. The storage compares the receiver's with what it has when it looks.
pub(super) fn run(context: &mut Context<'_>, work: &mut Work<'_>) -> Result<()> {
    // From here on what is ours may leave.
    work.note_told()?;
    check_told(context, work)?;
    let session = &context.session;
    let total = work.queue(session, &session.receiver_fsic()?.of_receiver(&session.filter)?)?;
    context.session.records_total = Some(total);
    if !context.is_in_transaction {
        context.tell(Stage::Queuing, Phase::InProgress(Progress { done: total, total: Some(total) }));
    }
    Ok(())
}

/// Refuses to send what was promised in the name of an instance that this database was when the session began, and no longer is: what
/// that one saved and told nobody of was saved anew since, and the receiver would take what others saved under its numbers for what it
/// has. Where it is that one still, all that was told of it stays true, since it was noted a moment ago that others may know of it.
///
/// # Errors
/// [`SessionGone`](crate::ErrorKind::SessionGone) where more was told of it than is claimed now.
fn check_told(context: &Context<'_>, work: &mut Work<'_>) -> Result<()> {
    let (sync_session, session) = (&context.sync_session, &context.session);
    let then = match sync_session.side {
        Side::Client => sync_session.client_instance,
        Side::Server => sync_session.server_instance,
    };
    let now = work.own_counters()?.instance;
    let Some(then) = then.filter(|then| *then != now) else { return Ok(()) };
    let told = session.producer_fsic()?.expand_for_use(&session.filter)?;
    let claimed = work.fsic(&session.profile, &session.filter, Instances::All)?.expand_for_use(&session.filter)?;
    if difference(&told, &claimed).iter().any(|promised| promised.instance == then) {
        return Err(lease::gone(
            &sync_session.id,
            "this database has become another instance since it said what it has",
        ));
    }
    Ok(())
}
