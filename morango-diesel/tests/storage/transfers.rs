//! Transfers between two devices: what the engine does, verb by verb and without a line between the two.

use morango::counter::{DatabaseMaxCounters, Instances};
use morango::id::{CertificateId, SyncId, SyncSessionId, TransferSessionId};
use morango::port::{DequeueReport, DeserializeReport, ReceivedChunk, Rejection, Storage as _};
use morango::record::{BufferRecord, Gate, StoreRecord};
use morango::scope::{Filter, Reach};
use morango::session::{Direction, Side, SyncSession, TransferSession};

use super::database::Storage;
use super::library::{Device, PROFILE, everything, go_on, time};

/// What a transfer did.
#[derive(Debug)]
pub(crate) struct Pulled {
    pub(crate) records: u64,
    pub(crate) dequeued: DequeueReport,
    pub(crate) deserialized: DeserializeReport,
}

impl Device {
    /// A new transfer session, kept on this side.
    pub(crate) fn session(&self, side: Side, direction: Direction, filter: &Filter) -> TransferSession {
        new_session(&self.storage, PROFILE, side, direction, filter)
    }

    /// The session in which this device receives.
    pub(crate) fn receiving(&self, filter: &Filter) -> TransferSession {
        self.session(Side::Client, Direction::Pull, filter)
    }

    /// Pulls what the other has under a filter, and brings it into the tables.
    pub(crate) fn pull(&self, other: &Self, filter: &Filter) -> Pulled {
        let (session, records) = self.receive(other, filter);
        let dequeued = self.storage.dequeue(&session, &Reach::everything(), &go_on).expect("it dequeues");
        let deserialized = self.deserialize_under(filter);
        self.storage.clean_up(&session.id, time()).expect("it cleans up");
        Pulled { records, dequeued, deserialized }
    }

    /// Pulls what the other has as far as the buffer.
    pub(crate) fn receive(&self, other: &Self, filter: &Filter) -> (TransferSession, u64) {
        let mut session = self.receiving(filter);
        other.storage.serialize(PROFILE, filter, &go_on).expect("the other serializes");
        session.server_fsic =
            other.storage.fsic(PROFILE, filter, Instances::WithRecords).expect("the other's counters").into();
        session.client_fsic = self.storage.fsic(PROFILE, filter, Instances::All).expect("our counters").into();
        let had = session.client_fsic.fsic().expect("good counters").of_receiver(filter).expect("within the filter");
        let theirs = other.session(Side::Server, Direction::Pull, filter);
        let total = other.storage.queue(&theirs, &had).expect("the other queues");
        let mut offset = 0;
        loop {
            let chunk = other.storage.queued_chunk(&theirs.id, offset, 500).expect("a chunk");
            assert_eq!(chunk.total, total);
            if chunk.records.is_empty() {
                break;
            }
            offset += chunk.records.len() as u64;
            self.take(&session, chunk.records);
        }
        assert_eq!(offset, total);
        other.storage.clean_up(&theirs.id, time()).expect("the other cleans up");
        (session, total)
    }

    /// Receives records in one chunk, through the gate.
    pub(crate) fn take(&self, session: &TransferSession, records: Vec<StoreRecord>) -> u64 {
        take(&self.storage, session, records)
    }

    /// Receives a chunk that has passed the gate, from a peer that does not say where it stands.
    pub(crate) fn take_chunk(
        &self,
        session: &TransferSessionId,
        digest: &[u8; 32],
        records: &[BufferRecord],
        rejections: &[Rejection],
    ) -> morango::Result<u64> {
        take_chunk(&self.storage, session, digest, records, rejections)
    }

    /// Merges records that somebody sent, without making rows of them. There is nothing beside them that those who saved them knew.
    pub(crate) fn dequeue(&self, records: Vec<StoreRecord>) -> DequeueReport {
        let mut claimed = DatabaseMaxCounters::new();
        for record in &records {
            claimed.raise("", record.last_saved);
        }
        self.dequeue_claimed(&claimed, records)
    }

    /// The same for records beside which more is yet to come.
    pub(crate) fn dequeue_part(&self, records: Vec<StoreRecord>) -> DequeueReport {
        let mut noted = DatabaseMaxCounters::new();
        for record in &records {
            noted.raise(&record.partition, record.last_saved);
        }
        self.storage.note_unclaimed(noted.partitions()).expect("it is noted");
        self.dequeue_claimed(&DatabaseMaxCounters::new(), records)
    }

    /// The same, by who claims to have this.
    pub(crate) fn dequeue_claimed(&self, claimed: &DatabaseMaxCounters, records: Vec<StoreRecord>) -> DequeueReport {
        let mut session = self.receiving(&everything());
        session.server_fsic.change(|fsic| fsic.sub = claimed.partitions().clone()).expect("good counters");
        self.take(&session, records);
        self.storage.dequeue(&session, &Reach::everything(), &go_on).expect("it dequeues")
    }
}

/// A new transfer session, kept on one side.
pub(crate) fn new_session(
    storage: &Storage,
    profile: &str,
    side: Side,
    direction: Direction,
    filter: &Filter,
) -> TransferSession {
    let certificate = CertificateId::hash_of("certificate");
    let sync = SyncSession::begin(SyncSessionId::random(), side, profile, (certificate, certificate), time());
    storage.create_sync_session(&sync).expect("a sync session");
    let transfer = TransferSession::begin(&sync, TransferSessionId::random(), direction, filter.clone(), time());
    storage.create_transfer_session(&transfer).expect("a transfer session")
}

/// Receives records in one chunk, through the gate.
pub(crate) fn take(storage: &Storage, session: &TransferSession, records: Vec<StoreRecord>) -> u64 {
    let gate = Gate { transfer_session_id: session.id, profile: PROFILE, filter: &session.filter };
    let checked = records.into_iter().map(|record| BufferRecord::check(&gate, None, record).expect("it passes"));
    let checked: Vec<BufferRecord> = checked.collect();
    let mut digest = [0; 32];
    digest[..16].copy_from_slice(SyncId::random().as_bytes());
    take_chunk(storage, &session.id, &digest, &checked, &[]).expect("the chunk is kept")
}

/// Receives a chunk that has passed the gate, from a peer that does not say where it stands.
pub(crate) fn take_chunk(
    storage: &Storage,
    session: &TransferSessionId,
    digest: &[u8; 32],
    records: &[BufferRecord],
    rejections: &[Rejection],
) -> morango::Result<u64> {
    let received_at = time();
    storage.receive_chunk(&ReceivedChunk { session, offset: None, digest, records, rejections, received_at })
}
