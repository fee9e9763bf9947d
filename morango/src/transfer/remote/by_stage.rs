//! A peer with asynchronous operations: the client takes it from stage to stage.
//!
//! To ask for a stage that it has reached already changes nothing, so whoever takes a transfer up again asks once more. A peer
//! whose stage is done is never waited for, and never asked what it has just said.

use std::time::Duration;

use super::{check_total, note_counters, stage_failed};
use crate::counter::Fsic;
use crate::limits;
use crate::port::{Peer, ProceedRequest, RemoteTransfer};
use crate::session::{Direction, FsicForm, Stage, StageStatus};
use crate::transfer::context::Context;
use crate::{Error, ErrorKind, Result};

/// Has the peer do its part of a stage.
pub(super) fn perform(context: &mut Context<'_>, peer: &dyn Peer, stage: Stage) -> Result<()> {
    let session = &context.session;
    let told = ProceedRequest { client_fsic: Some(session.client_fsic.clone()), ..ProceedRequest::default() };
    match (stage, session.direction) {
        (Stage::Serializing, Direction::Push) => {
            let answer = drive(context, peer, stage, told)?;
            note_counters(context, counters_of(context, &answer)?)
        }
        // One call takes the peer through serializing and queuing: nothing of ours lies between them.
        (Stage::Queuing, Direction::Pull) => {
            let answer = drive(context, peer, stage, told)?;
            note_counters(context, counters_of(context, &answer)?)?;
            context.session.records_total = Some(check_total(answer.records_total)?);
            Ok(())
        }
        (Stage::Queuing, Direction::Push) => {
            let request = ProceedRequest { records_total: session.records_total, ..ProceedRequest::default() };
            drive(context, peer, stage, request).map(drop)
        }
        // Where nothing was sent one call takes the peer here; records that an earlier sync left waiting get their turn.
        (Stage::Dequeuing | Stage::Deserializing, Direction::Push) => {
            drive(context, peer, stage, ProceedRequest::default()).map(drop)
        }
        (Stage::Cleanup, _) => peer.close_transfer_session(&session.id),
        // The session was made there before it was made here; chunks are the work of both sides at once; and on a pull the peer
        // has nothing to dequeue or deserialize, so it is not asked to.
        (Stage::Initializing | Stage::Transferring, _)
        | (Stage::Serializing | Stage::Dequeuing | Stage::Deserializing, Direction::Pull) => Ok(()),
    }
}

/// Takes the peer to a stage, and waits until it is there.
///
/// Pauses grow, and are made only while the peer says that it is not done.
fn drive(context: &Context<'_>, peer: &dyn Peer, target: Stage, mut request: ProceedRequest) -> Result<RemoteTransfer> {
    request.stage = Some(target);
    let (clock, id) = (&context.home.clock, &context.session.id);
    let began = clock.elapsed();
    let mut pause = Duration::from_millis(limits::POLL_PAUSE_FIRST_MILLISECONDS);
    let mut answer = peer.proceed(id, &request)?;
    loop {
        let is_started = match standing(&answer, target) {
            Standing::Arrived => return Ok(answer),
            Standing::Failed => return Err(stage_failed(peer, target, &answer)),
            Standing::Unsaid => return Err(unsaid(peer)),
            Standing::Working => true,
            Standing::Behind => false,
        };
        if clock.elapsed().saturating_sub(began) > Duration::from_secs(limits::STAGE_SECONDS_MAX) {
            let message = format!("wait for {} to come to the stage {target}", peer.location());
            return Err(Error::new(ErrorKind::Timeout, message));
        }
        context.cancel.check()?;
        clock.pause(pause);
        pause = (pause * 2).min(Duration::from_millis(limits::POLL_PAUSE_MAX_MILLISECONDS));
        // A peer that is behind and not at work (one that was started anew, or was too busy) is asked to go on.
        answer = if is_started { peer.transfer_session(id)? } else { peer.proceed(id, &request)? };
    }
}

/// How a peer stands to the stage at which it is wanted.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    Arrived,
    Working,
    Behind,
    Failed,
    Unsaid,
}

fn standing(answer: &RemoteTransfer, target: Stage) -> Standing {
    match (answer.stage, answer.status) {
        (_, Some(StageStatus::Errored)) => Standing::Failed,
        (Some(stage), Some(_)) if stage > target => Standing::Arrived,
        (Some(stage), Some(StageStatus::Completed)) if stage == target => Standing::Arrived,
        (Some(_), Some(StageStatus::Started)) => Standing::Working,
        (Some(_), Some(StageStatus::Pending | StageStatus::Completed)) => Standing::Behind,
        (None, _) | (_, None) => Standing::Unsaid,
    }
}

fn unsaid(peer: &dyn Peer) -> Error {
    let message = format!("follow the stages of {}: it does not say where it stands", peer.location());
    Error::new(ErrorKind::PeerAnswerUnexpected, message)
}

/// The counters of a peer that has serialized.
fn counters_of(context: &Context<'_>, answer: &RemoteTransfer) -> Result<Fsic> {
    match (&answer.server_fsic, context.exchange().form) {
        (Some(told), _) => Ok(told.clone()),
        // One map for all that is empty looks like none.
        (None, FsicForm::Flat) => Ok(Fsic::default()),
        (None, FsicForm::PerPartition) => {
            let message = "read the counters of the peer: it has serialized, but sent none";
            Err(Error::new(ErrorKind::PeerAnswerUnexpected, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::TransferSessionId;
    use crate::scope::Filter;

    fn answer(stage: Option<Stage>, status: Option<StageStatus>) -> RemoteTransfer {
        RemoteTransfer {
            id: TransferSessionId::hash_of("session"),
            filter: Filter::everything(),
            stage,
            status,
            records_total: None,
            records_transferred: 0,
            server_fsic: None,
        }
    }

    #[test]
    fn a_peer_is_waited_for_only_while_it_is_not_there() {
        use StageStatus::{Completed, Errored, Pending, Started};
        for (stage, status, expected) in [
            (Stage::Queuing, Completed, Standing::Arrived),
            (Stage::Transferring, Pending, Standing::Arrived),
            (Stage::Queuing, Started, Standing::Working),
            (Stage::Serializing, Started, Standing::Working),
            (Stage::Serializing, Completed, Standing::Behind),
            (Stage::Queuing, Pending, Standing::Behind),
            (Stage::Serializing, Errored, Standing::Failed),
            (Stage::Transferring, Errored, Standing::Failed),
        ] {
            assert_eq!(standing(&answer(Some(stage), Some(status)), Stage::Queuing), expected, "{stage} {status}");
        }
        assert_eq!(standing(&answer(Some(Stage::Queuing), None), Stage::Queuing), Standing::Unsaid);
        assert_eq!(standing(&answer(None, None), Stage::Queuing), Standing::Unsaid);
    }
}
