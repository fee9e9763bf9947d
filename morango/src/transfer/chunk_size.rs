//! How many records go over at a time: as many as an application chose, or as many as the line is good for.
//!
//! On a quick line what each chunk costs beside its records is saved by longer chunks; on a slow one a lost connection has to cost no
//! more than a short one. This file knows neither lines nor records, only how long chunks took.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::limits;

/// The size of the next chunk. One thread may ask for it while another says how long chunks took.
#[derive(Debug)]
pub(super) struct ChunkSize {
    records: AtomicUsize,
    is_chosen: bool,
}

impl ChunkSize {
    /// The size that was chosen, or one that grows.
    pub(super) fn new(chosen: Option<usize>) -> Self {
        let records = chosen.unwrap_or(limits::CHUNK_RECORDS_DEFAULT);
        Self { records: AtomicUsize::new(records), is_chosen: chosen.is_some() }
    }

    /// Records of the next chunk.
    pub(super) fn records(&self) -> usize {
        self.records.load(Ordering::Relaxed)
    }

    /// A chunk took so long to go over.
    pub(super) fn took(&self, time: Duration) {
        let quick = Duration::from_millis(limits::CHUNK_QUICK_MILLISECONDS);
        let records = self.records();
        let next = match (self.is_chosen, time) {
            (false, time) if time < quick => records * 2,
            (false, time) if time > 4 * quick => records / 2,
            _ => return,
        };
        let next = next.clamp(limits::CHUNK_RECORDS_DEFAULT, limits::CHUNK_RECORDS_GROWN_MAX);
        self.records.store(next, Ordering::Relaxed);
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
                chosen.took(time);
                free.took(time);
                free.records()
            })
            .collect();
        assert_eq!(sizes, [1_000, 2_000, 2_000, 2_000, 1_000, 500, 500, 1_000]);
        assert_eq!(chosen.records(), 7);
    }
}
