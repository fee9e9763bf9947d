//! What an application wants of one sync.

use std::fmt;
use std::sync::Arc;

use crate::hook::{Event, Hook};
use crate::id::CertificateId;
use crate::limits;
use crate::port::FailedBefore;
use crate::scope::Filter;
use crate::session::Direction;
use crate::transfer::{BreakingOff, CancelToken, Guests, Operation, Takeover};

/// What one sync is to do.
#[derive(Clone)]
pub struct SyncOptions {
    /// The transfers, in their order.
    pub(super) directions: &'static [Direction],
    pub(super) filter: Option<Filter>,
    pub(super) chunk_records: Option<usize>,
    pub(super) server_certificate: Option<CertificateId>,
    pub(super) guests: Guests,
    pub(super) failed_before: Option<FailedBefore>,
    pub(super) cancel: CancelToken,
    pub(super) beginning: Beginning,
    pub(super) ending: Ending,
    pub(super) takeover: Takeover,
}

/// What a sync does about one that was broken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    Afresh,
    WithWhatIsLeft,
}

/// What becomes of the session at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Close,
    KeepOpen,
}

impl SyncOptions {
    fn new(directions: &'static [Direction]) -> Self {
        Self {
            directions,
            filter: None,
            chunk_records: None,
            server_certificate: None,
            guests: Guests::default(),
            failed_before: None,
            cancel: CancelToken::new(),
            beginning: Beginning::Afresh,
            ending: Ending::Close,
            takeover: Takeover::Refused,
        }
    }

    /// Pulls what we lack, then pushes what the peer lacks.
    pub fn both_ways() -> Self {
        Self::new(&[Direction::Pull, Direction::Push])
    }

    /// Pulls only.
    pub fn pull() -> Self {
        Self::new(&[Direction::Pull])
    }

    /// Pushes only.
    pub fn push() -> Self {
        Self::new(&[Direction::Push])
    }

    /// Syncs what is under this filter only. Without one, all that both certificates allow.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = Some(filter);
        self
    }

    /// How many records go over at a time: between 1 and [`limits::CHUNK_RECORDS_MAX`], to which other numbers are brought. Unless
    /// it is said, [`limits::CHUNK_RECORDS_DEFAULT`], and more and more, up to [`limits::CHUNK_RECORDS_GROWN_MAX`], on a quick line.
    #[must_use]
    pub fn chunk_size(mut self, records: usize) -> Self {
        self.chunk_records = Some(records.clamp(1, limits::CHUNK_RECORDS_MAX));
        self
    }

    /// The certificate in whose name the peer is to speak. Without it, one of the peer's is chosen that allows the most.
    #[must_use]
    pub fn server_certificate(mut self, certificate: impl Into<CertificateId>) -> Self {
        self.server_certificate = Some(certificate.into());
        self
    }

    /// What becomes here of received records that failed before. Without it, what the engine was told.
    #[must_use]
    pub fn failed_before(mut self, failed_before: FailedBefore) -> Self {
        self.failed_before = Some(failed_before);
        self
    }

    /// Somebody who is told of everything that happens in this sync: for a progress bar. It should return soon.
    #[must_use]
    pub fn on_event(mut self, watcher: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.guests.watchers.push(Arc::new(watcher));
        self
    }

    /// A hook that is told before and after each transfer of this sync, after those of the engine.
    #[must_use]
    pub fn hook(mut self, hook: impl Hook) -> Self {
        self.guests.hooks.push(Arc::new(hook));
        self
    }

    /// An operation of this sync, beside those of the engine.
    #[must_use]
    pub fn operation(mut self, operation: impl Operation) -> Self {
        self.guests.operations.push(Arc::new(operation));
        self
    }

    /// A token by which the sync can be cancelled.
    #[must_use]
    pub fn cancel_on(mut self, cancel: impl Into<CancelToken>) -> Self {
        self.cancel = cancel.into();
        self
    }

    /// Goes on with a sync of the same certificate and filter with the same peer, where one was broken off, instead of beginning
    /// afresh. Where that one is not there any more on the other side, or somebody is at work in it, this one begins afresh.
    #[must_use]
    pub fn resume_if_possible(mut self) -> Self {
        self.beginning = Beginning::WithWhatIsLeft;
        self
    }

    /// Leaves the sync session open at the end, and where the sync is cancelled: [`Engine::resume`](super::Engine::resume) then
    /// syncs in it again, which spares the exchange of certificates. Whoever keeps a session open has to look after it;
    /// one that nobody uses is [closed](super::Engine::clean_up_sessions) in the end.
    #[must_use]
    pub fn keep_open(mut self) -> Self {
        self.ending = Ending::KeepOpen;
        self
    }

    /// Takes a sync session over from whoever is at work in it, who then stops: for
    /// [`Engine::resume`](super::Engine::resume) after a process that hangs.
    #[must_use]
    pub fn take_over(mut self) -> Self {
        self.takeover = Takeover::Forced;
        self
    }

    pub(super) fn breaking_off(&self) -> BreakingOff {
        match self.ending {
            Ending::Close => BreakingOff::ByReason,
            Ending::KeepOpen => BreakingOff::EvenIfCancelled,
        }
    }

    pub(super) fn cancel_token(&self) -> CancelToken {
        self.cancel.clone()
    }
}

impl fmt::Debug for SyncOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SyncOptions")
            .field("directions", &self.directions)
            .field("filter", &self.filter)
            .field("chunk_records", &self.chunk_records)
            .field("server_certificate", &self.server_certificate)
            .field("failed_before", &self.failed_before)
            .finish_non_exhaustive()
    }
}
