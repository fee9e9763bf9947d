//! When what a power failure may take back is written to the disk after all.
//!
//! Waiting for the disk with each chunk would take a good part of a transfer's time; waiting once in a while takes next to nothing, and
//! bounds what is lost with the power.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use morango::limits;

use crate::backend::Durability;

/// Since when something waits to be written to the disk.
#[derive(Debug, Default)]
pub(crate) struct Flush(Mutex<Option<Instant>>);

impl Flush {
    /// What the commit of something received promises. A durable one takes with it what was committed before.
    pub(crate) fn of_received(&self, now: Instant) -> Durability {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *since {
            Some(first)
                if now.saturating_duration_since(first) >= Duration::from_secs(limits::RECEIVED_LOST_SECONDS_MAX) =>
            {
                *since = None;
                Durability::Durable
            }
            Some(_) => Durability::Buffered,
            None => {
                *since = Some(now);
                Durability::Buffered
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_received_waits_for_the_disk_once_in_a_while_only() {
        let (flush, began) = (Flush::default(), Instant::now());
        let at = |millis| flush.of_received(began + Duration::from_millis(millis));
        let promised: Vec<u64> =
            (0..5_000).step_by(100).filter(|at_millis| at(*at_millis) == Durability::Durable).collect();
        assert_eq!(promised, [1_000, 2_100, 3_200, 4_300]);
        assert_eq!(
            at(3_600_000),
            Durability::Durable,
            "the first of another transfer takes with it what was left of the last"
        );
        assert_eq!(at(3_600_001), Durability::Buffered);
    }
}
