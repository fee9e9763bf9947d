//! Another instance in the place of the one that this was.

use morango::counter::{DatabaseMaxCounters, Stamp};
use morango::id::{DatabaseId, InstanceId};
use morango::port::{Adoption, OwnCounters, Renewal, Renewed};
use morango::{Result, limits};

use crate::data::Data;
use crate::state::State;

impl Data {
    pub(crate) fn own_counters(&self) -> Result<OwnCounters> {
        let Stamp { instance, counter } = self.current_stamp()?;
        Ok(OwnCounters { instance, counter, told: self.told.get(&instance).copied().unwrap_or(0) })
    }

    /// Becomes an instance, unless it would count on from less than is known of it.
    pub(crate) fn adopt_unless_known(&mut self, instance: InstanceId) -> Result<Adoption> {
        if self.instance.is_some_and(|current| current != instance) && self.is_known_beyond(instance) {
            return Ok(Adoption::KnownBeyond);
        }
        self.adopt(instance).map(|_| Adoption::Adopted)
    }

    fn is_known_beyond(&self, instance: InstanceId) -> bool {
        let counted = self.instances.get(&instance).copied().unwrap_or(0);
        let saved = self.store.values().map(|held| held.record.last_saved);
        let claimed = self.counters.iter().chain(self.unclaimed.iter()).map(|(_, claim)| claim);
        let history = self.store.values().filter_map(|held| held.record.counters.get(&instance));
        let known = saved.chain(claimed).filter(|known| known.instance == instance).map(|known| known.counter);
        known.chain(history).any(|known| known > counted)
    }

    /// Becomes an instance, and takes up what the one before left. Says how many records were saved anew.
    pub(crate) fn adopt(&mut self, instance: InstanceId) -> Result<u64> {
        let former = self.instance.filter(|former| *former != instance).map(|_| self.own_counters()).transpose()?;
        self.instances.entry(instance).or_insert(0);
        self.instance = Some(instance);
        former.map_or(Ok(0), |former| self.succeed(&former))
    }

    fn succeed(&mut self, former: &OwnCounters) -> Result<u64> {
        let mut saved_anew = 0;
        if former.counter > former.told {
            let stamp = self.raise_counter()?;
            saved_anew = self.save_anew(former, stamp);
            for (partition, claim) in self.counters.clone().iter() {
                if claim.instance == former.instance {
                    self.counters.raise(partition, stamp);
                }
            }
        }
        self.claim_told(Stamp::new(former.instance, former.told));
        Ok(saved_anew)
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
    /// Becomes another instance, unless that was done often lately. A time that is yet to come was noted by a clock that was wrong.
    pub(crate) fn renew_instance(&mut self, renewal: &Renewal<'_>) -> Result<Option<Renewed>> {
        if let Some(since) = renewal.unless_since
            && self.renewed_at.iter().filter(|at| **at > since && **at <= renewal.now).count() >= limits::RENEWALS_MAX
        {
            return Ok(None);
        }
        let former = self.data.own_counters()?.instance;
        self.database = DatabaseId::random();
        let current = (renewal.successor)(self.database).id;
        let restamped = self.data.adopt(current)?;
        self.renewed_at.push(renewal.now);
        Ok(Some(Renewed { former, current, restamped }))
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

    /// Claims of a former instance what it told of: no more than that where something is claimed, and all of it in the other partitions
    /// in which its records lie.
    fn claim_told(&mut self, told: Stamp) {
        let mut claims = DatabaseMaxCounters::new();
        for (partition, claim) in self.counters.iter() {
            if claim.instance != told.instance {
                claims.raise(partition, claim);
            } else if told.counter > 0 {
                claims.raise(partition, told);
            }
        }
        self.counters = claims.clone();
        for record in self.store.values().map(|held| &held.record) {
            if record.last_saved.instance == told.instance && !claims.covers(&record.partition, told) {
                self.counters.raise(&record.partition, told);
            }
        }
    }
}
