//! Growing pauses between two tries of what is not done yet, up to a bound.
//!
//! A pause is a part of what was waited already, so that whoever waits comes late by no more than that part, however long it takes.

use std::time::Duration;

use crate::limits;
use crate::port::Clock;
use crate::{Error, ErrorKind, Result};

/// Pauses that grow from one to the next.
pub(super) struct Pauses<'a> {
    clock: &'a dyn Clock,
    began: Duration,
    most: Duration,
}

impl<'a> Pauses<'a> {
    /// Pauses within so many seconds from now on.
    pub(super) fn new(clock: &'a dyn Clock, seconds_max: u64) -> Self {
        Self { clock, began: clock.elapsed(), most: Duration::from_secs(seconds_max) }
    }

    /// Waits a little longer than the last time.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`] where the time is over. `operation` is a fragment that says what is waited for.
    pub(super) fn pause(&self, operation: &str) -> Result<()> {
        let waited = self.clock.elapsed().saturating_sub(self.began);
        if waited > self.most {
            return Err(Error::new(ErrorKind::Timeout, operation));
        }
        self.clock.pause(after(waited));
        Ok(())
    }
}

/// The pause after so long a wait.
pub(super) fn after(waited: Duration) -> Duration {
    let shortest = Duration::from_millis(limits::POLL_PAUSE_FIRST_MILLISECONDS);
    let longest = Duration::from_millis(limits::POLL_PAUSE_MAX_MILLISECONDS);
    (waited / limits::POLL_PAUSE_PART).clamp(shortest, longest)
}
