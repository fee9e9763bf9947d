//! Growing pauses between two tries of what is not done yet, up to a bound.

use std::time::Duration;

use crate::limits;
use crate::port::Clock;
use crate::{Error, ErrorKind, Result};

/// Pauses that grow from one to the next.
pub(super) struct Pauses<'a> {
    clock: &'a dyn Clock,
    began: Duration,
    most: Duration,
    next: Duration,
}

impl<'a> Pauses<'a> {
    /// Pauses within so many seconds from now on.
    pub(super) fn new(clock: &'a dyn Clock, seconds_max: u64) -> Self {
        Self {
            clock,
            began: clock.elapsed(),
            most: Duration::from_secs(seconds_max),
            next: Duration::from_millis(limits::POLL_PAUSE_FIRST_MILLISECONDS),
        }
    }

    /// Waits a little longer than the last time.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`] where the time is over. `operation` is a fragment that says what is waited for.
    pub(super) fn pause(&mut self, operation: &str) -> Result<()> {
        if self.clock.elapsed().saturating_sub(self.began) > self.most {
            return Err(Error::new(ErrorKind::Timeout, operation));
        }
        self.clock.pause(self.next);
        self.next = (self.next * 2).min(Duration::from_millis(limits::POLL_PAUSE_MAX_MILLISECONDS));
        Ok(())
    }
}
