//! Another instance in the place of the one that this was.

use chrono::{DateTime, Utc};
use morango::Result;
use morango::counter::{DatabaseMaxCounters, Stamp};
use morango::id::{DatabaseId, InstanceId};
use morango::port::{OwnCounters, Renewal, Renewed};

use crate::data::Data;
use crate::state::State;

impl Data {
    pub(crate) fn own_counters(&self) -> Result<OwnCounters> {
        let Stamp { instance, counter } = self.current_stamp()?;
        Ok(OwnCounters { instance, counter, told: self.told.get(&instance).copied().unwrap_or(0) })
    }

    /// Becomes an instance. All that the one before saved is claimed where it lies: its own syncs would have done that in time.
    pub(crate) fn adopt(&mut self, instance: InstanceId) {
        self.instances.entry(instance).or_insert(0);
        let former = self.instance.replace(instance).filter(|former| *former != instance);
        let claims = self.counters.clone();
        for record in self.store.values().map(|held| &held.record) {
            if Some(record.last_saved.instance) == former && !claims.covers(&record.partition, record.last_saved) {
                self.counters.raise(&record.partition, record.last_saved);
            }
        }
    }

    /// Others may know the current instance up to its counter.
    pub(crate) fn note_told(&mut self) -> Result<()> {
        let Stamp { instance, counter } = self.current_stamp()?;
        let told = self.told.entry(instance).or_insert(0);
        *told = counter.max(*told);
        Ok(())
    }
}

impl State {
    /// Becomes another instance, unless that was done lately. A time that is yet to come was noted by a clock that was wrong.
    pub(crate) fn renew_instance(&mut self, renewal: &Renewal<'_>) -> Result<Option<Renewed>> {
        let was_lately = |at: DateTime<Utc>| renewal.unless_since.is_some_and(|since| at > since && at <= renewal.now);
        if self.renewed_at.is_some_and(was_lately) {
            return Ok(None);
        }
        let former = self.data.own_counters()?;
        self.database = DatabaseId::random();
        let current = (renewal.successor)(self.database).id;
        self.data.adopt(current);
        self.renewed_at = Some(renewal.now);
        let stamp = self.data.raise_counter()?;
        let restamped = self.data.save_anew(&former, stamp);
        self.data.move_claims(&former, stamp);
        Ok(Some(Renewed { former: former.instance, current, restamped }))
    }
}

impl Data {
    /// Saves anew what the former instance saved and told nobody of.
    fn save_anew(&mut self, former: &OwnCounters, stamp: Stamp) -> u64 {
        let mut restamped = 0;
        for held in self.store.values_mut() {
            let saved = held.record.last_saved;
            if saved.instance == former.instance && saved.counter > former.told {
                held.record.last_saved = stamp;
                held.record.counters.lower(Stamp::new(former.instance, former.told));
                held.record.counters.raise(stamp);
                restamped += 1;
            }
        }
        restamped
    }

    /// Claims of the new instance everything, wherever something of the former is claimed, and of that one what it told of.
    fn move_claims(&mut self, former: &OwnCounters, stamp: Stamp) {
        let mut claims = DatabaseMaxCounters::new();
        for (partition, claim) in self.counters.iter() {
            if claim.instance != former.instance {
                claims.raise(partition, claim);
                continue;
            }
            claims.raise(partition, stamp);
            if former.told > 0 {
                claims.raise(partition, Stamp::new(claim.instance, former.told));
            }
        }
        self.counters = claims;
    }
}
