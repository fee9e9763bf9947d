//! A storage in memory that is just true enough for two engines to meet: one profile, rows that are texts.
//!
//! It takes its decisions from the rooms `counter` and `record`, as every storage must. It is slow and keeps nothing.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use chrono::{DateTime, Utc};
use morango::counter::{
    DatabaseMaxCounters, ExpandedFsic, Fsic, Instances, PartitionCounters, RecordMaxCounters, Stamp, lacking,
};
use morango::id::{CertificateId, DatabaseId, InstanceId, NonceId, SyncId, SyncSessionId, TransferSessionId};
use morango::identity::{Certificate, Instance, Nonce, PrivateKey};
use morango::model::{ModelDefinition, Registry};
use morango::port::{
    Adoption, CertificateQuery, Chunk, DequeueReport, DeserializeOrder, DeserializeReport, Forgetting, Forgotten,
    Isolation, OwnCounters, Progress, ReceivedChunk, Rejection, Renewal, Renewed, SerializeReport, SessionMemory,
    Storage, StoredCertificate, TouchedRecord, Transaction, Unsent, WaitingCursor, WaitingKind, WaitingPage,
    WaitingRecords, Watch,
};
use morango::record::{Relation, StoreRecord, give_way, merge, merge_row, put_before, record_id, relation};
use morango::scope::{Filter, Reach};
use morango::session::{Stage, StageStatus, SyncSession, SyncSessionOrder, SyncSessionQuery, TransferSession};
use morango::{Error, ErrorKind, Result, limits};

/// The only profile there is.
pub(crate) const PROFILE: &str = "notebook";

#[derive(Default, Clone)]
struct State {
    registry: Option<Arc<Registry>>,
    database: Option<DatabaseId>,
    instance: Option<InstanceId>,
    counter: i64,
    /// Up to which counter others may know the instance.
    told: i64,
    /// The two of each instance that it was before.
    left: BTreeMap<InstanceId, (i64, i64)>,
    renewed_at: Vec<DateTime<Utc>>,
    certificates: Vec<Certificate>,
    keys: BTreeMap<CertificateId, PrivateKey>,
    shared_key: Option<PrivateKey>,
    nonces: BTreeMap<NonceId, Nonce>,
    syncs: BTreeMap<SyncSessionId, SyncSession>,
    transfers: BTreeMap<TransferSessionId, TransferSession>,
    /// Rows that were saved since they were last serialized.
    changed: BTreeMap<SyncId, (String, String)>,
    rows: BTreeMap<SyncId, String>,
    store: BTreeMap<SyncId, StoreRecord>,
    dirty: BTreeSet<SyncId>,
    /// The stamps that records bore when ours gave way.
    gave_way: BTreeMap<SyncId, Stamp>,
    counters: DatabaseMaxCounters,
    unclaimed: DatabaseMaxCounters,
    handed_over: DatabaseMaxCounters,
    queued: BTreeMap<TransferSessionId, Vec<SyncId>>,
    received: BTreeMap<TransferSessionId, BTreeMap<SyncId, StoreRecord>>,
    chunks: BTreeSet<(TransferSessionId, [u8; 32])>,
    /// What sessions remember, by session, owner and name.
    remembered: BTreeMap<(String, String, String), String>,
    /// Which transfer changed a record last.
    touched: BTreeMap<SyncId, TransferSessionId>,
    /// Whether changes of rows are noted.
    is_untracked: bool,
    /// A panic or an error that is waiting for the next dequeuing.
    fault: Option<(&'static str, ErrorKind)>,
}

#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<State>>);

impl Memory {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panics while they hold it")
    }

    /// A storage with nothing but the certificates and keys of another: making keys is slow.
    pub(crate) fn with_certificates_of(other: &Self) -> Self {
        let memory = Self::default();
        let (mut state, other) = (memory.state(), other.state());
        state.certificates.clone_from(&other.certificates);
        state.keys.clone_from(&other.keys);
        drop(state);
        memory
    }

    /// A copy of it as it is now.
    pub(crate) fn copied(&self) -> Self {
        Self(Arc::new(Mutex::new(self.state().clone())))
    }

    /// It is again what it was when a copy was made.
    pub(crate) fn put_back(&self, copy: &Self) {
        let copy = copy.state().clone();
        *self.state() = copy;
    }

    pub(crate) fn store(&self) -> BTreeMap<SyncId, StoreRecord> {
        self.state().store.clone()
    }

    pub(crate) fn counters(&self) -> DatabaseMaxCounters {
        self.state().counters.clone()
    }

    /// What the application does: it saves a row.
    pub(crate) fn save(&self, partition: &str, source_id: &str, text: &str) -> SyncId {
        let id = record_id(partition, source_id, "note");
        let mut state = self.state();
        state.rows.insert(id, text.to_owned());
        if !state.is_untracked {
            state.changed.insert(id, (partition.to_owned(), source_id.to_owned()));
        }
        id
    }

    /// The application deletes a row, and its record is marked deleted at once.
    pub(crate) fn delete(&self, id: &SyncId) {
        let mut state = self.state();
        state.rows.remove(id);
        let stamp = state.raise_counter();
        let record = state.store.get_mut(id).expect("it was serialized");
        record.deleted = true;
        record.last_saved = stamp;
        record.counters.raise(stamp);
    }

    /// Takes a key away: what its certificate allows is allowed here no more.
    pub(crate) fn take_key(&self, id: &CertificateId) -> PrivateKey {
        self.state().keys.remove(id).expect("it is here")
    }

    pub(crate) fn rows(&self) -> BTreeMap<SyncId, String> {
        self.state().rows.clone()
    }

    pub(crate) fn fail_next_dequeuing(&self, kind: ErrorKind) {
        self.state().fault = Some(("dequeue", kind));
    }

    pub(crate) fn fail_next_queuing(&self, kind: ErrorKind) {
        self.state().fault = Some(("queue", kind));
    }

    pub(crate) fn fail_next_closing(&self, kind: ErrorKind) {
        self.state().fault = Some(("close", kind));
    }

    /// Fails where a test said that this verb does: by a panic, where that is an error of the engine's own.
    fn fail(&self, verb: &str) -> Result<()> {
        let fault = self.state().fault.take_if(|(of, _)| *of == verb);
        match fault {
            Some((_, ErrorKind::Internal)) => panic!("a fault for a test"),
            Some((_, kind)) => Err(Error::new(kind, format!("{verb}: a fault for a test"))),
            None => Ok(()),
        }
    }

    pub(crate) fn open_sync_sessions(&self) -> Vec<SyncSessionId> {
        let state = self.state();
        state.syncs.values().filter(|session| session.is_active).map(|session| session.id).collect()
    }

    /// A copy of all that is there now.
    pub(crate) fn copy(&self) -> Self {
        Self(Arc::new(Mutex::new(self.state().clone())))
    }

    /// Loses power: all is as it was when this copy was made.
    pub(crate) fn fall_back_to(&self, copy: &Self) {
        let before = copy.state().clone();
        *self.state() = before;
    }

    /// Whether any session is open or any buffer is kept.
    pub(crate) fn has_leftovers(&self) -> bool {
        let state = self.state();
        state.syncs.values().any(|session| session.is_active)
            || state.transfers.values().any(|session| session.is_active)
            || !state.queued.is_empty()
            || !state.received.is_empty()
    }
}

impl State {
    /// Whether the database is this instance, or was it.
    fn is_own(&self, instance: &InstanceId) -> bool {
        self.instance.as_ref() == Some(instance) || self.left.contains_key(instance)
    }

    /// Whether the store knows more of an instance than it would count on from.
    fn is_known_beyond(&self, instance: InstanceId) -> bool {
        let (counted, _) = self.left.get(&instance).copied().unwrap_or((0, 0));
        let saved = self.store.values().map(|record| record.last_saved);
        let claimed = self.counters.iter().chain(self.unclaimed.iter()).map(|(_, claim)| claim);
        saved.chain(claimed).any(|known| known.instance == instance && known.counter > counted)
    }

    /// Becomes an instance, and saves anew what the one before told nobody of. Says how many records that were.
    fn become_instance(&mut self, instance: InstanceId) -> u64 {
        let Some(former) = self.instance.replace(instance).filter(|former| *former != instance) else { return 0 };
        let (counted, told) = (self.counter, self.told);
        self.left.insert(former, (counted, told));
        (self.counter, self.told) = self.left.remove(&instance).unwrap_or((0, 0));
        if counted == told {
            return 0;
        }
        let stamp = self.raise_counter();
        let mut restamped = 0;
        for record in self.store.values_mut() {
            let saved = record.last_saved;
            if saved.instance == former && saved.counter > told {
                record.last_saved = stamp;
                record.counters.lower(Stamp::new(former, told));
                record.counters.raise(stamp);
                restamped += 1;
            }
        }
        let mut claims = DatabaseMaxCounters::new();
        for (partition, claim) in self.counters.iter() {
            let is_former = claim.instance == former;
            let up_to = if is_former { told.min(claim.counter) } else { claim.counter };
            if up_to > 0 {
                claims.raise(partition, Stamp::new(claim.instance, up_to));
            }
            if is_former {
                claims.raise(partition, stamp);
            }
        }
        self.counters = claims;
        restamped
    }

    fn raise_counter(&mut self) -> Stamp {
        self.counter += 1;
        Stamp::new(self.instance.expect("an instance was adopted"), self.counter)
    }

    fn definition(&self, record: &StoreRecord) -> Option<&'static ModelDefinition> {
        self.registry.as_ref()?.model(&record.profile, &record.model_name)
    }

    /// What a record becomes whose row changed while it waited itself.
    fn meet(&mut self, record: &mut StoreRecord) {
        if !self.dirty.remove(&record.id) || record.deleted {
            return;
        }
        let row = self.rows[&record.id].as_str();
        let earlier = &record.conflicting_serialized_data;
        let Some(definition) = self.definition(record) else {
            record.conflicting_serialized_data = put_before(&record.serialized, earlier);
            record.serialized = row.to_owned();
            return;
        };
        let merged = merge_row(definition, record.id, (row, ""), (&record.serialized, ""), earlier);
        if !merged.is_row {
            self.dirty.insert(record.id);
        }
        record.serialized = merged.serialized;
        record.conflicting_serialized_data = merged.conflicting_serialized_data;
    }

    fn clean_up(&mut self, id: &TransferSessionId) {
        if let Some(session) = self.transfers.get_mut(id) {
            session.is_active = false;
        }
        self.queued.remove(id);
        self.received.remove(id);
    }
}

impl Storage for Memory {
    fn prepare(&self, registry: &Arc<Registry>) -> Result<()> {
        self.state().registry = Some(Arc::clone(registry));
        Ok(())
    }

    fn database_id(&self) -> Result<DatabaseId> {
        Ok(*self.state().database.get_or_insert_with(DatabaseId::random))
    }

    fn renew_database_id(&self) -> Result<DatabaseId> {
        Ok(*self.state().database.insert(DatabaseId::random()))
    }

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
        let mut state = self.state();
        if state.instance.is_some_and(|current| current != instance.id) && state.is_known_beyond(instance.id) {
            return Ok(Adoption::KnownBeyond);
        }
        state.become_instance(instance.id);
        Ok(Adoption::Adopted)
    }

    fn own_counters(&self) -> Result<OwnCounters> {
        let state = self.state();
        let instance = state.instance.expect("an instance was adopted");
        Ok(OwnCounters { instance, counter: state.counter, told: state.told })
    }

    fn note_told(&self) -> Result<()> {
        let mut state = self.state();
        state.told = state.counter;
        Ok(())
    }

    fn renew_instance(&self, renewal: &Renewal<'_>) -> Result<Option<Renewed>> {
        let mut state = self.state();
        let lately =
            |at: &&DateTime<Utc>| renewal.unless_since.is_some_and(|since| **at > since && **at <= renewal.now);
        if state.renewed_at.iter().filter(lately).count() >= limits::RENEWALS_MAX {
            return Ok(None);
        }
        let database = DatabaseId::random();
        let current = (renewal.successor)(database).id;
        let former = state.instance.expect("an instance was adopted");
        let restamped = state.become_instance(current);
        state.database = Some(database);
        state.renewed_at.push(renewal.now);
        Ok(Some(Renewed { former, current, restamped }))
    }

    fn save_certificates(&self, new: &[Certificate], key: Option<(&CertificateId, &PrivateKey)>) -> Result<()> {
        let mut state = self.state();
        for certificate in new {
            if !state.certificates.iter().any(|kept| kept.id() == certificate.id()) {
                state.certificates.push(certificate.clone());
            }
        }
        if let Some(last) = new.last()
            && !state.keys.contains_key(&last.id())
        {
            state.certificates.retain(|kept| kept.id() != last.id());
            state.certificates.push(last.clone());
        }
        if let Some((id, key)) = key {
            state.keys.insert(*id, key.clone());
        }
        Ok(())
    }

    fn certificate(&self, id: &CertificateId) -> Result<Option<StoredCertificate>> {
        let state = self.state();
        let found = state.certificates.iter().find(|certificate| certificate.id() == *id);
        Ok(found.map(|certificate| StoredCertificate {
            certificate: certificate.clone(),
            has_private_key: state.keys.contains_key(id),
        }))
    }

    fn certificates(&self, query: &CertificateQuery) -> Result<Vec<StoredCertificate>> {
        let state = self.state();
        let find = |id: CertificateId| state.certificates.iter().find(|certificate| certificate.id() == id);
        let ancestors = |id: CertificateId| {
            let mut chain: Vec<_> =
                std::iter::successors(find(id), |below| below.parent_id().and_then(find)).cloned().collect();
            chain.reverse();
            chain
        };
        let owned = || state.certificates.iter().filter(|certificate| state.keys.contains_key(&certificate.id()));
        let found: Vec<Certificate> = match query {
            CertificateQuery::Owned { .. } => owned().cloned().collect(),
            CertificateQuery::Below { primary_partition, .. } => owned()
                .filter(|certificate| ancestors(certificate.id()).iter().any(|above| above.id() == *primary_partition))
                .cloned()
                .collect(),
            CertificateQuery::AncestorsOf { id, .. } if state.keys.contains_key(id) => ancestors(*id),
            CertificateQuery::AncestorsOf { .. } => Vec::new(),
        };
        let stored = found.into_iter().map(|certificate| StoredCertificate {
            has_private_key: state.keys.contains_key(&certificate.id()),
            certificate,
        });
        Ok(stored.collect())
    }

    fn private_key(&self, id: &CertificateId) -> Result<Option<PrivateKey>> {
        Ok(self.state().keys.get(id).cloned())
    }

    fn shared_key(&self) -> Result<Option<PrivateKey>> {
        Ok(self.state().shared_key.clone())
    }

    fn keep_shared_key(&self, key: &PrivateKey) -> Result<PrivateKey> {
        Ok(self.state().shared_key.get_or_insert_with(|| key.clone()).clone())
    }

    fn issue_nonce(&self, nonce: &Nonce, stale_before: DateTime<Utc>) -> Result<()> {
        let mut state = self.state();
        state.nonces.retain(|_, nonce| nonce.issued_at >= stale_before);
        state.nonces.insert(nonce.id, nonce.clone());
        Ok(())
    }

    fn take_nonce(&self, id: &NonceId) -> Result<Option<Nonce>> {
        Ok(self.state().nonces.remove(id))
    }

    fn create_sync_session(&self, session: &SyncSession) -> Result<()> {
        let mut state = self.state();
        if state.syncs.contains_key(&session.id) {
            return Err(Error::new(ErrorKind::SessionConflict, "keep a sync session: there is one of this id"));
        }
        state.syncs.insert(session.id, session.clone());
        Ok(())
    }

    fn sync_session(&self, id: &SyncSessionId) -> Result<Option<SyncSession>> {
        Ok(self.state().syncs.get(id).cloned())
    }

    fn update_sync_session(
        &self,
        id: &SyncSessionId,
        change: &mut dyn FnMut(&mut SyncSession),
    ) -> Result<Option<SyncSession>> {
        let mut state = self.state();
        Ok(state.syncs.get_mut(id).map(|kept| {
            let mut session = kept.clone();
            change(&mut session);
            let SyncSession { plan, holder, last_activity_at, .. } = session;
            *kept = SyncSession { plan, holder, last_activity_at, ..kept.clone() };
            kept.clone()
        }))
    }

    fn sync_sessions(&self, query: &SyncSessionQuery, limit: usize) -> Result<Vec<SyncSession>> {
        let SyncSessionQuery {
            ids,
            is_active,
            side,
            profile,
            client_instance,
            server_instance,
            client_certificate,
            idle_since,
            order,
        } = query;
        let is_meant = |session: &&SyncSession| {
            ids.as_ref().is_none_or(|ids| ids.contains(&session.id))
                && is_active.is_none_or(|is_active| session.is_active == is_active)
                && side.is_none_or(|side| session.side == side)
                && profile.as_ref().is_none_or(|profile| session.profile == *profile)
                && (client_instance.is_none() || session.client_instance == *client_instance)
                && (server_instance.is_none() || session.server_instance == *server_instance)
                && client_certificate.is_none_or(|id| session.client_certificate == id)
                && idle_since.is_none_or(|time| session.last_activity_at < time)
        };
        let mut found: Vec<_> = self.state().syncs.values().filter(is_meant).cloned().collect();
        match order {
            SyncSessionOrder::UsedLastFirst => {
                found.sort_by_key(|session| (std::cmp::Reverse(session.last_activity_at), session.id));
            }
            SyncSessionOrder::UsedLongestAgoFirst { after } => {
                found.retain(|session| after.is_none_or(|after| (session.last_activity_at, session.id) > after));
                found.sort_by_key(|session| (session.last_activity_at, session.id));
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    fn transfer_sessions(&self, sync_session: &SyncSessionId, limit: usize) -> Result<Vec<TransferSession>> {
        let is_meant = |session: &&TransferSession| session.sync_session == *sync_session;
        let mut found: Vec<_> = self.state().transfers.values().filter(is_meant).cloned().collect();
        found.sort_by_key(|session| (!session.is_active, std::cmp::Reverse(session.started_at), session.id));
        found.truncate(limit);
        Ok(found)
    }

    fn close_sync_session(&self, id: &SyncSessionId, _now: DateTime<Utc>) -> Result<()> {
        self.fail("close")?;
        let mut state = self.state();
        if let Some(session) = state.syncs.get_mut(id) {
            session.is_active = false;
            session.holder = None;
        }
        let within: Vec<_> = state.transfers.values().filter(|it| it.sync_session == *id).map(|it| it.id).collect();
        for id in &within {
            state.clean_up(id);
        }
        Ok(())
    }

    fn forget_sessions(&self, unused_since: DateTime<Utc>, limit: usize) -> Result<u64> {
        let mut state = self.state();
        let is_old = |session: &&SyncSession| !session.is_active && session.last_activity_at < unused_since;
        let old: BTreeSet<_> = state.syncs.values().filter(is_old).take(limit).map(|session| session.id).collect();
        state.syncs.retain(|id, _| !old.contains(id));
        state.transfers.retain(|_, transfer| !old.contains(&transfer.sync_session));
        Ok(old.len() as u64)
    }

    fn create_transfer_session(&self, session: &TransferSession) -> Result<TransferSession> {
        let mut state = self.state();
        let is_same = |other: &&TransferSession| {
            other.is_active && (other.sync_session, other.direction) == (session.sync_session, session.direction)
        };
        if let Some(open) = state.transfers.values().find(is_same) {
            return Ok(open.clone());
        }
        if state.transfers.contains_key(&session.id) {
            return Err(Error::new(ErrorKind::SessionConflict, "create a transfer session: there is one with this id"));
        }
        if let Some(sync_session) = state.syncs.get_mut(&session.sync_session) {
            sync_session.last_activity_at = session.last_activity_at;
        }
        state.transfers.insert(session.id, session.clone());
        Ok(session.clone())
    }

    fn transfer_session(&self, id: &TransferSessionId) -> Result<Option<TransferSession>> {
        Ok(self.state().transfers.get(id).cloned())
    }

    fn update_transfer_session(
        &self,
        id: &TransferSessionId,
        change: &mut dyn FnMut(&mut TransferSession),
    ) -> Result<Option<TransferSession>> {
        let mut state = self.state();
        Ok(state.transfers.get_mut(id).map(|session| {
            change(session);
            session.clone()
        }))
    }

    fn serialize(&self, profile: &str, filter: &Filter, _watch: Watch<'_>) -> Result<SerializeReport> {
        let mut state = self.state();
        let stamp = state.raise_counter();
        let mut report = SerializeReport::default();
        let within: Vec<_> = state.changed.iter().filter(|(_, (partition, _))| filter.contains(partition)).collect();
        let within: Vec<_> = within.into_iter().map(|(id, origin)| (*id, origin.clone())).collect();
        for (id, (partition, source_id)) in within {
            state.changed.remove(&id);
            let mut record = state.store.remove(&id).unwrap_or_else(|| StoreRecord {
                id,
                profile: profile.to_owned(),
                model_name: "note".to_owned(),
                partition,
                source_id,
                serialized: String::new(),
                conflicting_serialized_data: String::new(),
                deleted: false,
                hard_deleted: false,
                last_saved: stamp,
                self_ref_fk: String::new(),
                counters: RecordMaxCounters::new(),
            });
            if state.dirty.contains(&id) {
                state.meet(&mut record);
            } else {
                record.serialized.clone_from(&state.rows[&id]);
            }
            record.last_saved = stamp;
            record.counters.raise(stamp);
            state.store.insert(id, record);
            report.updated += 1;
        }
        for prefix in filter.prefixes() {
            state.counters.raise(prefix, stamp);
        }
        Ok(report)
    }

    fn save_what_gave_way(&self, _profile: &str, filter: &Filter) -> Result<u64> {
        let mut state = self.state();
        let gave_way = |record: &&StoreRecord| {
            filter.contains(&record.partition) && state.gave_way.get(&record.id) == Some(&record.last_saved)
        };
        let meant: Vec<SyncId> = state.store.values().filter(gave_way).map(|record| record.id).collect();
        if meant.is_empty() {
            return Ok(0);
        }
        let stamp = state.raise_counter();
        for id in &meant {
            let record = state.store.get_mut(id).expect("it was found");
            record.last_saved = stamp;
            record.counters.raise(stamp);
        }
        Ok(meant.len() as u64)
    }

    fn fsic(&self, _profile: &str, filter: &Filter, instances: Instances) -> Result<Fsic> {
        let state = self.state();
        let keep = |partition: &str, instance: &InstanceId| match instances {
            Instances::All => true,
            Instances::WithRecords if state.is_own(instance) => true,
            Instances::WithRecords => {
                let mut under = state.store.values().filter(|record| record.partition.starts_with(partition));
                under.any(|record| record.last_saved.instance == *instance)
            }
        };
        Ok(Fsic::calculate(&state.counters, filter, &keep))
    }

    fn note_unclaimed(&self, entries: &PartitionCounters) -> Result<()> {
        self.state().unclaimed.raise_all(entries);
        Ok(())
    }

    fn note_handed_over(&self, entries: &PartitionCounters) -> Result<()> {
        self.state().handed_over.raise_all(entries);
        Ok(())
    }

    fn unclaimed(&self, filter: &Filter) -> Result<PartitionCounters> {
        Ok(self.state().unclaimed.under(filter))
    }

    fn queue(&self, session: &TransferSession, receiver: &ExpandedFsic) -> Result<u64> {
        self.fail("queue")?;
        let OwnCounters { instance, counter, .. } = self.own_counters()?;
        let own = Stamp::new(instance, counter);
        let mut state = self.state();
        let claimed = Fsic::calculate(&state.counters, &session.filter, &|_, _| true);
        let lacks = lacking(&claimed, state.unclaimed.under(&session.filter), own, receiver, &session.filter)?;
        let is_lacking = |record: &&StoreRecord| {
            lacks.iter().any(|lack| {
                record.partition.starts_with(&lack.partition)
                    && record.last_saved.instance == lack.instance
                    && record.last_saved.counter > lack.counter
            })
        };
        let queued: Vec<SyncId> = state.store.values().filter(is_lacking).map(|record| record.id).collect();
        let at = &state.transfers[&session.id];
        let is_done = (at.stage, at.status) == (Stage::Queuing, StageStatus::Completed) || at.stage > Stage::Queuing;
        if let (true, Some(queued)) = (is_done, state.queued.get(&session.id)) {
            return Ok(queued.len() as u64);
        }
        let total = queued.len() as u64;
        state.queued.insert(session.id, queued);
        let stored = state.transfers.get_mut(&session.id).expect("an open session");
        stored.records_total = Some(total);
        stored.client_fsic.clone_from(&session.client_fsic);
        stored.server_fsic.clone_from(&session.server_fsic);
        Ok(total)
    }

    fn queued_chunk(&self, session: &TransferSessionId, offset: u64, limit: usize) -> Result<Chunk> {
        let state = self.state();
        let queued = state.queued.get(session).map_or(&[][..], Vec::as_slice);
        let offset = usize::try_from(offset).expect("an offset of these tests");
        let records = queued.iter().skip(offset).take(limit).map(|id| state.store[id].clone()).collect();
        Ok(Chunk { records, total: queued.len() as u64 })
    }

    fn buffer_chunk(&self, chunk: &ReceivedChunk<'_>) -> Result<u64> {
        self.receive_chunk(chunk)
    }

    fn receive_chunk(&self, chunk: &ReceivedChunk<'_>) -> Result<u64> {
        let mut state = self.state();
        let before = state.transfers[chunk.session].records_transferred;
        if state.chunks.contains(&(*chunk.session, *chunk.digest)) {
            return Ok(before);
        }
        let transferred = chunk.count(before)?;
        state.chunks.insert((*chunk.session, *chunk.digest));
        let buffer = state.received.entry(*chunk.session).or_default();
        buffer.extend(chunk.records.iter().map(|record| (record.record().id, record.record().clone())));
        let transfer = state.transfers.get_mut(chunk.session).expect("an open session");
        transfer.records_transferred = transferred.min(transfer.records_total.unwrap_or(u64::MAX));
        transfer.last_activity_at = chunk.received_at;
        Ok(transfer.records_transferred)
    }

    fn dequeue(&self, session: &TransferSession, writable: &Reach, watch: Watch<'_>) -> Result<DequeueReport> {
        self.fail("dequeue")?;
        let mut state = self.state();
        if !state.transfers[&session.id].is_active {
            return Err(Error::new(ErrorKind::SessionUnknown, "dequeue: the session is closed"));
        }
        let stamp = state.raise_counter();
        let mut report = DequeueReport::default();
        let completed = session.completed_by()?;
        for (id, theirs) in state.received.remove(&session.id).unwrap_or_default() {
            let mut gave_way = None;
            let ours = state.store.get(&id);
            let known = ours.map(|ours| (&ours.last_saved, &ours.counters));
            let (count, merged) = match (relation(known, (&theirs.last_saved, &theirs.counters)), ours) {
                (Relation::AlreadySeen, _) => (&mut report.already_seen, None),
                (Relation::Conflict, Some(ours)) => {
                    let kept = if writable.contains(&theirs.partition) {
                        merge(state.definition(ours), ours, &theirs, stamp).record
                    } else {
                        gave_way = Some(theirs.last_saved);
                        give_way(ours, &theirs, ours.last_saved.instance == stamp.instance)
                    };
                    (&mut report.conflicts, Some(kept))
                }
                (Relation::New, _) => (&mut report.new, Some(theirs)),
                (Relation::FastForward | Relation::Conflict, _) => (&mut report.fast_forwarded, Some(theirs)),
            };
            *count += 1;
            if let Some(merged) = merged {
                state.touched.insert(id, session.id);
                state.store.insert(id, merged);
                state.dirty.insert(id);
                state.gave_way.extend(gave_way.map(|stamp| (id, stamp)));
            }
        }
        let _ = watch(Progress { done: 1, total: None });
        state.counters.raise_all(&completed);
        Ok(report)
    }

    fn deserialize(&self, order: &DeserializeOrder<'_>, _watch: Watch<'_>) -> Result<DeserializeReport> {
        let mut state = self.state();
        let mut report = DeserializeReport::default();
        for id in std::mem::take(&mut state.dirty) {
            let record = state.store[&id].clone();
            if order.filter.contains(&record.partition) {
                if record.deleted {
                    report.deleted += u64::from(state.rows.remove(&id).is_some());
                } else {
                    state.rows.insert(id, record.serialized);
                    report.written += 1;
                }
            } else {
                state.dirty.insert(id);
            }
        }
        Ok(report)
    }

    /// Whatever comes becomes a row at once: nothing waits.
    fn waiting(&self, _: &WaitingRecords, _: Option<&WaitingCursor>, _: usize) -> Result<WaitingPage> {
        Ok(WaitingPage { records: Vec::new(), next: None })
    }

    fn wait_again(&self, _: &WaitingRecords) -> Result<u64> {
        Ok(0)
    }

    fn drop_waiting(&self, _: &WaitingRecords) -> Result<u64> {
        Ok(0)
    }

    fn clean_up(&self, session: &TransferSessionId, _now: DateTime<Utc>) -> Result<()> {
        self.state().clean_up(session);
        Ok(())
    }

    fn buffered(&self, session: &TransferSessionId) -> Result<u64> {
        let state = self.state();
        let queued = state.queued.get(session).map_or(0, Vec::len);
        Ok((queued + state.received.get(session).map_or(0, BTreeMap::len)) as u64)
    }

    fn delete_orphaned_buffers(&self) -> Result<u64> {
        Ok(0)
    }

    /// Everything is as it was before if the work fails. It works on this storage itself, through the same calls.
    fn transaction(
        &self,
        _operation: &str,
        _isolation: Isolation<'_>,
        work: &mut dyn FnMut(&mut dyn Transaction) -> Result<()>,
    ) -> Result<()> {
        let before = self.state().clone();
        let done = work(&mut Open(self.clone()));
        if done.is_err() {
            *self.state() = before;
        }
        done
    }

    fn touched(
        &self,
        session: &TransferSessionId,
        _model: &str,
        after: Option<&SyncId>,
        limit: usize,
    ) -> Result<Vec<TouchedRecord>> {
        let state = self.state();
        let of_session = state.touched.iter().filter(|(_, touched_by)| *touched_by == session);
        let later = of_session.map(|(id, _)| id).filter(|id| after.is_none_or(|after| *id > after));
        let record = |id: &SyncId| TouchedRecord {
            id: *id,
            deleted: state.store[id].deleted,
            hard_deleted: state.store[id].hard_deleted,
            waiting: state.dirty.contains(id).then_some(WaitingKind::NotTried),
        };
        Ok(later.take(limit).map(record).collect())
    }

    fn rejections(&self, _session: &TransferSessionId, _limit: usize) -> Result<Vec<Rejection>> {
        Ok(Vec::new())
    }

    fn conflicts(
        &self,
        _profile: &str,
        filter: &Filter,
        after: Option<&SyncId>,
        limit: usize,
    ) -> Result<Vec<StoreRecord>> {
        let state = self.state();
        let is_next = |record: &&StoreRecord| {
            after.is_none_or(|after| record.id > *after)
                && !record.conflicting_serialized_data.is_empty()
                && !record.hard_deleted
                && filter.contains(&record.partition)
        };
        Ok(state.store.values().filter(is_next).take(limit).cloned().collect())
    }

    fn resolve_conflict(&self, id: &SyncId, listed: &Stamp, content: Option<&str>) -> Result<()> {
        let mut state = self.state();
        let record = state.store[id].clone();
        let is_in_conflict = !record.hard_deleted && !record.conflicting_serialized_data.is_empty();
        if record.last_saved != *listed || !is_in_conflict || state.changed.contains_key(id) {
            return Err(Error::new(ErrorKind::RecordChanged, format!("resolve the conflict of {id}: it was changed")));
        }
        let stamp = state.raise_counter();
        let definition = state.definition(&record);
        state.store.insert(*id, record.resolved(content, definition, stamp));
        if let Some(content) = content {
            state.rows.insert(*id, content.to_owned());
            state.dirty.remove(id);
        }
        Ok(())
    }

    fn forget(&self, order: &Forgetting<'_>) -> Result<Forgotten> {
        let root = order.root.to_string();
        let (before, own) = (self.store().len(), self.own_counters()?);
        let mut state = self.state();
        let is_unsent = |record: &&StoreRecord| {
            let saved = record.last_saved;
            record.partition.starts_with(&root)
                && saved.instance == own.instance
                && !state.handed_over.covers(&record.partition, saved)
        };
        let unsent = state.store.values().filter(is_unsent).count() as u64;
        if unsent > 0 && order.unsent == Unsent::Refused {
            return Err(Error::new(ErrorKind::InvalidInput, "forget: some of it was told to nobody"));
        }
        state.store.retain(|_, record| !record.partition.starts_with(&root));
        let left: BTreeSet<_> = state.store.keys().copied().collect();
        state.rows.retain(|id, _| left.contains(id));
        let mut claims = DatabaseMaxCounters::new();
        let elsewhere = state
            .counters
            .iter()
            .filter(|(partition, _)| !partition.starts_with(&root) && !root.starts_with(*partition));
        elsewhere.for_each(|(partition, stamp)| {
            claims.raise(partition, stamp);
        });
        state.counters = claims;
        let records = (before - state.store.len()) as u64;
        drop(state);
        let renewed = self.renew_instance(&order.renewal)?.expect("nothing speaks against it");
        Ok(Forgotten::new([records, records, unsent, 0], renewed))
    }

    fn for_each_record(
        &self,
        _profile: &str,
        filter: &Filter,
        each: &mut dyn FnMut(StoreRecord) -> Result<()>,
    ) -> Result<()> {
        let records: Vec<_> = self.state().store.values().cloned().collect();
        records.into_iter().filter(|record| filter.contains(&record.partition)).try_for_each(each)
    }
}

/// A transaction that is open. What is done in it is seen by everybody at once: these tests have one thread.
struct Open(Memory);

impl Transaction for Open {
    fn connection(&mut self) -> &mut dyn Any {
        &mut self.0
    }

    fn create_transfer_session(&mut self, session: &TransferSession) -> Result<TransferSession> {
        self.0.create_transfer_session(session)
    }

    fn update_transfer_session(
        &mut self,
        id: &TransferSessionId,
        change: &mut dyn FnMut(&mut TransferSession),
    ) -> Result<Option<TransferSession>> {
        self.0.update_transfer_session(id, change)
    }

    fn own_counters(&mut self) -> Result<OwnCounters> {
        self.0.own_counters()
    }

    fn note_told(&mut self) -> Result<()> {
        self.0.note_told()
    }

    fn renew_instance(&mut self, renewal: &Renewal<'_>) -> Result<Option<Renewed>> {
        self.0.renew_instance(renewal)
    }

    fn serialize(&mut self, profile: &str, filter: &Filter, watch: Watch<'_>) -> Result<SerializeReport> {
        self.0.serialize(profile, filter, watch)
    }

    fn save_what_gave_way(&mut self, profile: &str, filter: &Filter) -> Result<u64> {
        self.0.save_what_gave_way(profile, filter)
    }

    fn fsic(&mut self, profile: &str, filter: &Filter, instances: Instances) -> Result<Fsic> {
        self.0.fsic(profile, filter, instances)
    }

    fn queue(&mut self, session: &TransferSession, receiver: &ExpandedFsic) -> Result<u64> {
        self.0.queue(session, receiver)
    }

    fn dequeue(&mut self, session: &TransferSession, writable: &Reach, watch: Watch<'_>) -> Result<DequeueReport> {
        self.0.dequeue(session, writable, watch)
    }

    fn deserialize(&mut self, order: &DeserializeOrder<'_>, watch: Watch<'_>) -> Result<DeserializeReport> {
        self.0.deserialize(order, watch)
    }

    fn clean_up(&mut self, session: &TransferSessionId, now: DateTime<Utc>) -> Result<()> {
        self.0.clean_up(session, now)
    }

    fn recall(&mut self, memory: SessionMemory, owner: &str, name: &str) -> Result<Option<String>> {
        Ok(self.0.state().remembered.get(&key(memory, owner, name)).cloned())
    }

    fn remember(&mut self, memory: SessionMemory, owner: &str, name: &str, value: Option<&str>) -> Result<()> {
        let (mut state, key) = (self.0.state(), key(memory, owner, name));
        match value {
            Some(value) => state.remembered.insert(key, value.to_owned()),
            None => state.remembered.remove(&key),
        };
        Ok(())
    }

    fn without_capture(&mut self, work: &mut dyn FnMut(&mut dyn Transaction) -> Result<()>) -> Result<()> {
        self.0.state().is_untracked = true;
        let done = work(self);
        self.0.state().is_untracked = false;
        done
    }

    fn forget_change(&mut self, _profile: &str, _model: &str, id: &SyncId) -> Result<bool> {
        let mut state = self.0.state();
        Ok(state.store.contains_key(id) && state.changed.remove(id).is_some())
    }

    fn record(&mut self, id: &SyncId) -> Result<Option<StoreRecord>> {
        Ok(self.0.state().store.get(id).cloned())
    }

    fn touched(
        &mut self,
        session: &TransferSessionId,
        model: &str,
        after: Option<&SyncId>,
        limit: usize,
    ) -> Result<Vec<TouchedRecord>> {
        self.0.touched(session, model, after, limit)
    }
}

fn key(memory: SessionMemory, owner: &str, name: &str) -> (String, String, String) {
    (format!("{memory:?}"), owner.to_owned(), name.to_owned())
}

/// Errored sessions of this storage, for tests of failures.
impl Memory {
    pub(crate) fn errored(&self) -> Vec<String> {
        let state = self.state();
        let failed = state.transfers.values().filter(|session| session.status == StageStatus::Errored);
        failed.filter_map(|session| session.error.clone()).collect()
    }
}
