//! The storage port, with every call of it in the hands of [`Power`].

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use chrono::{DateTime, Utc};
use morango::counter::{ExpandedFsic, Fsic, Instances, PartitionCounters, Stamp};
use morango::id::{CertificateId, DatabaseId, NonceId, SyncId, SyncSessionId, TransferSessionId};
use morango::identity::{Certificate, Instance, Nonce, PrivateKey};
use morango::model::Registry;
use morango::port::{
    Adoption, CertificateQuery, Chunk, DequeueReport, DeserializeOrder, DeserializeReport, Forgetting, Forgotten,
    Isolation, OwnCounters, ReceivedChunk, Rejection, Renewal, Renewed, SerializeReport, Storage, StoredCertificate,
    TouchedRecord, Transaction, WaitingCursor, WaitingPage, WaitingRecords, Watch,
};
use morango::record::StoreRecord;
use morango::scope::{Filter, Reach};
use morango::session::{SyncSession, SyncSessionQuery, TransferSession};
use morango::{Error, ErrorKind, Result};

use super::power::{Power, off};
use crate::plan::Blow;

/// A storage whose calls go wrong as its power says.
pub(crate) struct Faulty {
    pub(crate) inner: Arc<dyn Storage>,
    pub(crate) power: Arc<Power>,
}

/// Whoever watches nothing.
const NOBODY: Watch<'static> = &|_| ControlFlow::Continue(());

impl Faulty {
    fn call<R>(&self, verb: &'static str, work: impl FnOnce(&dyn Storage) -> Result<R>) -> Result<R> {
        self.watched(verb, NOBODY, |storage, _| work(storage))
    }

    /// Makes a call that tells of its progress, after some of which the power may go off.
    fn watched<R>(
        &self,
        verb: &'static str,
        watch: Watch<'_>,
        work: impl FnOnce(&dyn Storage, Watch<'_>) -> Result<R>,
    ) -> Result<R> {
        let outcome = self.struck(verb, watch, work);
        if outcome.is_err() {
            self.power.turnstile.release();
        }
        outcome
    }

    fn struck<R>(
        &self,
        verb: &'static str,
        watch: Watch<'_>,
        work: impl FnOnce(&dyn Storage, Watch<'_>) -> Result<R>,
    ) -> Result<R> {
        let refused = |kind| Err(Error::new(kind, format!("{verb}: the plan says that it fails")));
        match self.power.next(verb)? {
            None => work(&*self.inner, watch),
            Some(Blow::Fails) => refused(ErrorKind::Storage),
            Some(Blow::Busy) => refused(ErrorKind::StorageBusy),
            Some(Blow::DiesBefore) => {
                self.power.go_off();
                Err(off(verb))
            }
            Some(Blow::DiesWithin(parts)) => {
                let left = AtomicU8::new(parts);
                let dying: Watch<'_> = &|progress| match left
                    .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
                {
                    Ok(_) => watch(progress),
                    Err(_) => ControlFlow::Break(()),
                };
                let _ = work(&*self.inner, dying);
                self.power.go_off();
                Err(off(verb))
            }
            Some(Blow::DiesAfter) => {
                let _ = work(&*self.inner, watch);
                self.power.go_off();
                Err(off(verb))
            }
        }
    }
}

/// Calls that only hand over what they are given.
macro_rules! handed_over {
    ($($verb:ident($($name:ident: $type:ty),*) -> $returned:ty;)*) => {
        $(fn $verb(&self, $($name: $type),*) -> Result<$returned> {
            self.call(stringify!($verb), |storage| storage.$verb($($name),*))
        })*
    };
}

impl Storage for Faulty {
    handed_over! {
        prepare(registry: &Arc<Registry>) -> ();
        database_id() -> DatabaseId;
        renew_database_id() -> DatabaseId;
        renew_if_copied() -> Option<DatabaseId>;
        adopt_instance(instance: &Instance) -> Adoption;
        own_counters() -> OwnCounters;
        note_told() -> ();
        renew_instance(renewal: &Renewal<'_>) -> Option<Renewed>;
        save_certificates(certificates: &[Certificate], key: Option<(&CertificateId, &PrivateKey)>) -> ();
        certificate(id: &CertificateId) -> Option<StoredCertificate>;
        certificates(query: &CertificateQuery) -> Vec<StoredCertificate>;
        private_key(id: &CertificateId) -> Option<PrivateKey>;
        shared_key() -> Option<PrivateKey>;
        keep_shared_key(key: &PrivateKey) -> PrivateKey;
        issue_nonce(nonce: &Nonce, stale_before: DateTime<Utc>) -> ();
        take_nonce(id: &NonceId) -> Option<Nonce>;
        create_sync_session(session: &SyncSession) -> ();
        sync_session(id: &SyncSessionId) -> Option<SyncSession>;
        update_sync_session(id: &SyncSessionId, change: &mut dyn FnMut(&mut SyncSession)) -> Option<SyncSession>;
        sync_sessions(query: &SyncSessionQuery, limit: usize) -> Vec<SyncSession>;
        transfer_sessions(sync_session: &SyncSessionId, limit: usize) -> Vec<TransferSession>;
        close_sync_session(id: &SyncSessionId, now: DateTime<Utc>) -> ();
        forget_sessions(unused_since: DateTime<Utc>, limit: usize) -> u64;
        create_transfer_session(session: &TransferSession) -> TransferSession;
        transfer_session(id: &TransferSessionId) -> Option<TransferSession>;
        update_transfer_session(
            id: &TransferSessionId,
            change: &mut dyn FnMut(&mut TransferSession)
        ) -> Option<TransferSession>;
        save_what_gave_way(profile: &str, filter: &Filter) -> u64;
        fsic(profile: &str, filter: &Filter, instances: Instances) -> Fsic;
        note_unclaimed(entries: &PartitionCounters) -> ();
        unclaimed(filter: &Filter) -> PartitionCounters;
        note_handed_over(entries: &PartitionCounters) -> ();
        queue(session: &TransferSession, receiver: &ExpandedFsic) -> u64;
        buffer_chunk(chunk: &ReceivedChunk<'_>) -> u64;
        receive_chunk(chunk: &ReceivedChunk<'_>) -> u64;
        waiting(which: &WaitingRecords, after: Option<&WaitingCursor>, limit: usize) -> WaitingPage;
        wait_again(which: &WaitingRecords) -> u64;
        drop_waiting(which: &WaitingRecords) -> u64;
        clean_up(session: &TransferSessionId, now: DateTime<Utc>) -> ();
        buffered(session: &TransferSessionId) -> u64;
        delete_orphaned_buffers() -> u64;
        transaction(
            operation: &str,
            isolation: Isolation<'_>,
            work: &mut dyn FnMut(&mut dyn Transaction) -> Result<()>
        ) -> ();
        touched(
            session: &TransferSessionId,
            model: &str,
            after: Option<&SyncId>,
            limit: usize
        ) -> Vec<TouchedRecord>;
        rejections(session: &TransferSessionId, limit: usize) -> Vec<Rejection>;
        conflicts(profile: &str, filter: &Filter, after: Option<&SyncId>, limit: usize) -> Vec<StoreRecord>;
        resolve_conflict(id: &SyncId, listed: &Stamp, content: Option<&str>) -> ();
        forget(order: &Forgetting<'_>) -> Forgotten;
        for_each_record(
            profile: &str,
            filter: &Filter,
            each: &mut dyn FnMut(StoreRecord) -> Result<()>
        ) -> ();
    }

    fn location(&self) -> String {
        self.inner.location()
    }

    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    fn queued_chunk(&self, session: &TransferSessionId, offset: u64, limit: usize) -> Result<Chunk> {
        self.power.turnstile.wait(*session, offset);
        self.call("queued_chunk", |storage| storage.queued_chunk(session, offset, limit))
    }

    fn serialize(&self, profile: &str, filter: &Filter, watch: Watch<'_>) -> Result<SerializeReport> {
        self.watched("serialize", watch, |storage, watch| storage.serialize(profile, filter, watch))
    }

    fn dequeue(&self, session: &TransferSession, writable: &Reach, watch: Watch<'_>) -> Result<DequeueReport> {
        self.watched("dequeue", watch, |storage, watch| storage.dequeue(session, writable, watch))
    }

    fn deserialize(&self, order: &DeserializeOrder<'_>, watch: Watch<'_>) -> Result<DeserializeReport> {
        self.watched("deserialize", watch, |storage, watch| storage.deserialize(order, watch))
    }
}
