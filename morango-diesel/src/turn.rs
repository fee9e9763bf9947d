//! The turn to write to a file that one connection at a time may write to, and when it is left to others.
//!
//! Our own threads queue here. Everybody else is found out about: a connection that the application was given says when a statement
//! of its runs, and another program shows by what it has written. SQLite has no queue: whoever waits asks again after pauses that grow
//! from 1 to 25 ms within the first 128 ms, to 50 ms within 228, and to 100 ms later. So whoever is to get the turn is given a gap that
//! is longer than its pauses are by then. This room knows nothing of what is written.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

#[cfg(feature = "sqlite")]
use diesel::connection::{Instrumentation, InstrumentationEvent, get_default_instrumentation};

/// How transactions of ours may follow one another before others get the turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Manners {
    /// How long they may hold the turn.
    held_max: Duration,
    /// How long it is left to others then.
    gap: Duration,
}

/// While somebody may wait: a gap before 100 ms are over, when nobody pauses for longer than 25 ms. So nobody waits for much longer.
const WATCHED: Manners = Manners { held_max: Duration::from_millis(100), gap: Duration::from_millis(25) };

/// While nobody is known to: another program that comes now has its turn within two seconds, and is known from then on, unless the
/// application wrote as well at that time.
const ALONE: Manners = Manners { held_max: Duration::from_secs(2), gap: Duration::from_millis(100) };

/// How long another program that has written is expected to write again.
const EXPECTED: Duration = Duration::from_secs(30);

/// The turn to write.
#[derive(Debug)]
pub(crate) struct Turn {
    streak: Mutex<Streak>,
    callers: Callers,
    /// Transactions of ours that have ended.
    ended: AtomicU64,
}

/// Write transactions of ours that followed one another with hardly a gap.
#[derive(Debug)]
struct Streak {
    held: Duration,
    ended: Instant,
    /// When another program was last seen to have written.
    others_wrote: Option<Instant>,
}

/// What was seen through one connection when it last had the turn: by this it shows later whether others wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The number by which the database tells a connection that another one has written.
    version: i64,
    /// How much of that could be by ourselves.
    ours: u64,
}

/// The turn, for one transaction.
pub(crate) struct Held<'a> {
    turn: &'a Turn,
    streak: MutexGuard<'a, Streak>,
    began: Instant,
}

impl Turn {
    /// The turn to write to a file that nobody writes to yet.
    pub(crate) fn new() -> Self {
        let streak = Streak { held: Duration::ZERO, ended: Instant::now(), others_wrote: None };
        Self { streak: Mutex::new(streak), callers: Callers::default(), ended: AtomicU64::new(0) }
    }

    /// The connections that the application was given.
    #[cfg(feature = "sqlite")]
    pub(crate) fn callers(&self) -> &Callers {
        &self.callers
    }

    /// Waits for the turn, and leaves it to others first where it was held for long.
    pub(crate) fn take(&self) -> Held<'_> {
        let mut streak = self.streak.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let manners = streak.manners(now, self.callers.are_at_work());
        if let Some(gap) = streak.go_on(now, manners) {
            std::thread::sleep(gap);
        }
        Held { turn: self, streak, began: Instant::now() }
    }

    /// How much of what others are seen to have written could be by ourselves.
    fn ours(&self) -> u64 {
        self.ended.load(Ordering::Relaxed).wrapping_add(self.callers.finished())
    }
}

impl Held<'_> {
    /// Looks through the connection that has the turn whether another program has written since it last had it.
    pub(crate) fn look(&mut self, version: i64, before: Option<Seen>) {
        let is_theirs = |before: Seen| before.version != version && before.ours == self.turn.ours();
        if before.is_some_and(is_theirs) {
            self.streak.others_wrote = Some(self.began);
        }
    }

    /// Ends the turn. Says what is to be remembered with the connection that had it.
    pub(crate) fn end(mut self, version: i64) -> Seen {
        self.turn.ended.fetch_add(1, Ordering::Relaxed);
        let ended = Instant::now();
        self.streak.held += ended - self.began;
        self.streak.ended = ended;
        Seen { version, ours: self.turn.ours() }
    }
}

impl Streak {
    fn manners(&self, now: Instant, are_callers_at_work: bool) -> Manners {
        let is_expected = |wrote: Instant| now.saturating_duration_since(wrote) < EXPECTED;
        if are_callers_at_work || self.others_wrote.is_some_and(is_expected) { WATCHED } else { ALONE }
    }

    /// How long to leave the turn to others now, if at all.
    fn go_on(&mut self, now: Instant, manners: Manners) -> Option<Duration> {
        let had_a_gap = now.saturating_duration_since(self.ended) >= manners.gap;
        let gap = (!had_a_gap && self.held >= manners.held_max).then_some(manners.gap);
        if had_a_gap || gap.is_some() {
            self.held = Duration::ZERO;
        }
        gap
    }
}

/// The connections that the application was given, as far as they say what they do.
#[derive(Debug, Clone, Default)]
pub(crate) struct Callers(Arc<Statements>);

/// Statements of the application. One that waits for the turn is at work.
#[derive(Debug, Default)]
struct Statements {
    begun: AtomicU64,
    finished: AtomicU64,
}

impl Callers {
    /// What a connection of the application is to tell its events.
    #[cfg(feature = "sqlite")]
    pub(crate) fn watch(&self) -> Watched {
        Watched { callers: self.clone(), is_at_work: false, next: get_default_instrumentation() }
    }

    fn are_at_work(&self) -> bool {
        self.finished() != self.0.begun.load(Ordering::Relaxed)
    }

    fn finished(&self) -> u64 {
        self.0.finished.load(Ordering::Relaxed)
    }
}

/// Listens to one connection of the application, beside whoever listens to all connections. Elsewhere nobody waits for a turn.
#[cfg(feature = "sqlite")]
pub(crate) struct Watched {
    callers: Callers,
    is_at_work: bool,
    next: Option<Box<dyn Instrumentation>>,
}

#[cfg(feature = "sqlite")]
impl Watched {
    fn begin(&mut self) {
        if !std::mem::replace(&mut self.is_at_work, true) {
            self.callers.0.begun.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn finish(&mut self) {
        if std::mem::take(&mut self.is_at_work) {
            self.callers.0.finished.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(feature = "sqlite")]
impl Instrumentation for Watched {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        match &event {
            InstrumentationEvent::StartQuery { .. } => self.begin(),
            InstrumentationEvent::FinishQuery { .. } => self.finish(),
            _ => {}
        }
        if let Some(next) = &mut self.next {
            next.on_connection_event(event);
        }
    }
}

#[cfg(feature = "sqlite")]
impl Drop for Watched {
    fn drop(&mut self) {
        self.finish();
    }
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    /// The gaps that transactions of 10 ms, one after another, leave within a time.
    fn gaps(turn: &Turn, during: Duration) -> Vec<Duration> {
        let mut streak = turn.streak.lock().expect("nobody panics");
        let (mut now, mut gaps) = (streak.ended, Vec::new());
        let until = now + during;
        while now < until {
            let manners = streak.manners(now, turn.callers.are_at_work());
            if let Some(gap) = streak.go_on(now, manners) {
                now += gap;
                gaps.push(gap);
            }
            now += 10 * MILLISECOND;
            streak.held += 10 * MILLISECOND;
            streak.ended = now;
        }
        gaps
    }

    #[test]
    fn somebody_who_waits_gets_the_turn_before_a_tenth_of_a_second_is_over() {
        let turn = Turn::new();
        let mut connection = turn.callers.watch();
        assert_eq!(gaps(&turn, 1_000 * MILLISECOND), [], "nobody waits");
        connection.begin();
        assert_eq!(gaps(&turn, 1_000 * MILLISECOND), [WATCHED.gap; 8]);
        drop(connection);
        assert!(!turn.callers.are_at_work(), "a connection that was closed waits for nothing");
    }

    #[test]
    fn another_program_that_wrote_is_expected_to_write_again() {
        let turn = Turn::new();
        let mut held = turn.take();
        held.look(7, None);
        let seen = held.end(7);
        let mut held = turn.take();
        held.look(8, Some(seen));
        held.end(8);
        assert_eq!(gaps(&turn, 1_000 * MILLISECOND).first(), Some(&WATCHED.gap));
    }

    #[test]
    fn what_we_wrote_ourselves_through_another_connection_shows_no_other_program() {
        let turn = Turn::new();
        let seen = turn.take().end(7);
        turn.take().end(1);
        let mut held = turn.take();
        held.look(8, Some(seen));
        held.end(8);
        assert_eq!(gaps(&turn, 1_000 * MILLISECOND), []);
    }

    #[test]
    fn even_where_nobody_is_known_the_turn_is_left_now_and_then() {
        assert_eq!(gaps(&Turn::new(), 10_000 * MILLISECOND), [ALONE.gap; 4]);
    }
}
