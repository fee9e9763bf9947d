//! The client's way through a transfer: for every stage what is ours, then what is the peer's.
//!
//! A peer whose stage is done is never waited for, and never asked what it has just said. Single calls that fail are tried
//! again by whoever makes them; here a failure ends the transfer.

use std::time::Duration;

use super::cancel::CancelToken;
use super::context::{Context, Home};
use super::fsic;
use super::report::TransferReport;
use super::stages::{cleanup, dequeue, deserialize, initialize, queue, serialize, transmit};
use crate::hook::Watcher;
use crate::id::TransferSessionId;
use crate::limits;
use crate::port::{Peer, ProceedRequest, RemoteTransfer, TransferSessionRequest};
use crate::scope::{Filter, Reach};
use crate::session::{Direction, Stage, StageStatus, SyncSession};
use crate::{Error, ErrorKind, Result};

/// What a client wants of one transfer.
pub(crate) struct Order<'a> {
    pub(crate) sync_session: &'a SyncSession,
    pub(crate) direction: Direction,
    pub(crate) filter: &'a Filter,
    /// How far a peer may widen the filter.
    pub(crate) widening: Widening<'a>,
    pub(crate) chunk_records: usize,
    pub(crate) watchers: &'a [Watcher],
    pub(crate) cancel: &'a CancelToken,
}

/// How far a peer may widen the filter of a transfer: below the root that both certificates share, and not beyond what its own
/// certificate allows it to give or to be given.
pub(crate) struct Widening<'a> {
    /// The partition under which both certificates lie, if they share one.
    pub(crate) shared_root: Option<String>,
    /// On a pull what the peer may write, on a push what it may read.
    pub(crate) reach: &'a Reach,
}

impl Widening<'_> {
    /// Whether a peer may make this of the filter that it was asked for. It may never narrow it.
    fn allows(&self, asked: &Filter, answered: &Filter) -> bool {
        let is_below_root =
            |prefix: &str| self.shared_root.as_ref().is_some_and(|root| prefix.starts_with(root.as_str()));
        let may_have = |prefix: &str| asked.contains(prefix) || (is_below_root(prefix) && self.reach.contains(prefix));
        asked.is_subset_of(answered) && answered.prefixes().iter().all(|prefix| may_have(prefix))
    }
}

/// Does one push or pull from its first stage to its last.
///
/// # Errors
/// Whatever fails first, on this side or the other. Then the session is closed on both sides as far as they can be reached.
pub(crate) fn transfer(home: &Home, peer: &dyn Peer, order: &Order<'_>) -> Result<TransferReport> {
    let mut context = open(home, peer, order)?;
    let outcome = match order.direction {
        Direction::Pull => pull(&mut context, peer, order.chunk_records),
        Direction::Push => push(&mut context, peer, order.chunk_records),
    };
    if let Err(error) = &outcome {
        abandon(&context, peer, error);
    }
    outcome
}

/// Makes the session there, and then here under the id and with the filter that the peer answered.
fn open<'a>(home: &'a Home, peer: &dyn Peer, order: &Order<'a>) -> Result<Context<'a>> {
    order.cancel.check()?;
    let request = TransferSessionRequest {
        id: TransferSessionId::random(),
        sync_session: order.sync_session.id,
        direction: order.direction,
        filter: order.filter.clone(),
        client_fsic: None,
        records_total: None,
    };
    let answer = peer.create_transfer_session(&request)?;
    check_filter(order, &answer.filter)?;
    let new = initialize::NewTransfer {
        id: answer.id,
        sync_session: order.sync_session,
        direction: order.direction,
        filter: &answer.filter,
        records_total: None,
    };
    let session = initialize::run(home, &new)?;
    let mut context = Context::new(home, session, order.watchers, order.cancel.clone());
    context.stage(Stage::Initializing, |_| Ok(()))?;
    Ok(context)
}

/// Goes along with a filter that the peer widened, where it may.
fn check_filter(order: &Order<'_>, answered: &Filter) -> Result<()> {
    if order.filter == answered {
        return Ok(());
    }
    if order.widening.allows(order.filter, answered) {
        tracing::info!(filter = %answered, "the peer widened the filter");
        return Ok(());
    }
    let message = format!("sync the filter {}: the peer made {answered} of it, which it may not", order.filter);
    Err(Error::new(ErrorKind::PeerAnswerUnexpected, message))
}

fn pull(context: &mut Context<'_>, peer: &dyn Peer, chunk_records: usize) -> Result<TransferReport> {
    context.stage(Stage::Serializing, |context| {
        let serialized = serialize::run(context)?;
        context.session.client_fsic = serialized.fsic;
        Ok(())
    })?;
    // One call takes the peer through serializing and queuing: nothing of ours lies between them.
    let total = context.stage(Stage::Queuing, |context| {
        let request =
            ProceedRequest { client_fsic: Some(context.session.client_fsic.clone()), ..ProceedRequest::default() };
        let answer = drive(context, peer, Stage::Queuing, request)?;
        note_peers_counters(context, &answer)?;
        let total = check_total(answer.records_total)?;
        let (client_fsic, server_fsic) = (context.session.client_fsic.clone(), context.session.server_fsic.clone());
        context.complete(Stage::Queuing, |session| {
            session.client_fsic.clone_from(&client_fsic);
            session.server_fsic.clone_from(&server_fsic);
            session.records_total = Some(total);
        })?;
        Ok(total)
    })?;
    let refused = context.stage(Stage::Transferring, |context| transmit::pull(context, peer, chunk_records, total))?;
    // The peer has nothing to dequeue or deserialize on a pull, so it is not asked to.
    let dequeued = context.stage(Stage::Dequeuing, |context| {
        let report = dequeue::run(context)?;
        context.complete(Stage::Dequeuing, |_| ())?;
        Ok(report)
    })?;
    let deserialized = context.stage(Stage::Deserializing, |context| deserialize::run(context))?;
    close(context, peer)?;
    let mut report = report(context, total);
    report.rejections = refused.rejections;
    report.rejections_total = refused.total;
    report.dequeue = Some(dequeued);
    report.deserialize = Some(deserialized);
    Ok(report)
}

fn push(context: &mut Context<'_>, peer: &dyn Peer, chunk_records: usize) -> Result<TransferReport> {
    let serialized = context.stage(Stage::Serializing, |context| {
        let serialized = serialize::run(context)?;
        context.session.client_fsic = serialized.fsic;
        let request =
            ProceedRequest { client_fsic: Some(context.session.client_fsic.clone()), ..ProceedRequest::default() };
        let answer = drive(context, peer, Stage::Serializing, request)?;
        note_peers_counters(context, &answer)?;
        Ok(serialized.report)
    })?;
    let total = context.stage(Stage::Queuing, |context| {
        let total = queue::run(context)?;
        let (client_fsic, server_fsic) = (context.session.client_fsic.clone(), context.session.server_fsic.clone());
        context.complete(Stage::Queuing, |session| {
            session.client_fsic.clone_from(&client_fsic);
            session.server_fsic.clone_from(&server_fsic);
            session.records_total = Some(total);
        })?;
        let request = ProceedRequest { records_total: Some(total), ..ProceedRequest::default() };
        drive(context, peer, Stage::Queuing, request)?;
        Ok(total)
    })?;
    if total > 0 {
        context.stage(Stage::Transferring, |context| transmit::push(context, peer, chunk_records, total))?;
        context.stage(Stage::Dequeuing, |context| {
            drive(context, peer, Stage::Dequeuing, ProceedRequest::default()).map(drop)
        })?;
    }
    // Where nothing was sent one call takes the peer here; records that an earlier sync left waiting get their turn.
    context.stage(Stage::Deserializing, |context| {
        drive(context, peer, Stage::Deserializing, ProceedRequest::default()).map(drop)
    })?;
    close(context, peer)?;
    let mut report = report(context, total);
    report.serialize = serialized;
    Ok(report)
}

fn report(context: &Context<'_>, total: u64) -> TransferReport {
    TransferReport {
        direction: context.session.direction,
        transfer_session: context.session.id,
        filter: context.session.filter.clone(),
        records_total: total,
        records_transferred: context.session.records_transferred,
        rejections: Vec::new(),
        rejections_total: 0,
        serialize: None,
        dequeue: None,
        deserialize: None,
        stages: context.durations.clone(),
    }
}

fn close(context: &mut Context<'_>, peer: &dyn Peer) -> Result<()> {
    context.stage(Stage::Cleanup, |context| {
        cleanup::run(context.home, &context.session.id)?;
        peer.close_transfer_session(&context.session.id)
    })
}

/// Closes what can be closed after a failure. The failure itself is what the caller is told.
fn abandon(context: &Context<'_>, peer: &dyn Peer, error: &Error) {
    let id = &context.session.id;
    let text = error.report();
    let noted = super::context::update(context.home, id, |session| {
        session.status = StageStatus::Errored;
        session.error = Some(text.clone());
    });
    if let Err(error) = noted.map(drop).and_then(|()| cleanup::run(context.home, id)) {
        tracing::warn!(transfer_session = %id, error = %error.report(), "could not close the transfer session here");
    }
    if error.kind() != ErrorKind::Connection
        && let Err(error) = peer.close_transfer_session(id)
    {
        tracing::warn!(transfer_session = %id, error = %error.report(), "could not close the transfer session there");
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

fn stage_failed(peer: &dyn Peer, target: Stage, answer: &RemoteTransfer) -> Error {
    let stage = answer.stage.unwrap_or(target);
    let message = format!("take {} to the stage {target}: its stage {stage} failed", peer.location());
    Error::new(ErrorKind::PeerStageFailed, message).with_hint("look at the log of the peer; a new sync begins afresh")
}

fn unsaid(peer: &dyn Peer) -> Error {
    let message = format!("follow the stages of {}: it does not say where it stands", peer.location());
    Error::new(ErrorKind::PeerAnswerUnexpected, message)
}

/// Takes the server's counters up, as far as they are believed.
fn note_peers_counters(context: &mut Context<'_>, answer: &RemoteTransfer) -> Result<()> {
    let theirs = answer.server_fsic.clone().ok_or_else(|| {
        Error::new(ErrorKind::PeerAnswerUnexpected, "read the counters of the peer: it has serialized, but sent none")
    })?;
    let session = &mut context.session;
    let own = &context.home.instance.id;
    session.server_fsic = fsic::accept(theirs, &session.filter, own, &session.client_fsic)?;
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

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_filter_is_widened_only_below_the_shared_root_and_within_the_peers_own_reach() {
        let filter = |prefixes: &[&str]| Filter::new(prefixes.iter().copied()).expect("good prefixes");
        let reach = Reach::Within(filter(&["root:classes", "other"]));
        let asked = filter(&["root:me"]);
        let allows = |shared_root: Option<&str>, answered: &[&str]| {
            Widening { shared_root: shared_root.map(str::to_owned), reach: &reach }.allows(&asked, &filter(answered))
        };
        assert!(allows(Some("root"), &["root:me", "root:classes:7"]));
        assert!(!allows(None, &["root:me", "root:classes:7"]), "they share no root");
        assert!(!allows(Some("root"), &["root:me", "other"]), "that is not below the root");
        assert!(!allows(Some("root"), &["root:me", "root:grades"]), "the peer has no right to that");
        assert!(!allows(Some("root"), &["root"]), "that is everything below the root");
        assert!(!allows(Some("root"), &["root:me:1"]), "a filter is not narrowed");
        let everything = Widening { shared_root: Some("root".to_owned()), reach: &reach };
        assert!(!everything.allows(&asked, &Filter::everything()));
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
