//! The time, and pauses: a port, so that tests and simulations have a time of their own.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

/// Where the engine gets its time from.
pub trait Clock: Send + Sync + 'static {
    /// The time of day.
    fn now(&self) -> DateTime<Utc>;

    /// A time that only goes forward, for measuring how long something took.
    fn elapsed(&self) -> Duration;

    /// Waits.
    fn pause(&self, duration: Duration);
}

/// The clock of the machine.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn pause(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}
