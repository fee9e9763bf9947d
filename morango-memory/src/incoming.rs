//! Chunks that come: kept, counted, and refused.

use morango::id::TransferSessionId;
use morango::port::{ReceivedChunk, Rejection};
use morango::record::StoreRecord;
use morango::{Error, ErrorKind, Result, limits};

use crate::data::RowState;
use crate::state::State;

/// A chunk in the buffer.
#[derive(Debug, Clone)]
pub(crate) struct Incoming {
    digest: [u8; 32],
    /// How many of its records were new, and went into the store at once.
    pub(crate) inserted: u64,
    /// The others, to be merged.
    pub(crate) others: Vec<StoreRecord>,
}

impl State {
    /// Puts a chunk aside: all of it is to be merged.
    pub(crate) fn buffer_chunk(&mut self, chunk: &ReceivedChunk<'_>) -> Result<u64> {
        let operation = format!("keep a received chunk of transfer session {}", chunk.session);
        if let Some(stray) = chunk.records.iter().find(|record| record.transfer_session_id() != *chunk.session) {
            let message = format!("{operation}: its record {} is of another session", stray.record().id);
            return Err(Error::new(ErrorKind::RecordRejected, message));
        }
        let open = self.transfers.get(chunk.session).filter(|session| session.is_active).cloned();
        let session =
            open.ok_or_else(|| Error::new(ErrorKind::SessionUnknown, format!("{operation}: none is open")))?;
        if self.incoming_with(chunk).is_some() {
            return Ok(session.records_transferred);
        }
        let transferred = chunk.count(session.records_transferred)?;
        let bytes: usize = chunk.records.iter().map(|record| record.record().serialized.len()).sum();
        let received = self.received_bytes.get(chunk.session).copied().unwrap_or(0);
        let received = received.saturating_add(i64::try_from(bytes).unwrap_or(i64::MAX));
        if received > limits::TRANSFER_BYTES_MAX {
            return Err(Error::new(ErrorKind::LimitExceeded, format!("{operation}: too many bytes have come")));
        }
        self.received_bytes.insert(*chunk.session, received);
        let told = self.data.own_counters()?.told_stamp();
        let mut incoming = Incoming { digest: *chunk.digest, inserted: 0, others: Vec::new() };
        let mut refused = chunk.rejections.to_vec();
        for received in chunk.records {
            match received.clone().believed_by(told) {
                Ok(believed) => incoming.others.push(believed.into_record()),
                Err(error) => refused.push(Rejection {
                    claimed_id: received.record().id.to_string(),
                    reason: error.to_string(),
                    received: received.record().serialized.clone(),
                }),
            }
        }
        self.incoming.entry(session.id).or_default().push(incoming);
        for rejection in refused {
            self.keep_rejection(session.id, rejection);
        }
        let session = self.transfers.get_mut(chunk.session).expect("it is open");
        session.records_transferred = transferred.min(session.records_total.unwrap_or(u64::MAX));
        session.last_activity_at = chunk.received_at;
        Ok(session.records_transferred)
    }

    /// Puts a chunk aside, and takes what is new of it into the store at once.
    pub(crate) fn receive_chunk(&mut self, chunk: &ReceivedChunk<'_>) -> Result<u64> {
        let transferred = self.buffer_chunk(chunk)?;
        let session = self.open_transfer(chunk.session)?.clone();
        let incoming = self.incoming_with(chunk).expect("it was put aside");
        let (mut inserted, mut others) = (0, Vec::new());
        for record in std::mem::take(&mut incoming.others) {
            let belongs = record.profile == session.profile && session.filter.contains(&record.partition);
            if belongs && !self.data.store.contains_key(&record.id) {
                self.data.insert(record, RowState::Waits, Some(session.id));
                inserted += 1;
            } else {
                others.push(record);
            }
        }
        let incoming = self.incoming_with(chunk).expect("it was put aside");
        incoming.inserted += inserted;
        incoming.others = others;
        Ok(transferred)
    }

    fn incoming_with(&mut self, chunk: &ReceivedChunk<'_>) -> Option<&mut Incoming> {
        let mut kept = self.incoming.get_mut(chunk.session)?.iter_mut();
        kept.find(|known| known.digest == *chunk.digest)
    }

    /// What is refused fills a bounded place only: past a session's share nothing more is kept for it, and past what is kept for all
    /// of them the oldest give way.
    pub(crate) fn keep_rejection(&mut self, session: TransferSessionId, rejection: Rejection) {
        let of_session = || self.rejections.iter().filter(|(of, _)| *of == session);
        let bytes: usize = of_session().map(|(_, rejection)| rejection.received.len()).sum();
        let share = usize::try_from(limits::REJECTIONS_PER_SESSION_MAX).unwrap_or(usize::MAX);
        let bytes_share = usize::try_from(limits::REJECTIONS_BYTES_PER_SESSION_MAX).unwrap_or(usize::MAX);
        if of_session().count() >= share || bytes >= bytes_share {
            return;
        }
        self.rejections.push((session, rejection));
        let kept = usize::try_from(limits::REJECTIONS_MAX).unwrap_or(usize::MAX);
        let excess = self.rejections.len().saturating_sub(kept);
        self.rejections.drain(..excess);
    }

    /// The refused records of a session, newest first.
    pub(crate) fn rejections(&self, session: &TransferSessionId, limit: usize) -> Vec<Rejection> {
        let of_session = self.rejections.iter().rev().filter(|(of, _)| of == session);
        of_session.take(limit).map(|(_, rejection)| rejection.clone()).collect()
    }

    /// How many records wait in the buffers of a session, on their way out or in.
    pub(crate) fn buffered(&self, session: &TransferSessionId) -> u64 {
        let queued = self.queued.get(session).map_or(0, Vec::len);
        let incoming = self.incoming.get(session).into_iter().flatten();
        (queued + incoming.map(|chunk| chunk.others.len()).sum::<usize>()) as u64
    }

    pub(crate) fn delete_buffers(&mut self, session: &TransferSessionId) {
        self.queued.remove(session);
        self.incoming.remove(session);
    }

    /// Deletes what is in buffers of no open session, and says how many records that were.
    pub(crate) fn delete_orphaned_buffers(&mut self) -> u64 {
        let buffered: Vec<TransferSessionId> = self.queued.keys().chain(self.incoming.keys()).copied().collect();
        let mut records = 0;
        for session in buffered {
            if !self.transfers.get(&session).is_some_and(|transfer| transfer.is_active) {
                records += self.buffered(&session);
                self.delete_buffers(&session);
            }
        }
        records
    }
}
