//! A clock that goes only when a story moves it, or when somebody would wait.

use std::sync::{Arc, Mutex};
use std::time::Duration;

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
