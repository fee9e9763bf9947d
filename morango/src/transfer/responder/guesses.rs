//! Guesses at passwords: whoever guesses wrong again and again has to wait between one guess and the next.
//!
//! Wrong guesses are counted for each user as seen from each address, so that nobody can lock a user out from elsewhere; and for each
//! address alone, since a common password may be tried on many users. A guess counts as wrong from its beginning until it has
//! proved to be right: many at one time are as many.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::id::SyncId;
use crate::limits;
use crate::{Error, ErrorKind, Result};

/// Who guessed wrong how often, since this peer was started.
#[derive(Debug, Default)]
pub(super) struct Guesses(Mutex<HashMap<Guesser, Wrong>>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Guesser {
    /// Empty where it is not known.
    ip: String,
    /// The hash of the user part, which may be long; `None` for all users together.
    user: Option<SyncId>,
}

/// Wrong guesses of one guesser.
#[derive(Debug, Clone, Copy)]
struct Wrong {
    count: u32,
    /// When the last one was, by the monotonic clock.
    last: Duration,
}

impl Guesser {
    /// As whom a caller guesses at a user's password.
    fn all(ip: &str, user: &str) -> impl Iterator<Item = Self> {
        let ip: String = ip.chars().take(limits::IP_CHARS_MAX).collect();
        // Where addresses are not known everybody would be one.
        let of_address = (!ip.is_empty()).then(|| Self { ip: ip.clone(), user: None });
        std::iter::once(Self { ip, user: Some(SyncId::hash_of(user)) }).chain(of_address)
    }

    fn free(&self) -> u32 {
        if self.user.is_some() { limits::GUESSES_FREE } else { limits::GUESSES_FREE_OF_ADDRESS }
    }
}

impl Wrong {
    /// How long has to be waited after the last guess: twice as long after each, up to a minute.
    fn pause(self, free: u32) -> Duration {
        let Some(beyond) = self.count.checked_sub(free) else { return Duration::ZERO };
        Duration::from_secs(1_u64.checked_shl(beyond).unwrap_or(u64::MAX).min(limits::GUESS_PAUSE_SECONDS_MAX))
    }

    fn is_forgotten(self, now: Duration) -> bool {
        now.saturating_sub(self.last).as_secs() >= limits::GUESSES_FORGOTTEN_SECONDS
    }
}

impl Guesses {
    /// Lets a guess be made, which counts as wrong until [`prove_right`](Self::prove_right).
    ///
    /// # Errors
    /// [`ErrorKind::Unauthenticated`] where the caller has to wait. The guess is not looked at, and does not count.
    pub(super) fn begin(&self, now: Duration, ip: &str, user: &str) -> Result<()> {
        let mut all = self.lock();
        let guessers: Vec<Guesser> = Guesser::all(ip, user).collect();
        for guesser in &guessers {
            let Some(wrong) = all.get(guesser).filter(|wrong| !wrong.is_forgotten(now)) else { continue };
            let left = wrong.pause(guesser.free()).saturating_sub(now.saturating_sub(wrong.last));
            if !left.is_zero() {
                tracing::warn!(ip = guesser.ip, count = wrong.count, "a guess at a password has to wait");
                let message = "check the credentials: too many wrong ones were shown from this address";
                let hint = format!("wait {} s, and show the right ones", left.as_secs_f64().ceil());
                return Err(Error::new(ErrorKind::Unauthenticated, message).with_hint(hint));
            }
        }
        for guesser in guessers {
            let wrong = all.entry(guesser).or_insert(Wrong { count: 0, last: now });
            if wrong.is_forgotten(now) {
                wrong.count = 0;
            }
            *wrong = Wrong { count: wrong.count.saturating_add(1), last: now };
        }
        forget(&mut all, now);
        Ok(())
    }

    /// A guess that was begun was right: none of this user's count any more, and one less of the address's.
    pub(super) fn prove_right(&self, ip: &str, user: &str) {
        let mut all = self.lock();
        for guesser in Guesser::all(ip, user) {
            if guesser.user.is_some() {
                all.remove(&guesser);
            } else if let Some(wrong) = all.get_mut(&guesser) {
                wrong.count = wrong.count.saturating_sub(1);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Guesser, Wrong>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps those who guess within their number: what is old goes, and else the quarter that has not guessed for longest.
fn forget(all: &mut HashMap<Guesser, Wrong>, now: Duration) {
    if all.len() <= limits::GUESSERS_MAX {
        return;
    }
    all.retain(|_, wrong| !wrong.is_forgotten(now));
    if all.len() <= limits::GUESSERS_MAX {
        return;
    }
    let mut oldest: Vec<(Duration, Guesser)> =
        all.iter().map(|(guesser, wrong)| (wrong.last, guesser.clone())).collect();
    oldest.sort_unstable_by_key(|(last, _)| *last);
    for (_, guesser) in &oldest[..oldest.len() / 4] {
        all.remove(guesser);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "192.0.2.1";
    const ELSEWHERE: &str = "192.0.2.2";

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Guesses wrong so often, without a pause.
    fn guess(guesses: &Guesses, ip: &str, user: &str, times: u32) {
        for _ in 0..times {
            guesses.begin(at(0), ip, user).expect("it need not wait yet");
        }
    }

    #[test]
    fn who_guesses_wrong_often_waits_longer_each_time_and_up_to_a_minute() {
        let guesses = Guesses::default();
        guess(&guesses, HERE, "admin", limits::GUESSES_FREE);
        let mut now = 0;
        for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
            let error = guesses.begin(at(now + pause - 1), HERE, "admin").expect_err("it has to wait");
            assert_eq!(error.kind(), ErrorKind::Unauthenticated);
            assert_eq!(error.hint(), Some("wait 1 s, and show the right ones"));
            now += pause;
            guesses.begin(at(now), HERE, "admin").expect("it has waited");
        }
    }

    #[test]
    fn nobody_else_waits_and_a_right_guess_or_some_time_ends_the_waiting() {
        let guesses = Guesses::default();
        guess(&guesses, HERE, "admin", limits::GUESSES_FREE);
        guesses.begin(at(0), HERE, "ada").expect("another user");
        guesses.begin(at(0), ELSEWHERE, "admin").expect("another address");
        guesses.begin(at(1), HERE, "admin").expect("it has waited");
        guesses.prove_right(HERE, "admin");
        guess(&guesses, HERE, "admin", limits::GUESSES_FREE);
        assert!(guesses.begin(at(0), HERE, "admin").is_err());
        let later = limits::GUESSES_FORGOTTEN_SECONDS;
        for _ in 0..limits::GUESSES_FREE {
            guesses.begin(at(later), HERE, "admin").expect("it was long ago");
        }
    }

    #[test]
    fn one_password_tried_on_many_users_has_to_wait_too_where_addresses_are_known() {
        let guesses = Guesses::default();
        for number in 0..limits::GUESSES_FREE_OF_ADDRESS {
            guess(&guesses, HERE, &number.to_string(), 1);
            guess(&guesses, "", &number.to_string(), 1);
        }
        assert!(guesses.begin(at(0), HERE, "one more").is_err());
        guesses.begin(at(0), "", "one more").expect("everybody may be anybody");
        guesses.begin(at(0), ELSEWHERE, "one more").expect("another address");
    }

    #[test]
    fn those_who_are_remembered_are_bounded() {
        let guesses = Guesses::default();
        for number in 0..=limits::GUESSERS_MAX as u64 {
            guesses.begin(at(number / 100), &number.to_string(), "admin").expect("each guesses once");
        }
        assert!(guesses.lock().len() <= limits::GUESSERS_MAX);
    }
}
