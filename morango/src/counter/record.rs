//! Record max counters: of one record, up to which count of each instance its history is in it.

use super::{CounterError, Stamp};
use crate::id::InstanceId;
use crate::limits;

/// Bytes of one entry as it is stored: the instance, then its counter with the highest byte first.
const ENTRY_BYTES: usize = 24;

/// For every instance that ever saved a record, the highest counter at which it did.
///
/// *Shape*: few entries, sorted by instance. Where they [cover](Self::covers) a stamp, the record has taken in what was saved there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct RecordMaxCounters(Vec<Stamp>);

impl RecordMaxCounters {
    /// No counters: of a record that nobody has saved yet.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The counters in these stamps; of several of one instance the highest counts.
    ///
    /// # Errors
    /// [`CounterError::OutOfRange`], and [`CounterError::TooMany`] over [`limits::RECORD_MAX_COUNTERS_MAX`].
    pub fn from_stamps(stamps: impl IntoIterator<Item = Stamp>) -> Result<Self, CounterError> {
        let mut taken = Vec::new();
        for stamp in stamps {
            if taken.len() == limits::RECORD_MAX_COUNTERS_MAX {
                return Err(CounterError::TooMany { max: limits::RECORD_MAX_COUNTERS_MAX });
            }
            taken.push(stamp.checked()?);
        }
        taken.sort_unstable_by(|one, other| other.cmp(one));
        taken.dedup_by_key(|stamp| stamp.instance);
        taken.reverse();
        Ok(Self(taken))
    }

    fn position(&self, instance: &InstanceId) -> Result<usize, usize> {
        self.0.binary_search_by_key(instance, |stamp| stamp.instance)
    }

    /// The counter of an instance, if it ever saved the record.
    pub fn get(&self, instance: &InstanceId) -> Option<i64> {
        self.position(instance).ok().map(|index| self.0[index].counter)
    }

    /// Whether what was saved at this stamp is in the record's history.
    pub fn covers(&self, stamp: &Stamp) -> bool {
        self.get(&stamp.instance).is_some_and(|counter| counter >= stamp.counter)
    }

    /// Takes in a stamp. A counter never falls.
    pub fn raise(&mut self, stamp: Stamp) {
        match self.position(&stamp.instance) {
            Ok(index) => self.0[index].counter = self.0[index].counter.max(stamp.counter),
            Err(index) => self.0.insert(index, stamp),
        }
    }

    /// Takes back what an instance saved beyond a counter.
    pub fn lower(&mut self, to: Stamp) {
        if let Ok(index) = self.position(&to.instance) {
            self.0[index].counter = self.0[index].counter.min(to.counter);
            if self.0[index].counter == 0 {
                self.0.remove(index);
            }
        }
    }

    /// Takes in every stamp of the other: the higher counter of each instance stays.
    pub fn merge_max(&mut self, other: &Self) {
        for stamp in &other.0 {
            self.raise(*stamp);
        }
    }

    /// The entries, sorted by instance.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Stamp> {
        self.0.iter().copied()
    }

    /// How many instances there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody has saved the record yet.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The compact form for a database: 24 bytes for each instance, sorted.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len() * ENTRY_BYTES);
        for stamp in &self.0 {
            bytes.extend_from_slice(stamp.instance.as_bytes());
            bytes.extend_from_slice(&stamp.counter.to_be_bytes());
        }
        bytes
    }

    /// Reads the compact form.
    ///
    /// # Errors
    /// [`CounterError::Bytes`] for a wrong length or order, [`CounterError::OutOfRange`] for a counter that nobody could have stored.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CounterError> {
        let damaged = CounterError::Bytes { length: bytes.len() };
        let (entries, rest) = bytes.as_chunks::<ENTRY_BYTES>();
        if !rest.is_empty() {
            return Err(damaged);
        }
        let mut stamps: Vec<Stamp> = Vec::with_capacity(entries.len());
        for entry in entries {
            let (instance, counter) = entry.split_at(16);
            let instance = InstanceId::from_bytes(instance.try_into().expect("16 bytes were split off"));
            let counter = i64::from_be_bytes(counter.try_into().expect("8 bytes are left of 24"));
            if stamps.last().is_some_and(|last| last.instance >= instance) {
                return Err(damaged);
            }
            stamps.push(Stamp { instance, counter }.checked()?);
        }
        Ok(Self(stamps))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::testing::Dice;

    fn stamp(instance: u8, counter: i64) -> Stamp {
        Stamp::new(InstanceId::from_bytes([instance; 16]), counter)
    }

    #[test]
    fn a_record_covers_the_stamps_up_to_its_counters() {
        let counters = RecordMaxCounters::from_stamps([stamp(2, 5), stamp(1, 3), stamp(2, 4)]).expect("good counters");
        assert_eq!((counters.len(), counters.is_empty(), RecordMaxCounters::new().is_empty()), (2, false, true));
        assert!(counters.covers(&stamp(2, 5)) && counters.covers(&stamp(1, 1)));
        assert!(!counters.covers(&stamp(2, 6)) && !counters.covers(&stamp(3, 0)));
    }

    #[test]
    fn counters_never_fall() {
        let mut counters = RecordMaxCounters::new();
        counters.raise(stamp(1, 5));
        counters.raise(stamp(1, 3));
        let other = RecordMaxCounters::from_stamps([stamp(1, 4), stamp(0, 9)]).expect("good counters");
        counters.merge_max(&other);
        assert_eq!(counters.iter().collect::<Vec<_>>(), [stamp(0, 9), stamp(1, 5)]);
    }

    #[test]
    fn what_an_instance_saved_beyond_a_counter_is_taken_back() {
        let counters = RecordMaxCounters::from_stamps([stamp(1, 5), stamp(2, 5)]).expect("good counters");
        let lowered = |to| {
            let mut counters = counters.clone();
            counters.lower(to);
            counters.iter().collect::<Vec<_>>()
        };
        assert_eq!(lowered(stamp(1, 3)), [stamp(1, 3), stamp(2, 5)]);
        assert_eq!(lowered(stamp(1, 7)), [stamp(1, 5), stamp(2, 5)], "nothing is added");
        assert_eq!(lowered(stamp(1, 0)), [stamp(2, 5)], "who never saved it has no counter");
        assert_eq!(lowered(stamp(3, 1)), [stamp(1, 5), stamp(2, 5)]);
    }

    #[test]
    fn a_record_may_have_as_many_counters_as_the_limit_and_no_more() {
        let stamps = |count: usize| {
            (0..count).map(|number| Stamp::new(InstanceId::hash_of(&number.to_string()), limits::COUNTER_MAX))
        };
        let most = RecordMaxCounters::from_stamps(stamps(limits::RECORD_MAX_COUNTERS_MAX)).expect("just as many");
        assert_eq!(most.len(), limits::RECORD_MAX_COUNTERS_MAX);
        assert!(RecordMaxCounters::from_stamps(stamps(limits::RECORD_MAX_COUNTERS_MAX + 1)).is_err());
    }

    #[test]
    fn the_compact_form_is_read_back() {
        let mut dice = Dice::seeded(24);
        for _ in 0..500 {
            let mut counters = RecordMaxCounters::new();
            for _ in 0..dice.below(20) {
                let counter = i64::try_from(dice.below(1_000_000)).expect("it is small");
                counters.raise(stamp(u8::try_from(dice.below(200)).expect("below 200"), counter));
            }
            assert_eq!(RecordMaxCounters::from_bytes(&counters.to_bytes()), Ok(counters));
        }
    }

    #[test]
    fn damaged_bytes_and_wild_counters_are_refused() {
        let good = RecordMaxCounters::from_stamps([stamp(1, 1), stamp(2, 2)]).expect("good counters").to_bytes();
        assert!(matches!(RecordMaxCounters::from_bytes(&good[1..]), Err(CounterError::Bytes { .. })));
        let swapped = [&good[24..], &good[..24]].concat();
        assert!(matches!(RecordMaxCounters::from_bytes(&swapped), Err(CounterError::Bytes { .. })));
        for counter in [-1, i64::MAX] {
            let wild = [&[1; 16][..], &counter.to_be_bytes()].concat();
            assert_eq!(RecordMaxCounters::from_bytes(&wild), Err(CounterError::OutOfRange { counter }));
            assert!(RecordMaxCounters::from_stamps([stamp(1, counter)]).is_err());
        }
        let many = std::iter::repeat_n(stamp(1, 1), limits::RECORD_MAX_COUNTERS_MAX + 1);
        assert!(matches!(RecordMaxCounters::from_stamps(many), Err(CounterError::TooMany { .. })));
    }
}
