//! The client's way through a transfer: for every stage what is ours, then what is the peer's.
//!
//! Single calls that fail are tried again by whoever makes them; here a failure ends the transfer, or breaks it off where its
//! reason may pass: then both sides stay as they are, for whoever takes it up again. What this side has done is noted in the
//! session: `started` where the peer's part of the stage is still to come, `completed` where both are done.

use super::context::{Context, Home};
use super::handover;
use super::hooks;
use super::lease;
use super::operations::Place;
use super::order::Order;
use super::pauses::Pauses;
use super::remote;
use super::report::TransferReport;
use super::stages::{self, Performed, cleanup, initialize, transmit};
use crate::counter::Fsic;
use crate::id::{SyncSessionId, TransferSessionId};
use crate::port::{Peer, RemoteTransfer, TransferSessionRequest};
use crate::session::{Direction, Stage, StageStatus, TransferSession};
use crate::{Error, ErrorKind, Result, limits};

/// Does one push or pull from its first stage to its last, or what is left of one that was begun before.
///
/// # Errors
/// Whatever fails first, on this side or the other. Unless the transfer may be taken up again, its session is then closed on
/// both sides as far as they can be reached. [`ErrorKind::SessionGone`] where one that was begun is not there any more, or
/// failed there.
pub(crate) fn transfer(home: &Home, peer: &dyn Peer, order: &Order<'_>) -> Result<TransferReport> {
    // One that is taken up again was told of when it began.
    let mut failures = if order.begun.is_none() { hooks::before_it_begins(home, order) } else { Vec::new() };
    let (mut context, found) = match &order.begun {
        Some(begun) => take_up(home, peer, order, begun),
        None => open(home, peer, order)?,
    };
    let outcome =
        found.and_then(|()| begin(&mut context, peer)).and_then(|()| lead(&mut context, peer, order.chunk_records));
    if let Err(error) = &outcome {
        if let Some(renewed) = context.results.renewed.take() {
            // Whoever begins again tells of it.
            let _ = order.renewed.set(renewed);
        }
        // It has not ended: it goes on when it is taken up again, or in the hands of whoever took the session over.
        if order.lease.is_over() || order.breaking_off.leaves_open(error) {
            return outcome.map(|()| TransferReport::of(context, failures));
        }
        abandon(&context, peer, error);
    }
    let failure = outcome.as_ref().err().map(Error::report);
    failures.extend(hooks::ended(home, order.guests, order.sync_session, &context.session, failure));
    outcome.map(|()| TransferReport::of(context, failures))
}

/// Makes the session on both sides, and tells whoever waits for it where that fails. What the peer said as it opened it is looked at
/// apart: where it cannot be gone on with, there is a session that has to be closed.
fn open<'a>(home: &'a Home, peer: &dyn Peer, order: &Order<'a>) -> Result<(Context<'a>, Result<()>)> {
    let (mut context, told, answer) =
        make(home, peer, order).inspect_err(|error| hooks::never_begun(home, order, error.report()))?;
    let opened = remote::opened(&mut context, told, &answer);
    Ok((context, opened))
}

/// Makes the session there, and then here under the id and with the filter that the peer answered. With it comes what the peer was told
/// of our counters, and its answer.
fn make<'a>(home: &'a Home, peer: &dyn Peer, order: &Order<'a>) -> Result<(Context<'a>, Option<Fsic>, RemoteTransfer)> {
    order.cancel.check()?;
    let beginning = order.beginning(home);
    let filter = initialize::prepare(&beginning)?;
    let request = TransferSessionRequest {
        id: TransferSessionId::random(),
        sync_session: order.sync_session.id,
        direction: order.direction,
        client_fsic: remote::told_at_opening(home, order, &filter)?,
        filter,
        records_total: None,
    };
    let answer = peer.create_transfer_session(&request)?;
    order.check_answer(&request.filter, &answer.filter)?;
    // An earlier try whose opening is lost here may have sent all that it had.
    if order.direction == Direction::Push
        && let Err(error) = check_takes_records(peer, order.sync_session.id, &answer)
    {
        close_there(peer, &answer.id);
        return Err(error);
    }
    let new = initialize::NewTransfer {
        id: answer.id,
        sync_session: order.sync_session,
        direction: order.direction,
        filter: &answer.filter,
        records_total: None,
        status: beginning.status_when_made(),
    };
    let session = match initialize::run(home, &new) {
        // Whoever closed it here, idle for long, ended before the session was closed and the peer was told.
        Err(error) if error.kind() == ErrorKind::SessionConflict => {
            close_there(peer, &answer.id);
            let why = format!("{} goes on with a transfer that was closed here", peer.location());
            return Err(lease::gone(&order.sync_session.id, &why).with_source(error));
        }
        made => made?,
    };
    Ok((context_of(home, order, session), request.client_fsic, answer))
}

/// Tells that the session is there, where no operation has still to run at it.
fn begin(context: &mut Context<'_>, peer: &dyn Peer) -> Result<()> {
    if (context.session.stage, context.session.status) == (Stage::Initializing, StageStatus::Completed) {
        context.stage(Stage::Initializing, |context| both_parts(context, peer, Stage::Initializing))?;
    }
    Ok(())
}

fn context_of<'a>(home: &'a Home, order: &Order<'a>, session: TransferSession) -> Context<'a> {
    let mut context = Context::new(home, order.sync_session.clone(), session, order.guests, order.cancel.clone());
    context.lease = Some(order.lease);
    context.failed_before = order.failed_before;
    context
}

/// Takes up a transfer where it was broken off. Where only its closing is left, it may be closed there already.
fn take_up<'a>(
    home: &'a Home,
    peer: &dyn Peer,
    order: &Order<'a>,
    begun: &TransferSession,
) -> (Context<'a>, Result<()>) {
    let mut context = context_of(home, order, begun.clone());
    tracing::info!(transfer_session = %begun.id, stage = %begun.stage, "taking a transfer up again");
    let found = if needs_nothing_more(begun) {
        Ok(())
    } else if !remote::can_be_taken_up(order.sync_session, begun) {
        Err(lease::gone(&begun.sync_session, "what the peer said when its transfer was opened is lost"))
    } else {
        find(peer, begun).and_then(|found| {
            if begun.direction == Direction::Push && begun.stage <= Stage::Transferring {
                // The receiver knows best what it has of the queue; of one that is made anew it has nothing.
                let total = begun.records_total.filter(|_| has_queued(begun)).unwrap_or(0);
                let there = found.records_transferred.min(total);
                if there != begun.records_transferred {
                    context.update(|session| session.records_transferred = there)?;
                }
            }
            context.found = Some(found);
            Ok(())
        })
    };
    (context, found)
}

/// Whether nothing but its closing is wanted of the peer any more.
fn needs_nothing_more(begun: &TransferSession) -> bool {
    let ahead = stages::ahead(begun, Stage::Cleanup);
    match begun.direction {
        Direction::Pull => !ahead.contains(&Stage::Transferring),
        Direction::Push => ahead == [Stage::Cleanup],
    }
}

/// How a transfer that is to be taken up again stands there.
fn find(peer: &dyn Peer, begun: &TransferSession) -> Result<RemoteTransfer> {
    let gone = |why: &str| lease::gone(&begun.sync_session, &format!("{} {why}", peer.location()));
    let found = peer.transfer_session(&begun.id).map_err(|error| match error.kind() {
        ErrorKind::SessionUnknown => gone("has closed its transfer, or never knew it").with_source(error),
        _ => error,
    })?;
    // It failed when nobody heard of it (whoever asked was cut off): a transfer of its own may go well.
    if found.status == Some(StageStatus::Errored) {
        return Err(gone("has failed in its transfer").with_source(remote::stage_failed(peer, begun.stage, &found)));
    }
    if found.filter != begun.filter {
        return Err(gone("has another filter for its transfer"));
    }
    // A peer that lost power may have fallen back behind what it told us; what was counted since no longer holds.
    let is_queuing_done = !stages::ahead(begun, Stage::Cleanup).contains(&Stage::Queuing);
    if is_queuing_done && found.stage.is_some_and(|stage| stage < Stage::Queuing) {
        return Err(gone("has fallen back behind what it had done"));
    }
    match begun.direction {
        Direction::Pull if begun.records_total.is_some() => transmit::check_queue(begun, peer, &found)?,
        Direction::Push if !has_queued(begun) => check_takes_records(peer, begun.sync_session, &found)?,
        Direction::Pull | Direction::Push => {}
    }
    Ok(found)
}

/// Whether this side's part of queuing is done, so that the queue stays what it is.
fn has_queued(begun: &TransferSession) -> bool {
    begun.is_beyond(Stage::Queuing, StageStatus::Pending)
}

/// Refuses to queue for a peer that takes no more records: what it was sent was queued here, and nobody here knows of that any more.
/// What would be queued now may be others.
fn check_takes_records(peer: &dyn Peer, sync_session: SyncSessionId, found: &RemoteTransfer) -> Result<()> {
    if found.stage.is_none_or(|stage| stage <= Stage::Transferring) {
        return Ok(());
    }
    let why = format!("{} has what was queued here, and nobody here knows of that any more", peer.location());
    Err(lease::gone(&sync_session, &why))
}

/// Takes both sides through the stages that are ahead.
fn lead(context: &mut Context<'_>, peer: &dyn Peer, chunk_records: Option<usize>) -> Result<()> {
    for stage in stages::ahead(&context.session, Stage::Cleanup) {
        if is_left_out(context, stage) {
            continue;
        }
        context.stage(stage, |context| match stage {
            Stage::Transferring => exchange(context, peer, chunk_records),
            Stage::Cleanup => close(context, peer),
            Stage::Initializing | Stage::Serializing | Stage::Queuing | Stage::Dequeuing | Stage::Deserializing => {
                both_parts(context, peer, stage)
            }
        })?;
    }
    Ok(())
}

/// Does our part of a stage, then has the peer do its own. Where both have a part, it is noted that ours is done.
fn both_parts(context: &mut Context<'_>, peer: &dyn Peer, stage: Stage) -> Result<Performed> {
    let ours = stages::has_part(context, stage);
    let theirs = remote::has_part(context, stage);
    let is_ours_done = (context.session.stage, context.session.status) == (stage, StageStatus::Started);
    if ours && !is_ours_done {
        let done = if theirs { StageStatus::Started } else { StageStatus::Completed };
        patiently(context, stage, |context| stages::perform(context, stage, done))?;
    }
    if theirs {
        patiently(context, stage, |context| remote::perform_with_operations(context, peer, stage))?;
    }
    if theirs {
        context.note(stage, StageStatus::Completed)?;
    }
    Ok(Performed::Done)
}

/// Closes the session here, where that is still to be done, and then there.
fn close(context: &mut Context<'_>, peer: &dyn Peer) -> Result<Performed> {
    let stage = Stage::Cleanup;
    if context.session.is_active {
        context.note(stage, StageStatus::Started)?;
        patiently(context, stage, |context| stages::perform(context, stage, StageStatus::Started))?;
    }
    if remote::has_merged(context) {
        handover::note_merged(context.home, &context.session);
    }
    handover::note_what_they_have(context.home, &context.session);
    patiently(context, stage, |context| remote::perform_with_operations(context, peer, stage))?;
    context.note(stage, StageStatus::Completed)?;
    Ok(Performed::Done)
}

/// Lets the chunks travel, which is the work of both sides at once.
fn exchange(context: &mut Context<'_>, peer: &dyn Peer, chunk_records: Option<usize>) -> Result<Performed> {
    let stage = Stage::Transferring;
    let run =
        |place| move |context: &mut Context<'_>| stages::perform_operations(context, stage, place).map(Performed::from);
    patiently(context, stage, run(Place::Before))?;
    match context.session.direction {
        Direction::Pull => transmit::pull(context, peer, chunk_records),
        Direction::Push => transmit::push(context, peer, chunk_records),
    }?;
    patiently(context, stage, |context| remote::perform_with_operations(context, peer, stage))?;
    patiently(context, stage, run(Place::After))?;
    if context.session.status != StageStatus::Completed {
        context.note(stage, StageStatus::Completed)?;
    }
    Ok(Performed::Done)
}

/// Tries something again as long as an operation keeps it pending, with growing pauses.
fn patiently(
    context: &mut Context<'_>,
    stage: Stage,
    mut attempt: impl FnMut(&mut Context<'_>) -> Result<Performed>,
) -> Result<()> {
    let pauses = Pauses::new(&*context.home.clock, limits::STAGE_SECONDS_MAX);
    while attempt(context)? == Performed::Pending {
        context.tell_progress(stage);
        context.check()?;
        pauses.pause("wait for an operation that keeps a stage pending")?;
    }
    Ok(())
}

/// A push of nothing goes from queuing straight to deserializing.
fn is_left_out(context: &Context<'_>, stage: Stage) -> bool {
    let session = &context.session;
    session.direction == Direction::Push
        && session.records_total == Some(0)
        && matches!(stage, Stage::Transferring | Stage::Dequeuing)
}

/// Closes what can be closed after a failure, and may be: the rest goes with the sync session. The failure itself is what the caller is
/// told.
fn abandon(context: &Context<'_>, peer: &dyn Peer, error: &Error) {
    let id = &context.session.id;
    let text = error.report();
    let noted = super::context::update(context.home, id, |session| {
        session.status = StageStatus::Errored;
        session.error = Some(text.clone());
    });
    if let Err(error) = noted.map(drop).and_then(|()| cleanup::abandon(context.home, id)) {
        tracing::warn!(transfer_session = %id, error = %error.report(), "could not close the transfer session here");
    }
    if error.kind() != ErrorKind::Connection && !remote::would_claim_too_much(context) {
        close_there(peer, id);
    }
}

/// Closes a transfer session on the peer's side, as far as it can be reached: the rest goes with the sync session.
fn close_there(peer: &dyn Peer, id: &TransferSessionId) {
    if let Err(error) = peer.close_transfer_session(id) {
        tracing::warn!(transfer_session = %id, error = %error.report(), "could not close the transfer session there");
    }
}
