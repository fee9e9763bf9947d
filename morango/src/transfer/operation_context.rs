//! What an operation is shown, and what it may do.

use std::any::Any;
use std::cell::RefCell;

use serde_json::Value;

use super::cancel::CancelToken;
use super::context::{Home, Results};
use super::operation::{StageOutcome, StagePart};
use super::order::Draft;
use crate::hook::{GuestError, TransferInfo};
use crate::id::SyncId;
use crate::model::Registry;
use crate::port::{
    DequeueReport, DeserializeOrder, DeserializeReport, FailedBefore, Isolation, Peer, SerializeReport, SessionMemory,
    TouchedRecord, Transaction,
};
use crate::record::StoreRecord;
use crate::scope::Filter;
use crate::session::{Direction, Role, Side, Stage, SyncSession, TransferSession};
use crate::{Error, ErrorKind, Result, limits};

/// What all operations of one part of a stage are shown alike.
pub(super) struct Scene<'a> {
    pub(super) home: &'a Home,
    pub(super) info: &'a TransferInfo,
    pub(super) session: Option<&'a TransferSession>,
    pub(super) results: Option<&'a Results>,
    pub(super) cancel: &'a CancelToken,
    pub(super) stage: Stage,
    pub(super) part: StagePart,
    pub(super) peer: Option<&'a dyn Peer>,
    /// What an operation had deserialized once more.
    pub(super) deserialized: &'a RefCell<Option<DeserializeReport>>,
}

/// What an operation is shown, and what it may do.
///
/// While an operation of the local part runs, its transaction is open: it works through this context, and never waits for
/// anybody else. The engine's other methods that write, called from within it, are refused.
pub struct OperationContext<'a> {
    scene: &'a Scene<'a>,
    operation: &'a str,
    transaction: Option<&'a mut dyn Transaction>,
    /// At initializing, before there is a session: the filter as it is to be.
    pub(super) draft: Option<Draft<'a>>,
}

impl<'a> OperationContext<'a> {
    pub(super) fn new(
        scene: &'a Scene<'a>,
        operation: &'a str,
        transaction: Option<&'a mut dyn Transaction>,
        draft: Option<Draft<'a>>,
    ) -> Self {
        Self { scene, operation, transaction, draft }
    }

    /// The stage.
    pub fn stage(&self) -> Stage {
        self.scene.stage
    }

    /// Which part of it.
    pub fn part(&self) -> StagePart {
        self.scene.part
    }

    /// Which end we are.
    pub fn side(&self) -> Side {
        self.scene.info.side()
    }

    /// Whether we send or receive.
    pub fn role(&self) -> Role {
        self.scene.info.role()
    }

    /// Push or pull.
    pub fn direction(&self) -> Direction {
        self.scene.info.direction
    }

    /// The profile of its records.
    pub fn profile(&self) -> &str {
        &self.sync_session().profile
    }

    /// What is synced, with what was added by [`widen_filter`](Self::widen_filter).
    pub fn filter(&self) -> &Filter {
        match &self.draft {
            Some(draft) => &draft.filter,
            None => self.scene.session.map_or(&self.scene.info.filter, |session| &session.filter),
        }
    }

    /// Both peers with their certificates, roots, scope parameters and instances.
    pub fn info(&self) -> &TransferInfo {
        self.scene.info
    }

    /// The sync session, with what both sides can do.
    pub fn sync_session(&self) -> &SyncSession {
        &self.scene.info.sync_session
    }

    /// The transfer session as it was when this part of the stage began, with how many records there are and went over.
    /// None at initializing, before there is one.
    pub fn transfer_session(&self) -> Option<&TransferSession> {
        self.scene.session
    }

    /// The models and scope definitions of this application.
    pub fn registry(&self) -> &Registry {
        &self.scene.home.registry
    }

    /// Whether somebody asked to stop. Whoever works long looks here at times.
    pub fn cancel_token(&self) -> &CancelToken {
        self.scene.cancel
    }

    /// The server, on the network part.
    pub fn peer(&self) -> Option<&dyn Peer> {
        self.scene.peer
    }

    /// What serializing did in this transfer, once it has.
    pub fn serialized(&self) -> Option<&SerializeReport> {
        self.scene.results?.serialize.as_ref()
    }

    /// What dequeuing did in this transfer, once it has.
    pub fn dequeued(&self) -> Option<&DequeueReport> {
        self.scene.results?.dequeue.as_ref()
    }

    /// What deserializing did in this transfer, once it has: with the records that could not become rows, and why.
    pub fn deserialized(&self) -> Option<&DeserializeReport> {
        self.scene.results?.deserialize.as_ref()
    }

    /// The connection on which the stage's transaction is open, for the application's own reading and writing, for example
    /// `context.connection::<SqliteConnection>()?`.
    ///
    /// Changes of rows are captured as ever. Transactions within this one are savepoints; it must not be committed here.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] on the network part, which has no transaction, and where the database's connections are of
    /// another type.
    pub fn connection<C: Any>(&mut self) -> Result<&mut C> {
        let kind = self.scene.home.storage.kind();
        self.transaction()?.connection().downcast_mut().ok_or_else(|| {
            let wanted = std::any::type_name::<C>();
            Error::new(ErrorKind::InvalidInput, format!("use the connection of the stage as {wanted}"))
                .with_hint(format!("the database is {kind}: ask for a connection of that kind"))
        })
    }

    /// Runs work whose changes to rows are not captured: they stay on this device and are never sent.
    ///
    /// # Errors
    /// Those of the work; and [`ErrorKind::InvalidInput`] on the network part.
    pub fn untracked<T>(
        &mut self,
        work: impl FnOnce(&mut OperationContext<'_>) -> Result<T, GuestError>,
    ) -> Result<T, GuestError> {
        let (scene, operation) = (self.scene, self.operation);
        let mut work = Some(work);
        let mut outcome = None;
        self.transaction()?.without_capture(&mut |transaction| {
            if let Some(work) = work.take() {
                let mut context = OperationContext::new(scene, operation, Some(transaction), None);
                outcome = Some(work(&mut context));
            }
            Ok(())
        })?;
        outcome.expect("work that is called within a transaction has an outcome")
    }

    /// Does something once in this transfer and stage, however often the operation runs, in this process or another that goes on
    /// with the sync. Where it was done before, this answers as it did then; but a stage that it kept pending it leaves to the next.
    ///
    /// On the local part what was done is remembered in the same transaction, with what the work wrote. On the network part there
    /// is none: it is remembered when the work is over, so a process that ends between the two does it again.
    ///
    /// # Errors
    /// Those of the work, which is then not remembered; and [`ErrorKind::InvalidInput`] at initializing, before there is a
    /// session that could remember.
    pub fn once(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<StageOutcome, GuestError>,
    ) -> Result<StageOutcome, GuestError> {
        if let Some(outcome) = self.outcome_before()? {
            return Ok(outcome);
        }
        let outcome = work(self)?;
        let (memory, name) = (self.own_memory()?, self.once_name());
        let owner = self.operation.to_owned();
        self.in_memory(&mut |transaction| transaction.remember(memory, &owner, &name, Some(code_of(outcome))))?;
        Ok(outcome)
    }

    /// Whether what is to be done [`once`](Self::once) was done before.
    ///
    /// # Errors
    /// As [`once`](Self::once).
    pub fn was_done(&mut self) -> Result<bool> {
        Ok(self.outcome_before()?.is_some())
    }

    /// What was answered for the stage when it was done before.
    fn outcome_before(&mut self) -> Result<Option<StageOutcome>> {
        let (memory, name) = (self.own_memory()?, self.once_name());
        let owner = self.operation.to_owned();
        let mut value = None;
        self.in_memory(&mut |transaction| {
            value = transaction.recall(memory, &owner, &name)?;
            Ok(())
        })?;
        Ok(value.map(|code| outcome_of(&code)))
    }

    /// Keeps a small value under a name, for every operation of this sync session, also when it is resumed; `Null` forgets it.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`] for a value over [`limits::SESSION_MEMORY_VALUE_BYTES_MAX`], or one too many.
    pub fn remember(&mut self, name: &str, value: &Value) -> Result<()> {
        let text = value.to_string();
        if text.len() > limits::SESSION_MEMORY_VALUE_BYTES_MAX {
            let message = format!("remember {name:?} with the sync session: it has {} bytes", text.len());
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        let memory = SessionMemory::Sync(self.sync_session().id);
        let text = (!value.is_null()).then_some(text);
        self.in_memory(&mut |transaction| transaction.remember(memory, "", name, text.as_deref()))
    }

    /// What was kept under a name; none where there is nothing.
    ///
    /// # Errors
    /// The database fails.
    pub fn recall(&mut self, name: &str) -> Result<Option<Value>> {
        let memory = SessionMemory::Sync(self.sync_session().id);
        let mut value = None;
        self.in_memory(&mut |transaction| {
            value = transaction.recall(memory, "", name)?;
            Ok(())
        })?;
        value.map(|text| serde_json::from_str(&text)).transpose().map_err(|error| {
            let message = format!("read what was remembered of {name:?}: it is no JSON");
            Error::new(ErrorKind::StorageCorrupt, message).with_source(error)
        })
    }

    /// Forgets that a row was changed or deleted here since it was last serialized, so that the change is not sent. Says whether
    /// there was such a change. A row that was never serialized keeps its mark.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a model that is not there, and on the network part.
    pub fn forget_change(&mut self, model: &str, id: &SyncId) -> Result<bool> {
        let profile = self.profile().to_owned();
        self.transaction()?.forget_change(&profile, model, id)
    }

    /// One record as it is in the store.
    ///
    /// # Errors
    /// The database fails, or this is the network part.
    pub fn record(&mut self, id: &SyncId) -> Result<Option<StoreRecord>> {
        self.transaction()?.record(id)
    }

    /// Hands over the records of a model that this transfer has changed in the store, in the order of their ids.
    ///
    /// # Errors
    /// Those of `each`; the database fails, or this is the network part.
    pub fn for_each_touched(&mut self, model: &str, each: &mut dyn FnMut(TouchedRecord) -> Result<()>) -> Result<()> {
        let Some(session) = self.scene.session.map(|session| session.id) else { return Ok(()) };
        let transaction = self.transaction()?;
        crate::port::in_pages(|after, limit| transaction.touched(&session, model, after, limit), each)
    }

    /// Serializes what the application has changed up to now, within the stage's transaction.
    ///
    /// # Errors
    /// The database fails, or this is the network part.
    pub fn serialize(&mut self) -> Result<SerializeReport> {
        let (profile, filter) = (self.profile().to_owned(), self.filter().clone());
        self.transaction()?.serialize(&profile, &filter, &|_| std::ops::ControlFlow::Continue(()))
    }

    /// Makes rows of what waits in the store, within the stage's transaction: again, after the application has put away what
    /// stood in the way. What it reports stands in the transfer's report too.
    ///
    /// # Errors
    /// The database fails, or this is the network part.
    pub fn deserialize(&mut self) -> Result<DeserializeReport> {
        let (profile, filter) = (self.profile().to_owned(), self.filter().clone());
        let order = DeserializeOrder {
            profile: &profile,
            filter: &filter,
            failed_before: FailedBefore::default(),
            now: self.scene.home.clock.now(),
        };
        let report = self.transaction()?.deserialize(&order, &|_| std::ops::ControlFlow::Continue(()))?;
        self.scene.deserialized.replace(Some(report.clone()));
        Ok(report)
    }

    /// Adds prefixes to what is synced. It is possible at initializing only, on the local part, before there is a session.
    ///
    /// On the server a prefix may lie beyond the client's own scope, but never outside of the root that both certificates share,
    /// nor beyond what the server's certificate may give or be given; on the client it must lie within both scopes.
    ///
    /// # Errors
    /// [`ErrorKind::FilterOutsideScope`] for a prefix that may not be added; [`ErrorKind::InvalidInput`] for one that is none,
    /// or at any other time.
    pub fn widen_filter<T: Into<String>>(&mut self, prefixes: impl IntoIterator<Item = T>) -> Result<()> {
        let Some(draft) = &mut self.draft else {
            let message = format!("widen the filter at {}: it stands already", self.scene.stage);
            return Err(Error::new(ErrorKind::InvalidInput, message).with_hint(
                "only local operations of initializing with a priority of 0 or more may do so, outside of `untracked`",
            ));
        };
        draft.add(&Filter::new(prefixes)?)
    }

    fn transaction(&mut self) -> Result<&mut dyn Transaction> {
        if let Some(transaction) = &mut self.transaction {
            return Ok(&mut **transaction);
        }
        let message = format!("use the transaction of the operation {:?}: it has none", self.operation);
        Err(Error::new(ErrorKind::InvalidInput, message)
            .with_hint("the network part of a stage has no transaction; register it for the local part"))
    }

    /// Reads or writes what is remembered: in the stage's transaction, or in a small one where there is none.
    fn in_memory(&mut self, work: &mut dyn FnMut(&mut dyn Transaction) -> Result<()>) -> Result<()> {
        match &mut self.transaction {
            Some(transaction) => work(&mut **transaction),
            None => self.scene.home.storage.transaction("remember with a session", Isolation::Plain, work),
        }
    }

    fn own_memory(&self) -> Result<SessionMemory> {
        let session = self.scene.session.ok_or_else(|| {
            let message = format!("do the operation {:?} once: there is no transfer session yet", self.operation);
            Error::new(ErrorKind::InvalidInput, message)
                .with_hint("give it a negative priority: it then runs when the session is there")
        })?;
        Ok(SessionMemory::Transfer(session.id))
    }

    /// Under what name an operation remembers that it was done. Both parts of a stage have operations.
    fn once_name(&self) -> String {
        match self.scene.part {
            StagePart::Local => self.scene.stage.to_string(),
            StagePart::Network => format!("network {}", self.scene.stage),
        }
    }
}

const COMPLETED: &str = "completed";

/// How the outcome of what was done once is remembered.
fn code_of(outcome: StageOutcome) -> &'static str {
    match outcome {
        StageOutcome::Completed => COMPLETED,
        // What was done to keep the stage pending does not keep it so for ever.
        StageOutcome::Next | StageOutcome::Pending => "next",
    }
}

/// What is answered where it was done before. Earlier versions remembered only that it was.
fn outcome_of(code: &str) -> StageOutcome {
    if code == COMPLETED { StageOutcome::Completed } else { StageOutcome::Next }
}

impl std::fmt::Debug for OperationContext<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("OperationContext")
            .field("operation", &self.operation)
            .field("stage", &self.scene.stage)
            .field("part", &self.scene.part)
            .field("info", &self.scene.info)
            .finish_non_exhaustive()
    }
}
