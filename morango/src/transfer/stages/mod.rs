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

use super::context::Context;
use crate::Result;
use crate::session::{Role, Stage, StageStatus, TransferSession};

/// Does this side's part of a stage, whichever side that is. That it is done is noted by whoever asked for it.
///
/// Chunks travel between both sides at once, so transferring has no part that is one side's alone.
///
/// # Errors
/// The storage fails, or what must have come before is not there.
pub(super) fn perform(context: &mut Context<'_>, stage: Stage) -> Result<()> {
    match (stage, context.role()) {
        (Stage::Serializing, _) => serialize::run(context),
        (Stage::Queuing, Role::Producer) => queue::run(context),
        (Stage::Dequeuing, Role::Receiver) => dequeue::run(context),
        (Stage::Deserializing, Role::Receiver) => deserialize::run(context),
        (Stage::Cleanup, _) => cleanup::run(context.home, &context.session.id),
        (Stage::Queuing, Role::Receiver)
        | (Stage::Dequeuing | Stage::Deserializing, Role::Producer)
        | (Stage::Initializing | Stage::Transferring, _) => Ok(()),
    }
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
