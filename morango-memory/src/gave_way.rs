//! Records in which ours gave way, where this instance may not write: they are saved anew before they leave.

use morango::Result;
use morango::scope::Filter;

use crate::data::{Data, Held};

impl Held {
    /// Whether ours gave way in it, and it was not replaced since.
    fn still_gives_way(&self) -> bool {
        self.gave_way == Some(self.record.last_saved)
    }
}

impl Data {
    /// Saves anew what gave way of a profile under a filter. The counter moves by one if there is any, and else not at all.
    pub(crate) fn save_what_gave_way(&mut self, profile: &str, filter: &Filter) -> Result<u64> {
        let meant = self.in_order(|held| {
            held.still_gives_way() && held.record.profile == profile && filter.contains(&held.record.partition)
        });
        if meant.is_empty() {
            return Ok(0);
        }
        let stamp = self.raise_counter()?;
        for id in &meant {
            let held = self.store.get_mut(id).expect("it was found");
            held.note_before_saving(&self.counters, stamp.instance);
            held.record.last_saved = stamp;
            held.record.counters.raise(stamp);
            held.gave_way = None;
        }
        Ok(meant.len() as u64)
    }
}
