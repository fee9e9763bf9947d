//! Transfer sessions: they are opened within the scopes of both certificates, and closed when all is done.

use std::sync::Arc;

use super::proceed::{begun, do_stage, has_arrived};
use super::{Responder, telling};
use crate::id::TransferSessionId;
use crate::port::TransferSessionRequest;
use crate::session::{Capability, Direction, Role, Side, Stage, StageStatus, SyncSession, TransferSession};
use crate::transfer::cancel::CancelToken;
use crate::transfer::certificates;
use crate::transfer::context::{Context, unknown_transfer};
use crate::transfer::guests::Guests;
use crate::transfer::handover;
use crate::transfer::hooks;
use crate::transfer::lease::is_at_work;
use crate::transfer::operations::Beginning;
use crate::transfer::order::Widening;
use crate::transfer::stages::{self, Performed, cleanup, initialize};
use crate::transfer::workers::Patience;
use crate::{Error, ErrorKind, Result, limits};

impl Responder {
    /// Opens a transfer session, or answers the open one of the same sync session and direction.
    ///
    /// For a caller without asynchronous operations this goes on to the end of queuing before it answers.
    ///
    /// # Errors
    /// [`ErrorKind::SessionUnknown`] for the sync session, [`ErrorKind::FilterOutsideScope`] where one of the two
    /// certificates does not allow the filter; and whatever failed until the end of queuing, of a caller without asynchronous
    /// operations.
    pub fn create_transfer_session(&self, request: &TransferSessionRequest) -> Result<TransferSession> {
        let sync_session = self.sync_session(&request.sync_session)?;
        certificates::check_scopes(&self.home, &sync_session, request.direction, &request.filter)?;
        let records_total = request.records_total.filter(|_| request.direction == Direction::Push);
        check_total(records_total)?;
        let session = self.open(&sync_session, request, records_total)?;
        if sync_session.capabilities.has(Capability::AsyncOperations) {
            return Ok(session);
        }
        let client_fsic = request.client_fsic.clone().map(Arc::new);
        self.work(&session, Stage::Queuing, client_fsic, Patience::Unlimited)?;
        let session = self.transfer_session(&session.id)?;
        // The caller takes any answer for the good end of this work: it has no word for a stage that failed.
        if session.status == StageStatus::Errored {
            return Err(failed(ErrorKind::PeerStageFailed, "open a transfer session", &session));
        }
        if session.stage < Stage::Queuing {
            let message = format!("open the transfer session {}: its sync session is being closed", session.id);
            return Err(Error::new(ErrorKind::SessionUnknown, message));
        }
        Ok(session)
    }

    /// Whether there is an open transfer session of this id in which this peer is the server.
    ///
    /// # Errors
    /// [`ErrorKind::SessionUnknown`] where there is none, or it is closed.
    pub fn check_open(&self, id: &TransferSessionId) -> Result<()> {
        self.open_transfer(id).map(drop)
    }

    /// How an open transfer session stands. Where a stage is about to end, the answer is held back for a moment.
    ///
    /// A stage that failed is no error of this call: the session says so.
    ///
    /// # Errors
    /// [`ErrorKind::SessionUnknown`] where there is none, or it is closed.
    pub fn transfer_session(&self, id: &TransferSessionId) -> Result<TransferSession> {
        self.home.workers.wait(id, Patience::OneAnswer);
        self.try_again(id)?;
        self.standing(id)
    }

    /// Makes the session with all that belongs to it, or takes up the open one.
    fn open(
        &self,
        sync_session: &SyncSession,
        request: &TransferSessionRequest,
        records_total: Option<u64>,
    ) -> Result<TransferSession> {
        let home = &*self.home;
        let scope = home.scope_of(&sync_session.server_certificate)?;
        let widening = Widening {
            shared_root: certificates::shared_root(home, sync_session)?,
            reach: match request.direction {
                Direction::Pull => scope.write(),
                Direction::Push => scope.read(),
            },
            own: None,
        };
        let beginning = Beginning {
            home,
            guests: Guests::NONE,
            sync_session,
            direction: request.direction,
            filter: &request.filter,
            widening: &widening,
            cancel: &CancelToken::new(),
        };
        let new = initialize::NewTransfer {
            id: request.id,
            sync_session,
            direction: request.direction,
            filter: &request.filter,
            records_total,
            status: beginning.status_when_made(),
        };
        // A request that is made again, as its answer was lost, finds what was made.
        if home.storage.transfer_session(&request.id)?.is_some() {
            return initialize::run(home, &new);
        }
        let session = initialize::run_prepared(&beginning, &new)?;
        if session.id != request.id {
            return Ok(session);
        }
        hooks::begun(home, Guests::NONE, sync_session, &session);
        if session.status == StageStatus::Completed {
            telling::tell_opened(home, &session);
            return Ok(session);
        }
        telling::tell_begun(home, &session);
        self.work(&session, Stage::Initializing, None, Patience::OneAnswer)?;
        self.standing(&session.id)
    }

    /// Closes a transfer session, after what is left to do in it.
    ///
    /// What has arrived as a whole is brought to its end first: a caller without asynchronous operations relies on that.
    /// What has not is dropped.
    ///
    /// # Errors
    /// [`ErrorKind::SessionUnknown`] where there is none, or it is closed; and whatever failed of what was left to do, of
    /// a caller without asynchronous operations.
    pub fn close_transfer_session(&self, id: &TransferSessionId) -> Result<()> {
        let session = self.open_transfer(id)?;
        let sync_session = self.sync_session(&session.sync_session)?;
        let is_legacy = !sync_session.capabilities.has(Capability::AsyncOperations);
        let has_come_whole = session.stage >= Stage::Queuing && has_arrived(&session);
        if session.role() == Role::Receiver && has_come_whole {
            self.work(&session, Stage::Deserializing, None, Patience::Unlimited)?;
        }
        let claim = self.home.workers.claim(*id, session.sync_session, Patience::Unlimited);
        let session = self.open_transfer(id)?;
        let failure = why_in_vain(&session);
        let has_merged = failure.is_none() && session.role() == Role::Producer && session.stage >= Stage::Dequeuing;
        let mut context = Context::new(&self.home, sync_session, session, Guests::NONE, CancelToken::new());
        context.begun = begun(&context.session);
        if failure.is_none() {
            do_stage(&mut context, Stage::Cleanup, Stage::Cleanup, Patience::Unlimited)?;
        } else {
            context.stage(Stage::Cleanup, |context| cleanup::abandon(context.home, id).map(|()| Performed::Done))?;
        }
        drop(claim);
        let Context { sync_session, session, .. } = context;
        if has_merged {
            handover::note_merged(&self.home, &session);
        }
        handover::note_what_they_have(&self.home, &session);
        hooks::ended(&self.home, Guests::NONE, &sync_session, &session, failure);
        match session.status {
            StageStatus::Errored if is_legacy => {
                Err(failed(ErrorKind::Internal, "finish a transfer session", &session))
            }
            _ => Ok(()),
        }
    }

    /// An open transfer session in which this peer is the server, as it is in the store.
    pub(super) fn open_transfer(&self, id: &TransferSessionId) -> Result<TransferSession> {
        let session = self.home.storage.transfer_session(id)?;
        session.filter(|session| session.is_active && session.side == Side::Server).ok_or_else(|| unknown_transfer(id))
    }

    /// An open transfer session as it is told to a caller: with the stage that is at work, here or in another process.
    pub(super) fn standing(&self, id: &TransferSessionId) -> Result<TransferSession> {
        // Who is at work is asked first: whoever has finished since has left the truth in the store.
        let at_work = match self.home.workers.at_work(id) {
            Some(stage) => Some(stage),
            None => self.at_work_elsewhere(id)?,
        };
        let mut session = self.open_transfer(id)?;
        if let Some(stage) = at_work.filter(|stage| *stage >= session.stage && session.status != StageStatus::Errored) {
            let is_done = stage == session.stage && session.status == StageStatus::Completed;
            if !is_done {
                session.stage = stage;
                session.status = StageStatus::Started;
            }
        }
        Ok(session)
    }

    /// The stage at which another process is at work, as far as its hold and what it noted tell.
    fn at_work_elsewhere(&self, id: &TransferSessionId) -> Result<Option<Stage>> {
        let session = self.open_transfer(id)?;
        let Some(sync_session) = self.home.storage.sync_session(&session.sync_session)? else { return Ok(None) };
        let now = self.home.clock.now();
        if !sync_session.holder.is_some_and(|holder| is_at_work(&holder, now)) {
            return Ok(None);
        }
        let next = stages::ahead(&session, Stage::Deserializing).into_iter().next();
        Ok(next.filter(|stage| stages::has_long_work(session.role(), *stage) || self.has_operations(*stage)))
    }
}

/// What a caller without asynchronous operations hears of a stage that failed. Why it did is for this side's log.
fn failed(kind: ErrorKind, operation: &str, session: &TransferSession) -> Error {
    let TransferSession { id, stage, error, .. } = session;
    tracing::warn!(transfer_session = %id, error, "{operation}: a caller is told that the stage {stage} failed");
    Error::new(kind, format!("{operation}: its stage {stage} failed"))
}

/// Why a transfer that is closed came to nothing; none where it did not.
fn why_in_vain(session: &TransferSession) -> Option<String> {
    let is_whole = match session.role() {
        Role::Receiver => stages::ahead(session, Stage::Deserializing).is_empty(),
        Role::Producer => has_arrived(session),
    };
    match (&session.error, session.status) {
        (Some(error), _) => Some(error.clone()),
        (None, StageStatus::Errored) => Some(format!("the stage {} failed", session.stage)),
        (None, _) if is_whole => None,
        (None, _) => Some(format!("it was closed at the stage {}", session.stage)),
    }
}

/// Checks the number of records that a caller says it will send.
pub(super) fn check_total(total: Option<u64>) -> Result<()> {
    match total {
        Some(total) if total > limits::RECORDS_TOTAL_MAX => {
            let message = format!("take {total} records: that is more than any peer has");
            Err(Error::new(ErrorKind::LimitExceeded, message))
        }
        Some(_) | None => Ok(()),
    }
}
