//! Whatever is received is merged by one rule.
//!
//! Goal: no order of whatever comes leads to anything that the rule does not say. Method: random records of few ids, saved by few
//! instances, beside the rule written down a second time as plainly as it can be.

use std::collections::BTreeMap;

use morango::counter::{RecordMaxCounters, Stamp};
use morango::id::{InstanceId, SyncId};
use morango::port::{DequeueReport, Storage as _};
use morango::record::StoreRecord;

use super::library::{Device, foreign};

/// The rule of chapter 7, written down a second time as plainly as it can be.
#[derive(Default)]
struct Plain(BTreeMap<SyncId, StoreRecord>);

impl Plain {
    fn merge(&mut self, theirs: &StoreRecord, saved: Stamp) -> &'static str {
        let has = |record: &StoreRecord, stamp: Stamp| {
            record.counters.iter().any(|entry| entry.instance == stamp.instance && entry.counter >= stamp.counter)
        };
        let Some(ours) = self.0.get_mut(&theirs.id) else {
            self.0.insert(theirs.id, theirs.clone());
            return "new";
        };
        let highest = |one: &StoreRecord, other: &StoreRecord| {
            let stamps = one.counters.iter().chain(other.counters.iter());
            RecordMaxCounters::from_stamps(stamps).expect("good counters")
        };
        let counters = highest(ours, theirs);
        if has(ours, theirs.last_saved) {
            return "seen";
        }
        if has(theirs, ours.last_saved) {
            *ours = StoreRecord { counters, ..theirs.clone() };
            return "forward";
        }
        ours.deleted |= theirs.deleted;
        ours.hard_deleted |= theirs.hard_deleted;
        let older = std::mem::take(&mut ours.conflicting_serialized_data);
        if ours.hard_deleted {
            ours.serialized.clear();
        } else {
            let of_theirs: String = theirs
                .conflicting_serialized_data
                .lines()
                .filter(|line| !older.lines().any(|known| known == *line))
                .flat_map(|line| [line, "\n"])
                .collect();
            ours.conflicting_serialized_data = format!("{}\n{of_theirs}{older}", theirs.serialized);
        }
        ours.counters = counters;
        ours.counters.raise(saved);
        ours.last_saved = saved;
        "conflict"
    }
}

#[test]
fn whatever_comes_in_whatever_order_is_merged_as_the_plain_rule_says() {
    const SEED: u64 = 0x00d1_ce5e_ed00;
    let mut state = SEED;
    let mut below = |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let device = Device::new("laptop");
    let mut plain = Plain::default();
    let mut totals = DequeueReport::default();
    for round in 0..150 {
        // Of what this instance told nobody of, or is yet to save, nothing is believed, so nobody says so here.
        device.storage.note_told().expect("it is told");
        let so_far = device.counter();
        let records: Vec<StoreRecord> = (0..=below(12))
            .map(|_| {
                let stamps: Vec<Stamp> = (0..=below(3))
                    .map(|_| {
                        let counter = i64::try_from(1 + below(8 + round)).expect("small");
                        let instance = match below(6) {
                            0..=2 if so_far > 0 => device.instance,
                            other => InstanceId::hash_of(["a", "b", "c"][usize::try_from(other % 3).expect("small")]),
                        };
                        let is_own = instance == device.instance;
                        Stamp::new(instance, if is_own { counter.min(so_far) } else { counter })
                    })
                    .collect();
                let source = below(40).to_string();
                let mut record = foreign("note", "lib:notes", &source, &format!("text {}", below(1_000)), &stamps);
                record.counters.raise(record.last_saved);
                record.deleted = below(5) == 0;
                record.hard_deleted = record.deleted && below(3) == 0;
                if below(4) == 0 {
                    record.conflicting_serialized_data = "before\n".to_owned();
                }
                record
            })
            .collect();
        let saved = Stamp::new(device.instance, so_far + 1);
        let mut expected = DequeueReport::default();
        for record in &records {
            match plain.merge(record, saved) {
                "new" => expected.new += 1,
                "seen" => expected.already_seen += 1,
                "forward" => expected.fast_forwarded += 1,
                _ => expected.conflicts += 1,
            }
        }
        assert_eq!(device.dequeue(records), expected, "seed {SEED:#x}, round {round}");
        assert_eq!(device.records(), plain.0.values().cloned().collect::<Vec<_>>(), "seed {SEED:#x}, round {round}");
        totals.fast_forwarded += expected.fast_forwarded;
        totals.conflicts += expected.conflicts;
        totals.already_seen += expected.already_seen;
    }
    assert!(totals.fast_forwarded > 50 && totals.conflicts > 50 && totals.already_seen > 50, "{totals:?}");
    let waiting = device.waiting();
    assert_eq!(waiting.len(), plain.0.len());
    assert!(waiting.iter().all(|record| record.source.is_some()), "each came in a transfer");
}
