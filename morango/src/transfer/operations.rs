//! How the operations of a stage are run: in their order, around the engine's own work, with what they answer heeded.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::cancel::CancelToken;
use super::context::{Context, Home};
use super::guests::Guests;
use super::hooks::panic_text;
use super::info;
use super::operation::{Operation, StageOutcome, StagePart};
use super::operation_context::{OperationContext, Scene};
use super::order::{Draft, Widening};
use crate::hook::{GuestError, TransferInfo};
use crate::port::{DeserializeReport, Peer, Transaction};
use crate::scope::Filter;
use crate::session::{Direction, Stage, StageStatus, SyncSession};
use crate::{Error, ErrorKind, Result};

/// The operations of one part of a stage, in their order.
pub(super) struct Lineup {
    pub(super) stage: Stage,
    part: StagePart,
    /// Those before the engine's own work.
    pub(super) before: Vec<Arc<dyn Operation>>,
    /// Those after it.
    pub(super) after: Vec<Arc<dyn Operation>>,
}

/// Whether operations come before the engine's own work or after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Before,
    After,
}

impl Lineup {
    /// Those of the engine, then those of this sync, by their priorities.
    pub(super) fn of(home: &Home, guests: &Guests, stage: Stage, part: StagePart) -> Self {
        let all = home.guests.operations.iter().chain(&guests.operations);
        let mut wanted: Vec<Arc<dyn Operation>> =
            all.filter(|operation| (operation.stage(), operation.part()) == (stage, part)).cloned().collect();
        wanted.sort_by_key(|operation| std::cmp::Reverse(operation.priority()));
        let (before, after) = wanted.into_iter().partition(|operation| operation.priority() >= 0);
        Self { stage, part, before, after }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }

    fn at(&self, place: Place) -> &[Arc<dyn Operation>] {
        match place {
            Place::Before => &self.before,
            Place::After => &self.after,
        }
    }

    /// Runs those of one place until one of them answers for the stage.
    ///
    /// # Errors
    /// What the first of them fails with.
    pub(super) fn run(
        &self,
        context: &mut Context<'_>,
        info: &TransferInfo,
        place: Place,
        mut transaction: Option<&mut dyn Transaction>,
        peer: Option<&dyn Peer>,
    ) -> Result<StageOutcome> {
        let deserialized = RefCell::new(None);
        let scene = Scene {
            home: context.home,
            info,
            session: Some(&context.session),
            results: Some(&context.results),
            cancel: &context.cancel,
            stage: self.stage,
            part: self.part,
            peer,
            deserialized: &deserialized,
        };
        let mut outcome = StageOutcome::Next;
        for operation in self.at(place) {
            context.cancel.check()?;
            // Each gets the transaction for as long as it runs.
            let lent = transaction.as_mut().map(|transaction| &mut **transaction as &mut dyn Transaction);
            outcome = run(&**operation, &mut OperationContext::new(&scene, operation.name(), lent, None))?;
            if outcome != StageOutcome::Next {
                break;
            }
        }
        if let Some(report) = deserialized.into_inner() {
            add(report, &mut context.results.deserialize);
        }
        Ok(outcome)
    }

    /// Runs those that come before there is a session, and says what they made of the filter.
    ///
    /// # Errors
    /// What the first of them fails with. None of them can keep the stage pending: there is nothing that could be asked about.
    pub(super) fn run_before_session(
        &self,
        beginning: &Beginning<'_>,
        info: &TransferInfo,
        transaction: &mut dyn Transaction,
    ) -> Result<Filter> {
        let deserialized = RefCell::new(None);
        let scene = Scene {
            home: beginning.home,
            info,
            session: None,
            results: None,
            cancel: beginning.cancel,
            stage: self.stage,
            part: self.part,
            peer: None,
            deserialized: &deserialized,
        };
        let mut filter = beginning.filter.clone();
        for operation in &self.before {
            beginning.cancel.check()?;
            let draft = Draft { filter, widening: beginning.widening };
            let mut context = OperationContext::new(&scene, operation.name(), Some(&mut *transaction), Some(draft));
            let outcome = run(&**operation, &mut context)?;
            filter = context.draft.take().expect("the draft was lent for this run").filter;
            match outcome {
                StageOutcome::Next => {}
                StageOutcome::Completed => break,
                StageOutcome::Pending => {
                    let message = format!("keep initializing pending, as {:?} wants", operation.name());
                    return Err(Error::new(ErrorKind::Operation, message)
                        .with_hint("that is possible once there is a session: give it a negative priority"));
                }
            }
        }
        Ok(filter)
    }
}

/// What is known of a transfer that has no session yet.
pub(super) struct Beginning<'a> {
    pub(super) home: &'a Home,
    pub(super) guests: &'a Guests,
    pub(super) sync_session: &'a SyncSession,
    pub(super) direction: Direction,
    pub(super) filter: &'a Filter,
    pub(super) widening: &'a Widening<'a>,
    pub(super) cancel: &'a CancelToken,
}

impl Beginning<'_> {
    pub(super) fn lineup(&self) -> Lineup {
        Lineup::of(self.home, self.guests, Stage::Initializing, StagePart::Local)
    }

    /// How far initializing is once the session is made.
    pub(super) fn status_when_made(&self) -> StageStatus {
        if self.lineup().after.is_empty() { StageStatus::Completed } else { StageStatus::Pending }
    }

    pub(super) fn info(&self) -> Result<TransferInfo> {
        info::without_session(self.home, self.sync_session, self.direction, self.filter)
    }
}

/// What the operations of a transfer are told of it.
pub(super) fn info_of(context: &Context<'_>) -> Result<TransferInfo> {
    info::of(context.home, &context.sync_session, &context.session)
}

/// Runs one operation. A panic in it is a failure like another.
fn run(operation: &dyn Operation, context: &mut OperationContext<'_>) -> Result<StageOutcome> {
    let (name, stage) = (operation.name(), operation.stage());
    tracing::debug!(operation = name, %stage, "running an operation");
    let failed = |error: GuestError| {
        let told = error.downcast_ref::<Error>();
        let kind = told.map_or(ErrorKind::Operation, Error::kind);
        let is_retryable = told.is_some_and(Error::is_retryable);
        let hint = told.and_then(Error::hint).map(str::to_owned);
        let mut wrapped = Error::new(kind, format!("run the operation {name:?} at {stage}")).with_source(error);
        if let Some(hint) = hint {
            wrapped = wrapped.with_hint(hint);
        }
        if is_retryable { wrapped.retryable() } else { wrapped }
    };
    match catch_unwind(AssertUnwindSafe(|| operation.run(context))) {
        Ok(outcome) => outcome.map_err(failed),
        Err(panic) => Err(failed(panic_text(&*panic).into())),
    }
}

/// Adds what was deserialized once more. What waited before was tried again, so that the failures are those of the last time.
fn add(again: DeserializeReport, first: &mut Option<DeserializeReport>) {
    let before = first.take().unwrap_or_default();
    *first = Some(DeserializeReport {
        written: before.written + again.written,
        deleted: before.deleted + again.deleted,
        conflicts: before.conflicts + again.conflicts,
        ..again
    });
}
