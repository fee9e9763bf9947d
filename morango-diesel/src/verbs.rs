//! The table of contents of the storage's verbs: what each public storage answers to the engine, said once for all of them.

/// Implements [`Storage`](morango::port::Storage) for a storage that wraps a `DieselStorage`.
macro_rules! implement_storage {
    ($storage:ty) => {
        const _: () = {
            use std::sync::Arc;

            use chrono::{DateTime, Utc};
            use morango::Result;
            use morango::counter::{ExpandedFsic, Fsic, Instances, PartitionCounters, Stamp};
            use morango::id::{CertificateId, DatabaseId, NonceId, SyncId, SyncSessionId, TransferSessionId};
            use morango::identity::{Certificate, Instance, Nonce, PrivateKey};
            use morango::model::Registry;
            use morango::port::{
                Adoption, CertificateQuery, Chunk, DequeueReport, DeserializeOrder, DeserializeReport, Forgetting,
                Forgotten, Isolation, OwnCounters, ReceivedChunk, Rejection, Renewal, Renewed, SerializeReport,
                Storage, StoredCertificate, TouchedRecord, Transaction, WaitingCursor, WaitingPage, WaitingRecords,
                Watch,
            };
            use morango::record::StoreRecord;
            use morango::scope::{Filter, Reach};
            use morango::session::{SyncSession, SyncSessionQuery, TransferSession};

            use crate::transactions::Transactions;
            use crate::{
                certificates, conflicts, counters, dequeue, deserialize, forgetting, gave_way, handed_over, instance,
                queue, receive, records, renewal, serialize, sessions, stage, unclaimed, waiting,
            };

            impl Storage for $storage {
                fn prepare(&self, registry: &Arc<Registry>) -> Result<()> {
                    self.0.install(registry)
                }

                fn database_id(&self) -> Result<DatabaseId> {
                    instance::database_id(&self.0)
                }

                fn renew_database_id(&self) -> Result<DatabaseId> {
                    instance::renew_database_id(&self.0)
                }

                fn renew_if_copied(&self) -> Result<Option<DatabaseId>> {
                    renewal::renew_if_copied(&self.0)
                }

                fn location(&self) -> String {
                    self.0.target().location()
                }

                fn kind(&self) -> &'static str {
                    self.0.target().kind()
                }

                fn adopt_instance(&self, instance: &Instance) -> Result<Adoption> {
                    instance::adopt_instance(&self.0, instance)
                }

                fn own_counters(&self) -> Result<OwnCounters> {
                    renewal::own_counters(&Transactions::of(&self.0))
                }

                fn note_told(&self) -> Result<()> {
                    renewal::note_told(&Transactions::of(&self.0))
                }

                fn renew_instance(&self, order: &Renewal<'_>) -> Result<Option<Renewed>> {
                    renewal::renew_instance(&Transactions::of(&self.0), order)
                }

                fn save_certificates(
                    &self,
                    certificates: &[Certificate],
                    key: Option<(&CertificateId, &PrivateKey)>,
                ) -> Result<()> {
                    certificates::save_certificates(&self.0, certificates, key)
                }

                fn certificate(&self, id: &CertificateId) -> Result<Option<StoredCertificate>> {
                    certificates::certificate(&self.0, id)
                }

                fn certificates(&self, query: &CertificateQuery) -> Result<Vec<StoredCertificate>> {
                    certificates::certificates(&self.0, query)
                }

                fn private_key(&self, id: &CertificateId) -> Result<Option<PrivateKey>> {
                    certificates::private_key(&self.0, id)
                }

                fn shared_key(&self) -> Result<Option<PrivateKey>> {
                    certificates::shared_key(&self.0)
                }

                fn keep_shared_key(&self, key: &PrivateKey) -> Result<PrivateKey> {
                    certificates::keep_shared_key(&self.0, key)
                }

                fn issue_nonce(&self, nonce: &Nonce, stale_before: DateTime<Utc>) -> Result<()> {
                    sessions::issue_nonce(&self.0, nonce, stale_before)
                }

                fn take_nonce(&self, id: &NonceId) -> Result<Option<Nonce>> {
                    sessions::take_nonce(&self.0, id)
                }

                fn create_sync_session(&self, session: &SyncSession) -> Result<()> {
                    sessions::create_sync_session(&self.0, session)
                }

                fn sync_session(&self, id: &SyncSessionId) -> Result<Option<SyncSession>> {
                    sessions::sync_session(&self.0, id)
                }

                fn update_sync_session(
                    &self,
                    id: &SyncSessionId,
                    change: &mut dyn FnMut(&mut SyncSession),
                ) -> Result<Option<SyncSession>> {
                    sessions::update_sync_session(&self.0, id, change)
                }

                fn sync_sessions(&self, query: &SyncSessionQuery, limit: usize) -> Result<Vec<SyncSession>> {
                    sessions::sync_sessions(&self.0, query, limit)
                }

                fn transfer_sessions(
                    &self,
                    sync_session: &SyncSessionId,
                    limit: usize,
                ) -> Result<Vec<TransferSession>> {
                    sessions::transfer_sessions(&self.0, sync_session, limit)
                }

                fn close_sync_session(&self, id: &SyncSessionId, now: DateTime<Utc>) -> Result<()> {
                    sessions::close_sync_session(&self.0, id, now)
                }

                fn forget_sessions(&self, unused_since: DateTime<Utc>, limit: usize) -> Result<u64> {
                    sessions::forget_sessions(&self.0, unused_since, limit)
                }

                fn create_transfer_session(&self, session: &TransferSession) -> Result<TransferSession> {
                    sessions::create_transfer_session(&Transactions::of(&self.0), session)
                }

                fn transfer_session(&self, id: &TransferSessionId) -> Result<Option<TransferSession>> {
                    sessions::transfer_session(&self.0, id)
                }

                fn update_transfer_session(
                    &self,
                    id: &TransferSessionId,
                    change: &mut dyn FnMut(&mut TransferSession),
                ) -> Result<Option<TransferSession>> {
                    sessions::update_transfer_session(&Transactions::of(&self.0), id, change)
                }

                fn serialize(&self, profile: &str, filter: &Filter, watch: Watch<'_>) -> Result<SerializeReport> {
                    serialize::serialize(&Transactions::of(&self.0), profile, filter, watch)
                }

                fn save_what_gave_way(&self, profile: &str, filter: &Filter) -> Result<u64> {
                    gave_way::save_anew(&Transactions::of(&self.0), profile, filter)
                }

                fn fsic(&self, profile: &str, filter: &Filter, instances: Instances) -> Result<Fsic> {
                    counters::fsic(&Transactions::of(&self.0), profile, filter, instances)
                }

                fn note_unclaimed(&self, entries: &PartitionCounters) -> Result<()> {
                    unclaimed::note(&self.0, entries)
                }

                fn unclaimed(&self, filter: &Filter) -> Result<PartitionCounters> {
                    self.0.read("list what is unclaimed", |connection| unclaimed::under(connection, filter))
                }

                fn note_handed_over(&self, entries: &PartitionCounters) -> Result<()> {
                    handed_over::note(&self.0, entries)
                }

                fn queue(&self, session: &TransferSession, receiver: &ExpandedFsic) -> Result<u64> {
                    queue::queue(&Transactions::of(&self.0), session, receiver)
                }

                fn queued_chunk(&self, session: &TransferSessionId, offset: u64, limit: usize) -> Result<Chunk> {
                    queue::queued_chunk(&self.0, session, offset, limit)
                }

                fn buffer_chunk(&self, chunk: &ReceivedChunk<'_>) -> Result<u64> {
                    receive::buffer_chunk(&self.0, chunk)
                }

                fn receive_chunk(&self, chunk: &ReceivedChunk<'_>) -> Result<u64> {
                    receive::receive_chunk(&self.0, chunk)
                }

                fn dequeue(
                    &self,
                    session: &TransferSession,
                    writable: &Reach,
                    watch: Watch<'_>,
                ) -> Result<DequeueReport> {
                    dequeue::dequeue(&Transactions::of(&self.0), session, writable, watch)
                }

                fn deserialize(&self, order: &DeserializeOrder<'_>, watch: Watch<'_>) -> Result<DeserializeReport> {
                    deserialize::deserialize(&Transactions::of(&self.0), order, watch)
                }

                fn waiting(
                    &self,
                    which: &WaitingRecords,
                    after: Option<&WaitingCursor>,
                    limit: usize,
                ) -> Result<WaitingPage> {
                    waiting::waiting(&self.0, which, after, limit)
                }

                fn wait_again(&self, which: &WaitingRecords) -> Result<u64> {
                    waiting::wait_again(&self.0, which)
                }

                fn drop_waiting(&self, which: &WaitingRecords) -> Result<u64> {
                    waiting::drop_waiting(&self.0, which)
                }

                fn clean_up(&self, session: &TransferSessionId, now: DateTime<Utc>) -> Result<()> {
                    receive::clean_up(&Transactions::of(&self.0), session, now)
                }

                fn transaction(
                    &self,
                    operation: &str,
                    isolation: Isolation<'_>,
                    work: &mut dyn FnMut(&mut dyn Transaction) -> Result<()>,
                ) -> Result<()> {
                    stage::transaction(&self.0, operation, isolation, work)
                }

                fn touched(
                    &self,
                    session: &TransferSessionId,
                    model: &str,
                    after: Option<&SyncId>,
                    limit: usize,
                ) -> Result<Vec<TouchedRecord>> {
                    self.0.read("list what a transfer changed", |connection| {
                        records::touched(connection, session, model, after, limit)
                    })
                }

                fn buffered(&self, session: &TransferSessionId) -> Result<u64> {
                    receive::buffered(&self.0, session)
                }

                fn delete_orphaned_buffers(&self) -> Result<u64> {
                    receive::delete_orphaned_buffers(&self.0)
                }

                fn rejections(&self, session: &TransferSessionId, limit: usize) -> Result<Vec<Rejection>> {
                    receive::rejections(&self.0, session, limit)
                }

                fn conflicts(
                    &self,
                    profile: &str,
                    filter: &Filter,
                    after: Option<&SyncId>,
                    limit: usize,
                ) -> Result<Vec<StoreRecord>> {
                    conflicts::conflicts(&self.0, profile, filter, after, limit)
                }

                fn resolve_conflict(&self, id: &SyncId, listed: &Stamp, content: Option<&str>) -> Result<()> {
                    conflicts::resolve(&self.0, id, listed, content)
                }

                fn forget(&self, order: &Forgetting<'_>) -> Result<Forgotten> {
                    forgetting::forget(&self.0, order)
                }

                fn for_each_record(
                    &self,
                    profile: &str,
                    filter: &Filter,
                    each: &mut dyn FnMut(StoreRecord) -> Result<()>,
                ) -> Result<()> {
                    records::for_each_record(&self.0, profile, filter, each)
                }
            }
        };
    };
}

pub(crate) use implement_storage;
