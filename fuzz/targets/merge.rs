//! The merge rule against the same rule written down as plainly as it can be: two records of any kind, and devices that edit,
//! delete and meet each other in any order until all hold the same.

#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use morango::counter::{RecordMaxCounters, Stamp};
use morango::id::SyncId;
use morango::record::{Relation, StoreRecord, merge, relation};
use morango_fuzz::{FewStamps, counters, instance};

#[derive(Debug, Arbitrary)]
struct Side<'a> {
    serialized: &'a str,
    conflicting: &'a str,
    parent: bool,
    deletion: u8,
    last_saved: FewStamps,
    counters: Vec<FewStamps>,
}

#[derive(Debug, Arbitrary)]
enum Step {
    Edit(u8),
    Delete(u8),
    DeleteHard(u8),
    Send(u8, u8),
}

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    ours: Side<'a>,
    theirs: Side<'a>,
    steps: Vec<Step>,
}

const DEVICES: u8 = 4;

/// Steps of the longest history that is lived through.
const STEPS_MAX: usize = 40;

fuzz_target!(|input: Input<'_>| {
    let (ours, theirs) = (record_of(&input.ours), record_of(&input.theirs));
    any_two_records_are_merged_as_the_plain_rule_says(&ours, &theirs);
    let mut world = World::default();
    input.steps.iter().take(STEPS_MAX).for_each(|step| world.take(step));
    world.comes_to_rest();
});

fn record_of(side: &Side<'_>) -> StoreRecord {
    StoreRecord {
        serialized: side.serialized.to_owned(),
        conflicting_serialized_data: side.conflicting.to_owned(),
        deleted: side.deletion % 4 > 1,
        hard_deleted: side.deletion % 4 == 3,
        self_ref_fk: if side.parent { SyncId::hash_of("parent").to_string() } else { String::new() },
        ..blank(side.last_saved.0, counters(&side.counters))
    }
}

fn blank(last_saved: Stamp, counters: RecordMaxCounters) -> StoreRecord {
    StoreRecord {
        id: SyncId::hash_of("note"),
        profile: "notebook".to_owned(),
        model_name: "note".to_owned(),
        partition: "me:notes".to_owned(),
        source_id: "1".to_owned(),
        serialized: String::new(),
        conflicting_serialized_data: String::new(),
        deleted: false,
        hard_deleted: false,
        last_saved,
        self_ref_fk: String::new(),
        counters,
    }
}

fn knows(record: &StoreRecord, stamp: Stamp) -> bool {
    record.counters.iter().any(|entry| entry.instance == stamp.instance && entry.counter >= stamp.counter)
}

fn higher_of_both(one: &RecordMaxCounters, other: &RecordMaxCounters) -> RecordMaxCounters {
    RecordMaxCounters::from_stamps(one.iter().chain(other.iter())).expect("good counters")
}

/// The rule, once more: what becomes of ours when theirs comes, and how the two stood to each other.
fn plainly(ours: &StoreRecord, theirs: &StoreRecord, saved: Stamp) -> (Relation, StoreRecord) {
    let both = higher_of_both(&ours.counters, &theirs.counters);
    if knows(ours, theirs.last_saved) {
        return (Relation::AlreadySeen, ours.clone());
    }
    if knows(theirs, ours.last_saved) {
        return (Relation::FastForward, StoreRecord { counters: both, ..theirs.clone() });
    }
    let mut merged = ours.clone();
    merged.deleted = ours.deleted || theirs.deleted;
    merged.hard_deleted = ours.hard_deleted || theirs.hard_deleted;
    merged.last_saved = saved;
    merged.counters = higher_of_both(&both, &RecordMaxCounters::from_stamps([saved]).expect("a good stamp"));
    let older = &ours.conflicting_serialized_data;
    let is_news = |line: &&str| !older.lines().any(|known| known == *line);
    let of_theirs: String =
        theirs.conflicting_serialized_data.lines().filter(is_news).flat_map(|line| [line, "\n"]).collect();
    merged.conflicting_serialized_data = format!("{}\n{of_theirs}{older}", theirs.serialized);
    if merged.hard_deleted {
        merged.serialized.clear();
        merged.conflicting_serialized_data.clear();
    }
    (Relation::Conflict, merged)
}

/// What a storage does with a record that comes, by the engine's own rule.
fn received(ours: &StoreRecord, theirs: &StoreRecord, saved: Stamp) -> (Relation, StoreRecord) {
    let found = relation(Some((&ours.last_saved, &ours.counters)), (&theirs.last_saved, &theirs.counters));
    let becomes = match found {
        Relation::AlreadySeen | Relation::New => ours.clone(),
        Relation::FastForward => {
            let mut record = theirs.clone();
            record.counters.merge_max(&ours.counters);
            record
        }
        Relation::Conflict => {
            let merged = merge(None, ours, theirs, saved);
            assert_eq!(merged.failure, None);
            merged.record
        }
    };
    (found, becomes)
}

fn any_two_records_are_merged_as_the_plain_rule_says(ours: &StoreRecord, theirs: &StoreRecord) {
    assert_eq!(relation(None, (&theirs.last_saved, &theirs.counters)), Relation::New);
    let (here, there) = (Stamp::new(instance(100), 1), Stamp::new(instance(101), 1));
    let (found, merged) = received(ours, theirs, here);
    assert_eq!((found, &merged), (plainly(ours, theirs, here).0, &plainly(ours, theirs, here).1));
    // Nothing that either knew is unknown afterwards, and it does not matter how often a record comes.
    if found != Relation::AlreadySeen {
        assert!(ours.counters.iter().chain(theirs.counters.iter()).all(|stamp| knows(&merged, stamp)));
    }
    if found == Relation::Conflict {
        assert_eq!(received(&merged, ours, there).0 == Relation::AlreadySeen, knows(&merged, ours.last_saved));
        assert_eq!(plainly(theirs, ours, there).0, Relation::Conflict, "it is one for both");
        both_keep_the_same(&merged, &received(theirs, ours, there).1);
    }
}

/// What two devices have that merge the same pair apart.
fn both_keep_the_same(here: &StoreRecord, there: &StoreRecord) {
    assert_eq!((here.deleted, here.hard_deleted), (there.deleted, there.hard_deleted));
    let without =
        |record: &StoreRecord| record.counters.iter().filter(|stamp| *stamp != record.last_saved).collect::<Vec<_>>();
    assert_eq!(without(here), without(there));
    assert_eq!(texts(here), texts(there));
}

/// All that a record says, line by line: what stands in it, and what lost.
fn texts(record: &StoreRecord) -> BTreeSet<&str> {
    let lines = record.serialized.split('\n').chain(record.conflicting_serialized_data.split('\n'));
    // A line that ends where a text ends may have lost its carriage return where it was put before others.
    lines.map(|line| line.trim_end_matches('\r')).filter(|line| !line.is_empty()).collect()
}

/// Devices that each hold the record or do not, and what happened to it.
#[derive(Default)]
struct World {
    held: [Option<StoreRecord>; DEVICES as usize],
    counts: [i64; DEVICES as usize],
    /// What lost in a conflict, and what nobody wrote over: none of it may be gone in the end.
    to_be_kept: BTreeSet<String>,
    was_deleted_hard: bool,
    edits: usize,
}

impl World {
    fn count(&mut self, device: usize) -> Stamp {
        self.counts[device] += 1;
        Stamp::new(instance(u8::try_from(device).expect("few devices")), self.counts[device])
    }

    fn take(&mut self, step: &Step) {
        let device = |number: &u8| usize::from(number % DEVICES);
        match step {
            Step::Edit(number) => {
                self.edits += 1;
                let text = format!("text {}", self.edits);
                self.edit(device(number), text);
            }
            Step::Delete(number) => self.save(device(number), |record| record.deleted = true),
            Step::DeleteHard(number) => {
                self.was_deleted_hard = true;
                self.save(device(number), |record| {
                    (record.deleted, record.hard_deleted) = (true, true);
                    record.serialized.clear();
                    record.conflicting_serialized_data.clear();
                });
            }
            Step::Send(from, to) => drop(self.send(device(from), device(to))),
        }
    }

    fn edit(&mut self, device: usize, text: String) {
        let before = self.held[device].as_ref();
        if before.is_some_and(|before| before.hard_deleted) {
            return;
        }
        if let Some(before) = before
            && !before.conflicting_serialized_data.lines().any(|lost| lost == before.serialized)
        {
            self.to_be_kept.remove(&before.serialized);
        }
        self.to_be_kept.insert(text.clone());
        self.save(device, |record| (record.serialized, record.deleted) = (text, false));
    }

    fn save(&mut self, device: usize, change: impl FnOnce(&mut StoreRecord)) {
        let saved = self.count(device);
        let mut record = self.held[device].take().unwrap_or_else(|| blank(saved, RecordMaxCounters::new()));
        // What was deleted with all that was known of it is not edited again.
        if !record.hard_deleted {
            change(&mut record);
        }
        record.last_saved = saved;
        record.counters.raise(saved);
        self.held[device] = Some(record);
    }

    /// One device merges what another has, and says how it stood to its own.
    fn send(&mut self, from: usize, to: usize) -> Option<Relation> {
        let theirs = self.held[from].clone()?;
        let saved = self.count(to);
        let Some(ours) = &self.held[to] else {
            self.held[to] = Some(theirs);
            return Some(Relation::New);
        };
        let (found, becomes) = received(ours, &theirs, saved);
        assert_eq!((found, &becomes), (plainly(ours, &theirs, saved).0, &plainly(ours, &theirs, saved).1));
        if found == Relation::Conflict {
            self.to_be_kept.insert(theirs.serialized);
        }
        self.held[to] = Some(becomes);
        Some(found)
    }

    /// All meet the first, and then it meets all of them again: then nobody has anything new for anybody, and nothing was lost.
    fn comes_to_rest(mut self) {
        let others = 1..usize::from(DEVICES);
        others.clone().for_each(|other| {
            self.send(other, 0);
        });
        for other in others {
            let found = self.send(0, other);
            assert!(found != Some(Relation::Conflict), "the first knows what all knew");
        }
        let Some(first) = &self.held[0] else { return };
        for held in &self.held {
            assert_eq!(held.as_ref(), Some(first), "all hold the same");
        }
        assert_eq!(first.hard_deleted, self.was_deleted_hard);
        if !first.hard_deleted {
            let kept = texts(first);
            for text in self.to_be_kept.iter().filter(|text| !text.is_empty()) {
                assert!(kept.contains(text.as_str()), "{text:?} is gone: {first:?}");
            }
        }
    }
}
