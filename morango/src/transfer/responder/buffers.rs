//! Buffers: the chunks of a transfer, on their way out and in.
//!
//! Whoever knows the random id of an open transfer session may fetch or send its records: that is all that existing peers show.

use super::proceed::{check_queued, transmission};
use super::{Responder, telling};
use crate::id::TransferSessionId;
use crate::port::{Chunk, ReceivedRecord};
use crate::session::{Direction, Stage, StageStatus};
use crate::transfer::cancel::CancelToken;
use crate::transfer::context::Context;
use crate::transfer::guests::Guests;
use crate::transfer::stages::{self, transmit};
use crate::{Error, ErrorKind, Result, limits};

impl Responder {
    /// Some of the records that were queued for a pull, from `offset` on. The same offset gives the same records.
    ///
    /// # Errors
    /// [`ErrorKind::SessionUnknown`] where the session is not open, [`ErrorKind::SessionConflict`] where it is a push or nothing is
    /// queued for it.
    pub fn queued_chunk(&self, id: &TransferSessionId, offset: u64, limit: Option<usize>) -> Result<Chunk> {
        let session = self.open_transfer(id)?;
        if session.direction != Direction::Pull {
            return Err(wrong_way(id, "fetch records of", session.direction));
        }
        check_queued(&session, "fetch records of")?;
        let limit = limit.unwrap_or(limits::CHUNK_RECORDS_DEFAULT).clamp(1, limits::CHUNK_RECORDS_MAX);
        self.home.storage.queued_chunk(id, offset, limit)
    }

    /// Takes records of a push: checks each, keeps what holds, and sets the rest aside. The same chunk once more is harmless.
    ///
    /// `offset` says where they stand among the records of the session, where the caller says so. Says how many records of
    /// the session have come so far.
    ///
    /// # Errors
    /// [`ErrorKind::SessionUnknown`] where the session is not open, [`ErrorKind::SessionConflict`] where it is a pull, has
    /// not queued yet or has begun to dequeue, or where records before these have not come, [`ErrorKind::MessageMalformed`] where a record is of another session,
    /// [`ErrorKind::LimitExceeded`] for more than [`limits::CHUNK_RECORDS_ACCEPTED_MAX`] records or more than promised.
    pub fn receive_chunk(
        &self,
        id: &TransferSessionId,
        offset: Option<u64>,
        records: Vec<ReceivedRecord>,
    ) -> Result<u64> {
        if records.len() > limits::CHUNK_RECORDS_ACCEPTED_MAX {
            let message = format!("take {} records at once", records.len());
            return Err(Error::new(ErrorKind::LimitExceeded, message)
                .with_hint(format!("send at most {} in one chunk", limits::CHUNK_RECORDS_ACCEPTED_MAX)));
        }
        let session = self.open_transfer(id)?;
        if session.direction != Direction::Push {
            return Err(wrong_way(id, "send records to", session.direction));
        }
        check_session(id, &records)?;
        let is_open = matches!(
            (session.stage, session.status),
            (Stage::Queuing, StageStatus::Completed) | (Stage::Transferring, _)
        ) && session.status != StageStatus::Errored;
        // Somebody who is at an earlier stage here is merely late: another process on the same database did it.
        let is_begun = self.home.workers.at_work(id).is_some_and(|stage| stage >= Stage::Transferring);
        if !is_open || is_begun {
            let message = format!("take records of the transfer session {id}: it is at {}", session.stage);
            return Err(Error::new(ErrorKind::SessionConflict, message));
        }
        if session.records_total.is_some_and(|total| records.len() as u64 > total) {
            let message = format!("take {} records of the transfer session {id}: fewer were promised", records.len());
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        let before = session.clone();
        let sync_session = self.sync_session(&session.sync_session)?;
        let mut context = Context::new(&self.home, sync_session, session, Guests::NONE, CancelToken::new());
        let transferred = transmit::keep(&mut context, offset, records)?;
        // Operations have their turn when the client goes on.
        let status = match transmission(&context.session) {
            StageStatus::Completed if self.has_operations(Stage::Transferring) => StageStatus::Pending,
            status => status,
        };
        if (context.session.stage, context.session.status) != (Stage::Transferring, status) {
            context.update(|session| {
                // Another request may have gone further meanwhile.
                if !stages::ahead(session, Stage::Transferring).is_empty() {
                    session.stage = Stage::Transferring;
                    session.status = status;
                }
            })?;
        }
        telling::tell(&self.home, &before, &context.session);
        Ok(transferred)
    }

    /// The transfer session that a posted list of records names. None for an empty list.
    ///
    /// # Errors
    /// [`ErrorKind::MessageMalformed`] where no record names one.
    pub fn transfer_session_of(records: &[ReceivedRecord]) -> Result<Option<TransferSessionId>> {
        let named = records.iter().find_map(|record| match record {
            ReceivedRecord::Readable(loose) => Some(loose.transfer_session.as_str()),
            ReceivedRecord::Unreadable { .. } => None,
        });
        let malformed = || Error::new(ErrorKind::MessageMalformed, "find the transfer session of a list of records");
        match named {
            Some(text) => text.parse().map(Some).map_err(|error| malformed().with_source(error)),
            None if records.is_empty() => Ok(None),
            None => Err(malformed().with_hint("no record of the list can be read")),
        }
    }
}

fn wrong_way(id: &TransferSessionId, what: &str, direction: Direction) -> Error {
    Error::new(ErrorKind::SessionConflict, format!("{what} the transfer session {id}: it is a {direction}"))
}

/// All records of a chunk belong to one session.
fn check_session(id: &TransferSessionId, records: &[ReceivedRecord]) -> Result<()> {
    let hex = id.hex();
    let is_other = |record: &ReceivedRecord| match record {
        ReceivedRecord::Readable(loose) => loose.transfer_session != hex.as_str(),
        ReceivedRecord::Unreadable { .. } => false,
    };
    if records.iter().any(is_other) {
        let message = format!("take records of the transfer session {id}: one of them is another session's");
        return Err(Error::new(ErrorKind::MessageMalformed, message));
    }
    Ok(())
}
