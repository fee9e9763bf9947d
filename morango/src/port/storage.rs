//! What the engine asks of a database: set-wise verbs, named like the stages.
//!
//! Each verb leaves a true state behind, whatever happens while it runs: it is one transaction, or several of which each
//! could be the last. No verb waits for a network. Memory stays flat: a verb streams, however much there is to do.
//!
//! *The law of counters*: every transaction that stamps a record raises the instance's counter first, in itself, and
//! stamps with that number; the commit is durable before anything stamped with it can leave. So no number is used twice,
//! and what a counter claims is there.

use std::ops::ControlFlow;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::counter::{ExpandedFsic, Fsic, Instances, PartitionCounters, Stamp};
use crate::id::{CertificateId, DatabaseId, NonceId, SyncId, SyncSessionId, TransferSessionId};
use crate::identity::{Certificate, Instance, Nonce, PrivateKey};
use crate::model::Registry;
use crate::record::{BufferRecord, StoreRecord};
use crate::scope::{Filter, Reach};
use crate::session::{SyncSession, SyncSessionQuery, TransferSession};
use crate::{Error, ErrorKind, Result};

use super::forgetting::{Forgetting, Forgotten};
use super::peer::CertificateQuery;
use super::renewal::{Adoption, OwnCounters, Renewal, Renewed};
use super::transaction::{Isolation, TouchedRecord, Transaction};
use super::waiting::{DeserializeOrder, WaitingCursor, WaitingKind, WaitingPage, WaitingRecords};

/// How far a long verb is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Records done.
    pub done: u64,
    /// Records to do, where that is known.
    pub total: Option<u64>,
}

/// Who watches a long verb: told of progress after each transaction, and asked whether to go on.
///
/// A verb that is told to stop returns [`ErrorKind::Cancelled`] and leaves a true state.
pub type Watch<'a> = &'a (dyn Fn(Progress) -> ControlFlow<()> + Sync);

/// A certificate in the store.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredCertificate {
    /// The certificate.
    pub certificate: Certificate,
    /// Whether its private key is here, so that we can speak in its name.
    pub has_private_key: bool,
}

/// A row or record that was set aside, and why. It stays where it is and is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// The model's name.
    pub model: String,
    /// The row's id as the application wrote it.
    pub id: String,
    /// Why it was set aside.
    pub reason: String,
}

/// What serializing did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SerializeReport {
    /// Rows that became new records.
    pub new: u64,
    /// Rows whose records were brought up to date.
    pub updated: u64,
    /// Rows that are gone, whose records were marked deleted.
    pub deleted: u64,
    /// Rows that changed here while their records, changed elsewhere, waited to become rows: both contents are kept.
    pub conflicts: u64,
    /// Rows that could not become records. At most [`REPORTED_MAX`] of them.
    pub set_aside: Vec<SetAside>,
    /// How many there are in all.
    pub set_aside_total: u64,
}

/// How many single rows or records a report lists; beyond that it only counts.
pub const REPORTED_MAX: usize = 1_000;

/// Some of the records that were queued.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunk {
    /// The records, in the queue's order.
    pub records: Vec<StoreRecord>,
    /// How many records are queued in all.
    pub total: u64,
}

/// A received record that was refused at the gate: kept with its reason, in no way that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The id that it claimed, as it came; empty where it had none.
    pub claimed_id: String,
    /// Why it was refused.
    pub reason: String,
    /// The record as it came, cut to [`limits::SERIALIZED_BYTES_MAX`](crate::limits::SERIALIZED_BYTES_MAX).
    pub received: String,
}

/// A chunk that came and has passed the gate.
#[derive(Debug, Clone, Copy)]
pub struct ReceivedChunk<'a> {
    /// The transfer session.
    pub session: &'a TransferSessionId,
    /// Where the chunk stands among the session's records; none from a peer that does not say.
    pub offset: Option<u64>,
    /// The digest of the chunk as it came: the same chunk has the same digest when it comes again.
    pub digest: &'a [u8; 32],
    /// The records that passed.
    pub records: &'a [BufferRecord],
    /// Those that did not.
    pub rejections: &'a [Rejection],
    /// When it came.
    pub received_at: DateTime<Utc>,
}

impl ReceivedChunk<'_> {
    /// How many records of the session have come with this chunk, of which `before` had come without it.
    ///
    /// Where the peer says where the chunk stands, a part that came before is not counted twice, however it was cut.
    ///
    /// # Errors
    /// [`ErrorKind::SessionConflict`]: records before this chunk are missing.
    pub fn count(&self, before: u64) -> Result<u64> {
        let length = (self.records.len() + self.rejections.len()) as u64;
        match self.offset {
            None => Ok(before.saturating_add(length)),
            Some(offset) if offset <= before => Ok(offset.saturating_add(length).max(before)),
            Some(offset) => {
                let message = format!(
                    "keep a chunk of transfer session {} that begins at record {offset}: {before} have come so far",
                    self.session
                );
                Err(Error::new(ErrorKind::SessionConflict, message))
            }
        }
    }
}

/// What dequeuing did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DequeueReport {
    /// Records that were not here before.
    pub new: u64,
    /// Records that replaced ours.
    pub fast_forwarded: u64,
    /// Records that we had already, or newer.
    pub already_seen: u64,
    /// Records that both sides had changed.
    pub conflicts: u64,
}

/// A record that could not become a row. It stays in the store, waits, and is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplyFailure {
    /// The model's name.
    pub model: String,
    /// The record's id.
    pub id: SyncId,
    /// The kind of failure.
    pub kind: WaitingKind,
    /// Why.
    pub reason: String,
}

/// What deserializing did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeserializeReport {
    /// Rows written.
    pub written: u64,
    /// Rows deleted.
    pub deleted: u64,
    /// Rows that the application changed while their records waited: both contents are kept.
    pub conflicts: u64,
    /// Records that could not become rows. At most [`REPORTED_MAX`] of them.
    pub failures: Vec<ApplyFailure>,
    /// How many there are in all.
    pub failures_total: u64,
    /// Records that failed before and were passed by, as was asked for.
    pub skipped: u64,
    /// Records of models that this application does not have: kept and passed on.
    pub unknown_models: u64,
}

/// The database.
///
/// One storage serves many threads. Its errors say which operation failed and on what; a database that is locked by
/// another for too long is [`ErrorKind::StorageBusy`].
pub trait Storage: Send + Sync + 'static {
    /// Brings the engine's own tables up to date and installs change capture for every model of the registry.
    /// It is called once, before anything else.
    ///
    /// # Errors
    /// The file is no database, a model's table is not there, or the registry holds a model that this storage cannot do.
    fn prepare(&self, registry: &Arc<Registry>) -> Result<()>;

    /// The id of this database. A new database draws one.
    ///
    /// # Errors
    /// The database fails.
    fn database_id(&self) -> Result<DatabaseId>;

    /// Gives this database a new id, as after it was copied or restored from a backup. Nothing else changes until an instance
    /// is adopted; [`renew_instance`](Self::renew_instance) is for one that has begun to count.
    ///
    /// # Errors
    /// The database fails.
    fn renew_database_id(&self) -> Result<DatabaseId>;

    /// Gives this database a new id if it is another one than when somebody last looked: a copy, or one that was restored. Says
    /// which, if so. What cannot be found out, or was never noted, is no difference.
    ///
    /// It is called after [`prepare`](Self::prepare), before an instance is adopted and thereby before anything is stamped.
    ///
    /// # Errors
    /// The database fails.
    fn renew_if_copied(&self) -> Result<Option<DatabaseId>>;

    /// Where the database is, for people: a file's path or a server's name.
    fn location(&self) -> String;

    /// What kind of database it is: `sqlite` or `postgresql`.
    fn kind(&self) -> &'static str;

    /// Makes this instance the current one: the owner of the counter. A new one starts at 0, an old one goes on. Where another one was
    /// current, all of this is one transaction:
    /// - what that one saved and told nobody of is saved anew by this one, so that it travels;
    /// - of that one this database claims what it told others of: no more, so that it is sent what it lacks, and all of that, in the
    ///   partitions where its records lie, too, so that they are passed on;
    /// - of this one it claims what was saved anew, wherever it claims anything of the other.
    ///
    /// In the place of another, one that would count on from less than is known of it here is not adopted, since its next numbers stand
    /// for something else already. What is known of it is what a record was saved at last, what a database max counter claims, and what
    /// was noted as unclaimed. The current one stays, and whoever asked [renews](Self::renew_instance) the database's id.
    ///
    /// # Errors
    /// The database fails.
    fn adopt_instance(&self, instance: &Instance) -> Result<Adoption>;

    /// How far the current instance has counted, and how far others may know it.
    ///
    /// # Errors
    /// The database fails, or no instance was adopted yet.
    fn own_counters(&self) -> Result<OwnCounters>;

    /// Notes that others may know the current instance up to its counter. It is on the disk before anything leaves that bears it.
    ///
    /// # Errors
    /// The database fails.
    fn note_told(&self) -> Result<()>;

    /// Draws a new id and becomes the instance that goes with it, as by [`adopt_instance`](Self::adopt_instance), in one transaction;
    /// `None` where that happened too often lately.
    ///
    /// # Errors
    /// The database fails.
    fn renew_instance(&self, renewal: &Renewal<'_>) -> Result<Option<Renewed>>;

    /// Keeps verified certificates, from the top of a chain down, and the private key of one of them where it is ours.
    ///
    /// Those already here stay as they are, except where another text is kept under the id of the last: of two certificates with one key
    /// the one counts that its owner has just shown, so the last takes its place, unless its private key is here. Whoever gives a
    /// last certificate has seen its owner prove its key.
    ///
    /// # Errors
    /// The database fails.
    fn save_certificates(&self, certificates: &[Certificate], key: Option<(&CertificateId, &PrivateKey)>)
    -> Result<()>;

    /// One certificate.
    ///
    /// # Errors
    /// The database fails.
    fn certificate(&self, id: &CertificateId) -> Result<Option<StoredCertificate>>;

    /// The certificates that answer a query: with `AncestorsOf` root first, otherwise in a stable order.
    ///
    /// # Errors
    /// The database fails.
    fn certificates(&self, query: &CertificateQuery) -> Result<Vec<StoredCertificate>>;

    /// The private key of a certificate, where it is here.
    ///
    /// # Errors
    /// The database fails, or the stored key is damaged.
    fn private_key(&self, id: &CertificateId) -> Result<Option<PrivateKey>>;

    /// The key that others put into certificates for this peer, where there is one.
    ///
    /// # Errors
    /// The database fails, or the stored key is damaged.
    fn shared_key(&self) -> Result<Option<PrivateKey>>;

    /// Keeps the key that others put into certificates for this peer, unless there is one. Returns the one that is kept.
    ///
    /// # Errors
    /// The database fails, or the stored key is damaged.
    fn keep_shared_key(&self, key: &PrivateKey) -> Result<PrivateKey>;

    /// Keeps a new nonce, and forgets those issued before `stale_before` and the oldest beyond the limit.
    ///
    /// # Errors
    /// The database fails.
    fn issue_nonce(&self, nonce: &Nonce, stale_before: DateTime<Utc>) -> Result<()>;

    /// Takes a nonce out, so that it can never be taken again. `None` where it is not (or no longer) there.
    ///
    /// # Errors
    /// The database fails.
    fn take_nonce(&self, id: &NonceId) -> Result<Option<Nonce>>;

    /// Keeps a new sync session.
    ///
    /// # Errors
    /// The database fails, or there is one with this id: [`ErrorKind::SessionConflict`].
    fn create_sync_session(&self, session: &SyncSession) -> Result<()>;

    /// One sync session, open or closed.
    ///
    /// # Errors
    /// The database fails.
    fn sync_session(&self, id: &SyncSessionId) -> Result<Option<SyncSession>>;

    /// Changes a sync session in one transaction: reads it, lets `change` change it, keeps its plan, its holder, and when it
    /// was last used, and returns it. `None` where there is none. All else stays what it is.
    ///
    /// # Errors
    /// The database fails.
    fn update_sync_session(
        &self,
        id: &SyncSessionId,
        change: &mut dyn FnMut(&mut SyncSession),
    ) -> Result<Option<SyncSession>>;

    /// The sync sessions that answer a query, in its order, at most `limit`. It may name any number of ids.
    ///
    /// # Errors
    /// The database fails.
    fn sync_sessions(&self, query: &SyncSessionQuery, limit: usize) -> Result<Vec<SyncSession>>;

    /// The transfer sessions of a sync session, at most `limit`: the open ones, then the closed ones, of both those that began
    /// last first.
    ///
    /// # Errors
    /// The database fails.
    fn transfer_sessions(&self, sync_session: &SyncSessionId, limit: usize) -> Result<Vec<TransferSession>>;

    /// Closes a sync session, which nobody holds then, and every transfer session in it, and deletes their buffers.
    ///
    /// # Errors
    /// The database fails.
    fn close_sync_session(&self, id: &SyncSessionId, now: DateTime<Utc>) -> Result<()>;

    /// Deletes closed sync sessions that nobody used since a time, those first that were used longest ago, at most `limit`, with
    /// their transfer sessions, what these remember, and what was refused in them; but none in which a record came that waits.
    /// Certificates go too that are under no root of ours and that no session names. Says how many sessions it deleted.
    ///
    /// # Errors
    /// The database fails.
    fn forget_sessions(&self, unused_since: DateTime<Utc>, limit: usize) -> Result<u64>;

    /// Keeps a new transfer session, or takes up the open one of the same sync session and direction, which it returns. The sync
    /// session was last used then.
    ///
    /// # Errors
    /// The database fails, or there is another session with this id.
    fn create_transfer_session(&self, session: &TransferSession) -> Result<TransferSession>;

    /// One transfer session, open or closed.
    ///
    /// # Errors
    /// The database fails.
    fn transfer_session(&self, id: &TransferSessionId) -> Result<Option<TransferSession>>;

    /// Changes a transfer session in one transaction: reads it, lets `change` change it, keeps it, and returns it.
    /// `None` where there is none. Id, sync session, side, direction and profile stay what they are.
    ///
    /// # Errors
    /// The database fails.
    fn update_transfer_session(
        &self,
        id: &TransferSessionId,
        change: &mut dyn FnMut(&mut TransferSession),
    ) -> Result<Option<TransferSession>>;

    /// *Serialize*: brings every changed row of the profile under the filter into the store, stamped anew, and then
    /// raises this instance's own database max counter for each prefix of the filter.
    ///
    /// # Errors
    /// The database fails. A row that cannot become a record is no error: it is set aside and reported.
    fn serialize(&self, profile: &str, filter: &Filter, watch: Watch<'_>) -> Result<SerializeReport>;

    /// Saves anew, as this instance, every record of the profile under the filter in which ours gave way
    /// ([`record::give_way`](crate::record::give_way)) and that was not replaced since; returns how many there were. Contents, texts
    /// that lost and deletions stay what they are, and so does what waits to become a row.
    ///
    /// Such a record stands under another's stamp, of which somebody else holds another state: before it may leave, it has to be a
    /// version of its own. Where there is none nothing is written and no counter moves; nor is anything claimed, which the next
    /// [`serialize`](Self::serialize) does.
    ///
    /// # Errors
    /// The database fails.
    fn save_what_gave_way(&self, profile: &str, filter: &Filter) -> Result<u64>;

    /// The filter specific instance counters of this database, without redundant entries and for those instances only that are
    /// asked for.
    ///
    /// # Errors
    /// The database fails.
    fn fsic(&self, profile: &str, filter: &Filter, instances: Instances) -> Result<Fsic>;

    /// Notes what the store may hold from now on without a claim to hold all of it: up to these counters. What the database max
    /// counters claim already is passed over, and a note is gone when they come to claim it.
    ///
    /// # Errors
    /// The database fails.
    fn note_unclaimed(&self, entries: &PartitionCounters) -> Result<()>;

    /// What was noted as unclaimed under a filter.
    ///
    /// # Errors
    /// The database fails.
    fn unclaimed(&self, filter: &Filter) -> Result<PartitionCounters>;

    /// Notes that somebody else has what an instance that this database is, or was, saved under these partitions, up to these counters.
    /// Entries of other instances are passed over. What no note reaches is [forgotten](Self::forget) only where it may be lost.
    ///
    /// # Errors
    /// The database fails.
    fn note_handed_over(&self, entries: &PartitionCounters) -> Result<()>;

    /// *Queue*: notes which store records of the session's profile and filter the receiver lacks; returns how many. What the database
    /// claims and what it noted as unclaimed is [compared](crate::counter::lacking) with what the receiver has in the one state in
    /// which the records are looked up.
    ///
    /// What an earlier try queued for the session is replaced, unless the stored session has completed queuing by now: then
    /// nothing changes, and what it says is returned. In the same transaction the number and both sides' counters are noted in the
    /// stored session, so that what is claimed always goes with what is queued, whoever else queues for the session.
    ///
    /// # Errors
    /// The database fails; [`ErrorKind::SessionUnknown`](crate::ErrorKind::SessionUnknown) where the session is not open.
    fn queue(&self, session: &TransferSession, receiver: &ExpandedFsic) -> Result<u64>;

    /// The queued records from `offset` on, at most `limit` of them, and fewer where they are large.
    /// At least one where there is one.
    ///
    /// # Errors
    /// The database fails.
    fn queued_chunk(&self, session: &TransferSessionId, offset: u64, limit: usize) -> Result<Chunk>;

    /// Puts a received chunk aside in one transaction that is on the disk when this returns, and counts it as
    /// [`receive_chunk`](Self::receive_chunk) does, which goes on with it when it is given the same chunk; if it never is,
    /// [`dequeue`](Self::dequeue) does. For whoever lets the next chunk come while this one is being worked on.
    ///
    /// # Errors
    /// As [`receive_chunk`](Self::receive_chunk).
    fn buffer_chunk(&self, chunk: &ReceivedChunk<'_>) -> Result<u64>;

    /// Keeps a received chunk, with what was refused of it, and counts both as transferred as [`ReceivedChunk::count`] says, in
    /// one transaction that is on the disk when this returns; never beyond the session's total, where that is known. A chunk that is here already (by its digest)
    /// changes nothing; one that was only put aside is not counted again. Returns how many were transferred so far.
    ///
    /// What a record says of this instance beyond what it [told](OwnCounters::told) is not believed ([`BufferRecord::believed_by`]); one
    /// that this instance would have saved there is refused.
    ///
    /// A record of which the store has nothing may go into it at once; [`dequeue`](Self::dequeue) counts it all the same. No
    /// counter moves before that.
    ///
    /// # Errors
    /// The database fails; the session is not open: [`ErrorKind::SessionUnknown`]; records before the chunk are missing:
    /// [`ErrorKind::SessionConflict`]; more than
    /// [`limits::TRANSFER_BYTES_MAX`](crate::limits::TRANSFER_BYTES_MAX) would have come for the session: [`ErrorKind::LimitExceeded`].
    fn receive_chunk(&self, chunk: &ReceivedChunk<'_>) -> Result<u64>;

    /// *Dequeue*: merges the session's received records into the store by the rule of
    /// [`record::merge`](crate::record), and at the very end raises the database max counters to
    /// [`TransferSession::completed_by`]. Nothing is claimed of a session that was closed meanwhile, since what waited to be merged
    /// went with it.
    ///
    /// In a conflict this instance saves the merged record anew where it lies within `writable`, what one certificate or another
    /// lets it write; elsewhere ours gives way ([`record::give_way`](crate::record::give_way)), which is noted for
    /// [`save_what_gave_way`](Self::save_what_gave_way).
    ///
    /// # Errors
    /// The database fails; [`ErrorKind::SessionUnknown`](crate::ErrorKind::SessionUnknown) where the session is not open.
    fn dequeue(&self, session: &TransferSession, writable: &Reach, watch: Watch<'_>) -> Result<DequeueReport>;

    /// *Deserialize*: makes rows of every dirty store record of the profile under the filter, in foreign key order.
    /// Rows that the application changed meanwhile are serialized first, so that nothing of theirs is overwritten.
    ///
    /// # Errors
    /// The database fails. A record that cannot become a row is no error: it waits and is reported.
    fn deserialize(&self, order: &DeserializeOrder<'_>, watch: Watch<'_>) -> Result<DeserializeReport>;

    /// What waits, from a place on, at most `limit` records and fewer where they are large; at least one where there is one.
    ///
    /// # Errors
    /// The database fails.
    fn waiting(&self, which: &WaitingRecords, after: Option<&WaitingCursor>, limit: usize) -> Result<WaitingPage>;

    /// Has the next deserializing try these records, also where it skips those that failed before. Dropped ones wait again.
    /// Returns how many there are.
    ///
    /// # Errors
    /// The database fails.
    fn wait_again(&self, which: &WaitingRecords) -> Result<u64>;

    /// Has these records wait no longer: their rows stay as they are until the records change again. In the store they stay
    /// as they were received, under the same stamps, so that others get them unchanged. Returns how many there are.
    ///
    /// # Errors
    /// The database fails.
    fn drop_waiting(&self, which: &WaitingRecords) -> Result<u64>;

    /// *Cleanup*: deletes the session's buffers and closes it.
    ///
    /// # Errors
    /// The database fails.
    fn clean_up(&self, session: &TransferSessionId, now: DateTime<Utc>) -> Result<()>;

    /// How many records wait in the buffers of a transfer session, on their way out or in.
    ///
    /// # Errors
    /// The database fails.
    fn buffered(&self, session: &TransferSessionId) -> Result<u64>;

    /// Deletes what is in buffers of no open transfer session, and says how many records that were.
    ///
    /// # Errors
    /// The database fails.
    fn delete_orphaned_buffers(&self) -> Result<u64>;

    /// Runs work in one write transaction, which is committed durably if the work succeeds, and taken back if it fails.
    ///
    /// The work may be called more than once, where the database takes the transaction back because of others. Calling a
    /// writing verb of this storage from within it is an error. `operation` is a fragment such as `serialize "notebook"`.
    ///
    /// # Errors
    /// Those of the work, or the database's.
    fn transaction(
        &self,
        operation: &str,
        isolation: Isolation<'_>,
        work: &mut dyn FnMut(&mut dyn Transaction) -> Result<()>,
    ) -> Result<()>;

    /// The records of a model that a transfer changed in the store and nobody since, in the order of their ids, after one of
    /// them, at most `limit`. They are known until long after the transfer.
    ///
    /// # Errors
    /// The database fails.
    fn touched(
        &self,
        session: &TransferSessionId,
        model: &str,
        after: Option<&SyncId>,
        limit: usize,
    ) -> Result<Vec<TouchedRecord>>;

    /// The received records that were refused at the gate, newest first, at most `limit`.
    ///
    /// # Errors
    /// The database fails.
    fn rejections(&self, session: &TransferSessionId, limit: usize) -> Result<Vec<Rejection>>;

    /// The records of a profile under a filter that keep texts that lost, in the order of their ids, after `after` where it is
    /// given: at most `limit`, and fewer where they are large. Hard deleted ones keep none. An empty answer says that there are
    /// no more.
    ///
    /// # Errors
    /// The database fails.
    fn conflicts(
        &self,
        profile: &str,
        filter: &Filter,
        after: Option<&SyncId>,
        limit: usize,
    ) -> Result<Vec<StoreRecord>>;

    /// Ends the conflict of a record that was listed when `listed` was its last stamp: the record keeps no text that lost, and is
    /// saved anew as this instance, as [`StoreRecord::resolved`] says. All of it is one transaction.
    ///
    /// With `content`, that is the record's text, a deleted record lives again, and its row becomes what the text says; of a model
    /// that this application does not have, the record waits for its row. Without, the row is left alone, and a record that
    /// waits goes on waiting.
    ///
    /// # Errors
    /// [`ErrorKind::RecordChanged`](crate::ErrorKind::RecordChanged) where the record has another stamp by now or is in no conflict,
    /// or its row was changed and is not serialized yet; [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) where the content cannot
    /// be the row; or the database fails. Nothing is changed then.
    fn resolve_conflict(&self, id: &SyncId, listed: &Stamp, content: Option<&str>) -> Result<()>;

    /// Takes everything under a root off this database, in one transaction: rows of the application without a trace, children
    /// before parents; records, claims and notes under the root, and claims above it; sync sessions of its certificates with all
    /// that hangs on them; and the certificates, where that is ordered. And this database becomes another instance. Nobody opens a
    /// sync session meanwhile.
    ///
    /// What the application changed is serialized first. A change is unsent where this database saved it, as whichever instance,
    /// and no note of [what was handed over](Self::note_handed_over) reaches it; where it could not be serialized and is of a
    /// record under the root, or of a row that would become one; and where it could not and its row goes with one of these.
    ///
    /// # Errors
    /// [`ErrorKind::SessionConflict`] where a sync session of the root is open; [`ErrorKind::InvalidInput`] where there are unsent
    /// changes that may not be lost; or the database fails. Nothing is changed then.
    fn forget(&self, order: &Forgetting<'_>) -> Result<Forgotten>;

    /// Every store record of a profile under a filter, in the order of their ids: for backups, inspection and tests.
    ///
    /// # Errors
    /// The database fails, or `each` does.
    fn for_each_record(
        &self,
        profile: &str,
        filter: &Filter,
        each: &mut dyn FnMut(StoreRecord) -> Result<()>,
    ) -> Result<()>;
}
