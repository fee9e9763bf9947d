//! *Transmit*: chunks travel, while the database and the network work at the same time.
//!
//! Two threads with a short, bounded channel between them. On a pull one fetches while the other checks and keeps; on a push
//! one reads while the other sends. Whichever is slower sets the pace, and never more than a few chunks are in memory.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, ScopedJoinHandle};

use crate::hook::Phase;
use crate::limits;
use crate::port::{Chunk, Peer, ProceedRequest, Progress, ReceivedRecord, Traffic};
use crate::session::{Stage, StageStatus};
use crate::transfer::cancel::CancelToken;
use crate::transfer::context::Context;
use crate::transfer::gate;
use crate::{Error, ErrorKind, Result};

/// Checks and keeps one chunk that came, whichever side we are. Says how many records of the session have come so far.
pub(in crate::transfer) fn keep(
    context: &mut Context<'_>,
    offset: Option<u64>,
    received: Vec<ReceivedRecord>,
) -> Result<u64> {
    let home = context.home;
    let checked = gate::check(home, &context.session, offset, received);
    if !checked.rejections.is_empty() {
        tracing::warn!(refused = checked.rejections.len(), "records were refused at the gate");
    }
    let id = context.session.id;
    let transferred = home.storage.receive_chunk(&id, &checked.digest, &checked.records, &checked.rejections)?;
    context.session.records_transferred = transferred;
    context.results.refuse(checked.rejections);
    Ok(transferred)
}

/// Fetches all queued records of the peer, and keeps them. After each chunk the peer is told, which Python peers wait for.
pub(in crate::transfer) fn pull(context: &mut Context<'_>, peer: &dyn Peer, chunk_records: usize) -> Result<()> {
    let before = peer.traffic();
    let total = context.session.records_total.unwrap_or(0);
    let mut kept = 0;
    if total == 0 {
        report(context, peer, 0, before)?;
    }
    let (id, cancel) = (context.session.id, context.cancel.clone());
    let fetch = |sender: SyncSender<Vec<ReceivedRecord>>| -> Result<()> {
        let mut offset = 0;
        while offset < total && !cancel.is_cancelled() {
            let records = peer.fetch_chunk(&id, offset, chunk_records)?;
            check_length(records.len(), offset, total)?;
            offset += records.len() as u64;
            if sender.send(records).is_err() {
                break;
            }
        }
        Ok(())
    };
    overlap(fetch, |receiver| {
        for records in receiver {
            context.cancel.check()?;
            let offset = kept;
            kept += records.len() as u64;
            keep(context, Some(offset), records)?;
            count_bytes(context, peer.traffic() - before);
            context.tell(Stage::Transferring, progress(kept, total));
            report(context, peer, kept, before)?;
        }
        Ok(())
    })?;
    context.cancel.check()?;
    let transferred = peer.traffic() - before;
    context.update(|session| {
        session.stage = Stage::Transferring;
        session.status = StageStatus::Completed;
        session.bytes_sent = transferred.bytes_sent;
        session.bytes_received = transferred.bytes_received;
    })
}

/// Sends all records that were queued for the peer.
pub(in crate::transfer) fn push(context: &mut Context<'_>, peer: &dyn Peer, chunk_records: usize) -> Result<()> {
    let before = peer.traffic();
    let total = context.session.records_total.unwrap_or(0);
    let mut sent = 0;
    let (id, home, cancel): (_, _, CancelToken) = (context.session.id, context.home, context.cancel.clone());
    let read = |sender: SyncSender<Chunk>| -> Result<()> {
        let mut offset = 0;
        while offset < total && !cancel.is_cancelled() {
            let chunk = home.storage.queued_chunk(&id, offset, chunk_records)?;
            if chunk.records.is_empty() {
                let message =
                    format!("read the queued records from {offset} on: {total} were queued, but no more are there");
                return Err(Error::new(ErrorKind::Internal, message));
            }
            offset += chunk.records.len() as u64;
            if sender.send(chunk).is_err() {
                break;
            }
        }
        Ok(())
    };
    overlap(read, |receiver| {
        for chunk in receiver {
            context.cancel.check()?;
            peer.send_chunk(&id, &chunk.records)?;
            sent += chunk.records.len() as u64;
            context.session.records_transferred = sent;
            count_bytes(context, peer.traffic() - before);
            context.tell(Stage::Transferring, progress(sent, total));
        }
        Ok(())
    })?;
    context.cancel.check()?;
    let transferred = peer.traffic() - before;
    context.update(|session| {
        session.stage = Stage::Transferring;
        session.status = StageStatus::Completed;
        session.records_transferred = sent;
        session.bytes_sent = transferred.bytes_sent;
        session.bytes_received = transferred.bytes_received;
    })
}

/// Keeps for those who watch how much went over so far. The store is told at the end.
fn count_bytes(context: &mut Context<'_>, traffic: Traffic) {
    context.session.bytes_sent = traffic.bytes_sent;
    context.session.bytes_received = traffic.bytes_received;
}

/// Lets one side fill a bounded channel on a thread of its own while the other empties it here.
///
/// The first error of the emptying side counts; without one, that of the filling side.
fn overlap<T: Send>(
    fill: impl FnOnce(SyncSender<T>) -> Result<()> + Send,
    empty: impl FnOnce(Receiver<T>) -> Result<()>,
) -> Result<()> {
    let span = tracing::Span::current();
    let (sender, receiver) = sync_channel(limits::CHUNKS_IN_FLIGHT_MAX);
    thread::scope(|scope| {
        let filling = scope.spawn(move || span.in_scope(|| fill(sender)));
        // The receiver goes away with `empty`, so a filling side that waits for room stops waiting.
        let emptied = empty(receiver);
        let filled = join(filling);
        emptied.and(filled)
    })
}

fn join<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Tells the peer how far a pull is. Sent and received change places, because the peer counts from its own side.
fn report(context: &Context<'_>, peer: &dyn Peer, kept: u64, before: Traffic) -> Result<()> {
    let traffic = peer.traffic() - before;
    let request = ProceedRequest {
        stage: Some(Stage::Transferring),
        records_transferred: Some(kept),
        bytes_sent: Some(traffic.bytes_received),
        bytes_received: Some(traffic.bytes_sent),
        ..ProceedRequest::default()
    };
    let answer = peer.proceed(&context.session.id, &request)?;
    if answer.status == Some(StageStatus::Errored) {
        return Err(Error::new(
            ErrorKind::PeerStageFailed,
            format!("pull from {}: its transfer failed", peer.location()),
        ));
    }
    Ok(())
}

fn check_length(records: usize, offset: u64, total: u64) -> Result<()> {
    let unexpected = |problem: String| {
        let message = format!("fetch the records from {offset} on, of {total}: the peer sent {problem}");
        Err(Error::new(ErrorKind::PeerAnswerUnexpected, message))
    };
    if records == 0 {
        return unexpected("none".to_owned());
    }
    if records > limits::CHUNK_RECORDS_ACCEPTED_MAX || offset + records as u64 > total {
        return unexpected(format!("{records}"));
    }
    Ok(())
}

fn progress(done: u64, total: u64) -> Phase {
    Phase::InProgress(Progress { done, total: Some(total) })
}
