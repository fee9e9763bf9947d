//! A device after a step, held against what its store held before it: nothing is forgotten, nothing lies outside its scope, and no stamp
//! stands for two different states.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};

use morango::id::SyncId;
use morango::port::OwnCounters;
use morango::record::StoreRecord;
use morango::scope::Filter;
use morango_examples::school::PROFILE;

use super::waiting::fields_of;
use crate::ledger::{Brief, Ledger, Seen, What};
use crate::papers::Reach;
use crate::world::World;

impl World {
    /// Looks at what a device holds now, and says it in a word.
    ///
    /// # Errors
    /// What does not hold.
    pub(crate) fn look_at(&mut self, node: usize) -> Result<String, String> {
        let records = self.records(node);
        let own = self.nodes[node].storage.own_counters().map_err(|error| error.report())?;
        self.memory.note_instance(node, own.instance);
        let here = &self.nodes[node];
        let mut ledger = self.ledger.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let before = std::mem::take(&mut ledger.seen[node]);
        let mut now = BTreeMap::new();
        for record in records {
            let seen = match before.get(&record.id) {
                Some(seen) if seen.record == record => seen.clone(),
                known => {
                    let seen = Seen::of(record);
                    let may_write = here.character.reach.may_write(&seen.record.partition);
                    check_change(&ledger, (&here.scope, may_write), known, &seen)?;
                    check_right(&ledger, &here.character.reach, &seen)?;
                    self.memory.check_own(node, &here.character.reach, &seen.record)?;
                    self.memory.check_stamp(node, &own, &seen.record, may_write)?;
                    if let Some(known) = known {
                        count_change(&mut self.report, known, &seen);
                    }
                    seen
                }
            };
            if seen.record.hard_deleted {
                ledger.wiped.insert(seen.record.id);
            }
            now.insert(seen.record.id, seen);
        }
        if let Some(id) = before.keys().find(|id| !now.contains_key(id)) {
            return Err(format!("node {node} has lost the record {id} from its store"));
        }
        ledger.seen[node] = now;
        drop(ledger);
        self.memory.check_counters(node, &own)?;
        let claims = self.nodes[node].claims();
        let ledger = self.ledger.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.memory.check_claims(node, &own, &claims, &ledger.seen[node])?;
        drop(ledger);
        self.check_rows(node)?;
        Ok(self.digest(node, &own))
    }

    /// Every record of a device's store.
    pub(crate) fn records(&self, node: usize) -> Vec<StoreRecord> {
        let mut records = Vec::new();
        let mut keep = |record| {
            records.push(record);
            Ok(())
        };
        let read = self.nodes[node].storage.for_each_record(PROFILE, &Filter::everything(), &mut keep);
        read.expect("the store can be read");
        records
    }

    /// A word that is another one where a device holds something else.
    fn digest(&self, node: usize, own: &OwnCounters) -> String {
        let mut hasher = DefaultHasher::new();
        for seen in self.ledger().seen[node].values() {
            let StoreRecord { id, serialized, conflicting_serialized_data, last_saved, deleted, .. } = &seen.record;
            (id, serialized, conflicting_serialized_data, last_saved, deleted).hash(&mut hasher);
            seen.record.counters.to_bytes().hash(&mut hasher);
        }
        (own.instance, own.counter, own.told).hash(&mut hasher);
        format!("node {node} is {:016x}", hasher.finish())
    }
}

/// Holds a record against the one that it was.
///
/// Where a device may not write, it follows those who may: what it kept beside what one of them said goes with the next that one says.
/// The others have it still.
fn check_change(
    ledger: &Ledger,
    (scope, may_write): (&Filter, bool),
    before: Option<&Seen>,
    now: &Seen,
) -> Result<(), String> {
    let record = &now.record;
    if !scope.contains(&record.partition) {
        return Err(format!("a device holds {}, which lies outside its scope {scope}", Brief(record)));
    }
    let content = [&record.serialized, &record.conflicting_serialized_data];
    if record.hard_deleted && content.iter().any(|text| !matches!(text.as_str(), "" | "{}")) {
        return Err(format!("what was deleted for good has content still, {content:?}: {}", Brief(record)));
    }
    let Some(before) = before else { return Ok(()) };
    if before.record.hard_deleted && !record.hard_deleted && record.serialized == before.record.serialized {
        return Err(format!("what was deleted for good is not any more: {}", Brief(record)));
    }
    if record.hard_deleted || ledger.was_wiped(record.id) || !may_write {
        return Ok(());
    }
    let known = ledger.known_by(now.texts.iter().copied());
    match before.texts.iter().find(|event| !known.contains(event)) {
        Some(event) => Err(format!(
            "the change {event} is forgotten: the record was {} and is {}, which knows {known:?}",
            Brief(&before.record),
            Brief(record)
        )),
        None => check_fields(ledger, before, now),
    }
}

/// What an older version of an application does not know of a record stays what it is.
fn check_fields(ledger: &Ledger, before: &Seen, now: &Seen) -> Result<(), String> {
    let (was, is) = (fields_of(&before.record.serialized), fields_of(&now.record.serialized));
    let lacks_fields = ledger.histories.get(&now.record.id).is_none_or(|history| history.lacks_fields);
    match was.keys().find(|name| !is.contains_key(*name)) {
        Some(name) if !lacks_fields => {
            Err(format!("the field {name} is gone: {} is {} now", before.record.serialized, Brief(&now.record)))
        }
        _ => Ok(()),
    }
}

/// Whoever may write everything never takes a change from somebody who had no right to it.
fn check_right(ledger: &Ledger, reach: &Reach, now: &Seen) -> Result<(), String> {
    let taken = now.texts.iter().find(|event| ledger.events[**event as usize].is_beyond);
    match (reach, taken) {
        (Reach::School, Some(event)) => {
            let culprit = ledger.events[*event as usize].node;
            Err(format!("the change {event} of node {culprit}, which had no right to it, is in {}", Brief(&now.record)))
        }
        (Reach::School | Reach::Learner(_), _) => Ok(()),
    }
}

fn count_change(report: &mut crate::report::Report, before: &Seen, now: &Seen) {
    let (was, is) = (&before.record, &now.record);
    if now.texts.len() > before.texts.len() && is.deleted {
        report.add("a conflict of edit and deletion");
    } else if now.texts.len() > before.texts.len() {
        report.add("a conflict of two edits");
    }
    if was.deleted && !is.deleted {
        report.add("a record that lives again");
    }
    if was.self_ref_fk != is.self_ref_fk {
        report.add("a record moved in its tree");
    }
    if !was.hard_deleted && is.hard_deleted {
        report.add("a record deleted for good elsewhere");
    }
}

impl Ledger {
    /// Whether the last thing that a device's application did to a record was to save it.
    pub(crate) fn saved_last(&self, node: usize, id: &SyncId) -> Option<u32> {
        let event = *self.last[node].get(id)?;
        let is_saved = self.events[event as usize].what == What::Saved && !self.events[event as usize].is_lost;
        is_saved.then_some(event)
    }
}
