//! The table of contents: what each verb of the port is, on the state that was committed last. One writes at a time.

use std::ops::{ControlFlow, Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;

use chrono::{DateTime, Utc};
use morango::counter::{DatabaseMaxCounters, ExpandedFsic, Fsic, Instances, PartitionCounters, Stamp};
use morango::id::{CertificateId, DatabaseId, NonceId, SyncId, SyncSessionId, TransferSessionId};
use morango::identity::{Certificate, Instance, Nonce, PrivateKey};
use morango::model::Registry;
use morango::port::{
    Adoption, CertificateQuery, Chunk, DequeueReport, DeserializeOrder, DeserializeReport, Forgetting, Forgotten,
    Isolation, OwnCounters, Progress, ReceivedChunk, Rejection, Renewal, Renewed, SerializeReport, Storage,
    StoredCertificate, TouchedRecord, Transaction, WaitingCursor, WaitingPage, WaitingRecords, Watch,
};
use morango::record::StoreRecord;
use morango::scope::{Filter, Reach};
use morango::session::{SyncSession, SyncSessionQuery, TransferSession};
use morango::{Error, ErrorKind, Result};

use crate::application::Application;
use crate::model::MemoryModel;
use crate::state::State;
use crate::transaction::Open;

/// A storage in memory. Its clones are the same storage.
#[derive(Clone)]
pub struct MemoryStorage(Arc<Shared>);

struct Shared {
    models: Vec<MemoryModel>,
    /// What was committed: whoever only reads sees this, also from within a transaction.
    state: Mutex<State>,
    /// Held by whoever writes, until the end of the transaction.
    turn: Mutex<()>,
    /// The thread that is within a transaction.
    within: Mutex<Option<ThreadId>>,
}

/// The state in the hands of whoever changes it.
struct Writing<'a> {
    state: MutexGuard<'a, State>,
    _turn: MutexGuard<'a, ()>,
}

impl Deref for Writing<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Writing<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

/// A thread is within a transaction, until it has left, however that comes.
struct Within<'a>(&'a MemoryStorage);

impl<'a> Within<'a> {
    fn enter(storage: &'a MemoryStorage) -> Self {
        *storage.within() = Some(std::thread::current().id());
        Self(storage)
    }
}

impl Drop for Within<'_> {
    fn drop(&mut self) {
        *self.0.within() = None;
    }
}

impl MemoryStorage {
    /// An empty storage for rows of these models.
    pub fn new(models: impl IntoIterator<Item = MemoryModel>) -> Self {
        Self::of(models.into_iter().collect(), State::new())
    }

    fn of(models: Vec<MemoryModel>, state: State) -> Self {
        Self(Arc::new(Shared { models, state: Mutex::new(state), turn: Mutex::new(()), within: Mutex::new(None) }))
    }

    /// Runs the application's work on its rows, in one transaction.
    ///
    /// # Errors
    /// Those of the work: then nothing is changed.
    pub fn with_rows<R>(&self, work: impl FnOnce(&mut Application) -> Result<R>) -> Result<R> {
        let _turn = self.turn("use the rows")?;
        let mut rows = self.committed().data.application.clone();
        let done = work(&mut rows)?;
        self.committed().data.application = rows;
        Ok(done)
    }

    /// Runs work that reads the application's rows as they were last committed.
    ///
    /// # Errors
    /// It is called from within a transaction.
    pub fn read_rows<R>(&self, work: impl FnOnce(&Application) -> R) -> Result<R> {
        let _turn = self.turn("read the rows")?;
        Ok(work(&self.committed().data.application))
    }

    /// The storage as it is now, apart from it: as after a backup was restored elsewhere.
    ///
    /// # Errors
    /// It is called from within a transaction.
    pub fn copy(&self) -> Result<Self> {
        let _turn = self.turn("copy the storage")?;
        Ok(Self::of(self.0.models.clone(), self.committed().clone()))
    }

    /// What this database claims to have: for tests and simulations.
    pub fn database_max_counters(&self) -> DatabaseMaxCounters {
        self.committed().data.counters.clone()
    }

    /// The current instance and its counter: for tests and simulations.
    ///
    /// # Errors
    /// No instance was adopted.
    pub fn current_stamp(&self) -> Result<Stamp> {
        self.committed().data.current_stamp()
    }

    /// What was committed last.
    fn committed(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn within(&self) -> MutexGuard<'_, Option<ThreadId>> {
        self.0.within.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The turn to write. Whoever is within a transaction has it, and would wait for itself.
    fn turn(&self, operation: &str) -> Result<MutexGuard<'_, ()>> {
        if *self.within() == Some(std::thread::current().id()) {
            return Err(Error::new(ErrorKind::InvalidInput, format!("{operation} from within another transaction")));
        }
        Ok(self.0.turn.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The state, to change it in a way that cannot fail half done.
    fn state(&self, operation: &str) -> Result<Writing<'_>> {
        let turn = self.turn(operation)?;
        Ok(Writing { state: self.committed(), _turn: turn })
    }

    /// The same for what needs the models.
    fn prepared(&self, operation: &str) -> Result<Writing<'_>> {
        let state = self.state(operation)?;
        state.check_prepared(operation)?;
        Ok(state)
    }

    /// Runs work that changes a copy of the state, which takes its place if the work succeeds.
    fn write<R>(&self, operation: &str, work: impl FnOnce(&mut State) -> Result<R>) -> Result<R> {
        let _turn = self.turn(operation)?;
        let mut state = self.committed().clone();
        let done = work(&mut state)?;
        *self.committed() = state;
        Ok(done)
    }
}

/// Tells whoever watches what a verb did.
pub(crate) fn told(watch: Watch<'_>, done: u64, operation: &str) -> Result<()> {
    match watch(Progress { done, total: Some(done) }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Error::new(ErrorKind::Cancelled, format!("{operation}: it was told to stop"))),
    }
}

impl Storage for MemoryStorage {
    fn prepare(&self, registry: &Arc<Registry>) -> Result<()> {
        self.write("prepare the storage", |state| state.prepare(registry, &self.0.models))
    }

    fn database_id(&self) -> Result<DatabaseId> {
        Ok(self.committed().database)
    }

    fn renew_database_id(&self) -> Result<DatabaseId> {
        let mut state = self.state("renew the database's id")?;
        state.database = DatabaseId::random();
        Ok(state.database)
    }

    /// A copy in memory is made by whoever knows that it is one.
    fn renew_if_copied(&self) -> Result<Option<DatabaseId>> {
        Ok(None)
    }

    fn location(&self) -> String {
        "memory".to_owned()
    }

    fn kind(&self) -> &'static str {
        "memory"
    }

    fn adopt_instance(&self, instance: &Instance) -> Result<Adoption> {
        self.state("adopt the instance")?.data.adopt_unless_known(instance.id)
    }

    fn own_counters(&self) -> Result<OwnCounters> {
        self.committed().data.own_counters()
    }

    fn note_told(&self) -> Result<()> {
        self.state("note how far others know this instance")?.data.note_told()
    }

    fn renew_instance(&self, renewal: &Renewal<'_>) -> Result<Option<Renewed>> {
        self.write("become another instance", |state| state.renew_instance(renewal))
    }

    fn save_certificates(&self, new: &[Certificate], key: Option<(&CertificateId, &PrivateKey)>) -> Result<()> {
        self.write("save certificates", |state| state.save_certificates(new, key))
    }

    fn certificate(&self, id: &CertificateId) -> Result<Option<StoredCertificate>> {
        Ok(self.committed().certificate(id))
    }

    fn certificates(&self, query: &CertificateQuery) -> Result<Vec<StoredCertificate>> {
        self.committed().certificates(query)
    }

    fn private_key(&self, id: &CertificateId) -> Result<Option<PrivateKey>> {
        Ok(self.committed().keys.get(id).cloned())
    }

    fn shared_key(&self) -> Result<Option<PrivateKey>> {
        Ok(self.committed().shared_key.clone())
    }

    fn keep_shared_key(&self, key: &PrivateKey) -> Result<PrivateKey> {
        Ok(self.state("keep the shared key")?.shared_key.get_or_insert_with(|| key.clone()).clone())
    }

    fn issue_nonce(&self, nonce: &Nonce, stale_before: DateTime<Utc>) -> Result<()> {
        self.state("issue a nonce")?.issue_nonce(nonce, stale_before);
        Ok(())
    }

    fn take_nonce(&self, id: &NonceId) -> Result<Option<Nonce>> {
        Ok(self.state("take a nonce")?.nonces.remove(id))
    }

    fn create_sync_session(&self, session: &SyncSession) -> Result<()> {
        self.state("create a sync session")?.create_sync_session(session)
    }

    fn sync_session(&self, id: &SyncSessionId) -> Result<Option<SyncSession>> {
        Ok(self.committed().syncs.get(id).cloned())
    }

    fn update_sync_session(
        &self,
        id: &SyncSessionId,
        change: &mut dyn FnMut(&mut SyncSession),
    ) -> Result<Option<SyncSession>> {
        Ok(self.state("change a sync session")?.update_sync_session(id, change))
    }

    fn sync_sessions(&self, query: &SyncSessionQuery, limit: usize) -> Result<Vec<SyncSession>> {
        Ok(self.committed().sync_sessions(query, limit))
    }

    fn transfer_sessions(&self, sync_session: &SyncSessionId, limit: usize) -> Result<Vec<TransferSession>> {
        Ok(self.committed().transfer_sessions(sync_session, limit))
    }

    fn close_sync_session(&self, id: &SyncSessionId, now: DateTime<Utc>) -> Result<()> {
        self.state("close a sync session")?.close_sync_session(id, now);
        Ok(())
    }

    fn forget_sessions(&self, unused_since: DateTime<Utc>, limit: usize) -> Result<u64> {
        Ok(self.state("forget old sessions")?.forget_sessions(unused_since, limit))
    }

    fn create_transfer_session(&self, session: &TransferSession) -> Result<TransferSession> {
        self.state("create a transfer session")?.create_transfer_session(session)
    }

    fn transfer_session(&self, id: &TransferSessionId) -> Result<Option<TransferSession>> {
        Ok(self.committed().transfers.get(id).cloned())
    }

    fn update_transfer_session(
        &self,
        id: &TransferSessionId,
        change: &mut dyn FnMut(&mut TransferSession),
    ) -> Result<Option<TransferSession>> {
        Ok(self.state("change a transfer session")?.update_transfer_session(id, change))
    }

    fn serialize(&self, profile: &str, filter: &Filter, watch: Watch<'_>) -> Result<SerializeReport> {
        let mut state = self.prepared("serialize")?;
        Open(&mut state).serialize(profile, filter, watch)
    }

    fn save_what_gave_way(&self, profile: &str, filter: &Filter) -> Result<u64> {
        self.state("save what gave way anew")?.data.save_what_gave_way(profile, filter)
    }

    fn fsic(&self, profile: &str, filter: &Filter, instances: Instances) -> Result<Fsic> {
        Ok(self.committed().data.fsic(profile, filter, instances))
    }

    fn note_unclaimed(&self, entries: &PartitionCounters) -> Result<()> {
        self.state("note what is unclaimed")?.data.note_unclaimed(entries);
        Ok(())
    }

    fn unclaimed(&self, filter: &Filter) -> Result<PartitionCounters> {
        Ok(self.committed().data.unclaimed.under(filter))
    }

    fn note_handed_over(&self, entries: &PartitionCounters) -> Result<()> {
        self.state("note what was handed over")?.data.note_handed_over(entries);
        Ok(())
    }

    fn queue(&self, session: &TransferSession, receiver: &ExpandedFsic) -> Result<u64> {
        self.state("queue records")?.queue(session, receiver)
    }

    fn queued_chunk(&self, session: &TransferSessionId, offset: u64, limit: usize) -> Result<Chunk> {
        let mut state = self.state("read what is queued")?;
        let chunk = state.queued_chunk(session, offset, limit);
        // A record that changed since it was queued leaves in its newer form.
        let own = state.data.own_counters()?;
        let is_beyond = |record: &StoreRecord| record.counters.get(&own.instance).is_some_and(|saved| saved > own.told);
        if chunk.records.iter().any(is_beyond) {
            state.data.note_told()?;
        }
        Ok(chunk)
    }

    fn buffer_chunk(&self, chunk: &ReceivedChunk<'_>) -> Result<u64> {
        self.write("put a received chunk aside", |state| state.buffer_chunk(chunk))
    }

    fn receive_chunk(&self, chunk: &ReceivedChunk<'_>) -> Result<u64> {
        self.write("keep a received chunk", |state| state.receive_chunk(chunk))
    }

    fn dequeue(&self, session: &TransferSession, writable: &Reach, watch: Watch<'_>) -> Result<DequeueReport> {
        let mut state = self.prepared("dequeue")?;
        Open(&mut state).dequeue(session, writable, watch)
    }

    fn deserialize(&self, order: &DeserializeOrder<'_>, watch: Watch<'_>) -> Result<DeserializeReport> {
        let mut state = self.prepared("deserialize")?;
        Open(&mut state).deserialize(order, watch)
    }

    fn waiting(&self, which: &WaitingRecords, after: Option<&WaitingCursor>, limit: usize) -> Result<WaitingPage> {
        let state = self.committed();
        state.check_prepared("list what waits")?;
        Ok(state.waiting(which, after, limit))
    }

    fn wait_again(&self, which: &WaitingRecords) -> Result<u64> {
        Ok(self.prepared("try what waits again")?.data.wait_again(which))
    }

    fn drop_waiting(&self, which: &WaitingRecords) -> Result<u64> {
        Ok(self.prepared("drop what waits")?.data.drop_waiting(which))
    }

    fn clean_up(&self, session: &TransferSessionId, now: DateTime<Utc>) -> Result<()> {
        self.state("clean up a transfer session")?.clean_up(session, now);
        Ok(())
    }

    fn buffered(&self, session: &TransferSessionId) -> Result<u64> {
        Ok(self.committed().buffered(session))
    }

    fn delete_orphaned_buffers(&self) -> Result<u64> {
        Ok(self.state("delete the buffers of no session")?.delete_orphaned_buffers())
    }

    fn transaction(
        &self,
        operation: &str,
        _isolation: Isolation<'_>,
        work: &mut dyn FnMut(&mut dyn Transaction) -> Result<()>,
    ) -> Result<()> {
        self.write(operation, |state| {
            let _within = Within::enter(self);
            work(&mut Open(state))
        })
    }

    fn touched(
        &self,
        session: &TransferSessionId,
        model: &str,
        after: Option<&SyncId>,
        limit: usize,
    ) -> Result<Vec<TouchedRecord>> {
        Ok(self.committed().data.touched(session, model, after, limit))
    }

    fn rejections(&self, session: &TransferSessionId, limit: usize) -> Result<Vec<Rejection>> {
        Ok(self.committed().rejections(session, limit))
    }

    fn conflicts(
        &self,
        profile: &str,
        filter: &Filter,
        after: Option<&SyncId>,
        limit: usize,
    ) -> Result<Vec<StoreRecord>> {
        Ok(self.committed().data.conflicts(profile, filter, after, limit))
    }

    fn resolve_conflict(&self, id: &SyncId, listed: &Stamp, content: Option<&str>) -> Result<()> {
        self.prepared("resolve a conflict")?.data.resolve_conflict(id, listed, content)
    }

    fn forget(&self, order: &Forgetting<'_>) -> Result<Forgotten> {
        self.write("forget a school", |state| state.forget(order))
    }

    fn for_each_record(
        &self,
        profile: &str,
        filter: &Filter,
        each: &mut dyn FnMut(StoreRecord) -> Result<()>,
    ) -> Result<()> {
        let is_meant = |record: &StoreRecord| record.profile == profile && filter.contains(&record.partition);
        let records: Vec<StoreRecord> = self.committed().data.store.values().map(|held| held.record.clone()).collect();
        records.into_iter().filter(is_meant).try_for_each(each)
    }
}
