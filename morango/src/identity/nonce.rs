//! Nonces: numbers that a server hands out to be signed once, so that an old signature opens nothing.
//!
//! A storage keeps them and sees to it that each is used once. This file knows when one is too old, and what is signed.

use chrono::{DateTime, TimeDelta, Utc};

use crate::id::{NonceId, SyncSessionId};
use crate::limits;

/// A nonce that was handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nonce {
    /// The number itself.
    pub id: NonceId,
    /// When it was handed out.
    pub issued_at: DateTime<Utc>,
    /// To which address, for the log.
    pub ip: String,
}

impl Nonce {
    /// Whether the nonce is still good: handed out less than [`limits::NONCE_AGE_SECONDS_MAX`] ago, and not in the future.
    pub fn is_fresh(&self, now: DateTime<Utc>) -> bool {
        let age = now.signed_duration_since(self.issued_at);
        age >= TimeDelta::zero() && age < TimeDelta::seconds(limits::NONCE_AGE_SECONDS_MAX)
    }
}

/// The text that both sides of a new sync session sign.
///
/// *Shape*: `NONCE:ID`.
///
/// # Source
/// Protocol, chapter 4, `POST syncsessions/`.
pub fn session_challenge(nonce: &str, sync_session_id: SyncSessionId) -> String {
    format!("{nonce}:{sync_session_id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_for_a_minute_and_not_before_its_time() {
        let issued_at = DateTime::from_timestamp(1_700_000_000, 0).expect("a time");
        let nonce = Nonce { id: NonceId::hash_of("nonce"), issued_at, ip: String::new() };
        for (seconds, expected) in [(-1, false), (0, true), (59, true), (60, false)] {
            assert_eq!(nonce.is_fresh(issued_at + TimeDelta::seconds(seconds)), expected, "{seconds} s");
        }
    }

    #[test]
    fn both_sides_sign_the_nonce_and_the_session() {
        let id = SyncSessionId::from_bytes([0xa0; 16]);
        assert_eq!(session_challenge("5f5f", id), "5f5f:a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0");
    }
}
