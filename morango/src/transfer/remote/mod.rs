//! The peer's part of each stage, as a client asks for it.
//!
//! There are two ways. A peer with asynchronous operations is taken along *by stage*. One without does everything *at once*:
//! it serializes and queues while it opens the transfer session, and dequeues and deserializes while it closes it. Whoever
//! leads a transfer need not know which of the two it is.

mod at_once;
mod by_stage;

use std::sync::Arc;

use super::context::{Context, Home};
use super::fsic::{self, Exchange};
use super::lease;
use super::operation::{StageOutcome, StagePart};
use super::operations::{Lineup, Place, info_of};
use super::order::Order;
use super::renewal;
use super::stages::Performed;
use super::work::Work;
use crate::counter::Fsic;
use crate::limits;
use crate::port::{Peer, RemoteTransfer};
use crate::scope::Filter;
use crate::session::{Capability, Direction, Role, Stage, SyncSession, TransferSession};
use crate::{Error, ErrorKind, Result};

/// In which way a peer does its part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Stage by stage, each when it is asked to.
    ByStage,
    /// While it opens the transfer session, and while it closes it.
    AtOnce,
}

impl Way {
    fn of(sync_session: &SyncSession) -> Self {
        if sync_session.capabilities.has(Capability::AsyncOperations) { Self::ByStage } else { Self::AtOnce }
    }
}

/// What the peer has to know of our counters when it opens the transfer session, before there is one.
///
/// # Errors
/// The storage fails.
pub(super) fn told_at_opening(home: &Home, order: &Order<'_>, asked: &Filter) -> Result<Option<Fsic>> {
    match Way::of(order.sync_session) {
        Way::ByStage => Ok(None),
        Way::AtOnce => at_once::serialized_fsic(home, order, asked).map(Some),
    }
}

/// Takes up what the peer said when it had opened the transfer session.
///
/// # Errors
/// It says what cannot be.
pub(super) fn opened(context: &mut Context<'_>, told: Option<Fsic>, answer: &RemoteTransfer) -> Result<()> {
    match Way::of(&context.sync_session) {
        Way::ByStage => Ok(()),
        Way::AtOnce => at_once::opened(context, told.unwrap_or_default(), answer),
    }
}

/// Whether a transfer that was begun can be gone on with. Of a peer that did its part while it opened the session, everything
/// hangs on the answer to that.
pub(super) fn can_be_taken_up(sync_session: &SyncSession, begun: &TransferSession) -> bool {
    match Way::of(sync_session) {
        Way::ByStage => true,
        Way::AtOnce => begun.stage > Stage::Initializing,
    }
}

/// Has the peer do its part of a stage, waits until it is done, and takes up what it says.
///
/// # Errors
/// The peer cannot be reached, refuses, fails in the stage, or says what cannot be.
pub(super) fn perform(context: &mut Context<'_>, peer: &dyn Peer, stage: Stage) -> Result<()> {
    match Way::of(&context.sync_session) {
        Way::ByStage => by_stage::perform(context, peer, stage),
        Way::AtOnce => at_once::perform(context, peer, stage),
    }
}

/// Whether a peer whose transfer is to be closed has merged what it was sent. One that does everything at once does that while it
/// closes the session, and some say that they closed one in which that failed.
pub(super) fn has_merged(context: &Context<'_>) -> bool {
    context.role() == Role::Producer && Way::of(&context.sync_session) == Way::ByStage
}

/// Whether a peer that is asked to close the transfer now would claim what it lacks of it.
///
/// One that does everything at once merges while it closes, and may look no further than whether it was told of any records: it merges
/// the part that came, and notes all of our counters. The rest would never be queued for it again. Where only the sync session is
/// closed, it merges nothing.
pub(super) fn would_claim_too_much(context: &Context<'_>) -> bool {
    let session = &context.session;
    let is_part = session.records_total.is_some_and(|total| session.records_transferred < total);
    match Way::of(&context.sync_session) {
        Way::ByStage => false,
        Way::AtOnce => context.role() == Role::Producer && is_part,
    }
}

/// Whether the peer has a part in a stage after ours, or an operation stands in for it.
pub(super) fn has_part(context: &Context<'_>, stage: Stage) -> bool {
    let is_asked = match (stage, context.session.direction) {
        (Stage::Serializing | Stage::Queuing | Stage::Dequeuing | Stage::Deserializing, Direction::Push)
        | (Stage::Queuing, Direction::Pull)
        | (Stage::Cleanup, _) => true,
        (Stage::Initializing | Stage::Transferring, _)
        | (Stage::Serializing | Stage::Dequeuing | Stage::Deserializing, Direction::Pull) => false,
    };
    is_asked || !Lineup::of(context.home, context.guests, stage, StagePart::Network).is_empty()
}

/// The same, with the operations of the network part around it.
///
/// # Errors
/// As [`perform`]; and those of the operations.
pub(super) fn perform_with_operations(context: &mut Context<'_>, peer: &dyn Peer, stage: Stage) -> Result<Performed> {
    let lineup = Lineup::of(context.home, context.guests, stage, StagePart::Network);
    if lineup.is_empty() {
        return perform(context, peer, stage).map(|()| Performed::Done);
    }
    let info = info_of(context)?;
    let before = lineup.run(context, &info, Place::Before, None, Some(peer))?;
    if before != StageOutcome::Next {
        return Ok(before.into());
    }
    perform(context, peer, stage)?;
    lineup.run(context, &info, Place::After, None, Some(peer)).map(Performed::from)
}

/// Takes the server's counters up, as far as they are believed.
fn note_counters(context: &mut Context<'_>, told: Arc<Fsic>) -> Result<()> {
    let exchange = Exchange::of(&context.sync_session, &context.session);
    let own = context.home.storage.own_counters()?;
    let accepted = fsic::accept(&exchange, told, &own, context.session.client_fsic.fsic()?)?;
    context.session.server_fsic = accepted.fsic.into();
    let mut work = Work::Apart(&*context.home.storage);
    if let Some(known) = accepted.beyond
        && renewal::become_another(context, &mut work, known)?
    {
        renewal::settle(context)?;
        // What the peer was told of ours stands there, and it would claim that when all has come.
        if context.role() == Role::Producer {
            let why = "this database was restored, and said what it has in the name of the instance that it was";
            return Err(lease::gone(&context.sync_session.id, why));
        }
    }
    Ok(())
}

fn check_total(total: Option<u64>) -> Result<u64> {
    match total {
        Some(total) if total <= limits::RECORDS_TOTAL_MAX => Ok(total),
        Some(total) => {
            let message = format!("pull {total} records: that is more than any peer has");
            Err(Error::new(ErrorKind::LimitExceeded, message))
        }
        None => {
            let message = "pull: the peer has queued, but does not say how many records";
            Err(Error::new(ErrorKind::PeerAnswerUnexpected, message))
        }
    }
}

pub(super) fn stage_failed(peer: &dyn Peer, target: Stage, answer: &RemoteTransfer) -> Error {
    let stage = answer.stage.unwrap_or(target);
    let message = format!("take {} to the stage {target}: its stage {stage} failed", peer.location());
    Error::new(ErrorKind::PeerStageFailed, message).with_hint("look at the log of the peer; a new sync begins afresh")
}
