//! Guesses at passwords: whoever guesses wrong again and again has to wait between one guess and the next.
//!
//! Wrong guesses are counted for each user as seen from each address, so that nobody can lock a user out from elsewhere; and for each
//! address alone, since a common password may be tried on many users. A guess counts as wrong from its beginning until it has
//! proved to be right: many at one time are as many.
//!
//! Whoever guesses writes the user part as he likes, and has more than one address. So one user is whoever has one `username`, whatever
//! stands beside it, and one address is what one caller is given: of IPv6 a whole network (/64). Callers of whom no address is
//! known are one.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::id::SyncId;
use crate::limits;
use crate::port::Credentials;
use crate::{Error, ErrorKind, Result};

/// Who guessed wrong how often, since this peer was started.
#[derive(Debug, Default)]
pub(super) struct Guesses(Mutex<HashMap<Guesser, Wrong>>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Guesser {
    /// Empty where it is not known.
    address: String,
    guessed: Guessed,
}

/// At whose password somebody guesses. User parts may be long, so that their hashes stand for them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Guessed {
    /// That of whoever is written exactly like this.
    Spelling(SyncId),
    /// That of whoever has this name.
    User(SyncId),
    /// Anybody's.
    Anybody,
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
    fn all(ip: &str, credentials: &Credentials) -> [Self; 3] {
        let address = address_of(ip);
        let spelling = Guessed::Spelling(SyncId::hash_of(&credentials.user));
        let user = Guessed::User(SyncId::hash_of(&name_of(credentials)));
        [spelling, user, Guessed::Anybody].map(|guessed| Self { address: address.clone(), guessed })
    }

    /// How many guesses are free; all of them where they are only counted to be taken back.
    fn free(&self) -> Option<u32> {
        match self.guessed {
            Guessed::Spelling(_) => None,
            Guessed::User(_) => Some(limits::GUESSES_FREE),
            Guessed::Anybody => Some(limits::GUESSES_FREE_OF_ADDRESS),
        }
    }
}

/// What tells one caller from another in an address.
fn address_of(ip: &str) -> String {
    match ip.parse().map(|ip: IpAddr| ip.to_canonical()) {
        Ok(IpAddr::V4(ip)) => ip.to_string(),
        // The lower half is the caller's own choice.
        Ok(IpAddr::V6(ip)) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).to_string(),
        Err(_) => ip.chars().take(limits::IP_CHARS_MAX).collect(),
    }
}

/// What tells one user from another in the user part.
///
/// That is the name alone: an application may read further values or none, and one that it does not read would make as many users
/// of one as somebody can write. For the same reason capitals and blanks around it do not count.
fn name_of(credentials: &Credentials) -> String {
    let name = credentials.user_values().remove("username");
    name.unwrap_or_else(|| credentials.user.clone()).trim().to_lowercase()
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
    pub(super) fn begin(&self, now: Duration, ip: &str, credentials: &Credentials) -> Result<()> {
        let guessers = Guesser::all(ip, credentials);
        let mut all = self.lock();
        for guesser in &guessers {
            let Some(free) = guesser.free() else { continue };
            let Some(wrong) = all.get(guesser).filter(|wrong| !wrong.is_forgotten(now)) else { continue };
            let left = wrong.pause(free).saturating_sub(now.saturating_sub(wrong.last));
            if !left.is_zero() {
                tracing::warn!(address = guesser.address, count = wrong.count, "a guess at a password has to wait");
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

    /// A guess that was begun was right: none of those that were spelled like it count any more, and one less of the address's.
    ///
    /// Two users may have one name, each in a school of its own. Whoever knows one password must not win free guesses at the other.
    pub(super) fn prove_right(&self, ip: &str, credentials: &Credentials) {
        let [spelling, user, anybody] = Guesser::all(ip, credentials);
        let mut all = self.lock();
        let proven = all.remove(&spelling).map_or(1, |wrong| wrong.count);
        for (guesser, count) in [(user, proven), (anybody, 1)] {
            if let Some(wrong) = all.get_mut(&guesser) {
                wrong.count = wrong.count.saturating_sub(count);
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

    /// The credentials of a user part.
    fn as_user(user: &str) -> Credentials {
        Credentials::new(user, "open-sesame")
    }

    /// Guesses wrong so often, without a pause.
    fn guess(guesses: &Guesses, ip: &str, user: &str, times: u32) {
        for _ in 0..times {
            guesses.begin(at(0), ip, &as_user(user)).expect("it need not wait yet");
        }
    }

    #[test]
    fn who_guesses_wrong_often_waits_longer_each_time_and_up_to_a_minute() {
        let guesses = Guesses::default();
        guess(&guesses, HERE, "admin", limits::GUESSES_FREE);
        let mut now = 0;
        for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
            let error = guesses.begin(at(now + pause - 1), HERE, &as_user("admin")).expect_err("it has to wait");
            assert_eq!(error.kind(), ErrorKind::Unauthenticated);
            assert_eq!(error.hint(), Some("wait 1 s, and show the right ones"));
            now += pause;
            guesses.begin(at(now), HERE, &as_user("admin")).expect("it has waited");
        }
    }

    #[test]
    fn nobody_else_waits_and_a_right_guess_or_some_time_ends_the_waiting() {
        let guesses = Guesses::default();
        guess(&guesses, HERE, "admin", limits::GUESSES_FREE);
        guesses.begin(at(0), HERE, &as_user("ada")).expect("another user");
        guesses.begin(at(0), ELSEWHERE, &as_user("admin")).expect("another address");
        guesses.begin(at(1), HERE, &as_user("admin")).expect("it has waited");
        guesses.prove_right(HERE, &as_user("admin"));
        guess(&guesses, HERE, "admin", limits::GUESSES_FREE);
        assert!(guesses.begin(at(0), HERE, &as_user("admin")).is_err());
        let later = limits::GUESSES_FORGOTTEN_SECONDS;
        for _ in 0..limits::GUESSES_FREE {
            guesses.begin(at(later), HERE, &as_user("admin")).expect("it was long ago");
        }
    }

    #[test]
    fn a_user_who_is_spelled_otherwise_each_time_is_still_one() {
        let spellings: [fn(u32) -> String; 4] = [
            |number| format!("username=admin&x={number}"),
            |number| format!("{number}=x&admin"),
            |number| format!("username={number}&username=admin"),
            |number| format!("{}ADMIN", " ".repeat(number as usize)),
        ];
        for (ip, spell) in [HERE, ""].into_iter().flat_map(|ip| spellings.map(|spell| (ip, spell))) {
            let guesses = Guesses::default();
            for number in 0..limits::GUESSES_FREE {
                guess(&guesses, ip, &spell(number), 1);
            }
            let another = spell(limits::GUESSES_FREE);
            assert!(guesses.begin(at(0), ip, &as_user(&another)).is_err(), "{another:?}");
            assert!(guesses.begin(at(0), ip, &as_user("admin")).is_err(), "as a guess that is spelled plainly");
            guess(&guesses, ip, "username=ada", 1);
        }
    }

    #[test]
    fn where_there_is_no_name_the_whole_text_is_the_user() {
        let guesses = Guesses::default();
        guess(&guesses, HERE, "email=admin", limits::GUESSES_FREE);
        assert!(guesses.begin(at(0), HERE, &as_user("email=admin")).is_err());
        guess(&guesses, HERE, "email=ada", 1);
    }

    #[test]
    fn who_knows_the_password_of_a_namesake_wins_no_free_guesses() {
        let guesses = Guesses::default();
        let (hill, harbour) = ("username=ada&school=hill", "username=ada&school=harbour");
        guess(&guesses, HERE, harbour, limits::GUESSES_FREE - 1);
        guess(&guesses, HERE, hill, 1);
        guesses.prove_right(HERE, &as_user(hill));
        guess(&guesses, HERE, harbour, 1);
        assert!(guesses.begin(at(0), HERE, &as_user(harbour)).is_err());
        guesses.prove_right(HERE, &as_user(harbour));
        guess(&guesses, HERE, harbour, limits::GUESSES_FREE);
    }

    #[test]
    fn a_network_of_ipv6_addresses_is_one_caller() {
        let guesses = Guesses::default();
        for number in 0..limits::GUESSES_FREE {
            guess(&guesses, &format!("2001:db8:1:2:{number}::1"), "admin", 1);
            guess(&guesses, &format!("::ffff:192.0.2.{number}"), "admin", 1);
        }
        let refused = |ip: &str| guesses.begin(at(0), ip, &as_user("admin")).is_err();
        assert!(refused("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert!(!refused("2001:db8:1:3::1"), "another network");
        assert!(!refused("::ffff:192.0.2.200"), "another address of IPv4");
        guess(&guesses, "::ffff:192.0.2.1", "ada", limits::GUESSES_FREE);
        assert!(guesses.begin(at(0), HERE, &as_user("ada")).is_err(), "the same address");
    }

    #[test]
    fn one_password_tried_on_many_users_has_to_wait_too() {
        let guesses = Guesses::default();
        for number in 0..limits::GUESSES_FREE_OF_ADDRESS {
            guess(&guesses, HERE, &number.to_string(), 1);
            guess(&guesses, "", &number.to_string(), 1);
        }
        assert!(guesses.begin(at(0), HERE, &as_user("one more")).is_err());
        assert!(guesses.begin(at(0), "", &as_user("one more")).is_err(), "all who are not known are one");
        guesses.begin(at(0), ELSEWHERE, &as_user("one more")).expect("another address");
    }

    #[test]
    fn those_who_are_remembered_are_bounded() {
        let guesses = Guesses::default();
        for number in 0..=limits::GUESSERS_MAX as u64 {
            guesses.begin(at(number / 100), &number.to_string(), &as_user("admin")).expect("each guesses once");
        }
        assert!(guesses.lock().len() <= limits::GUESSERS_MAX);
    }
}
