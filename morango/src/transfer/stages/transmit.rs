//! *Transmit*: chunks travel, while the database and the network work at the same time.
//!
//! Two threads with a short, bounded channel between them. On a pull one fetches and checks while the other keeps; on a push
//! one reads while the other sends. Whichever is slower sets the pace, and never more than a few chunks are in memory.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use crate::counter::DatabaseMaxCounters;
use crate::hook::Phase;
use crate::limits;
use crate::port::{Chunk, Peer, ProceedRequest, Progress, ReceivedChunk, ReceivedRecord, RemoteTransfer, Traffic};
use crate::record::{BufferRecord, Gate};
use crate::session::{Stage, StageStatus, TransferSession};
use crate::transfer::cancel::CancelToken;
use crate::transfer::chunk_size::ChunkSize;
use crate::transfer::context::Context;
use crate::transfer::gate::{self, CheckedChunk};
use crate::transfer::lease;
use crate::transfer::renewal;
use crate::transfer::stages::has_operations_after;
use crate::transfer::work::Work;
use crate::{Error, ErrorKind, Result};

/// Checks and keeps one chunk that came, whichever side we are. Says how many records of the session have come so far.
pub(in crate::transfer) fn keep(
    context: &mut Context<'_>,
    offset: Option<u64>,
    received: Vec<ReceivedRecord>,
) -> Result<u64> {
    let checked = gate::check(context.home, &gate_of(&context.session), offset, received);
    keep_checked(context, offset, checked, None)
}

/// What every record of this session must fit.
fn gate_of(session: &TransferSession) -> Gate<'_> {
    Gate { transfer_session_id: session.id, profile: &session.profile, filter: &session.filter }
}

/// Keeps a chunk that was checked. Where somebody waits to fetch the next one it is put aside first: from then on it need not come
/// again, and the next may come while this one is worked on.
fn keep_checked(
    context: &mut Context<'_>,
    offset: Option<u64>,
    checked: CheckedChunk,
    next: Option<&SyncSender<()>>,
) -> Result<u64> {
    let home = context.home;
    if !checked.rejections.is_empty() {
        tracing::warn!(refused = checked.rejections.len(), "records were refused at the gate");
    }
    look_for_ourselves(context, &checked.records)?;
    note_unclaimed(context, &checked.records)?;
    let chunk = ReceivedChunk {
        session: &context.session.id,
        offset,
        digest: &checked.digest,
        records: &checked.records,
        rejections: &checked.rejections,
        received_at: home.clock.now(),
    };
    if let Some(next) = next {
        home.storage.buffer_chunk(&chunk)?;
        // Whoever fetches may have failed meanwhile, which is told in its place.
        let _ = next.send(());
    }
    let transferred = home.storage.receive_chunk(&chunk)?;
    context.session.records_transferred = transferred;
    context.results.refuse(checked.rejections);
    Ok(transferred)
}

/// Looks whether a record says more of this instance than it told anybody of: then another database counts in its name.
fn look_for_ourselves(context: &mut Context<'_>, records: &[BufferRecord]) -> Result<()> {
    let home = context.home;
    let instance = home.instance().id;
    let counters = records.iter().filter_map(|received| received.record().counters.get(&instance));
    let Some(known) = counters.max() else { return Ok(()) };
    let own = home.storage.own_counters()?;
    if own.instance == instance && known > own.told {
        renewal::become_another(context, &mut Work::Apart(&*home.storage), known)?;
        renewal::settle(context)?;
    }
    Ok(())
}

/// Notes what the store will hold of these records before anything claims it.
///
/// Until all have come nothing does; where the rest never comes, what did must be passed on to others all the same. And what
/// goes beyond the counters of the sender is not claimed even then.
fn note_unclaimed(context: &Context<'_>, records: &[BufferRecord]) -> Result<()> {
    let session = &context.session;
    let sender = session.producer_fsic()?;
    let mut unclaimed = DatabaseMaxCounters::new();
    // It is noted with the first chunk, also where all of that one was refused: more may come.
    if session.records_transferred == 0 {
        unclaimed.raise_all(&session.completed_by()?);
    }
    for record in records.iter().map(BufferRecord::record) {
        if !sender.covers(&record.partition, record.last_saved) {
            unclaimed.raise(&record.partition, record.last_saved);
        }
    }
    match unclaimed.partitions() {
        none if none.is_empty() => Ok(()),
        some => context.home.storage.note_unclaimed(some),
    }
}

/// Fetches the queued records of the peer that are not here yet, and keeps them. After each chunk the peer is told, which Python
/// peers wait for.
pub(in crate::transfer) fn pull(
    context: &mut Context<'_>,
    peer: &dyn Peer,
    chunk_records: Option<usize>,
) -> Result<()> {
    let line = Line::begin(context, peer);
    let total = context.session.records_total.unwrap_or(0);
    let here = context.session.records_transferred.min(total);
    let mut kept = here;
    if kept == total {
        report(context, peer, kept, &line)?;
    } else {
        context.note(Stage::Transferring, StageStatus::Started)?;
    }
    let (session, cancel, has_failed) = (context.session.clone(), context.cancel.clone(), AtomicBool::new(false));
    let (home, gate) = (context.home, gate_of(&session));
    let size = ChunkSize::new(chunk_records);
    // What was fetched and is not kept goes with this process, should it end, and has to come again. So that this is one chunk at most,
    // the next is fetched once the one before it is on the disk.
    let (next, is_next) = sync_channel::<()>(1);
    let fetch = |sender: SyncSender<CheckedChunk>| -> Result<()> {
        let is_next = is_next;
        let mut offset = here;
        while offset < total && !cancel.is_cancelled() && !has_failed.load(Ordering::Relaxed) {
            let (began, before) = (home.clock.elapsed(), peer.traffic().bytes_received);
            let records = match peer.fetch_chunk(&session.id, offset, size.records()) {
                Err(error) if error.kind() == ErrorKind::LimitExceeded && size.was_too_long() => continue,
                fetched => fetched.map_err(|error| unless_queue_is_lost(&session, peer, error))?,
            };
            size.took(peer.traffic().bytes_received - before, home.clock.elapsed().saturating_sub(began));
            check_length(records.len(), offset, total)?;
            let checked = gate::check(home, &gate, Some(offset), records);
            offset += checked.len() as u64;
            let is_last = offset == total;
            if sender.send(checked).is_err() || (!is_last && is_next.recv().is_err()) {
                break;
            }
        }
        Ok(())
    };
    overlap(0, fetch, |receiver| {
        let (next, mut told) = (next, Ok(()));
        for checked in receiver {
            context.check()?;
            let offset = kept;
            kept += checked.len() as u64;
            keep_checked(context, Some(offset), checked, (kept < total).then_some(&next))?;
            line.count(context);
            context.tell(Stage::Transferring, progress(kept, total));
            // What has come already is kept also where the peer cannot be told, so that it need not come again.
            if told.is_ok() {
                told = report(context, peer, kept, &line);
                has_failed.store(told.is_err(), Ordering::Relaxed);
            }
        }
        told
    })?;
    line.note(context, status_when_through(context), kept)
}

/// Sends the records that were queued for the peer and have not gone over yet.
pub(in crate::transfer) fn push(
    context: &mut Context<'_>,
    peer: &dyn Peer,
    chunk_records: Option<usize>,
) -> Result<()> {
    let line = Line::begin(context, peer);
    // How the peer stood before this is of no use after it.
    context.found = None;
    let total = context.session.records_total.unwrap_or(0);
    let mut there = context.session.records_transferred.min(total);
    line.note(context, StageStatus::Started, there)?;
    let mut times_fallen_back = 0;
    let size = ChunkSize::new(chunk_records);
    while let Sent::UpTo(known) = send_from(context, peer, &line, there, &size)? {
        times_fallen_back += 1;
        if times_fallen_back > limits::TIMES_FALLEN_BACK_MAX {
            let message = format!("push to {}: it loses again and again what it was sent", peer.location());
            return Err(Error::new(ErrorKind::PeerStageFailed, message));
        }
        tracing::info!(from = known, "the peer has not taken all that it was sent, and is sent the rest again");
        there = known;
    }
    line.note(context, status_when_through(context), total)
}

/// How far the sending of chunks came.
enum Sent {
    All,
    /// The peer has fallen back: so many are there.
    UpTo(u64),
}

/// Sends the queued records from a place on.
fn send_from(
    context: &mut Context<'_>,
    peer: &dyn Peer,
    line: &Line<'_>,
    there: u64,
    size: &ChunkSize,
) -> Result<Sent> {
    let total = context.session.records_total.unwrap_or(0);
    let (id, home, cancel): (_, _, CancelToken) = (context.session.id, context.home, context.cancel.clone());
    let read = |sender: SyncSender<Chunk>| -> Result<()> {
        let mut offset = there;
        while offset < total && !cancel.is_cancelled() {
            let chunk = home.storage.queued_chunk(&id, offset, size.records())?;
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
    let mut noted = home.clock.elapsed();
    let (mut sent, mut outcome) = (there, Sent::All);
    overlap(limits::CHUNKS_READ_AHEAD_MAX, read, |receiver| {
        for chunk in receiver {
            context.check()?;
            let (began, before) = (home.clock.elapsed(), peer.traffic().bytes_sent);
            if let Err(error) = peer.send_chunk(&id, sent, &chunk.records) {
                let is_too_long = error.kind() == ErrorKind::LimitExceeded && size.was_too_long();
                outcome = Sent::UpTo(if is_too_long { sent } else { fallen_back_to(context, peer, sent, error)? });
                return Ok(());
            }
            size.took(peer.traffic().bytes_sent - before, home.clock.elapsed().saturating_sub(began));
            sent += chunk.records.len() as u64;
            context.session.records_transferred = sent;
            line.count(context);
            context.tell(Stage::Transferring, progress(sent, total));
            let now = home.clock.elapsed();
            if now.saturating_sub(noted) > Duration::from_secs(limits::PROGRESS_NOTED_SECONDS) {
                noted = now;
                line.note(context, StageStatus::Started, sent)?;
            }
        }
        Ok(())
    })?;
    Ok(outcome)
}

/// How many records are there with a peer that refused a chunk because records before it are missing: one that lost power has
/// lost what it had not written to its disk. The receiver knows best what it has.
///
/// # Errors
/// The refusal, where it has another reason; [`ErrorKind::SessionGone`] where the peer has lost more than records.
fn fallen_back_to(context: &Context<'_>, peer: &dyn Peer, sent: u64, refusal: Error) -> Result<u64> {
    if refusal.kind() != ErrorKind::SessionConflict {
        return Err(refusal);
    }
    let found = peer.transfer_session(&context.session.id)?;
    if found.stage.is_some_and(|stage| stage < Stage::Queuing) {
        let why = format!("{} has fallen back behind what it had done", peer.location());
        return Err(lease::gone(&context.session.sync_session, &why).with_source(refusal));
    }
    let is_behind = found.records_transferred < sent && found.status != Some(StageStatus::Errored);
    if is_behind { Ok(found.records_transferred) } else { Err(refusal) }
}

/// How far transferring is once all chunks went over: operations may still have to run at it.
fn status_when_through(context: &Context<'_>) -> StageStatus {
    if has_operations_after(context, Stage::Transferring) { StageStatus::Pending } else { StageStatus::Completed }
}

/// What goes over the line for one transfer, also in earlier tries.
struct Line<'a> {
    peer: &'a dyn Peer,
    /// What the peer counted before this try.
    before: Traffic,
    /// What was noted of earlier tries.
    noted: (u64, u64),
}

impl<'a> Line<'a> {
    fn begin(context: &Context<'_>, peer: &'a dyn Peer) -> Self {
        Self { peer, before: peer.traffic(), noted: (context.session.bytes_sent, context.session.bytes_received) }
    }

    /// Bytes sent and received.
    fn bytes(&self) -> (u64, u64) {
        let since = self.peer.traffic() - self.before;
        (self.noted.0 + since.bytes_sent, self.noted.1 + since.bytes_received)
    }

    /// Keeps for those who watch how much went over so far. The store is told every now and then.
    fn count(&self, context: &mut Context<'_>) {
        (context.session.bytes_sent, context.session.bytes_received) = self.bytes();
    }

    /// Notes how far the transfer is. Where all has gone over, somebody who asked to stop is heard first.
    fn note(&self, context: &mut Context<'_>, status: StageStatus, transferred: u64) -> Result<()> {
        context.check()?;
        let (sent, received) = self.bytes();
        context.update(|session| {
            session.stage = Stage::Transferring;
            session.status = status;
            session.records_transferred = transferred;
            session.bytes_sent = sent;
            session.bytes_received = received;
        })
    }
}

/// Lets one side fill a bounded channel, which holds `waiting_max`, on a thread of its own while the other empties it here.
///
/// The first error of the emptying side counts; without one, that of the filling side.
fn overlap<T: Send>(
    waiting_max: usize,
    fill: impl FnOnce(SyncSender<T>) -> Result<()> + Send,
    empty: impl FnOnce(Receiver<T>) -> Result<()>,
) -> Result<()> {
    let span = tracing::Span::current();
    let (sender, receiver) = sync_channel(waiting_max);
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
fn report(context: &Context<'_>, peer: &dyn Peer, kept: u64, line: &Line<'_>) -> Result<()> {
    let (sent, received) = line.bytes();
    let request = ProceedRequest {
        stage: Some(Stage::Transferring),
        records_transferred: Some(kept),
        bytes_sent: Some(received),
        bytes_received: Some(sent),
        ..ProceedRequest::default()
    };
    let session = &context.session;
    let answer = peer.proceed(&session.id, &request).map_err(|error| unless_queue_is_lost(session, peer, error))?;
    if answer.status == Some(StageStatus::Errored) {
        return Err(Error::new(
            ErrorKind::PeerStageFailed,
            format!("pull from {}: its transfer failed", peer.location()),
        ));
    }
    check_queue(session, peer, &answer)
}

/// Looks whether a peer still has the queue that it told of. One that fell back may have made it anew, where the place of this side is
/// another's, and to claim what was told of the first would hide what is passed over.
///
/// # Errors
/// [`ErrorKind::SessionGone`] where it has none, or one of another length.
pub(in crate::transfer) fn check_queue(
    session: &TransferSession,
    peer: &dyn Peer,
    answer: &RemoteTransfer,
) -> Result<()> {
    let is_queued = answer.stage.is_none_or(|stage| stage >= Stage::Queuing);
    if is_queued && answer.records_total == session.records_total {
        return Ok(());
    }
    Err(queue_lost(session, peer))
}

/// What a refusal of a peer means to a pull: it refuses to go on only where it has nothing queued any more.
fn unless_queue_is_lost(session: &TransferSession, peer: &dyn Peer, refusal: Error) -> Error {
    match refusal.kind() {
        ErrorKind::SessionConflict => queue_lost(session, peer).with_source(refusal),
        _ => refusal,
    }
}

fn queue_lost(session: &TransferSession, peer: &dyn Peer) -> Error {
    lease::gone(&session.sync_session, &format!("{} has lost what it had queued", peer.location()))
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
