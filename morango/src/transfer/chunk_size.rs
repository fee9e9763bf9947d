//! How many records go over at a time: as many as an application chose, or as many as the line is good for.
//!
//! On a quick line what each chunk costs beside its records is saved by longer chunks; on a slow one a lost connection has to cost no
//! more than a short one. This file knows neither lines nor records, only how long chunks took.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::limits;

/// The size of the next chunk. One thread may ask for it while another says how long chunks took.
#[derive(Debug)]
pub(super) struct ChunkSize {
    records: AtomicUsize,
    /// Whether it stays as it is: it was chosen, or a longer one was refused.
    is_fixed: AtomicBool,
}

impl ChunkSize {
    /// The size that was chosen, or one that grows.
    pub(super) fn new(chosen: Option<usize>) -> Self {
        let records = chosen.unwrap_or(limits::CHUNK_RECORDS_DEFAULT);
        Self { records: AtomicUsize::new(records), is_fixed: AtomicBool::new(chosen.is_some()) }
    }

    /// Records of the next chunk.
    pub(super) fn records(&self) -> usize {
        self.records.load(Ordering::Relaxed)
    }

    /// A chunk of so many bytes took so long to go over.
    pub(super) fn took(&self, bytes: u64, time: Duration) {
        if self.is_fixed.load(Ordering::Relaxed) {
            return;
        }
        let quick = Duration::from_millis(limits::CHUNK_QUICK_MILLISECONDS);
        let records = self.records();
        let next = if time < quick && bytes < limits::CHUNK_BYTES_GROWN_MAX / 2 {
            records * 2
        } else if time > 4 * quick {
            records / 2
        } else {
            records
        };
        let next = next.clamp(limits::CHUNK_RECORDS_DEFAULT, limits::CHUNK_RECORDS_GROWN_MAX);
        self.records.store(next, Ordering::Relaxed);
    }

    /// A chunk was refused for its length, by the peer or by something on the way. Says whether a shorter one may go: then chunks are
    /// as short as they were at the beginning, from here on.
    pub(super) fn was_too_long(&self) -> bool {
        let has_grown = self.records() > limits::CHUNK_RECORDS_DEFAULT && !self.is_fixed.swap(true, Ordering::Relaxed);
        if has_grown {
            self.records.store(limits::CHUNK_RECORDS_DEFAULT, Ordering::Relaxed);
        }
        has_grown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chosen_size_stays_and_another_one_goes_with_the_line() {
        let (chosen, free) = (ChunkSize::new(Some(7)), ChunkSize::new(None));
        let sizes: Vec<usize> = [1, 1, 1, 300, 1_001, 5_000, 5_000, 1]
            .into_iter()
            .map(|milliseconds| {
                let time = Duration::from_millis(milliseconds);
                chosen.took(1, time);
                free.took(1, time);
                free.records()
            })
            .collect();
        assert_eq!(sizes, [1_000, 2_000, 2_000, 2_000, 1_000, 500, 500, 1_000]);
        assert_eq!(chosen.records(), 7);
        assert!(!chosen.was_too_long(), "nothing shorter was asked for");
    }

    #[test]
    fn chunks_of_long_records_do_not_grow_and_what_was_too_long_is_not_tried_again() {
        let size = ChunkSize::new(None);
        size.took(limits::CHUNK_BYTES_GROWN_MAX, Duration::ZERO);
        assert_eq!(size.records(), 500);
        size.took(1, Duration::ZERO);
        assert!(size.was_too_long());
        size.took(1, Duration::ZERO);
        assert_eq!(size.records(), 500);
        assert!(!size.was_too_long(), "it is as short as it gets");
    }
}
