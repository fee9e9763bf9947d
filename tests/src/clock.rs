//! Clocks of stories: one that goes only when a story moves it, or when somebody would wait; and one for those who wait long.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use morango::port::Clock;

/// A clock in a story's hand, as are its copies. A pause takes no time: it moves the clock.
#[derive(Debug, Clone)]
pub struct HandClock {
    began: DateTime<Utc>,
    elapsed: Arc<Mutex<Duration>>,
    /// By how much the time of day is wrong.
    wrong_by: Arc<Mutex<TimeDelta>>,
}

impl Default for HandClock {
    fn default() -> Self {
        Self { began: Utc::now(), elapsed: Arc::default(), wrong_by: Arc::default() }
    }
}

impl HandClock {
    /// Somebody sets the time of day, forward or back. How much time has passed stays what it is.
    pub fn set_wrong_by(&self, wrong_by: TimeDelta) {
        *self.wrong_by.lock().expect("nobody panics with the lock") = wrong_by;
    }

    /// Moves the clock on.
    pub fn advance(&self, duration: Duration) {
        *self.elapsed.lock().expect("nobody panics with the lock") += duration;
    }
}

impl Clock for HandClock {
    fn now(&self) -> DateTime<Utc> {
        self.began + self.elapsed() + *self.wrong_by.lock().expect("nobody panics with the lock")
    }

    fn elapsed(&self) -> Duration {
        *self.elapsed.lock().expect("nobody panics with the lock")
    }

    fn pause(&self, duration: Duration) {
        self.advance(duration);
    }
}

/// The system's clock, on which pauses are short for as long as a story is in a hurry. Its copies are one clock.
#[derive(Debug, Clone)]
pub struct HurriedClock {
    began: (DateTime<Utc>, Instant),
    skipped: Arc<Mutex<Duration>>,
    is_hurried: Arc<AtomicBool>,
}

/// What a pause takes at most in a hurry: something, so that others get on meanwhile.
const HURRIED_PAUSE_MAX: Duration = Duration::from_millis(2);

impl Default for HurriedClock {
    fn default() -> Self {
        Self { began: (Utc::now(), Instant::now()), skipped: Arc::default(), is_hurried: Arc::default() }
    }
}

impl HurriedClock {
    /// Whoever waits from now on is done almost at once, and as much time has passed as they wanted.
    pub fn hurry(&self) {
        self.is_hurried.store(true, Ordering::SeqCst);
    }

    /// Whoever waits from now on waits.
    pub fn take_time(&self) {
        self.is_hurried.store(false, Ordering::SeqCst);
    }
}

impl Clock for HurriedClock {
    fn now(&self) -> DateTime<Utc> {
        self.began.0 + self.elapsed()
    }

    fn elapsed(&self) -> Duration {
        self.began.1.elapsed() + *self.skipped.lock().expect("nobody panics with the lock")
    }

    fn pause(&self, duration: Duration) {
        let slept = if self.is_hurried.load(Ordering::SeqCst) { duration.min(HURRIED_PAUSE_MAX) } else { duration };
        std::thread::sleep(slept);
        *self.skipped.lock().expect("nobody panics with the lock") += duration.saturating_sub(slept);
    }
}
