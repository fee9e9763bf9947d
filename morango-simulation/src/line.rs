//! The line between two devices: the server's own answering side, with everything in between that can go wrong.
//!
//! It is the engine's port for a peer. Errors of the server arrive as they do over HTTP: a fault of its own is to the client a peer that
//! refuses.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use morango::id::{CertificateId, SyncSessionId, TransferSessionId};
use morango::identity::{CertificateRequest, PublicKey, UnverifiedCertificate};
use morango::port::{
    CertificateQuery, Credentials, Peer, PeerInfo, ProceedRequest, ReceivedRecord, RemoteTransfer, SyncSessionAnswer,
    SyncSessionRequest, Traffic, TransferSessionRequest,
};
use morango::record::StoreRecord;
use morango::session::{Capabilities, StageStatus};
use morango::transfer::{LocalPeer, Responder};
use morango::wire::status_of;
use morango::{Error, ErrorKind, Result};

use crate::clock::Time;
use crate::faults::Power;
use crate::papers::Reach;
use crate::plan::Mishap;

/// A request that comes later, when nobody waits for its answer any more.
pub(crate) type Late = Box<dyn FnOnce() + Send>;

/// What is done between two calls.
pub(crate) type Meanwhile = Box<dyn FnMut(u16) + Send>;

/// What there is at the two ends, and what is to go wrong between them.
pub(crate) struct Course {
    pub(crate) responder: Responder,
    pub(crate) client: Arc<Power>,
    pub(crate) server: Arc<Power>,
    pub(crate) time: Time,
    pub(crate) mishaps: Vec<(u16, Mishap)>,
    /// What both sides can do at most.
    pub(crate) capabilities: Capabilities,
    pub(crate) meanwhile: Meanwhile,
    /// What each of the two may see.
    pub(crate) reaches: [Reach; 2],
}

/// A line, for one sync.
pub(crate) struct Line {
    peer: Arc<LocalPeer>,
    client: Arc<Power>,
    server: Arc<Power>,
    time: Time,
    capabilities: Capabilities,
    /// Of the client and of the server.
    reaches: [Reach; 2],
    state: Mutex<State>,
}

struct State {
    calls: u16,
    mishaps: Vec<(u16, Mishap)>,
    is_cut: bool,
    late: Vec<(u16, Late)>,
    happened: Vec<(&'static str, Mishap)>,
    meanwhile: Meanwhile,
    wrongs: Vec<String>,
    faults: Vec<String>,
}

/// What came of a line.
pub(crate) struct Ended {
    pub(crate) happened: Vec<(&'static str, Mishap)>,
    pub(crate) calls: u16,
    /// What is still under way.
    pub(crate) late: Vec<Late>,
    /// What went over that never may.
    pub(crate) wrongs: Vec<String>,
    /// What the server said of faults of its own, which it may have where its storage failed.
    pub(crate) faults: Vec<String>,
}

/// Polls of a server that is still at work.
const POLLS_MAX: usize = 20_000;
const POLL_PAUSE: Duration = Duration::from_millis(1);

impl Line {
    /// A line on which this course is taken.
    pub(crate) fn new(course: Course) -> Self {
        let Course { responder, client, server, time, mishaps, capabilities, meanwhile, reaches } = course;
        let (late, happened, wrongs, faults) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let state = State { calls: 0, mishaps, is_cut: false, late, happened, meanwhile, wrongs, faults };
        let peer = Arc::new(LocalPeer::new(responder));
        Self { peer, client, server, time, capabilities, reaches, state: Mutex::new(state) }
    }

    /// What came of it.
    pub(crate) fn end(self) -> Ended {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let State { calls, late, happened, wrongs, faults, .. } = state;
        Ended { happened, calls, late: late.into_iter().map(|(_, late)| late).collect(), wrongs, faults }
    }

    /// Notes a record that goes where its sender may not write or its receiver may not read.
    fn check(&self, partition: &str, [sender, receiver]: [&Reach; 2]) {
        if !sender.may_write(partition) || !receiver.may_read(partition) {
            let wrong = format!("a record under {partition} goes from {sender:?} to {receiver:?}");
            self.state().wrongs.push(wrong);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call, does what is due before it, and says what happens to it.
    fn next(&self) -> (u16, Option<Mishap>) {
        let mut state = self.state();
        let number = state.calls;
        state.calls = state.calls.saturating_add(1);
        let mishap = state.mishaps.iter().find(|(call, _)| *call == number).map(|(_, mishap)| *mishap);
        (state.meanwhile)(number);
        let (due, waiting) = std::mem::take(&mut state.late).into_iter().partition(|(call, _)| *call <= number);
        state.late = waiting;
        drop(state);
        let due: Vec<(u16, Late)> = due;
        for (_, late) in due {
            late();
        }
        (number, mishap)
    }

    fn call<R>(&self, name: &'static str, work: impl Fn(&LocalPeer) -> Result<R> + Send + Sync + 'static) -> Result<R> {
        let outcome = self.try_call(name, work);
        if outcome.is_err() {
            self.client.turnstile.release();
        }
        outcome
    }

    fn try_call<R>(
        &self,
        name: &'static str,
        work: impl Fn(&LocalPeer) -> Result<R> + Send + Sync + 'static,
    ) -> Result<R> {
        let (number, mishap) = self.next();
        if self.client.is_off() || self.server.is_off() || self.state().is_cut {
            return Err(lost(name));
        }
        if let Some(mishap) = mishap {
            self.state().happened.push((name, mishap));
        }
        let answer = match mishap {
            None => work(&self.peer),
            Some(Mishap::RequestLost) => return Err(lost(name)),
            Some(Mishap::CutOff) => {
                self.state().is_cut = true;
                return Err(lost(name));
            }
            Some(Mishap::Late(calls)) => {
                let peer = Arc::clone(&self.peer);
                let late: Late = Box::new(move || drop(work(&peer)));
                self.state().late.push((number.saturating_add(u16::from(calls) + 1), late));
                return Err(lost(name));
            }
            Some(Mishap::AnswerLost) => {
                drop(work(&self.peer));
                return Err(lost(name));
            }
            Some(Mishap::Doubled) => {
                let first = work(&self.peer);
                drop(work(&self.peer));
                first
            }
            Some(Mishap::Slow(seconds)) => {
                self.time.pass(Duration::from_secs(seconds.into()));
                work(&self.peer)
            }
        };
        if self.client.is_off() || self.server.is_off() {
            return Err(lost(name));
        }
        if let Err(error) = &answer
            && matches!(error.kind(), ErrorKind::Internal | ErrorKind::StorageCorrupt)
        {
            self.state().faults.push(format!("the server answers {name} with a fault of its own: {}", error.report()));
        }
        answer.map_err(as_heard)
    }

    /// Makes a call of which the answer says how a transfer stands, and waits for the server as long as it is at work.
    fn followed(
        &self,
        name: &'static str,
        id: TransferSessionId,
        work: impl Fn(&LocalPeer) -> Result<RemoteTransfer> + Send + Sync + 'static,
    ) -> Result<RemoteTransfer> {
        self.call(name, move |peer| {
            let mut answer = work(peer)?;
            for _ in 0..POLLS_MAX {
                if answer.status != Some(StageStatus::Started) {
                    break;
                }
                std::thread::sleep(POLL_PAUSE);
                answer = peer.transfer_session(&id)?;
            }
            Ok(answer)
        })
    }
}

/// What the client hears of a call that did not get through.
fn lost(name: &str) -> Error {
    Error::new(ErrorKind::Connection, format!("call {name}: the line is gone"))
}

/// An error of the server as a client hears of it over HTTP.
fn as_heard(error: Error) -> Error {
    match status_of(error.kind()) {
        503 => Error::new(ErrorKind::PeerRefused, "call a peer that is busy").with_source(error).retryable(),
        500.. if error.kind() != ErrorKind::PeerStageFailed => {
            Error::new(ErrorKind::PeerRefused, "call a peer that fails").with_source(error)
        }
        _ => error,
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Line").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl Peer for Line {
    fn location(&self) -> String {
        self.peer.location()
    }

    fn info(&self) -> Result<PeerInfo> {
        let mut info = self.call("info", Peer::info)?;
        info.capabilities = info.capabilities.shared_with(&self.capabilities);
        Ok(info)
    }

    fn announce(&self, ours: &Capabilities) {
        self.peer.announce(&ours.shared_with(&self.capabilities));
    }

    fn nonce(&self) -> Result<String> {
        self.call("nonce", Peer::nonce)
    }

    fn certificates(&self, query: &CertificateQuery) -> Result<Vec<UnverifiedCertificate>> {
        let query = query.clone();
        self.call("certificates", move |peer| peer.certificates(&query))
    }

    fn request_certificate(
        &self,
        credentials: &Credentials,
        parent: &CertificateId,
        request: &CertificateRequest,
    ) -> Result<UnverifiedCertificate> {
        let (credentials, parent, request) = (credentials.clone(), *parent, request.clone());
        self.call("request_certificate", move |peer| peer.request_certificate(&credentials, &parent, &request))
    }

    fn shared_public_key(&self) -> Result<PublicKey> {
        self.call("shared_public_key", Peer::shared_public_key)
    }

    fn push_certificate_chain(&self, chain: &[UnverifiedCertificate]) -> Result<()> {
        let chain = chain.to_vec();
        self.call("push_certificate_chain", move |peer| peer.push_certificate_chain(&chain))
    }

    fn create_sync_session(&self, request: &SyncSessionRequest) -> Result<SyncSessionAnswer> {
        let request = request.clone();
        self.call("create_sync_session", move |peer| peer.create_sync_session(&request))
    }

    fn sync_session(&self, id: &SyncSessionId) -> Result<()> {
        let id = *id;
        self.call("sync_session", move |peer| peer.sync_session(&id))
    }

    fn close_sync_session(&self, id: &SyncSessionId) -> Result<()> {
        let id = *id;
        self.call("close_sync_session", move |peer| peer.close_sync_session(&id))
    }

    fn create_transfer_session(&self, request: &TransferSessionRequest) -> Result<RemoteTransfer> {
        self.client.turnstile.begin();
        let request = request.clone();
        self.followed("create_transfer_session", request.id, move |peer| peer.create_transfer_session(&request))
    }

    fn transfer_session(&self, id: &TransferSessionId) -> Result<RemoteTransfer> {
        self.client.turnstile.begin();
        let id = *id;
        self.followed("transfer_session", id, move |peer| peer.transfer_session(&id))
    }

    fn proceed(&self, id: &TransferSessionId, request: &ProceedRequest) -> Result<RemoteTransfer> {
        let (id, kept) = (*id, request.records_transferred);
        let request = request.clone();
        let answer = self.followed("proceed", id, move |peer| peer.proceed(&id, &request));
        if let (Ok(_), Some(kept)) = (&answer, kept) {
            self.client.turnstile.is_done(id, kept);
        }
        answer
    }

    fn close_transfer_session(&self, id: &TransferSessionId) -> Result<()> {
        let id = *id;
        self.call("close_transfer_session", move |peer| peer.close_transfer_session(&id))
    }

    fn send_chunk(&self, id: &TransferSessionId, offset: u64, records: &[StoreRecord]) -> Result<()> {
        let [client, server] = &self.reaches;
        for record in records {
            self.check(&record.partition, [client, server]);
        }
        let (id, records) = (*id, records.to_vec());
        let end = offset + records.len() as u64;
        let sent = self.call("send_chunk", move |peer| peer.send_chunk(&id, offset, &records));
        if sent.is_ok() {
            self.client.turnstile.is_done(id, end);
        }
        sent
    }

    fn fetch_chunk(&self, id: &TransferSessionId, offset: u64, limit: usize) -> Result<Vec<ReceivedRecord>> {
        let id = *id;
        if !self.client.turnstile.wait(id, offset) {
            return Err(lost("fetch_chunk"));
        }
        let records = self.call("fetch_chunk", move |peer| peer.fetch_chunk(&id, offset, limit))?;
        let [client, server] = &self.reaches;
        for record in &records {
            match record {
                ReceivedRecord::Readable(record) => self.check(&record.partition, [server, client]),
                ReceivedRecord::Unreadable { reason, .. } => {
                    self.state().wrongs.push(format!("a record goes over that cannot be read: {reason}"));
                }
            }
        }
        Ok(records)
    }

    fn traffic(&self) -> Traffic {
        self.peer.traffic()
    }
}
