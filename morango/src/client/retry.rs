//! When a call that failed is made again: only where that is safe, only where it may help, and only so often.

use std::time::Duration;

use crate::port::Clock;
use crate::{Error, ErrorKind, Result, limits};

/// How often a call is repeated, and how long to pause before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries after the first.
    pub retries_max: u32,
    /// The first pause; each further one is twice as long.
    pub pause_first: Duration,
    /// The longest pause.
    pub pause_max: Duration,
}

impl Default for RetryPolicy {
    /// Some 16 seconds in all.
    fn default() -> Self {
        Self {
            retries_max: limits::CALL_RETRIES_MAX,
            pause_first: Duration::from_millis(limits::RETRY_PAUSE_FIRST_MILLISECONDS),
            pause_max: Duration::from_millis(limits::RETRY_PAUSE_MAX_MILLISECONDS),
        }
    }
}

/// Whether a call may be made twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Twice is as good as once.
    Safe,
    /// The second one would be refused, or would do something again. It is repeated only where the first never left.
    Never,
}

/// A failed try: the error, and whether the request may have reached the peer.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: Error,
    pub(super) was_sent: bool,
    /// How long the peer asked to pause before the next try.
    pub(super) retry_after: Option<Duration>,
}

impl Failure {
    /// A try that ended after the request was sent.
    pub(super) fn after_sending(error: Error) -> Self {
        Self { error, was_sent: true, retry_after: None }
    }

    /// A try that ended before the request was sent.
    pub(super) fn before_sending(error: Error) -> Self {
        Self { error, was_sent: false, retry_after: None }
    }
}

impl RetryPolicy {
    /// Never a second try: for a caller that has its own way of trying again.
    pub const NONE: Self = Self { retries_max: 0, pause_first: Duration::ZERO, pause_max: Duration::ZERO };

    /// The same with at most so many further tries.
    #[must_use]
    pub(super) fn at_most(self, retries_max: u32) -> Self {
        Self { retries_max: self.retries_max.min(retries_max), ..self }
    }

    /// Makes a call, and makes it again where that is safe and may help.
    pub(super) fn run<T>(
        &self,
        clock: &dyn Clock,
        repeat: Repeat,
        mut attempt: impl FnMut() -> Result<T, Failure>,
    ) -> Result<T> {
        let mut pause = self.pause_first;
        let mut retries = 0;
        loop {
            let failure = match attempt() {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            };
            if retries == self.retries_max || !failure.may_be_repeated(repeat) {
                return Err(failure.error);
            }
            // A peer may ask for a longer pause, and not for any length.
            let asked =
                failure.retry_after.unwrap_or_default().min(Duration::from_secs(limits::RETRY_AFTER_SECONDS_MAX));
            let pause_now = pause.max(asked);
            tracing::debug!(retries, pause = ?pause_now, error = %failure.error, "a call failed and is made again");
            clock.pause(pause_now);
            pause = (pause * 2).min(self.pause_max);
            retries += 1;
        }
    }
}

impl Failure {
    fn may_be_repeated(&self, repeat: Repeat) -> bool {
        // A peer that took too long to answer is at work: asking it to do the same again would not make it faster.
        let may_help = self.error.is_retryable() && self.error.kind() != ErrorKind::Timeout;
        may_help && (repeat == Repeat::Safe || !self.was_sent)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use chrono::{DateTime, Utc};

    use super::*;

    /// A clock that notes pauses instead of waiting.
    #[derive(Default)]
    struct Pauses(Mutex<Vec<u128>>);

    impl Clock for Pauses {
        fn now(&self) -> DateTime<Utc> {
            DateTime::UNIX_EPOCH
        }
        fn elapsed(&self) -> Duration {
            Duration::ZERO
        }
        fn pause(&self, duration: Duration) {
            self.0.lock().expect("no test panics with the lock").push(duration.as_millis());
        }
    }

    fn tries(repeat: Repeat, kind: ErrorKind, was_sent: bool) -> (u32, Vec<u128>) {
        let policy = RetryPolicy {
            retries_max: 4,
            pause_first: Duration::from_millis(100),
            pause_max: Duration::from_millis(300),
        };
        let (pauses, mut count) = (Pauses::default(), 0);
        let result: Result<()> = policy.run(&pauses, repeat, || {
            count += 1;
            Err(Failure { was_sent, ..Failure::after_sending(Error::new(kind, "try")) })
        });
        assert_eq!(result.expect_err("it always fails").kind(), kind);
        (count, pauses.0.into_inner().expect("no test panics with the lock"))
    }

    #[test]
    fn a_lost_connection_is_tried_again_with_growing_pauses_and_an_end() {
        assert_eq!(tries(Repeat::Safe, ErrorKind::Connection, true), (5, vec![100, 200, 300, 300]));
    }

    #[test]
    fn a_call_that_must_not_happen_twice_is_repeated_only_where_it_never_left() {
        assert_eq!(tries(Repeat::Never, ErrorKind::Connection, true).0, 1);
        assert_eq!(tries(Repeat::Never, ErrorKind::Connection, false).0, 5);
    }

    #[test]
    fn a_refusal_and_a_peer_that_is_still_at_work_are_not_asked_again() {
        assert_eq!(tries(Repeat::Safe, ErrorKind::FilterOutsideScope, true).0, 1);
        assert_eq!(tries(Repeat::Safe, ErrorKind::Timeout, true).0, 1);
    }

    #[test]
    fn a_peer_that_asks_for_a_pause_is_given_it_within_reason() {
        let policy = RetryPolicy { retries_max: 2, ..RetryPolicy::default() };
        let pauses = Pauses::default();
        let mut asked = [3, 100_000].into_iter().map(Duration::from_secs);
        let result: Result<()> = policy.run(&pauses, Repeat::Safe, || {
            let error = Error::new(ErrorKind::PeerRefused, "try").retryable();
            Err(Failure { retry_after: asked.next(), ..Failure::after_sending(error) })
        });
        result.expect_err("it always fails");
        let longest = u128::from(limits::RETRY_AFTER_SECONDS_MAX) * 1_000;
        assert_eq!(pauses.0.into_inner().expect("no test panics with the lock"), [3_000, longest]);
    }
}
