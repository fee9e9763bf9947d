//! At rest: everything is repaired, all sync until nothing is left to do, and then all who may see the same hold the same.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use morango::id::SyncId;
use morango::port::NoAccounts;
use morango::record::StoreRecord;
use morango::scope::Filter;
use morango::transfer::LocalPeer;
use morango_examples::school::PROFILE;

use super::Memory;
use crate::ledger::{Ledger, Seen, What, brief};
use crate::papers::Reach;
use crate::world::World;

/// Rounds of syncs after which nothing may be left to do. What a deletion takes with it on one device travels on from there, and so on.
const ROUNDS_MAX: usize = 12;

impl World {
    /// Brings everything to rest, and looks whether all is well.
    pub(crate) fn rest(&mut self) -> Result<String, String> {
        self.deliver_all()?;
        self.time.pass(Duration::from_secs(10 * 60));
        for node in &self.nodes {
            node.clock.set_right();
        }
        let rounds = self.sync_all()?;
        for node in 0..self.nodes.len() {
            let engine = &self.nodes[node].engine;
            let everything = Filter::everything();
            engine.serialize(PROFILE, &everything).map_err(|error| error.report())?;
            engine.deserialize(PROFILE, &everything).map_err(|error| error.report())?;
            self.look_at(node)?;
            self.check_rows_at_rest(node)?;
        }
        for node in 1..self.nodes.len() {
            self.check_equal(node)?;
        }
        self.check_histories()?;
        let ledger = self.ledger();
        let records = ledger.seen[0].len();
        drop(ledger);
        self.report.add("a rest at which all were equal");
        Ok(format!("at rest after {rounds} rounds with {records} records"))
    }

    /// All sync with the first, which sees everything, until nothing travels any more.
    fn sync_all(&mut self) -> Result<usize, String> {
        let mut before = Vec::new();
        for round in 0..ROUNDS_MAX {
            let mut travelled = 0;
            for node in 1..self.nodes.len() {
                self.time.pass(Duration::from_secs(1));
                let peer = LocalPeer::new(self.nodes[0].engine.responder(NoAccounts));
                let client = &self.nodes[node];
                let options = morango::engine::SyncOptions::both_ways();
                let report = client.engine.sync(&peer, client.certificate, options);
                let report = report.map_err(|error| format!("at rest node {node} cannot sync: {}", error.report()))?;
                travelled += report.records_transferred();
                // All are looked at once more when nothing travels any longer.
                if report.records_transferred() > 0 {
                    self.look_at(node)?;
                    self.look_at(0)?;
                }
            }
            if travelled == 0 {
                return Ok(round);
            }
            let now = self.ledger().seen.clone();
            if now == before && self.is_all_claimed_but_orphans() {
                self.report.add("a rest at which records travel that nobody can claim");
                return Ok(round);
            }
            before = now;
        }
        Err(format!("no rest: after {ROUNDS_MAX} rounds records travel still"))
    }

    /// Whether every device claims all that it holds, but for what nobody can claim.
    fn is_all_claimed_but_orphans(&self) -> bool {
        let ledger = self.ledger();
        self.nodes.iter().zip(&ledger.seen).all(|(node, seen)| {
            let claims = node.all_claims();
            let mut records = seen.values().map(|seen| &seen.record);
            records.all(|record| {
                claims.covers(&record.partition, record.last_saved) || self.memory.is_orphan(record.last_saved)
            })
        })
    }

    /// What the first device holds is what all that was committed makes of each record.
    pub(super) fn check_histories(&self) -> Result<(), String> {
        let ledger = self.ledger();
        let mut histories = ledger.histories.iter();
        histories.try_for_each(|(id, history)| check_history(&ledger, *id, &history.events, ledger.seen[0].get(id)))
    }

    /// A device holds what the first one holds, of what it may read.
    pub(super) fn check_equal(&self, node: usize) -> Result<(), String> {
        let ledger = self.ledger();
        let here = &self.nodes[node];
        let readable = match &here.character.reach {
            Reach::School => here.scope.clone(),
            Reach::Learner(_) => {
                let prefixes = here.scope.prefixes().iter().filter(|prefix| !prefix.contains(":user-wo:"));
                Filter::new(prefixes.cloned()).expect("good prefixes")
            }
        };
        let of = |node: usize| -> BTreeMap<SyncId, &StoreRecord> {
            let seen = ledger.seen[node].values().map(|seen| &seen.record);
            seen.filter(|record| readable.contains(&record.partition)).map(|record| (record.id, record)).collect()
        };
        let (ours, theirs) = (of(node), of(0));
        let ids: BTreeSet<&SyncId> = ours.keys().chain(theirs.keys()).collect();
        for id in ids {
            let (ours, theirs) = (ours.get(id), theirs.get(id));
            let is_stuck = |ours: &StoreRecord| {
                let is_of_gone = || theirs.is_some_and(|theirs| self.knows_of_gone(node, ours, theirs));
                !here.character.reach.may_write(&ours.partition)
                    && (is_of_gone() || is_stuck(&ledger, &self.memory, node, ours))
            };
            let is_equal = match (ours, theirs) {
                (Some(ours), Some(theirs)) => match &here.character.reach {
                    Reach::School => ours == theirs,
                    // What is deleted for good has no content, however that is spelled.
                    Reach::Learner(_) if ours.hard_deleted && theirs.hard_deleted => true,
                    Reach::Learner(_) => {
                        (ours.deleted, &ours.serialized) == (theirs.deleted, &theirs.serialized) || is_stuck(ours)
                    }
                },
                (Some(ours), None) => is_stuck(ours),
                (None, _) => false,
            };
            if !is_equal {
                let (ours, theirs) = (brief(ours.copied()), brief(theirs.copied()));
                return Err(format!("at rest node {node}, {:?}, holds {ours}, and node 0 {theirs}", here.character));
            }
        }
        Ok(())
    }

    /// Whether a device has of a record what the other never heard of, saved by an instance that no device is any more and that this one
    /// never was: it went with its device, which was set back.
    fn knows_of_gone(&self, node: usize, ours: &StoreRecord, theirs: &StoreRecord) -> bool {
        let is_gone = |instance| self.nodes.iter().all(|node| node.engine.instance().id != instance);
        let mut beyond = ours.counters.iter().filter(|stamp| !theirs.counters.covers(stamp));
        beyond.any(|stamp| is_gone(stamp.instance) && !self.memory.was(node, stamp.instance))
    }
}

/// Whether a record that a device may not write stays as it is there, until somebody who may changes it: what its application changed
/// there, what a cascade of its own deleted, and what it has of a device that was set back before anybody else had it.
fn is_stuck(ledger: &Ledger, memory: &Memory, node: usize, record: &StoreRecord) -> bool {
    let history = ledger.histories.get(&record.id).map(|history| history.events.as_slice()).unwrap_or_default();
    let mut of_history = history.iter().map(|event| &ledger.events[*event as usize]);
    if record.deleted {
        let is_own = memory.was(node, record.last_saved.instance);
        return is_own || of_history.any(|event| event.what != What::Saved && event.is_lost);
    }
    match ledger.seen[node].get(&record.id).and_then(|seen| seen.texts.first()) {
        Some(event) => ledger.events[*event as usize].is_lost,
        None => of_history.all(|event| event.what != What::Saved || event.is_lost),
    }
}

/// Every change is in the record's history, and what was deleted is deleted for a reason.
fn check_history(ledger: &Ledger, id: SyncId, events: &[u32], seen: Option<&Seen>) -> Result<(), String> {
    let of = |what: &'static [What]| {
        let all = events.iter().copied().map(|event| (event, &ledger.events[event as usize]));
        all.filter(move |(_, event)| !event.is_lost && what.contains(&event.what)).map(|(number, _)| number)
    };
    let deletions: Vec<u32> = of(&[What::Deleted, What::DeletedForGood]).collect();
    let record = seen.map(|seen| &seen.record);
    let is_deleted = record.is_none_or(|record| record.deleted);
    let is_gone_for_good = record.is_some_and(|record| record.hard_deleted);
    let had_to_be = |how: &[What], what: &str| {
        let is_right = ledger.was_deleted(id, how);
        if is_right { Ok(()) } else { Err(format!("{id} is {what}, and nobody did that: {}", brief(record))) }
    };
    if is_gone_for_good {
        return had_to_be(&[What::DeletedForGood], "deleted for good");
    }
    if is_deleted && !events.is_empty() && of(&[What::Saved]).next().is_some() {
        had_to_be(&[What::Deleted, What::DeletedForGood], "deleted")?;
    }
    // Of what has no text, and of what was wiped, nobody can tell whether it went with a device that was put back.
    let has_texts = ledger.histories[&id].kind.is_some_and(|kind| kind.text_column().is_some());
    let is_read = has_texts && !ledger.was_wiped(id);
    if !is_deleted {
        for deletion in deletions.iter().filter(|deletion| !ledger.events[**deletion as usize].is_taken_back) {
            let before = ledger.known_by([*deletion]);
            let mut saved = events.iter().copied().filter(|event| {
                let event = &ledger.events[*event as usize];
                event.what == What::Saved && !(is_read && event.is_lost)
            });
            if saved.all(|event| before.contains(&event)) {
                return Err(format!("{id} lives, though whoever deleted it knew all its changes: {}", brief(record)));
            }
        }
    }
    if !is_read {
        return Ok(());
    }
    let texts = seen.map(|seen| seen.texts.clone()).unwrap_or_default();
    let known = ledger.known_by(texts.into_iter().chain(deletions));
    match of(&[What::Saved]).find(|event| !known.contains(event)) {
        Some(lost) => Err(format!("the change {lost} of {id} is gone: {} knows {known:?}", brief(record))),
        None => Ok(()),
    }
}
