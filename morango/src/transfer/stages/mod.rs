//! The seven stages: what each of them does on this side, for whoever sends records and for whoever receives them.
//!
//! A stage works on what its [`Context`] holds. What the other side does meanwhile is not its business.

pub(super) mod cleanup;
pub(super) mod dequeue;
pub(super) mod deserialize;
pub(super) mod initialize;
pub(super) mod queue;
pub(super) mod serialize;
pub(super) mod transmit;

use super::certificates;
use super::context::Context;
use super::operation::{StageOutcome, StagePart};
use super::operations::{Lineup, Place, info_of};
use super::renewal;
use super::work::Work;
use crate::Result;
use crate::hook::TransferInfo;
use crate::port::{Isolation, Storage, Transaction};
use crate::session::{Role, Stage, StageStatus, TransferSession};

/// How this side's part of a stage ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Performed {
    /// It is done.
    Done,
    /// An operation wants it to be tried again.
    Pending,
}

impl From<StageOutcome> for Performed {
    fn from(outcome: StageOutcome) -> Self {
        match outcome {
            StageOutcome::Pending => Self::Pending,
            StageOutcome::Next | StageOutcome::Completed => Self::Done,
        }
    }
}

/// Does this side's part of a stage, whichever side that is, and notes in the session that it has the status `done` then.
///
/// Without operations the work is cut into transactions, and the note comes after. Operations of the local part do their own
/// in the transaction in which the note is made; with some before the engine's work, that work is done in it too.
///
/// Chunks travel between both sides at once, so transferring has no work that is one side's alone.
///
/// # Errors
/// The storage or an operation fails, or what must have come before is not there.
pub(super) fn perform(context: &mut Context<'_>, stage: Stage, done: StageStatus) -> Result<Performed> {
    let lineup = Lineup::of(context.home, context.guests, stage, StagePart::Local);
    let storage = context.home.storage.as_ref();
    if has_long_work(context.role(), stage) && stage == Stage::Dequeuing {
        context.writable = certificates::writable(context.home, &context.session.profile)?;
    }
    if lineup.is_empty() {
        work(context, stage, &mut Work::Apart(storage))?;
        renewal::settle(context)?;
        note(context, stage, done, &mut Work::Apart(storage))?;
        return Ok(Performed::Done);
    }
    if stage == Stage::Serializing
        && let Some(told) = context.told.take()
    {
        // What the client told of its counters is kept, should the stage be kept pending.
        context.session.client_fsic = told.into();
    }
    let info = info_of(context)?;
    if lineup.before.is_empty() {
        work(context, stage, &mut Work::Apart(storage))?;
    }
    together(context, storage, stage, &mut |context, transaction| {
        let outcome = around(context, &lineup, &info, transaction, done)?;
        let status = if outcome == StageOutcome::Pending { StageStatus::Pending } else { done };
        note(context, stage, status, &mut Work::Within(transaction))?;
        Ok(if status == StageStatus::Pending { Performed::Pending } else { Performed::Done })
    })
}

/// Whether an operation has a part in a stage after its work, at home or towards the peer.
pub(super) fn has_operations_after(context: &Context<'_>, stage: Stage) -> bool {
    let lineup = |part| Lineup::of(context.home, context.guests, stage, part);
    !lineup(StagePart::Local).after.is_empty() || !lineup(StagePart::Network).is_empty()
}

/// Runs the local operations of one place alone, at a stage whose work is not one side's alone and is done whatever they answer.
/// After those that come last it is noted that the stage is done.
///
/// # Errors
/// The storage or an operation fails.
pub(super) fn perform_operations(context: &mut Context<'_>, stage: Stage, place: Place) -> Result<StageOutcome> {
    let lineup = Lineup::of(context.home, context.guests, stage, StagePart::Local);
    let is_nobody = match place {
        Place::Before => lineup.before.is_empty(),
        Place::After => lineup.after.is_empty(),
    };
    if is_nobody {
        return Ok(StageOutcome::Next);
    }
    let (info, storage) = (info_of(context)?, context.home.storage.as_ref());
    together(context, storage, stage, &mut |context, transaction| {
        let outcome = lineup.run(context, &info, place, Some(&mut *transaction), None)?;
        if place == Place::After && outcome != StageOutcome::Pending {
            context.note_at(stage, StageStatus::Completed, &mut Work::Within(transaction))?;
        }
        Ok(outcome)
    })
}

/// The operations of a stage with the engine's own work in their midst, where that was not done before.
fn around(
    context: &mut Context<'_>,
    lineup: &Lineup,
    info: &TransferInfo,
    transaction: &mut dyn Transaction,
    done: StageStatus,
) -> Result<StageOutcome> {
    // A session that is taken up again has been made: those before that have had their turn.
    if !lineup.before.is_empty() && lineup.stage != Stage::Initializing {
        let outcome = lineup.run(context, info, Place::Before, Some(&mut *transaction), None)?;
        if outcome != StageOutcome::Next {
            return Ok(outcome);
        }
        work(context, lineup.stage, &mut Work::Within(&mut *transaction))?;
    }
    // Where chunks are still to come, what comes after them has to wait.
    if done != StageStatus::Pending {
        return lineup.run(context, info, Place::After, Some(transaction), None);
    }
    Ok(StageOutcome::Next)
}

/// Runs work on a stage in one transaction. The session is as it was before where that is taken back.
fn together<T>(
    context: &mut Context<'_>,
    storage: &dyn Storage,
    stage: Stage,
    work: &mut dyn FnMut(&mut Context<'_>, &mut dyn Transaction) -> Result<T>,
) -> Result<T> {
    let (before, renewed) = (context.session.clone(), context.results.renewed.clone());
    let operation = format!("do the stage {stage} of the transfer session {}", before.id);
    let mut outcome = None;
    context.is_in_transaction = true;
    let isolation = Isolation::Stage { profile: &before.profile };
    let done = storage.transaction(&operation, isolation, &mut |transaction| {
        context.session.clone_from(&before);
        context.results.renewed.clone_from(&renewed);
        outcome = Some(work(context, transaction)?);
        Ok(())
    });
    context.is_in_transaction = false;
    if let Err(error) = done {
        context.session = before;
        context.results.renewed = renewed;
        return Err(error);
    }
    renewal::settle(context)?;
    Ok(outcome.expect("work that succeeded within a transaction has an outcome"))
}

/// Whether this side has a part in a stage: work of the engine's own, or operations.
pub(super) fn has_part(context: &Context<'_>, stage: Stage) -> bool {
    let has_operations = || !Lineup::of(context.home, context.guests, stage, StagePart::Local).is_empty();
    stage == Stage::Cleanup || has_long_work(context.role(), stage) || has_operations()
}

/// Whether the engine does more at a stage on this side than take note or close.
pub(super) const fn has_long_work(role: Role, stage: Stage) -> bool {
    match (stage, role) {
        (Stage::Serializing, _)
        | (Stage::Queuing, Role::Producer)
        | (Stage::Dequeuing | Stage::Deserializing, Role::Receiver) => true,
        (Stage::Queuing, Role::Receiver)
        | (Stage::Dequeuing | Stage::Deserializing, Role::Producer)
        | (Stage::Initializing | Stage::Transferring | Stage::Cleanup, _) => false,
    }
}

/// The engine's own work on this side.
fn work(context: &mut Context<'_>, stage: Stage, at: &mut Work<'_>) -> Result<()> {
    match (stage, context.role()) {
        (Stage::Serializing, _) => serialize::run(context, at),
        (Stage::Queuing, Role::Producer) => queue::run(context, at),
        (Stage::Dequeuing, Role::Receiver) => dequeue::run(context, at),
        (Stage::Deserializing, Role::Receiver) => deserialize::run(context, at),
        (Stage::Cleanup, _) => cleanup::run(context.home, &context.session.id, at),
        (Stage::Queuing, Role::Receiver)
        | (Stage::Dequeuing | Stage::Deserializing, Role::Producer)
        | (Stage::Initializing | Stage::Transferring, _) => Ok(()),
    }
}

/// Notes how far the stage is. Of one that is cleaned up nothing more is said, unless it was kept pending before.
fn note(context: &mut Context<'_>, stage: Stage, status: StageStatus, at: &mut Work<'_>) -> Result<()> {
    let was_kept = context.session.status == StageStatus::Pending;
    if stage == Stage::Cleanup && status != StageStatus::Pending && !was_kept {
        return Ok(());
    }
    context.note_at(stage, status, at)
}

/// The stages that lie between where a session is and a target, the target among them.
pub(super) fn ahead(session: &TransferSession, target: Stage) -> Vec<Stage> {
    let is_ahead = |stage: &Stage| match session.status {
        StageStatus::Errored => false,
        StageStatus::Completed => *stage > session.stage,
        // It was begun by somebody who is gone: a stage may be done twice.
        StageStatus::Pending | StageStatus::Started => *stage >= session.stage,
    };
    Stage::ALL.into_iter().filter(|stage| *stage <= target && is_ahead(stage)).collect()
}
