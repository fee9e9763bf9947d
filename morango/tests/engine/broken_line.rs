//! A peer in one process whose line breaks: at a call of the story's choice, before it is made or before its answer comes.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use morango::id::{SyncSessionId, TransferSessionId};
use morango::identity::{CertificateRequest, PublicKey, UnverifiedCertificate};
use morango::port::{
    CertificateQuery, PeerInfo, ProceedRequest, ReceivedRecord, RemoteTransfer, SyncSessionAnswer, SyncSessionRequest,
    Traffic, TransferSessionRequest,
};
use morango::prelude::*;
use morango::record::StoreRecord;
use morango::session::Capabilities;
use morango::transfer::LocalPeer;
use morango::{ErrorKind, Result};

/// What is lost of the call at which the line breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    Request,
    Answer,
}

/// A peer at the end of a line that breaks.
#[derive(Debug)]
pub(crate) struct BrokenLine {
    /// Those behind the one address, who answer in turn.
    honest: Vec<LocalPeer>,
    breaks_at: usize,
    lost: Lost,
    calls: AtomicUsize,
    /// How often a transfer was to be closed.
    closings: AtomicUsize,
    /// Records of a chunk above which it is refused.
    chunk_records_max: usize,
    /// Records that went over, by the name of the call.
    chunks: Mutex<Vec<(&'static str, u64)>>,
    before_fetching: Option<Watch<Fetched>>,
    before_calling: Option<Watch<Called>>,
}

/// Whoever is told of a call before it is made.
struct Watch<F: ?Sized>(Box<F>);

/// Told of which transfer, and from which record on, a chunk is fetched.
type Fetched = dyn Fn(&TransferSessionId, u64) + Send + Sync;

/// Told which call is made, counted from 0.
type Called = dyn Fn(usize) + Send + Sync;

impl<F: ?Sized> fmt::Debug for Watch<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Watch")
    }
}

impl BrokenLine {
    /// A line that breaks at this call, counted from 0, and stays broken.
    pub(crate) fn new(honest: LocalPeer, breaks_at: usize, lost: Lost) -> Self {
        Self { breaks_at, lost, ..Self::to_several(vec![honest]) }
    }

    /// A line that holds, to an address behind which several processes answer in turn.
    pub(crate) fn to_several(honest: Vec<LocalPeer>) -> Self {
        Self {
            honest,
            breaks_at: usize::MAX,
            lost: Lost::Request,
            calls: AtomicUsize::new(0),
            closings: AtomicUsize::new(0),
            chunk_records_max: usize::MAX,
            chunks: Mutex::default(),
            before_fetching: None,
            before_calling: None,
        }
    }

    /// A line that holds, over which no chunk goes that has more records.
    pub(crate) fn narrow(honest: LocalPeer, chunk_records_max: usize) -> Self {
        Self { chunk_records_max, ..Self::sound(honest) }
    }

    /// Tells somebody from which record on a chunk is about to be fetched.
    pub(crate) fn before_fetching(self, tell: impl Fn(&TransferSessionId, u64) + Send + Sync + 'static) -> Self {
        Self { before_fetching: Some(Watch(Box::new(tell))), ..self }
    }

    /// Tells somebody which call is about to be made.
    pub(crate) fn before_calling(self, tell: impl Fn(usize) + Send + Sync + 'static) -> Self {
        Self { before_calling: Some(Watch(Box::new(tell))), ..self }
    }

    /// A line that holds.
    pub(crate) fn sound(honest: LocalPeer) -> Self {
        Self::new(honest, usize::MAX, Lost::Request)
    }

    /// Whether it broke.
    pub(crate) fn broke(&self) -> bool {
        self.calls.load(Ordering::SeqCst) > self.breaks_at
    }

    /// How often it was asked to close a transfer.
    pub(crate) fn closings(&self) -> usize {
        self.closings.load(Ordering::SeqCst)
    }

    /// How many records went over by this call.
    pub(crate) fn records(&self, call: &str) -> u64 {
        let chunks = self.chunks.lock().expect("nobody panics with it");
        chunks.iter().filter(|(name, _)| *name == call).map(|(_, records)| records).sum()
    }

    fn call<T>(&self, make: impl FnOnce(&LocalPeer) -> Result<T>) -> Result<T> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        if let Some(Watch(tell)) = &self.before_calling {
            tell(call);
        }
        let honest = &self.honest[call % self.honest.len()];
        let lost = || Err(Error::new(ErrorKind::Connection, format!("make call {call}: the line is broken")));
        match call.cmp(&self.breaks_at) {
            std::cmp::Ordering::Less => make(honest),
            std::cmp::Ordering::Equal if self.lost == Lost::Answer => make(honest).and_then(|_| lost()),
            _ => lost(),
        }
    }

    fn check_length(&self, records: usize) -> Result<()> {
        if records <= self.chunk_records_max {
            return Ok(());
        }
        Err(Error::new(ErrorKind::LimitExceeded, format!("let {records} records through")))
    }

    fn note(&self, call: &'static str, records: usize) {
        self.chunks.lock().expect("nobody panics with it").push((call, records as u64));
    }
}

impl Peer for BrokenLine {
    fn location(&self) -> String {
        self.honest[0].location()
    }

    fn info(&self) -> Result<PeerInfo> {
        self.call(LocalPeer::info)
    }

    fn announce(&self, ours: &Capabilities) {
        self.honest.iter().for_each(|peer| peer.announce(ours));
    }

    fn nonce(&self) -> Result<String> {
        self.call(LocalPeer::nonce)
    }

    fn certificates(&self, query: &CertificateQuery) -> Result<Vec<UnverifiedCertificate>> {
        self.call(|peer| peer.certificates(query))
    }

    fn request_certificate(
        &self,
        credentials: &Credentials,
        parent: &CertificateId,
        request: &CertificateRequest,
    ) -> Result<UnverifiedCertificate> {
        self.call(|peer| peer.request_certificate(credentials, parent, request))
    }

    fn shared_public_key(&self) -> Result<PublicKey> {
        self.call(LocalPeer::shared_public_key)
    }

    fn push_certificate_chain(&self, chain: &[UnverifiedCertificate]) -> Result<()> {
        self.call(|peer| peer.push_certificate_chain(chain))
    }

    fn create_sync_session(&self, request: &SyncSessionRequest) -> Result<SyncSessionAnswer> {
        self.call(|peer| peer.create_sync_session(request))
    }

    fn sync_session(&self, id: &SyncSessionId) -> Result<()> {
        self.call(|peer| peer.sync_session(id))
    }

    fn close_sync_session(&self, id: &SyncSessionId) -> Result<()> {
        self.call(|peer| peer.close_sync_session(id))
    }

    fn create_transfer_session(&self, request: &TransferSessionRequest) -> Result<RemoteTransfer> {
        self.call(|peer| peer.create_transfer_session(request))
    }

    fn transfer_session(&self, id: &TransferSessionId) -> Result<RemoteTransfer> {
        self.call(|peer| peer.transfer_session(id))
    }

    fn proceed(&self, id: &TransferSessionId, request: &ProceedRequest) -> Result<RemoteTransfer> {
        self.call(|peer| peer.proceed(id, request))
    }

    fn close_transfer_session(&self, id: &TransferSessionId) -> Result<()> {
        self.closings.fetch_add(1, Ordering::SeqCst);
        self.call(|peer| peer.close_transfer_session(id))
    }

    fn send_chunk(&self, id: &TransferSessionId, offset: u64, records: &[StoreRecord]) -> Result<()> {
        self.check_length(records.len())?;
        self.call(|peer| {
            self.note("send", records.len());
            peer.send_chunk(id, offset, records)
        })
    }

    fn fetch_chunk(&self, id: &TransferSessionId, offset: u64, limit: usize) -> Result<Vec<ReceivedRecord>> {
        if let Some(Watch(tell)) = &self.before_fetching {
            tell(id, offset);
        }
        self.call(|peer| {
            let records = peer.fetch_chunk(id, offset, limit)?;
            self.check_length(records.len())?;
            self.note("fetch", records.len());
            Ok(records)
        })
    }

    fn traffic(&self) -> Traffic {
        self.honest[0].traffic()
    }
}
