//! Upkeep: sessions that nobody uses any more are closed, and what waits in their buffers is freed.
//!
//! An application does it when it likes; the engine itself does it now and then, for sessions that were left long ago.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::context::Home;
use super::guests::Guests;
use super::hooks;
use super::lease::is_at_work;
use super::workers::Patience;
use crate::id::{InstanceId, SyncSessionId};
use crate::scope::Filter;
use crate::session::{Direction, Side, SyncSession, SyncSessionOrder, SyncSessionQuery, TransferSession};
use crate::{Result, limits};

/// Sync sessions that are in memory at one time.
const SESSIONS_PAGE: usize = 500;

/// Which sessions are to be closed. Without further conditions, all that nobody used for the time given.
///
/// ```
/// # use std::time::Duration;
/// use morango::engine::SessionSelection;
/// use morango::session::Direction;
///
/// let stale_pulls = SessionSelection::idle_for(Duration::from_secs(6 * 3600)).direction(Direction::Pull);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SessionSelection {
    idle: Duration,
    query: SyncSessionQuery,
    filter: Option<Filter>,
    direction: Option<Direction>,
}

impl SessionSelection {
    /// Sessions that were not used for so long. With zero, every session in which nobody is at work at this moment.
    pub fn idle_for(idle: Duration) -> Self {
        let query = SyncSessionQuery { is_active: Some(true), ..SyncSessionQuery::default() };
        Self { idle, query, filter: None, direction: None }
    }

    /// Only these sync sessions.
    #[must_use]
    pub fn ids(mut self, ids: impl IntoIterator<Item = SyncSessionId>) -> Self {
        self.query.ids = Some(ids.into_iter().collect());
        self
    }

    /// Only sessions in which we are this end.
    #[must_use]
    pub fn side(mut self, side: Side) -> Self {
        self.query.side = Some(side);
        self
    }

    /// Only sessions of this profile.
    #[must_use]
    pub fn profile(mut self, profile: impl Into<String>) -> Self {
        self.query.profile = Some(profile.into());
        self
    }

    /// Only sessions whose client is this instance.
    #[must_use]
    pub fn client_instance(mut self, instance: InstanceId) -> Self {
        self.query.client_instance = Some(instance);
        self
    }

    /// Only sessions whose server is this instance.
    #[must_use]
    pub fn server_instance(mut self, instance: InstanceId) -> Self {
        self.query.server_instance = Some(instance);
        self
    }

    /// Only transfers of what lies under this filter. A sync session is closed where no other transfer is open in it.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = Some(filter);
        self
    }

    /// Only transfers in this direction. A sync session is closed where no other transfer is open in it.
    #[must_use]
    pub fn direction(mut self, direction: Direction) -> Self {
        self.direction = Some(direction);
        self
    }

    fn takes(&self, transfer: &TransferSession, idle_since: DateTime<Utc>) -> bool {
        transfer.last_activity_at <= idle_since
            && self.direction.is_none_or(|direction| transfer.direction == direction)
            && self.filter.as_ref().is_none_or(|filter| transfer.filter.is_subset_of(filter))
    }
}

/// What was closed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CleanUpReport {
    /// The sync sessions that were closed.
    pub sync_sessions: Vec<SyncSessionId>,
    /// How many transfer sessions were closed.
    pub transfer_sessions: u64,
    /// How many records waited in their buffers, on their way out or in.
    pub records_freed: u64,
    /// How many sync sessions were forgotten that were closed long ago.
    pub sessions_forgotten: u64,
}

impl fmt::Display for CleanUpReport {
    /// For example `closed 2 sync sessions and 3 transfers; 500 records had waited in their buffers`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (syncs, transfers) = (self.sync_sessions.len(), self.transfer_sessions);
        write!(formatter, "closed {syncs} sync sessions and {transfers} transfers; ")?;
        write!(formatter, "{} records had waited in their buffers", self.records_freed)?;
        match self.sessions_forgotten {
            0 => Ok(()),
            forgotten => write!(formatter, "; forgot {forgotten} sync sessions of old"),
        }
    }
}

/// Closes what a selection names and nobody is at work in, at most `sessions_max` sync sessions.
pub(crate) fn clean_up(home: &Home, selection: &SessionSelection, sessions_max: usize) -> Result<CleanUpReport> {
    let now = home.clock.now();
    let mut report = CleanUpReport::default();
    let Some(idle_since) = before(now, selection.idle) else { return Ok(report) };
    // A transfer may be idle in a sync session that is not, so the time is looked at here. Those that nobody uses any more come first,
    // and those that stay, however many they are, are in the way of none.
    let (mut query, mut after) = (selection.query.clone(), None);
    while report.sync_sessions.len() < sessions_max {
        query.order = SyncSessionOrder::UsedLongestAgoFirst { after };
        let room = sessions_max - report.sync_sessions.len();
        let page = home.storage.sync_sessions(&query, SESSIONS_PAGE.min(room))?;
        let Some(last) = page.last() else { break };
        after = Some((last.last_activity_at, last.id));
        for session in &page {
            if !session.holder.as_ref().is_some_and(|holder| is_at_work(holder, now)) {
                close_idle(home, selection, session, idle_since, &mut report)?;
            }
        }
    }
    report.sessions_forgotten = forget_old(home)?;
    if report != CleanUpReport::default() {
        tracing::info!("{report}");
    }
    Ok(report)
}

/// Forgets sessions that were closed long ago, and certificates of strangers that were shown in them.
fn forget_old(home: &Home) -> Result<u64> {
    match before(home.clock.now(), home.upkeep.kept) {
        Some(unused_since) => home.storage.forget_sessions(unused_since, limits::SESSIONS_CLOSED_AT_ONCE_MAX),
        None => Ok(0),
    }
}

/// Closes the idle transfers of a session, and then the session where it is idle too and no transfer is left in it.
fn close_idle(
    home: &Home,
    selection: &SessionSelection,
    session: &SyncSession,
    idle_since: DateTime<Utc>,
    report: &mut CleanUpReport,
) -> Result<()> {
    let now = home.clock.now();
    let transfers = home.storage.transfer_sessions(&session.id, limits::TRANSFERS_LISTED_MAX)?;
    let last_activity_at = transfers.iter().map(|transfer| transfer.last_activity_at).max();
    let mut has_busy = false;
    for transfer in transfers.iter().filter(|transfer| transfer.is_active) {
        // Nobody begins anything in it while it is closed. What another process has begun since finds it closed, and stops.
        let claim = home.workers.claim(transfer.id, session.id, Patience::Now);
        if claim.is_none() || !selection.takes(transfer, idle_since) {
            has_busy = true;
            continue;
        }
        report.records_freed += home.storage.buffered(&transfer.id)?;
        home.storage.clean_up(&transfer.id, now)?;
        report.transfer_sessions += 1;
        hooks::closed_unfinished(home, Guests::NONE, session, transfer);
    }
    let last_activity_at = last_activity_at.unwrap_or(session.last_activity_at).max(session.last_activity_at);
    if !has_busy && last_activity_at <= idle_since {
        home.storage.close_sync_session(&session.id, now)?;
        report.sync_sessions.push(session.id);
    }
    Ok(())
}

/// When the engine looks after sessions by itself.
#[derive(Debug)]
pub(crate) struct Upkeep {
    /// How long a session may be left alone.
    idle: Duration,
    /// How long a closed session is kept.
    kept: Duration,
    looked: Mutex<Option<Duration>>,
}

impl Upkeep {
    pub(crate) fn new(idle: Duration, kept: Duration) -> Self {
        Self { idle, kept, looked: Mutex::new(None) }
    }

    /// Whether nobody has looked for a while. Whoever asks looks.
    fn is_due(&self, now: Duration) -> bool {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due =
            looked.is_none_or(|looked| now.saturating_sub(looked) >= Duration::from_secs(limits::UPKEEP_SECONDS));
        if is_due {
            *looked = Some(now);
        }
        is_due
    }
}

/// Closes sessions that were left long ago, where nobody has looked for such for a while. What fails here stops nobody.
pub(crate) fn look_after(home: &Home) {
    if !home.upkeep.is_due(home.clock.elapsed()) {
        return;
    }
    let mut selection = SessionSelection::idle_for(home.upkeep.idle);
    selection.query.idle_since = before(home.clock.now(), home.upkeep.idle);
    if selection.query.idle_since.is_none() {
        return;
    }
    if let Err(error) = clean_up(home, &selection, limits::SESSIONS_CLOSED_AT_ONCE_MAX) {
        tracing::warn!(error = %error.report(), "could not look after sessions that nobody uses");
    }
}

/// The time so long before; none before all times.
fn before(now: DateTime<Utc>, duration: Duration) -> Option<DateTime<Utc>> {
    now.checked_sub_signed(TimeDelta::from_std(duration).ok()?)
}
