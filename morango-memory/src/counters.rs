//! What this database says that it has, what it may have beyond that, and what a peer lacks of it.

use morango::counter::{DatabaseMaxCounters, ExpandedFsic, Fsic, Instances, PartitionCounters, Stamp, lacking};
use morango::id::{InstanceId, SyncId, TransferSessionId};
use morango::port::Chunk;
use morango::record::StoreRecord;
use morango::scope::Filter;
use morango::session::{Stage, StageStatus, TransferSession};
use morango::{Error, ErrorKind, Result, limits};

use crate::data::Data;
use crate::state::State;

impl Data {
    pub(crate) fn fsic(&self, profile: &str, filter: &Filter, instances: Instances) -> Fsic {
        let has_record = |partition: &str, instance: &InstanceId| {
            self.store.values().map(|held| &held.record).any(|record| {
                record.profile == profile
                    && record.partition.starts_with(partition)
                    && record.last_saved.instance == *instance
            })
        };
        let keep = |partition: &str, instance: &InstanceId| match instances {
            Instances::All => true,
            Instances::WithRecords => self.instances.contains_key(instance) || has_record(partition, instance),
        };
        Fsic::calculate(&self.counters, filter, &keep)
    }

    pub(crate) fn note_unclaimed(&mut self, entries: &PartitionCounters) {
        for (partition, counters) in entries {
            for (instance, counter) in counters {
                if self.counters.get(partition, instance).is_none_or(|claimed| claimed < *counter) {
                    self.unclaimed.raise(partition, Stamp::new(*instance, *counter));
                }
            }
        }
    }

    pub(crate) fn note_handed_over(&mut self, entries: &PartitionCounters) {
        for (partition, counters) in entries {
            for (instance, counter) in counters.iter().filter(|(instance, _)| self.instances.contains_key(instance)) {
                self.handed_over.raise(partition, Stamp::new(*instance, *counter));
            }
        }
    }

    /// Whether a record holds a change that was made here and that nobody else is known to have.
    pub(crate) fn is_unsent(&self, record: &StoreRecord) -> bool {
        let saved = record.last_saved;
        self.instances.contains_key(&saved.instance) && !self.handed_over.covers(&record.partition, saved)
    }

    /// Forgets what the database max counters claim from now on.
    pub(crate) fn forget_unclaimed(&mut self, prefix: &str, claimed: Stamp) {
        let is_claimed = |partition: &str, stamp: Stamp| {
            partition.starts_with(prefix) && stamp.instance == claimed.instance && stamp.counter <= claimed.counter
        };
        let mut left = DatabaseMaxCounters::new();
        for (partition, stamp) in self.unclaimed.iter().filter(|(partition, stamp)| !is_claimed(partition, *stamp)) {
            left.raise(partition, stamp);
        }
        self.unclaimed = left;
    }
}

impl State {
    /// Queues the records of the session's profile and filter that the receiver lacks, in the order in which they came into the store,
    /// and notes with them how many they are and the counters for which they were looked up. What was completed before stays.
    pub(crate) fn queue(&mut self, session: &TransferSession, receiver: &ExpandedFsic) -> Result<u64> {
        let stored = self.open_transfer(&session.id)?;
        if stored.is_beyond(Stage::Queuing, StageStatus::Started) {
            return Ok(stored.records_total.unwrap_or(0));
        }
        let (profile, filter) = (&session.profile, &session.filter);
        let (claimed, own) = (self.data.fsic(profile, filter, Instances::All), self.data.current_stamp()?);
        let lacks = lacking(&claimed, self.data.unclaimed.under(filter), own, receiver, filter)?;
        let is_lacking = |record: &StoreRecord| {
            lacks.iter().any(|lack| {
                record.partition.starts_with(&lack.partition)
                    && record.last_saved.instance == lack.instance
                    && record.last_saved.counter > lack.counter
            })
        };
        let queued = self.data.in_order(|held| {
            let record = &held.record;
            record.profile == *profile && filter.contains(&record.partition) && is_lacking(record)
        });
        let total = queued.len() as u64;
        self.queued.insert(session.id, queued);
        let stored = self.open_transfer(&session.id)?;
        stored.records_total = Some(total);
        stored.client_fsic.clone_from(&session.client_fsic);
        stored.server_fsic.clone_from(&session.server_fsic);
        Ok(total)
    }

    /// # Errors
    /// [`ErrorKind::SessionUnknown`] where there is none, or it is closed.
    pub(crate) fn open_transfer(&mut self, id: &TransferSessionId) -> Result<&mut TransferSession> {
        let found = self.transfers.get_mut(id).filter(|session| session.is_active);
        found.ok_or_else(|| {
            Error::new(ErrorKind::SessionUnknown, format!("find the transfer session {id}: none is open"))
        })
    }

    /// A record that changed since it was queued goes out as it now is.
    pub(crate) fn queued_chunk(&self, session: &TransferSessionId, offset: u64, limit: usize) -> Chunk {
        let none: Vec<SyncId> = Vec::new();
        let queued = self.queued.get(session).unwrap_or(&none);
        let mut chunk = Chunk { records: Vec::new(), total: queued.len() as u64 };
        let mut bytes = 0;
        for id in queued.iter().skip(usize::try_from(offset).unwrap_or(usize::MAX)).take(limit) {
            let record = &self.data.store[id].record;
            bytes += record.serialized.len() + record.conflicting_serialized_data.len();
            if bytes > limits::CHUNK_BYTES_TARGET && !chunk.records.is_empty() {
                break;
            }
            chunk.records.push(record.clone());
        }
        chunk
    }
}
