//! A peer without asynchronous operations: it works while it opens the transfer session, and while it closes it.
//!
//! So our counters go with the request for the session, and its own come with the answer, on a pull with the number of records.
//! On a push it is told that number once we know it. What we sent it merges when we close the session: that call takes as long
//! as the work does, and where its answer is lost, the work may be done, may be under way, or may never have begun.

use std::time::Duration;

use super::{check_total, note_counters, stage_failed};
use crate::counter::Fsic;
use crate::limits;
use crate::port::{Peer, ProceedRequest, RemoteTransfer};
use crate::scope::Filter;
use crate::session::{Direction, Stage, StageStatus};
use crate::transfer::context::{Context, Home, Occasion};
use crate::transfer::fsic;
use crate::transfer::order::Order;
use crate::transfer::pauses;
use crate::transfer::work::Work;
use crate::{ErrorKind, Result};

/// Our counters before there is a session, with all that the application changed until now.
///
/// The stage of serializing comes all the same: what changes until then goes along, claimed or not.
pub(super) fn serialized_fsic(home: &Home, order: &Order<'_>, asked: &Filter) -> Result<Fsic> {
    let exchange = order.exchange(asked);
    let cancel = order.cancel;
    if home.serializing == Occasion::InSyncs {
        home.storage.serialize(exchange.profile, exchange.filter, &|_| cancel.to_flow())?;
    }
    fsic::ours(home, &mut Work::Apart(&*home.storage), &exchange)
}

/// Takes up the peer's counters, and how many records it has for us.
pub(super) fn opened(context: &mut Context<'_>, told: Fsic, answer: &RemoteTransfer) -> Result<()> {
    context.session.client_fsic = told.into();
    // One that has none looks like one that says none.
    note_counters(context, answer.server_fsic.clone().unwrap_or_default())?;
    if context.session.direction == Direction::Pull {
        context.session.records_total = Some(check_total(answer.records_total)?);
    }
    context.note(Stage::Initializing, context.session.status)
}

/// Has the peer do its part of a stage, where it has one of its own.
pub(super) fn perform(context: &mut Context<'_>, peer: &dyn Peer, stage: Stage) -> Result<()> {
    let session = &context.session;
    match (stage, session.direction) {
        (Stage::Queuing, Direction::Push) => {
            let request = ProceedRequest { records_total: session.records_total, ..ProceedRequest::default() };
            peer.proceed(&session.id, &request).map(drop)
        }
        (Stage::Cleanup, _) => close(context, peer),
        // It is done with serializing and queuing since it opened the session, and does the rest when it closes it.
        (
            Stage::Initializing | Stage::Serializing | Stage::Transferring | Stage::Dequeuing | Stage::Deserializing,
            _,
        )
        | (Stage::Queuing, Direction::Pull) => Ok(()),
    }
}

/// Closes the session there, and learns whether that was done where the answer is lost.
fn close(context: &Context<'_>, peer: &dyn Peer) -> Result<()> {
    let mut tries = 0;
    loop {
        match peer.close_transfer_session(&context.session.id) {
            Err(error) if error.is_retryable() && tries < limits::CALL_RETRIES_MAX => {
                tracing::debug!(tries, error = %error.report(), "asking whether the session was closed");
                if is_closed(context, peer)? {
                    return Ok(());
                }
                tries += 1;
            }
            closed => return closed,
        }
    }
}

/// Watches a session whose closing was asked for, until it is closed, or until nothing happens in it any more.
fn is_closed(context: &Context<'_>, peer: &dyn Peer) -> Result<bool> {
    let (clock, id) = (&context.home.clock, &context.session.id);
    let began = clock.elapsed();
    let mut last = (None, None);
    let mut since = clock.elapsed();
    loop {
        context.cancel.check()?;
        clock.pause(pauses::after(clock.elapsed().saturating_sub(began)));
        let answer = match peer.transfer_session(id) {
            Ok(answer) => answer,
            Err(error) if error.kind() == ErrorKind::SessionUnknown => return Ok(true),
            Err(error) => return Err(error),
        };
        let stands = (answer.stage, answer.status);
        if stands.1 == Some(StageStatus::Errored) {
            return Err(stage_failed(peer, Stage::Cleanup, &answer));
        }
        if stands != last {
            (last, since) = (stands, clock.elapsed());
        }
        let quiet_seconds_max = match stands.0 {
            Some(stage) if stage >= Stage::Dequeuing => limits::STAGE_ANSWER_SECONDS_MAX,
            Some(_) | None => limits::CLOSING_QUIET_SECONDS_MAX,
        };
        if clock.elapsed().saturating_sub(since) >= Duration::from_secs(quiet_seconds_max) {
            return Ok(false);
        }
    }
}
