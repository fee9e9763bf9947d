//! Proceeding: a client takes this peer's side of a transfer from stage to stage.
//!
//! What only notes something is done at once. What may take long is done in the background, one thread for a transfer; the
//! answer is held back for a moment, and says `started` where that was not enough.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::transfer_sessions::check_total;
use super::{Responder, telling};
use crate::counter::Fsic;
use crate::id::{SyncSessionId, TransferSessionId};
use crate::port::ProceedRequest;
use crate::session::{Capability, Direction, Role, Side, Stage, StageStatus, SyncSession, TransferSession};
use crate::transfer::context::{Context, Home, update};
use crate::transfer::guests::Guests;
use crate::transfer::lease::{Lease, Takeover};
use crate::transfer::operation::StagePart;
use crate::transfer::operations::Lineup;
use crate::transfer::pauses::Pauses;
use crate::transfer::stages::{self, Performed, dequeue};
use crate::transfer::workers::{Claim, Patience};
use crate::{Error, ErrorKind, Result, limits};

impl Responder {
    /// Takes note of what a client says of a transfer, and proceeds to the stage that it names.
    ///
    /// A stage that was reached before is not done again; stages between are done on the way, but for the queuing of a pull. A stage
    /// that fails is no error of this call: the session says so. Naming the cleanup closes the session.
    ///
    /// # Errors
    /// [`ErrorKind::SessionUnknown`] where there is none, or it is closed; [`ErrorKind::SessionConflict`] where the
    /// records that a push promised have not come, or their number changes once they come, or where a client goes on with a
    /// pull for which nothing is queued; [`ErrorKind::LimitExceeded`] for a number that cannot be true.
    pub fn proceed(&self, id: &TransferSessionId, request: &ProceedRequest) -> Result<TransferSession> {
        // Whoever is still at work for this transfer ends first, or the answer says that it does not.
        self.home.workers.wait(id, Patience::OneAnswer);
        if self.home.workers.at_work(id).is_some() {
            return self.standing(id);
        }
        let mut session = self.open_transfer(id)?;
        if request.stage == Some(Stage::Cleanup) {
            self.close_transfer_session(id)?;
            session.stage = Stage::Cleanup;
            session.status = StageStatus::Completed;
            session.is_active = false;
            return Ok(session);
        }
        if session.status == StageStatus::Errored {
            return Ok(session);
        }
        if presumes_a_queue(request) {
            check_queued(&session, "go on with")?;
        }
        let session = self.note(session, request)?;
        let Some(target) = request.stage else { return Ok(session) };
        let ahead = stages::ahead(&session, target);
        if !ahead.iter().any(|stage| self.is_long(session.role(), *stage)) {
            return Ok(session);
        }
        if ahead.contains(&Stage::Dequeuing) && session.role() == Role::Receiver && !has_arrived(&session) {
            return Err(dequeue::incomplete(session.records_transferred, session.records_total));
        }
        let sync_session = self.sync_session(&session.sync_session)?;
        let is_async = sync_session.capabilities.has(Capability::AsyncOperations);
        let patience = if is_async { Patience::OneAnswer } else { Patience::Unlimited };
        self.work(&session, target, request.client_fsic.clone(), patience)?;
        let mut session = self.standing(id)?;
        if session.status == StageStatus::Completed && !stages::ahead(&session, target).is_empty() {
            // Nothing could begin. Whoever reads the status alone must not take what was done before for what was asked.
            session.status = StageStatus::Pending;
        }
        Ok(session)
    }

    /// Keeps the numbers that a client tells, with the stage where noting it is all there is to do.
    fn note(&self, mut session: TransferSession, request: &ProceedRequest) -> Result<TransferSession> {
        let before = session.clone();
        match session.direction {
            Direction::Push => {
                check_total(request.records_total)?;
                if request.records_total.is_some() && request.records_total != session.records_total {
                    check_total_may_change(&session)?;
                    session.records_total = request.records_total;
                }
            }
            Direction::Pull => {
                let total = session.records_total.unwrap_or(0);
                let told = request.records_transferred.unwrap_or(0).min(total);
                session.records_transferred = session.records_transferred.max(told);
            }
        }
        session.bytes_sent = known_bytes(request.bytes_sent, session.bytes_sent);
        session.bytes_received = known_bytes(request.bytes_received, session.bytes_received);
        let ahead = request.stage.map(|target| stages::ahead(&session, target)).unwrap_or_default();
        let (role, target) = (session.role(), ahead.last().copied());
        for stage in ahead.into_iter().take_while(|stage| !self.is_long(role, *stage)) {
            // A client that goes on from a pull has what it wants: this side has nothing more to do with it.
            let is_left_behind = role == Role::Producer && target > Some(stage);
            let is_done = stage != Stage::Transferring || is_left_behind || has_arrived(&session);
            session.stage = stage;
            session.status = if is_done { StageStatus::Completed } else { StageStatus::Pending };
            if !is_done {
                break;
            }
        }
        if session == before {
            return Ok(session);
        }
        let noted = update(&self.home, &session.id, |stored| {
            match session.direction {
                Direction::Push => stored.records_total = session.records_total,
                Direction::Pull => {
                    stored.records_transferred = stored.records_transferred.max(session.records_transferred);
                }
            }
            stored.bytes_sent = session.bytes_sent;
            stored.bytes_received = session.bytes_received;
            // Another request may have gone further meanwhile.
            if (stored.stage, stored.status) == (before.stage, before.status) {
                stored.stage = session.stage;
                stored.status = session.status;
            }
        })?;
        telling::tell(&self.home, &before, &noted);
        Ok(noted)
    }

    /// Whether a stage does more on this side than take note.
    fn is_long(&self, role: Role, stage: Stage) -> bool {
        stages::has_long_work(role, stage) || self.has_operations(stage)
    }

    /// Whether operations have a part in a stage here.
    pub(super) fn has_operations(&self, stage: Stage) -> bool {
        !Lineup::of(&self.home, Guests::NONE, stage, StagePart::Local).is_empty()
    }

    /// Tries a stage again that an operation has kept pending. A client that waits for it only asks how it stands.
    pub(super) fn try_again(&self, id: &TransferSessionId) -> Result<()> {
        let session = self.open_transfer(id)?;
        let is_kept = session.status == StageStatus::Pending
            && self.has_operations(session.stage)
            && (session.stage != Stage::Transferring || has_arrived(&session));
        if is_kept {
            self.work(&session, session.stage, None, Patience::OneAnswer)?;
        }
        Ok(())
    }

    /// Does the stages up to a target in the background, and waits for them as long as patience lasts.
    ///
    /// Where somebody works on this transfer already, or too many others are worked on, nothing begins: the caller sees
    /// that the session is not where it wants it, and asks again.
    pub(super) fn work(
        &self,
        session: &TransferSession,
        target: Stage,
        client_fsic: Option<Arc<Fsic>>,
        patience: Patience,
    ) -> Result<()> {
        if stages::ahead(session, target).is_empty() {
            return Ok(());
        }
        let id = session.id;
        let Some(claim) = self.home.workers.claim(id, session.sync_session, patience) else { return Ok(()) };
        let home = Arc::clone(&self.home);
        let span = tracing::Span::current();
        let work = move || span.in_scope(|| work_off(&home, id, target, client_fsic, &claim, patience));
        let spawned = std::thread::Builder::new().name("morango-stage".to_owned()).spawn(work);
        spawned.map_err(|error| {
            Error::new(ErrorKind::Internal, "start a thread for the stages of a transfer")
                .with_source(error)
                .retryable()
        })?;
        self.home.workers.wait(&id, patience);
        Ok(())
    }
}

/// Does the stages ahead one by one. What fails is noted in the session, where the client finds it.
///
/// A stage that an operation keeps pending is tried again when the client asks the next time, or here where it waits for the end.
fn work_off(
    home: &Home,
    id: TransferSessionId,
    target: Stage,
    client_fsic: Option<Arc<Fsic>>,
    claim: &Claim,
    patience: Patience,
) {
    let Ok(Some(session)) = home.storage.transfer_session(&id) else { return };
    if !session.is_active {
        return;
    }
    let Some((lease, sync_session)) = hold(home, &session.sync_session, claim, patience) else { return };
    // Whoever held it before may have gone further.
    let Ok(Some(session)) = home.storage.transfer_session(&id) else { return };
    let mut context = Context::new(home, sync_session, session, Guests::NONE, claim.cancel.clone());
    context.lease = Some(&lease);
    context.told = client_fsic;
    context.begun = begun(&context.session);
    for stage in stages::ahead(&context.session, target) {
        if context.session.is_beyond(stage, StageStatus::Started) {
            // Another process on the same database did it meanwhile.
            continue;
        }
        claim.enter(stage);
        // A panic is a fault of ours; the client is to hear of it rather than ask for ever.
        let outcome = catch_unwind(AssertUnwindSafe(|| do_stage(&mut context, stage, target, patience)))
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, format!("do the stage {stage}: it panicked"))));
        match outcome {
            Ok(Performed::Done) if context.session.status == StageStatus::Completed => {}
            Ok(Performed::Done | Performed::Pending) => return,
            Err(error) if error.kind() == ErrorKind::Cancelled => return,
            // The session was closed under this work, or another process has taken it over: nothing more is said of it here.
            Err(error) if lease.is_over() || error.kind() == ErrorKind::SessionUnknown => {
                tracing::info!(transfer_session = %id, %stage, error = %error.report(), "left a stage to others");
                return;
            }
            Err(error) => {
                note_failure(home, &id, stage, &error);
                return;
            }
        }
    }
}

/// The stage of a session that was told to have started and is kept pending.
pub(super) fn begun(session: &TransferSession) -> Option<Stage> {
    (session.status == StageStatus::Pending).then_some(session.stage)
}

/// Takes hold of a sync session for its stages, so that other processes on this database leave them to us; none where one of them
/// is at work itself. Who needs the end of the work waits for it.
fn hold<'a>(home: &'a Home, id: &SyncSessionId, claim: &Claim, patience: Patience) -> Option<(Lease<'a>, SyncSession)> {
    let pauses = Pauses::new(&*home.clock, limits::STAGE_SECONDS_MAX);
    loop {
        let error = match Lease::take(home, *id, Side::Server, Takeover::Refused) {
            Ok(held) => return Some(held),
            Err(error) => error,
        };
        let may_wait = patience == Patience::Unlimited && error.is_retryable();
        if !may_wait || claim.cancel.is_cancelled() || pauses.pause("wait for another process").is_err() {
            tracing::debug!(sync_session = %id, error = %error.report(), "leaving the stages to others");
            return None;
        }
    }
}

fn note_failure(home: &Home, id: &TransferSessionId, stage: Stage, error: &Error) {
    let text = error.report();
    let noted = update(home, id, |session| {
        // Another process on the same database may have done it meanwhile.
        if session.is_beyond(stage, StageStatus::Started) {
            return;
        }
        session.stage = stage;
        session.status = StageStatus::Errored;
        session.error = Some(text.clone());
    });
    if let Err(error) = noted {
        tracing::error!(transfer_session = %id, error = %error.report(), "could not note that a stage failed");
    }
}

/// Does one stage; with unlimited patience until it is no longer pending.
pub(super) fn do_stage(
    context: &mut Context<'_>,
    stage: Stage,
    target: Stage,
    patience: Patience,
) -> Result<Performed> {
    let clock = Arc::clone(&context.home.clock);
    let pauses = Pauses::new(&*clock, limits::STAGE_ANSWER_SECONDS_MAX);
    loop {
        let performed = context.stage(stage, |context| try_stage(context, stage, target))?;
        let waits_for_chunks = stage == Stage::Transferring && !has_arrived(&context.session);
        match (performed, patience) {
            (Performed::Pending, Patience::Unlimited) if !waits_for_chunks => {
                context.cancel.check()?;
                pauses.pause("wait for an operation that keeps a stage pending")?;
            }
            (Performed::Pending | Performed::Done, _) => return Ok(performed),
        }
    }
}

/// Does one stage once; a database that is busy is tried again.
fn try_stage(context: &mut Context<'_>, stage: Stage, target: Stage) -> Result<Performed> {
    let done = match stage {
        // A client that goes on from a pull has what it wants: this side has nothing more to do with it.
        Stage::Transferring if context.role() == Role::Producer && target > stage => StageStatus::Completed,
        Stage::Transferring => transmission(&context.session),
        Stage::Initializing
        | Stage::Serializing
        | Stage::Queuing
        | Stage::Dequeuing
        | Stage::Deserializing
        | Stage::Cleanup => StageStatus::Completed,
    };
    let mut tries = 1;
    loop {
        match stages::perform(context, stage, done) {
            Err(error) if error.is_retryable() && tries < limits::STAGE_TRIES_MAX => {
                tries += 1;
                tracing::debug!(%stage, tries, error = %error.report(), "trying the stage again");
                context.cancel.check()?;
            }
            outcome => return outcome,
        }
    }
}

/// Whether all records that a push promised are here.
pub(super) fn has_arrived(session: &TransferSession) -> bool {
    session.records_total.is_some_and(|total| session.records_transferred >= total)
}

/// How far transferring is, which is done when all records have gone over.
pub(super) fn transmission(session: &TransferSession) -> StageStatus {
    if has_arrived(session) { StageStatus::Completed } else { StageStatus::Pending }
}

/// Whether a request is one of a client that has begun to fetch: before it does so, it asks for the queuing and hears how much there is.
fn presumes_a_queue(request: &ProceedRequest) -> bool {
    request.stage.is_some_and(|stage| stage > Stage::Queuing)
        || request.records_transferred.is_some_and(|told| told > 0)
}

/// Refuses to go on with a pull for which nothing is queued: this side lost power, and what it had queued. To queue on the way would make
/// another queue, for which nobody told counters, while the client goes on at its place in the one that it was told of.
pub(super) fn check_queued(session: &TransferSession, operation: &str) -> Result<()> {
    let is_queued =
        session.stage > Stage::Queuing || (session.stage, session.status) == (Stage::Queuing, StageStatus::Completed);
    if session.direction == Direction::Push || is_queued {
        return Ok(());
    }
    let TransferSession { id, stage, status, .. } = session;
    let message =
        format!("{operation} the transfer session {id}: nothing is queued for it, it is at {stage}, {status}");
    Err(Error::new(ErrorKind::SessionConflict, message).with_hint(
        "ask for the stage queuing first; where that was done, this peer has lost it since, and a new sync begins afresh",
    ))
}

/// How many records a push sends may not change any more once they come.
fn check_total_may_change(session: &TransferSession) -> Result<()> {
    let is_early = session.stage <= Stage::Queuing || session.records_total.is_none();
    if is_early && session.records_transferred == 0 {
        return Ok(());
    }
    let message = format!("change the number of records of the transfer session {}: records have come", session.id);
    Err(Error::new(ErrorKind::SessionConflict, message))
}

/// Bytes as the client counts them: only ever more, and never more than a database can keep.
fn known_bytes(told: Option<u64>, known: u64) -> u64 {
    told.unwrap_or(0).min(limits::COUNTER_MAX.unsigned_abs()).max(known)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::id::{CertificateId, SyncSessionId};
    use crate::scope::Filter;
    use crate::session::{Side, SyncSession};

    pub(in crate::transfer::responder) fn session(stage: Stage, status: StageStatus) -> TransferSession {
        let now = chrono::DateTime::from_timestamp(1_700_000_000, 0).expect("a time");
        let certificates = (CertificateId::hash_of("client"), CertificateId::hash_of("server"));
        let sync = SyncSession::begin(SyncSessionId::hash_of("sync"), Side::Server, "notebook", certificates, now);
        let id = TransferSessionId::hash_of("transfer");
        TransferSession {
            stage,
            status,
            ..TransferSession::begin(&sync, id, Direction::Push, Filter::everything(), now)
        }
    }

    #[test]
    fn a_client_may_skip_stages_and_cannot_go_back() {
        let new = session(Stage::Initializing, StageStatus::Completed);
        assert_eq!(stages::ahead(&new, Stage::Queuing), [Stage::Serializing, Stage::Queuing]);
        assert_eq!(stages::ahead(&new, Stage::Initializing), []);
        let far = session(Stage::Dequeuing, StageStatus::Completed);
        assert_eq!(stages::ahead(&far, Stage::Queuing), []);
    }

    #[test]
    fn a_stage_whose_worker_is_gone_is_done_again_and_a_failed_one_is_not() {
        let begun = session(Stage::Dequeuing, StageStatus::Started);
        assert_eq!(stages::ahead(&begun, Stage::Deserializing), [Stage::Dequeuing, Stage::Deserializing]);
        let failed = session(Stage::Dequeuing, StageStatus::Errored);
        assert_eq!(stages::ahead(&failed, Stage::Deserializing), []);
    }

    #[test]
    fn whoever_fetches_needs_a_queue_and_whoever_sends_does_not() {
        let is_refused = |stage, status, direction| {
            let session = TransferSession { direction, ..session(stage, status) };
            check_queued(&session, "go on with").is_err()
        };
        for (stage, status, expected) in [
            (Stage::Initializing, StageStatus::Completed, true),
            (Stage::Serializing, StageStatus::Errored, true),
            (Stage::Queuing, StageStatus::Pending, true),
            (Stage::Queuing, StageStatus::Started, true),
            (Stage::Queuing, StageStatus::Errored, true),
            (Stage::Queuing, StageStatus::Completed, false),
            (Stage::Transferring, StageStatus::Pending, false),
        ] {
            assert_eq!(is_refused(stage, status, Direction::Pull), expected, "{stage} {status}");
            assert!(!is_refused(stage, status, Direction::Push), "{stage} {status}");
        }
        let asks = |stage, records_transferred| {
            presumes_a_queue(&ProceedRequest { stage, records_transferred, ..ProceedRequest::default() })
        };
        assert!(!asks(Some(Stage::Queuing), Some(0)) && !asks(Some(Stage::Serializing), None) && !asks(None, None));
        assert!(asks(Some(Stage::Transferring), Some(0)) && asks(Some(Stage::Dequeuing), None) && asks(None, Some(1)));
    }

    #[test]
    fn the_number_of_records_is_fixed_once_they_come() {
        let mut pushed = session(Stage::Transferring, StageStatus::Pending);
        assert!(check_total_may_change(&pushed).is_ok(), "it was never told");
        pushed.records_total = Some(10);
        assert!(check_total_may_change(&pushed).is_err());
        assert_eq!(transmission(&pushed), StageStatus::Pending);
        pushed.records_transferred = 10;
        assert_eq!(transmission(&pushed), StageStatus::Completed);
    }
}
