//! What an application can do about records that wait: see them, have them tried again, or do without them.

use super::Engine;
use crate::Result;
use crate::port::{DeserializeOrder, DeserializeReport, FailedBefore, WaitingCursor, WaitingPage, WaitingRecords};
use crate::scope::Filter;

impl Engine {
    /// Makes rows of the store's records under a filter that wait for it, apart from a sync: for example after an update of
    /// the application that knows more models.
    ///
    /// # Errors
    /// The storage fails. A record that cannot become a row is no error: it waits on, and is in the report.
    pub fn deserialize(&self, profile: &str, filter: &Filter) -> Result<DeserializeReport> {
        self.deserialize_with(profile, filter, self.home.failed_before)
    }

    /// [`deserialize`](Self::deserialize), with a say in what becomes of those that failed before.
    ///
    /// # Errors
    /// As [`deserialize`](Self::deserialize).
    pub fn deserialize_with(
        &self,
        profile: &str,
        filter: &Filter,
        failed_before: FailedBefore,
    ) -> Result<DeserializeReport> {
        let order = DeserializeOrder { profile, filter, failed_before, now: self.home.clock.now() };
        self.home.storage.deserialize(&order, &|_| std::ops::ControlFlow::Continue(()))
    }

    /// A page of the records that wait: which, why, since when, and from whom they came. It holds at most `limit` records,
    /// fewer where they are large, and says from where the next page goes on.
    ///
    /// ```no_run
    /// # use morango::port::WaitingRecords;
    /// # fn show(engine: &morango::engine::Engine) -> morango::Result<()> {
    /// let which = WaitingRecords::of("notebook");
    /// let mut page = engine.waiting(&which, None, 100)?;
    /// loop {
    ///     for record in &page.records {
    ///         println!("{} {}: {} since {:?}", record.model, record.id, record.reason, record.since);
    ///     }
    ///     let Some(next) = page.next else { return Ok(()) };
    ///     page = engine.waiting(&which, Some(&next), 100)?;
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// The storage fails.
    pub fn waiting(&self, which: &WaitingRecords, after: Option<&WaitingCursor>, limit: usize) -> Result<WaitingPage> {
        self.home.storage.waiting(which, after, limit)
    }

    /// Tries records that wait once more, and those that were never tried with them. Dropped ones come back by it.
    ///
    /// # Errors
    /// The storage fails.
    pub fn retry_waiting(&self, which: &WaitingRecords) -> Result<DeserializeReport> {
        self.home.storage.wait_again(which)?;
        self.deserialize_with(which.profile(), which.filter(), FailedBefore::Skip)
    }

    /// Does without records that wait: they are tried no more, and their rows stay as they are, or are not made.
    ///
    /// It changes nothing for other peers. The store keeps each record as it was received, under the stamps that it has, and
    /// passes it on. When the record changes again, here or elsewhere, it is tried again; should the row be changed here, that
    /// change wins, and what had been received is kept beside it as after any conflict. What other records point at stays
    /// missing here while it is dropped, so that they wait on. Returns how many were dropped.
    ///
    /// [`retry_waiting`](Self::retry_waiting) with [`WaitingRecords::dropped`] takes it back.
    ///
    /// # Errors
    /// The storage fails.
    pub fn drop_waiting(&self, which: &WaitingRecords) -> Result<u64> {
        self.home.storage.drop_waiting(which)
    }
}
