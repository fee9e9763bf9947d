//! One write transaction of a stage: the engine's own work and the application's side by side in it.
//!
//! The verbs of [`Storage`](super::Storage) cut long work into several transactions. Here they work within one that is
//! open already, so that they and whatever else is done in it are applied together or not at all.

use std::any::Any;

use chrono::{DateTime, Utc};

use super::renewal::{OwnCounters, Renewal, Renewed};
use super::storage::{DequeueReport, DeserializeReport, SerializeReport, Watch};
use super::waiting::{DeserializeOrder, WaitingKind};
use crate::Result;
use crate::counter::{ExpandedFsic, Fsic, Instances};
use crate::id::{SyncId, SyncSessionId, TransferSessionId};
use crate::record::StoreRecord;
use crate::scope::{Filter, Reach};
use crate::session::TransferSession;

/// From whom a transaction is kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation<'a> {
    /// From nobody more than any of the application's own is.
    Plain,
    /// From other stages that write records of a profile. Rows of the application are as they were when it began: where somebody
    /// changed one meanwhile that it is to write, it is taken back and run again.
    Stage {
        /// The profile.
        profile: &'a str,
    },
}

/// Whose memory something is kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionMemory {
    /// A sync session's: it lasts until that is closed.
    Sync(SyncSessionId),
    /// A transfer session's: it lasts until that is cleaned up.
    Transfer(TransferSessionId),
}

/// A record that a transfer changed in the store, and nobody since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TouchedRecord {
    /// Its id.
    pub id: SyncId,
    /// Whether it is deleted.
    pub deleted: bool,
    /// Whether it is deleted for good.
    pub hard_deleted: bool,
    /// Why it waits to become a row, or to have its row deleted; none where it does not.
    pub waiting: Option<WaitingKind>,
}

/// A write transaction that is open. It is committed or taken back by whoever opened it.
pub trait Transaction {
    /// The connection on which the transaction is open, of the type that the storage's database has.
    fn connection(&mut self) -> &mut dyn Any;

    /// As [`Storage::create_transfer_session`](super::Storage::create_transfer_session).
    ///
    /// # Errors
    /// The same.
    fn create_transfer_session(&mut self, session: &TransferSession) -> Result<TransferSession>;

    /// As [`Storage::update_transfer_session`](super::Storage::update_transfer_session).
    ///
    /// # Errors
    /// The same.
    fn update_transfer_session(
        &mut self,
        id: &TransferSessionId,
        change: &mut dyn FnMut(&mut TransferSession),
    ) -> Result<Option<TransferSession>>;

    /// As [`Storage::own_counters`](super::Storage::own_counters).
    ///
    /// # Errors
    /// The same.
    fn own_counters(&mut self) -> Result<OwnCounters>;

    /// As [`Storage::note_told`](super::Storage::note_told).
    ///
    /// # Errors
    /// The same.
    fn note_told(&mut self) -> Result<()>;

    /// As [`Storage::renew_instance`](super::Storage::renew_instance).
    ///
    /// # Errors
    /// The same.
    fn renew_instance(&mut self, renewal: &Renewal<'_>) -> Result<Option<Renewed>>;

    /// As [`Storage::serialize`](super::Storage::serialize).
    ///
    /// # Errors
    /// The same.
    fn serialize(&mut self, profile: &str, filter: &Filter, watch: Watch<'_>) -> Result<SerializeReport>;

    /// As [`Storage::save_what_gave_way`](super::Storage::save_what_gave_way).
    ///
    /// # Errors
    /// The same.
    fn save_what_gave_way(&mut self, profile: &str, filter: &Filter) -> Result<u64>;

    /// As [`Storage::fsic`](super::Storage::fsic).
    ///
    /// # Errors
    /// The same.
    fn fsic(&mut self, profile: &str, filter: &Filter, instances: Instances) -> Result<Fsic>;

    /// As [`Storage::queue`](super::Storage::queue).
    ///
    /// # Errors
    /// The same.
    fn queue(&mut self, session: &TransferSession, receiver: &ExpandedFsic) -> Result<u64>;

    /// As [`Storage::dequeue`](super::Storage::dequeue).
    ///
    /// # Errors
    /// The same.
    fn dequeue(&mut self, session: &TransferSession, writable: &Reach, watch: Watch<'_>) -> Result<DequeueReport>;

    /// As [`Storage::deserialize`](super::Storage::deserialize).
    ///
    /// # Errors
    /// The same.
    fn deserialize(&mut self, order: &DeserializeOrder<'_>, watch: Watch<'_>) -> Result<DeserializeReport>;

    /// As [`Storage::clean_up`](super::Storage::clean_up).
    ///
    /// # Errors
    /// The same.
    fn clean_up(&mut self, session: &TransferSessionId, now: DateTime<Utc>) -> Result<()>;

    /// A value that was kept under a name, by whoever owns it; none where there is none.
    ///
    /// # Errors
    /// The database fails.
    fn recall(&mut self, memory: SessionMemory, owner: &str, name: &str) -> Result<Option<String>>;

    /// Keeps a value under a name in place of the one before, or forgets it.
    ///
    /// # Errors
    /// The database fails, or the session remembers
    /// [`SESSION_MEMORY_VALUES_MAX`](crate::limits::SESSION_MEMORY_VALUES_MAX) values already.
    fn remember(&mut self, memory: SessionMemory, owner: &str, name: &str, value: Option<&str>) -> Result<()>;

    /// Runs work whose changes to rows are not captured: they do not travel.
    ///
    /// # Errors
    /// Those of the work, or the database's.
    fn without_capture(&mut self, work: &mut dyn FnMut(&mut dyn Transaction) -> Result<()>) -> Result<()>;

    /// Forgets that a row was changed or deleted since it was last serialized, and says whether that was noted. A row whose
    /// record is not in the store yet keeps its mark: without it, it would never travel.
    ///
    /// # Errors
    /// The database fails, or there is no such model.
    fn forget_change(&mut self, profile: &str, model: &str, id: &SyncId) -> Result<bool>;

    /// One store record.
    ///
    /// # Errors
    /// The database fails.
    fn record(&mut self, id: &SyncId) -> Result<Option<StoreRecord>>;

    /// As [`Storage::touched`](super::Storage::touched).
    ///
    /// # Errors
    /// The same.
    fn touched(
        &mut self,
        session: &TransferSessionId,
        model: &str,
        after: Option<&SyncId>,
        limit: usize,
    ) -> Result<Vec<TouchedRecord>>;
}

/// Records that are handed over are read this many at a time.
const PAGE_RECORDS: usize = 500;

/// Hands over touched records one by one, read a page at a time.
pub(crate) fn in_pages(
    mut page: impl FnMut(Option<&SyncId>, usize) -> Result<Vec<TouchedRecord>>,
    each: &mut dyn FnMut(TouchedRecord) -> Result<()>,
) -> Result<()> {
    let mut last = None;
    loop {
        let records = page(last.as_ref(), PAGE_RECORDS)?;
        let is_last = records.len() < PAGE_RECORDS;
        for record in records {
            last = Some(record.id);
            each(record)?;
        }
        if is_last {
            return Ok(());
        }
    }
}
