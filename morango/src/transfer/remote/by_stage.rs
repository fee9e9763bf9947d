//! A peer with asynchronous operations: the client takes it from stage to stage.
//!
//! To ask for a stage that it has reached already changes nothing, so whoever takes a transfer up again asks once more. A peer
//! whose stage is done is never waited for, and never asked what it has just said.

use std::sync::Arc;
use std::time::Duration;

use super::{check_total, note_counters, stage_failed};
use crate::counter::Fsic;
use crate::id::TransferSessionId;
use crate::limits;
use crate::port::{Peer, ProceedRequest, RemoteTransfer};
use crate::session::{Direction, FsicForm, Stage, StageStatus};
use crate::transfer::context::Context;
use crate::transfer::lease;
use crate::transfer::order::BreakingOff;
use crate::transfer::pauses;
use crate::{Error, ErrorKind, Result};

/// Has the peer do its part of a stage.
pub(super) fn perform(context: &mut Context<'_>, peer: &dyn Peer, stage: Stage) -> Result<()> {
    let session = &context.session;
    match (stage, session.direction) {
        (Stage::Serializing, Direction::Push) => {
            let answer = drive(context, peer, stage, counters(context)?)?;
            note_counters(context, counters_of(context, &answer)?)
        }
        // One call takes the peer through serializing and queuing: nothing of ours lies between them.
        (Stage::Queuing, Direction::Pull) => {
            let answer = drive(context, peer, stage, counters(context)?)?;
            note_counters(context, counters_of(context, &answer)?)?;
            context.session.records_total = Some(check_total(answer.records_total)?);
            Ok(())
        }
        (Stage::Queuing, Direction::Push) => {
            let sync_session = session.sync_session;
            let request = ProceedRequest { records_total: session.records_total, ..ProceedRequest::default() };
            drive(context, peer, stage, request).map(drop).map_err(|error| match error.kind() {
                // It has records of another queue, which this side made and lost.
                ErrorKind::SessionConflict => {
                    let why = format!("{} was sent what nobody here knows of any more", peer.location());
                    lease::gone(&sync_session, &why).with_source(error)
                }
                _ => error,
            })
        }
        // Where nothing was sent one call takes the peer here; records that an earlier sync left waiting get their turn.
        (Stage::Dequeuing | Stage::Deserializing, Direction::Push) => {
            drive(context, peer, stage, ProceedRequest::default()).map(drop)
        }
        (Stage::Cleanup, Direction::Push) => peer.close_transfer_session(&session.id),
        (Stage::Cleanup, Direction::Pull) => {
            tell_that_it_is_merged(context, peer);
            peer.close_transfer_session(&session.id)
        }
        // The session was made there before it was made here; chunks are the work of both sides at once; and on a pull the peer
        // has nothing to dequeue or deserialize, so it is not asked to.
        (Stage::Initializing | Stage::Transferring, _)
        | (Stage::Serializing | Stage::Dequeuing | Stage::Deserializing, Direction::Pull) => Ok(()),
    }
}

/// Tells a peer that what it sent is merged here: to have its session closed says nothing of that, since those that fail are closed too.
/// Where it does not hear of it, it learns it from our counters in the next sync.
fn tell_that_it_is_merged(context: &Context<'_>, peer: &dyn Peer) {
    let session = &context.session;
    if session.records_total == Some(0) {
        return;
    }
    let request = ProceedRequest { stage: Some(Stage::Dequeuing), ..ProceedRequest::default() };
    if let Err(error) = peer.proceed(&session.id, &request) {
        tracing::debug!(transfer_session = %session.id, error = %error.report(), "could not tell that records were merged");
    }
}

/// A request that tells our counters.
fn counters(context: &Context<'_>) -> Result<ProceedRequest> {
    let told = Arc::clone(context.session.client_fsic.fsic()?);
    Ok(ProceedRequest { client_fsic: Some(told), ..ProceedRequest::default() })
}

/// Takes the peer to a stage, and waits until it is there.
///
/// Pauses grow, and are made only while the peer says that it is not done.
fn drive(
    context: &mut Context<'_>,
    peer: &dyn Peer,
    target: Stage,
    mut request: ProceedRequest,
) -> Result<RemoteTransfer> {
    request.stage = Some(target);
    let (id, found) = (context.session.id, context.found.take());
    let mut wait = Wait::begin(context);
    // Whoever takes a transfer up again has asked already, and does not begin anew what may still be at work.
    let mut answer = match found {
        Some(found) => {
            wait.begun_at = Some(wait.began);
            found
        }
        None => wait.proceed(peer, &id, &request)?,
    };
    loop {
        let standing = standing(&answer, target);
        match standing {
            Standing::Arrived => return Ok(answer),
            Standing::Failed => return Err(stage_failed(peer, target, &answer)),
            Standing::Unsaid => return Err(unsaid(peer)),
            Standing::Working | Standing::Pending | Standing::Behind => {}
        }
        wait.check(peer, target, &answer, standing)?;
        answer = if wait.may_be_at_work(standing) {
            wait.pause();
            peer.transfer_session(&id)?
        } else {
            // A peer that is behind and not at work (one that was started anew, or was too busy) is asked to go on.
            if wait.has_asked {
                wait.pause();
            }
            wait.proceed(peer, &id, &request)?
        };
    }
}

/// The patience of a client with one stage of its peer.
struct Wait<'a, 'b> {
    context: &'a Context<'b>,
    began: Duration,
    has_asked: bool,
    /// When somebody asked for the stage who did not hear the answer: it may be at work.
    begun_at: Option<Duration>,
    /// What the peer said of itself when it last came nearer, and when.
    last: (Option<Stage>, Option<StageStatus>, Duration),
}

impl<'a, 'b> Wait<'a, 'b> {
    fn begin(context: &'a Context<'b>) -> Self {
        let began = context.home.clock.elapsed();
        Self { context, began, has_asked: false, begun_at: None, last: (None, None, began) }
    }

    fn pause(&self) {
        let clock = &self.context.home.clock;
        clock.pause(pauses::after(clock.elapsed().saturating_sub(self.began)));
    }

    /// Asks the peer to go on. Where its answer is lost it may be at work all the same: then it is only asked how it stands.
    fn proceed(&mut self, peer: &dyn Peer, id: &TransferSessionId, request: &ProceedRequest) -> Result<RemoteTransfer> {
        self.has_asked = true;
        match peer.proceed(id, request) {
            Ok(answer) => {
                self.begun_at = None;
                Ok(answer)
            }
            Err(error) if BreakingOff::ByReason.leaves_open(&error) => {
                tracing::debug!(error = %error.report(), "asking how the peer stands, whose answer was lost");
                self.begun_at = Some(self.context.home.clock.elapsed());
                // Where the peer cannot be reached at all, the first failure says more than the second.
                peer.transfer_session(id)
                    .map_err(|second| if BreakingOff::ByReason.leaves_open(&second) { error } else { second })
            }
            Err(error) => Err(error),
        }
    }

    /// Whether the peer is at work, as far as one can tell from here.
    fn may_be_at_work(&self, standing: Standing) -> bool {
        let is_recent = self.begun_at.is_some_and(|begun| {
            let since = self.context.home.clock.elapsed().saturating_sub(begun);
            since < Duration::from_secs(limits::STAGE_BEGUN_SECONDS)
        });
        // Python peers say `pending` of a stage while they are at work in it.
        standing == Standing::Working || (standing == Standing::Pending && is_recent)
    }

    /// Ends a wait that has become too long.
    fn check(&mut self, peer: &dyn Peer, target: Stage, answer: &RemoteTransfer, standing: Standing) -> Result<()> {
        self.context.check()?;
        let now = self.context.home.clock.elapsed();
        if (answer.stage, answer.status) != (self.last.0, self.last.1) {
            self.last = (answer.stage, answer.status, now);
        }
        // Who says that it is at work may be done later; who says nothing for so long has lost the thread.
        let (since, seconds_max, kind) = match standing {
            Standing::Working => (self.began, limits::STAGE_SECONDS_MAX, ErrorKind::Timeout),
            Standing::Arrived | Standing::Pending | Standing::Behind | Standing::Failed | Standing::Unsaid => {
                (self.last.2, limits::STALLED_SECONDS_MAX, ErrorKind::PeerStageFailed)
            }
        };
        if now.saturating_sub(since) <= Duration::from_secs(seconds_max) {
            return Ok(());
        }
        let stands = answer.stage.zip(answer.status);
        let stands = stands.map_or_else(String::new, |(stage, status)| format!(": it stays at {stage}, {status}"));
        let message = format!("wait for {} to come to the stage {target}{stands}", peer.location());
        Err(Error::new(kind, message)
            .with_hint("the peer may have been stopped in the middle; a new sync begins afresh")
            .retryable())
    }
}

/// How a peer stands to the stage at which it is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Arrived,
    /// It says that it is at work.
    Working,
    /// It has come to the stage, and says neither that it is done nor that it is at work.
    Pending,
    /// It is at an earlier stage.
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
        (Some(stage), Some(StageStatus::Pending)) if stage == target => Standing::Pending,
        (Some(_), Some(StageStatus::Pending | StageStatus::Completed)) => Standing::Behind,
        (None, _) | (_, None) => Standing::Unsaid,
    }
}

fn unsaid(peer: &dyn Peer) -> Error {
    let message = format!("follow the stages of {}: it does not say where it stands", peer.location());
    Error::new(ErrorKind::PeerAnswerUnexpected, message)
}

/// The counters of a peer that has serialized.
fn counters_of(context: &Context<'_>, answer: &RemoteTransfer) -> Result<Arc<Fsic>> {
    match (&answer.server_fsic, context.exchange().form) {
        (Some(told), _) => Ok(Arc::clone(told)),
        // One map for all that is empty looks like none.
        (None, FsicForm::Flat) => Ok(Arc::default()),
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
            (Stage::Queuing, Pending, Standing::Pending),
            (Stage::Serializing, Pending, Standing::Behind),
            (Stage::Serializing, Errored, Standing::Failed),
            (Stage::Transferring, Errored, Standing::Failed),
        ] {
            assert_eq!(standing(&answer(Some(stage), Some(status)), Stage::Queuing), expected, "{stage} {status}");
        }
        assert_eq!(standing(&answer(Some(Stage::Queuing), None), Stage::Queuing), Standing::Unsaid);
        assert_eq!(standing(&answer(None, None), Stage::Queuing), Standing::Unsaid);
    }
}
