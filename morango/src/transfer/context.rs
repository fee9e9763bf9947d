//! What a stage works with: what this peer has at home, the session, and whoever watches.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Map, Value};

use super::cancel::CancelToken;
use super::fsic::Exchange;
use super::guests::Guests;
use super::info::SingleUserScope;
use super::lease::Lease;
use super::renewal::CurrentInstance;
use super::stages::Performed;
use super::upkeep::Upkeep;
use super::work::Work;
use super::workers::Workers;
use crate::counter::{Fsic, Instances};
use crate::hook::{Event, Phase, Totals};
use crate::id::{CertificateId, SyncSessionId, TransferSessionId};
use crate::identity::Instance;
use crate::model::Registry;
use crate::port::{
    Clock, DequeueReport, DeserializeReport, FailedBefore, Progress, REPORTED_MAX, Rejection, RemoteTransfer, Renewed,
    SerializeReport, Storage,
};
use crate::scope::{Reach, Scope};
use crate::session::{Capabilities, Role, Side, Stage, StageStatus, SyncSession, TransferSession};
use crate::{Error, ErrorKind, Result};

/// What this peer has at home, which all its transfers share.
pub(crate) struct Home {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) instance: CurrentInstance,
    /// What the application says of this instance beside what the engine says.
    pub(crate) instance_info: Map<String, Value>,
    pub(crate) capabilities: Capabilities,
    /// Whom the application brought along for every sync.
    pub(crate) guests: Guests,
    pub(crate) single_user_scopes: Vec<SingleUserScope>,
    /// What becomes of received records that failed before.
    pub(crate) failed_before: FailedBefore,
    /// When the application's changes become records.
    pub(crate) serializing: Occasion,
    /// When received records become rows.
    pub(crate) deserializing: Occasion,
    /// Of which instances it tells its counters where it sends.
    pub(crate) instances_told: Instances,
    pub(crate) workers: Workers,
    pub(crate) upkeep: Upkeep,
}

/// When work is done that needs no peer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// In every sync.
    #[default]
    InSyncs,
    /// When the application asks for it.
    Apart,
}

impl Home {
    /// What this peer says of itself in a sync session, as JSON text. The application cannot replace the engine's own keys.
    pub(crate) fn instance_json(&self) -> String {
        let mut object = self.instance_info.clone();
        let instance = self.instance();
        let own = [
            ("id", instance.id.to_string()),
            ("platform", instance.platform.clone()),
            ("hostname", instance.hostname.clone()),
            ("sysversion", instance.sysversion.clone()),
            ("node_id", instance.node_id.clone()),
            ("database", instance.database_id.to_string()),
            ("db_path", instance.db_path.clone()),
            ("system_id", instance.system_id.clone()),
        ];
        object.extend(own.map(|(name, value)| (name.to_owned(), Value::String(value))));
        Value::Object(object).to_string()
    }

    /// This database on this machine.
    pub(crate) fn instance(&self) -> Arc<Instance> {
        self.instance.get()
    }

    /// The scope of a certificate that is in the store.
    pub(crate) fn scope_of(&self, id: &CertificateId) -> Result<Scope> {
        Ok(super::certificates::known(self, id)?.scope(&*self.registry)?)
    }

    pub(crate) fn tell(&self, event: &Event) {
        self.guests.tell(event);
    }
}

impl fmt::Debug for Home {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Home")
            .field("instance", &self.instance().id)
            .field("storage", &self.storage.location())
            .finish_non_exhaustive()
    }
}

/// One transfer at work on this side.
pub(super) struct Context<'a> {
    pub(super) home: &'a Home,
    /// The sync session in which this is a transfer.
    pub(super) sync_session: SyncSession,
    /// The session as it is in the store.
    pub(super) session: TransferSession,
    /// Whom the application brought along for this sync only.
    pub(super) guests: &'a Guests,
    pub(super) cancel: CancelToken,
    /// The right to work in the sync session: of the side that calls.
    pub(super) lease: Option<&'a Lease<'a>>,
    /// Whether a transaction of a stage is open: until it ends nothing else is written, and nobody is told who might write.
    pub(super) is_in_transaction: bool,
    /// A stage that was begun before and is tried again, as an operation has kept it pending: it does not start once more.
    pub(super) begun: Option<Stage>,
    /// Whether the stage that is under way has told how far it is.
    pub(super) has_told_progress: AtomicBool,
    /// How the peer's side stood when this transfer was taken up again, until somebody has looked at it.
    pub(super) found: Option<RemoteTransfer>,
    /// What becomes of received records that failed before, in this transfer.
    pub(super) failed_before: FailedBefore,
    /// What this side may write: looked up when it is about to merge what it received.
    pub(super) writable: Reach,
    /// The counters that a client told with its request: of the side that answers.
    pub(super) told: Option<Arc<Fsic>>,
    /// What the stages did so far.
    pub(super) results: Results,
    /// How long each stage took that is done.
    pub(super) durations: Vec<(Stage, Duration)>,
}

/// What the stages of one transfer did on this side.
#[derive(Debug, Default)]
pub(super) struct Results {
    pub(super) serialize: Option<SerializeReport>,
    pub(super) dequeue: Option<DequeueReport>,
    pub(super) deserialize: Option<DeserializeReport>,
    /// What was refused at the gate. At most [`REPORTED_MAX`] of them.
    pub(super) rejections: Vec<Rejection>,
    pub(super) rejections_total: u64,
    /// Whether this database became another instance, because the peer knows more of the former than it could.
    pub(super) renewed: Option<Renewed>,
}

impl Results {
    pub(super) fn refuse(&mut self, rejections: Vec<Rejection>) {
        self.rejections_total += rejections.len() as u64;
        let room = REPORTED_MAX.saturating_sub(self.rejections.len());
        self.rejections.extend(rejections.into_iter().take(room));
    }
}

impl<'a> Context<'a> {
    pub(super) fn new(
        home: &'a Home,
        sync_session: SyncSession,
        session: TransferSession,
        guests: &'a Guests,
        cancel: CancelToken,
    ) -> Self {
        Self {
            home,
            sync_session,
            session,
            guests,
            cancel,
            lease: None,
            is_in_transaction: false,
            begun: None,
            has_told_progress: AtomicBool::new(false),
            found: None,
            failed_before: home.failed_before,
            writable: Reach::Nothing,
            told: None,
            results: Results::default(),
            durations: Vec::new(),
        }
    }

    /// What the exchange of counters in this transfer is about.
    pub(super) fn exchange(&self) -> Exchange<'_> {
        Exchange::of(&self.sync_session, &self.session)
    }

    /// Gives a sign of life, and hears whether somebody asked to stop.
    pub(super) fn check(&self) -> Result<()> {
        if !self.is_in_transaction {
            self.lease.map_or(Ok(()), Lease::renew)?;
        }
        self.cancel.check()
    }

    pub(super) fn role(&self) -> Role {
        self.session.role()
    }

    fn has_lost_its_lease(&self) -> bool {
        self.lease.is_some_and(Lease::is_over)
    }

    /// Does a stage: within a span of its name, watched from its beginning to its end, and measured.
    pub(super) fn stage(
        &mut self,
        stage: Stage,
        work: impl FnOnce(&mut Self) -> Result<Performed>,
    ) -> Result<Performed> {
        let span = span(stage, &self.session);
        let _entered = span.enter();
        let began = self.home.clock.elapsed();
        if self.begun.take() != Some(stage) {
            self.has_told_progress.store(false, Ordering::Relaxed);
            self.tell(stage, Phase::Started);
        }
        let outcome = self.check().and_then(|()| work(self));
        // A stage that was stopped because somebody took the session over was not cancelled by anybody.
        let outcome = match outcome {
            Err(error) if error.kind() == ErrorKind::Cancelled && self.has_lost_its_lease() => {
                Err(self.check().err().unwrap_or(error))
            }
            outcome => outcome,
        };
        let took = self.home.clock.elapsed().saturating_sub(began);
        match &outcome {
            Ok(Performed::Pending) => {
                tracing::debug!(?took, "stage is pending");
                self.begun = Some(stage);
                self.tell_progress(stage);
            }
            Ok(Performed::Done) => {
                self.durations.push((stage, took));
                tracing::debug!(?took, "stage completed");
                // A stage of one step, or that found nothing to do, is told of like the others.
                if !self.has_told_progress.load(Ordering::Relaxed) {
                    self.tell_progress(stage);
                }
                self.tell(stage, Phase::Completed);
            }
            Err(error) => {
                tracing::warn!(error = %error.report(), "stage failed");
                self.tell(stage, Phase::Errored(error.report()));
            }
        }
        outcome
    }

    /// Notes how far a stage is, with what this side has learnt of counters and of the number of records since.
    pub(super) fn note(&mut self, stage: Stage, status: StageStatus) -> Result<()> {
        self.note_at(stage, status, &mut Work::Apart(&*self.home.storage))
    }

    /// The same, where the stage's work is done.
    ///
    /// Another process may serve the same session from the same database, and have gone further meanwhile: what it noted stays.
    /// And what was queued, with the counters for which it was, is noted by whoever queues.
    pub(super) fn note_at(&mut self, stage: Stage, status: StageStatus, at: &mut Work<'_>) -> Result<()> {
        let known = &self.session;
        let is_queued_here = stage == Stage::Queuing && known.role() == Role::Producer;
        let is_counted_here = known.side == Side::Client || known.role() == Role::Producer;
        let noted = update_at(self.home, at, &known.id, |session| {
            if session.is_beyond(stage, status) {
                return;
            }
            session.stage = stage;
            session.status = status;
            session.error = None;
            if is_queued_here {
                return;
            }
            session.client_fsic.clone_from(&known.client_fsic);
            session.server_fsic.clone_from(&known.server_fsic);
            if is_counted_here {
                session.records_total = known.records_total;
            }
        })?;
        self.session = noted;
        Ok(())
    }

    /// Changes the session in the store, and takes it up as it is then.
    pub(super) fn update(&mut self, change: impl FnMut(&mut TransferSession)) -> Result<()> {
        self.session = update(self.home, &self.session.id, change)?;
        Ok(())
    }

    pub(super) fn tell(&self, stage: Stage, phase: Phase) {
        if matches!(phase, Phase::InProgress(_)) {
            self.has_told_progress.store(true, Ordering::Relaxed);
        }
        tell(self.home, self.guests, &self.session, stage, phase);
    }

    /// Tells how far a stage is that has not told it by itself: one of one step, or that an operation or the peer keeps pending.
    pub(super) fn tell_progress(&self, stage: Stage) {
        self.tell(stage, progress_of(stage, &self.session));
    }

    /// What a long verb of the storage is given: it tells of progress and stops where somebody cancelled.
    pub(super) fn watch(&self, stage: Stage) -> impl Fn(Progress) -> ControlFlow<()> + Sync {
        move |progress| {
            if !self.is_in_transaction {
                self.tell(stage, Phase::InProgress(progress));
            }
            // A sign of life that cannot be written down now is given again after the next transaction.
            let is_over = self.check().is_err() && (self.cancel.is_cancelled() || self.has_lost_its_lease());
            if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }
}

/// How far a stage is, as its session knows it: records are counted where they travel.
pub(super) fn progress_of(stage: Stage, session: &TransferSession) -> Phase {
    let (done, total) = match stage {
        Stage::Transferring => (session.records_transferred, session.records_total),
        _ => (0, None),
    };
    Phase::InProgress(Progress { done, total })
}

/// Tells whoever watches of a stage.
pub(super) fn tell(home: &Home, guests: &Guests, session: &TransferSession, stage: Stage, phase: Phase) {
    let event = Event::Stage {
        transfer_session: session.id,
        side: session.side,
        direction: session.direction,
        stage,
        phase,
        totals: Totals::of(session),
    };
    home.tell(&event);
    guests.tell(&event);
}

/// Changes an open transfer session in the store.
pub(super) fn update(
    home: &Home,
    id: &TransferSessionId,
    change: impl FnMut(&mut TransferSession),
) -> Result<TransferSession> {
    update_at(home, &mut Work::Apart(&*home.storage), id, change)
}

fn update_at(
    home: &Home,
    at: &mut Work<'_>,
    id: &TransferSessionId,
    mut change: impl FnMut(&mut TransferSession),
) -> Result<TransferSession> {
    let now = home.clock.now();
    let mut change = |session: &mut TransferSession| {
        change(session);
        session.last_activity_at = now;
    };
    at.update_transfer_session(id, &mut change)?.ok_or_else(|| unknown_transfer(id))
}

pub(super) fn unknown_sync(id: &SyncSessionId) -> Error {
    Error::new(ErrorKind::SessionUnknown, format!("find the sync session {id}: there is none, or it is closed"))
}

pub(super) fn unknown_transfer(id: &TransferSessionId) -> Error {
    Error::new(ErrorKind::SessionUnknown, format!("find the transfer session {id}: there is none, or it is closed"))
}

/// A span named like the stage. Each name stands here because a span's name is a constant.
fn span(stage: Stage, session: &TransferSession) -> tracing::Span {
    let (id, direction) = (session.id, session.direction);
    match stage {
        Stage::Initializing => tracing::info_span!("initialize", transfer_session = %id, %direction),
        Stage::Serializing => tracing::info_span!("serialize", transfer_session = %id, %direction),
        Stage::Queuing => tracing::info_span!("queue", transfer_session = %id, %direction),
        Stage::Transferring => tracing::info_span!("transmit", transfer_session = %id, %direction),
        Stage::Dequeuing => tracing::info_span!("dequeue", transfer_session = %id, %direction),
        Stage::Deserializing => tracing::info_span!("deserialize", transfer_session = %id, %direction),
        Stage::Cleanup => tracing::info_span!("cleanup", transfer_session = %id, %direction),
    }
}
