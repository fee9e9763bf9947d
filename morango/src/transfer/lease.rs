//! Who is at work in a sync session: one at a time, whichever process or thread it is. A client holds it from the beginning of a sync
//! to its end, a server while it is at work at its stages.
//!
//! The hold stands in the database, where every process sees it, and ends by itself unless it is renewed: whoever works renews
//! it by working. A process that is known to have ended holds nothing, and one that hangs holds no longer than one elsewhere. One
//! whose hold was taken over stops at the next sign of life that it would give, and touches nothing any more.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::context::Home;
use crate::id::SyncSessionId;
use crate::identity::{Liveness, Run, liveness};
use crate::session::{Side, SyncHolder, SyncSession};
use crate::{Error, ErrorKind, Result, limits};

/// What to do about somebody who is at work already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takeover {
    /// Leave them to it.
    Refused,
    /// Take their place.
    Forced,
}

/// The right to work in a sync session. It ends when this is dropped.
pub(crate) struct Lease<'a> {
    home: &'a Home,
    sync_session: SyncSessionId,
    run: Run,
    /// How long it lasts without a sign of life.
    seconds: u64,
    renewed: Mutex<Duration>,
    is_over: AtomicBool,
}

/// The hold of a client's run from now on.
pub(crate) fn hold_of(run: &Run, now: DateTime<Utc>) -> SyncHolder {
    SyncHolder { name: run.name().to_owned(), until: now + hold(limits::HOLD_SECONDS) }
}

fn hold(seconds: u64) -> TimeDelta {
    TimeDelta::seconds(seconds.cast_signed())
}

/// Whether somebody must be believed to be at work.
///
/// A hold that ends much later than any could that begins now was written by a clock that was wrong. No two clocks are quite alike.
pub(crate) fn is_at_work(holder: &SyncHolder, now: DateTime<Utc>) -> bool {
    match liveness(&holder.name) {
        Liveness::Ended => false,
        Liveness::Running | Liveness::Unknown => {
            holder.until > now && holder.until <= now + hold(limits::HOLD_SECONDS) * 2
        }
    }
}

impl<'a> Lease<'a> {
    /// The hold with which a client kept a new session.
    pub(crate) fn of_new(home: &'a Home, sync_session: SyncSessionId, run: Run) -> Self {
        let renewed = Mutex::new(home.clock.elapsed());
        Self { home, sync_session, run, seconds: limits::HOLD_SECONDS, renewed, is_over: AtomicBool::new(false) }
    }

    fn hold_from(&self, now: DateTime<Utc>) -> SyncHolder {
        SyncHolder { name: self.run.name().to_owned(), until: now + hold(self.seconds) }
    }

    /// Takes hold of an open session in which we are this end, and says how it stands.
    ///
    /// # Errors
    /// [`ErrorKind::SessionGone`] where none is open in which we are that; [`ErrorKind::SessionHeld`] where somebody
    /// else is at work in it.
    pub(crate) fn take(
        home: &'a Home,
        id: SyncSessionId,
        side: Side,
        takeover: Takeover,
    ) -> Result<(Self, SyncSession)> {
        let is_ours = |session: &SyncSession| session.is_active && session.side == side;
        let mut lease = Self::of_new(home, id, Run::begin());
        if side == Side::Server {
            lease.seconds = limits::WORK_HOLD_SECONDS;
        }
        let now = home.clock.now();
        let mut refused = None;
        let taken = home.storage.update_sync_session(&id, &mut |session| {
            refused = session.holder.clone().filter(|holder| takeover == Takeover::Refused && is_at_work(holder, now));
            if refused.is_none() && is_ours(session) {
                session.holder = Some(lease.hold_from(now));
                session.last_activity_at = now;
            }
        })?;
        match (taken.filter(is_ours), refused) {
            (None, _) => Err(lease.over(gone(&id, "there is none on this side, or it is closed"))),
            (Some(_), Some(holder)) => Err(lease.over(held(&id, &holder))),
            (Some(session), None) => Ok((lease, session)),
        }
    }

    /// A sign of life, written down every now and then.
    ///
    /// # Errors
    /// [`ErrorKind::SessionHeld`] where somebody else has taken the session over, [`ErrorKind::SessionUnknown`] where it was
    /// closed.
    pub(crate) fn renew(&self) -> Result<()> {
        if self.is_over() {
            let message =
                format!("work in the sync session {}: somebody else took it over, or closed it", self.sync_session);
            return Err(Error::new(ErrorKind::SessionHeld, message).retryable());
        }
        let elapsed = self.home.clock.elapsed();
        let mut renewed = self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        if elapsed.saturating_sub(*renewed) < Duration::from_secs(self.seconds / 4) {
            return Ok(());
        }
        let now = self.home.clock.now();
        let kept = self.home.storage.update_sync_session(&self.sync_session, &mut |session| {
            if self.is_holder(session) {
                session.holder = Some(self.hold_from(now));
                session.last_activity_at = now;
            }
        })?;
        *renewed = elapsed;
        match kept {
            Some(session) if self.is_holder(&session) => Ok(()),
            Some(SyncSession { is_active: true, holder: Some(holder), .. }) => {
                Err(self.over(held(&self.sync_session, &holder)))
            }
            _ => Err(self.over(super::context::unknown_sync(&self.sync_session))),
        }
    }

    /// Whether the session is somebody else's now, or closed.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Gives nothing back when this is dropped: the session is closed, and nobody holds it.
    pub(crate) fn forget(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    fn over(&self, error: Error) -> Error {
        self.forget();
        error
    }

    fn is_holder(&self, session: &SyncSession) -> bool {
        session.is_active && session.holder.as_ref().is_some_and(|holder| holder.name == self.run.name())
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if self.is_over() {
            return;
        }
        let now = self.home.clock.now();
        let released = self.home.storage.update_sync_session(&self.sync_session, &mut |session| {
            if self.is_holder(session) {
                session.holder = None;
                session.last_activity_at = now;
            }
        });
        if let Err(error) = released {
            // The hold ends with this run, as everybody sees who looks.
            tracing::debug!(sync_session = %self.sync_session, error = %error.report(), "could not give a hold back");
        }
    }
}

/// The sync session is not there any more.
pub(crate) fn gone(id: &SyncSessionId, why: &str) -> Error {
    Error::new(ErrorKind::SessionGone, format!("go on with the sync session {id}: {why}"))
        .with_hint("begin a new sync: what this one did stays done")
}

fn held(id: &SyncSessionId, holder: &SyncHolder) -> Error {
    let message = format!("work in the sync session {id}: somebody else is at work in it, {}", holder.name);
    Error::new(ErrorKind::SessionHeld, message)
        .with_hint(format!(
            "wait until they are done, or until {} if they are gone; SyncOptions::take_over takes their place at once",
            holder.until.format("%H:%M:%S")
        ))
        .retryable()
}
