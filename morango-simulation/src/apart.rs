//! What happens to one device by itself: it works apart from a sync, decides a conflict, or has a backup put back.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use morango::engine::{Engine, SyncOptions};
use morango::id::SyncId;
use morango::port::NoAccounts;
use morango::record::{Conflict, Resolution};
use morango::scope::Filter;
use morango::transfer::LocalPeer;
use morango_examples::school::PROFILE;

use crate::faults::{Strike, Struck};
use crate::ledger::{Event, History, Seen, What, events_in};
use crate::node::Claim;
use crate::papers::Reach;
use crate::plan::{Blow, Restoring};
use crate::world::{HOME, World};

impl World {
    /// A device serializes or deserializes apart from a sync.
    pub(crate) fn apart(&mut self, node: usize, is_serializing: bool, blows: &[(u16, Blow)]) -> Result<String, String> {
        let everything = Filter::everything();
        let (done, struck) = self.by_itself(node, blows, |engine| {
            if is_serializing {
                engine.serialize(PROFILE, &everything).map(drop)
            } else {
                engine.deserialize(PROFILE, &everything).map(drop)
            }
        });
        match done {
            Err(error) if struck.is_empty() => Err(format!("node {node} fails apart from a sync: {}", error.report())),
            Err(_) | Ok(()) => self.look_at(node),
        }
    }

    /// Has a device do something by itself, while calls of its storage go wrong. One that has no power then is switched on again.
    fn by_itself<R>(
        &mut self,
        node: usize,
        blows: &[(u16, Blow)],
        work: impl FnOnce(&Engine) -> morango::Result<R>,
    ) -> (morango::Result<R>, Vec<Struck>) {
        let here = &mut self.nodes[node];
        here.power.arm(Strike::each(blows));
        let done = work(&here.engine);
        let struck = here.power.disarm();
        if here.power.is_off() {
            here.restart();
        }
        for Struck { blow, .. } in &struck {
            self.report.add(match blow {
                Blow::Fails | Blow::Busy => "a storage fails apart from a sync",
                Blow::DiesBefore | Blow::DiesWithin(_) | Blow::DiesAfter => "a crash apart from a sync",
            });
        }
        (done, struck)
    }

    /// The application decides the first conflict that it may decide.
    pub(crate) fn resolve(&mut self, node: usize, choice: u8, blows: &[(u16, Blow)]) -> Result<String, String> {
        let writable = match &self.nodes[node].character.reach {
            Reach::School => self.nodes[node].scope.clone(),
            Reach::Learner(id) => {
                Filter::new([format!("{}:user-rw:{id}", self.nodes[node].worker.dataset)]).expect("a prefix")
            }
        };
        let engine: &Engine = &self.nodes[node].engine;
        let page = engine.conflicts(PROFILE, &writable, None, 10).map_err(|error| error.report())?;
        self.look_at(node)?;
        let Some(conflict) = page.conflicts.into_iter().next() else { return Ok("no conflict".to_owned()) };
        let resolution = if choice.is_multiple_of(2) { Resolution::KeepOurs } else { Resolution::TakeTheirs(0) };
        let (resolved, _) = self.by_itself(node, blows, |engine| engine.resolve_conflict(&conflict, &resolution));
        if let Err(error) = resolved {
            // It may have been committed before the power went off.
            let record = self.records(node).into_iter().find(|record| record.id == conflict.id);
            if record.is_some_and(|record| record.last_saved == conflict.last_saved) {
                return Ok(format!("not resolved: {}", error.kind().code()));
            }
            self.report.add("a conflict resolved, and then a crash");
        }
        self.note_resolution(&conflict, &resolution);
        self.report.add(format!("a conflict resolved: {}", if choice.is_multiple_of(2) { "ours" } else { "theirs" }));
        self.look_at(node)
    }

    /// Whatever was not chosen is known by what was, and a deletion that was not chosen is one of the things that were not.
    fn note_resolution(&mut self, conflict: &Conflict, resolution: &Resolution) {
        let ours = events_in(conflict.ours.text());
        let theirs: Vec<u32> = conflict.theirs.iter().flat_map(|version| events_in(version.text())).collect();
        let chosen = match resolution {
            Resolution::TakeTheirs(place) => events_in(conflict.theirs[*place].text()),
            _ => ours.clone(),
        };
        let mut ledger = self.ledger();
        if let Resolution::TakeTheirs(_) = resolution {
            let events = ledger.histories.get(&conflict.id).map(|history| history.events.clone()).unwrap_or_default();
            for event in events {
                ledger.events[event as usize].is_taken_back = true;
            }
        }
        for event in chosen {
            let others = ours.iter().chain(&theirs).copied().filter(|other| *other != event);
            let others: Vec<u32> = others.collect();
            ledger.events[event as usize].knew.extend(others);
        }
    }

    /// A backup is put back in the place of a device's database. What was on this device alone is lost, and nobody can be blamed.
    pub(crate) fn restore(&mut self, node: usize, manner: Restoring) -> Result<String, String> {
        // What is under way still would come from the future of a device of which nobody knows yet that it was put back.
        if manner == Restoring::Unnoticed {
            self.deliver_all()?;
        }
        // What the learners' devices have of it could not come back to it, since they may not write it.
        if node == HOME || !self.nodes[node].restore(manner) {
            return Ok("no backup".to_owned());
        }
        self.report.add(match manner {
            Restoring::AsNewFile => "a backup put back, noticed",
            Restoring::Told => "a backup put back, told",
            Restoring::Unnoticed => "a backup put back, unnoticed",
        });
        let rows = self.rows_of(node);
        let records = self.records(node);
        let ledger = Arc::clone(&self.ledger);
        let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
        ledger.seen[node] = records.into_iter().map(|record| (record.id, Seen::of(record))).collect();
        self.memory.forget(node, &ledger.seen);
        let there: BTreeSet<SyncId> = rows.iter().map(|(id, _)| *id).collect();
        let mut last = HashMap::new();
        for (id, event) in rows.iter().flat_map(|(id, text)| events_in(text).into_iter().map(move |event| (*id, event)))
        {
            if ledger.events[event as usize].node == node {
                last.insert(id, event);
            }
        }
        // What was deleted before it was put aside, and is no deletion in the store yet.
        for (id, _) in ledger.seen[node].iter().filter(|(id, seen)| !seen.record.deleted && !there.contains(id)) {
            let events = ledger.histories.get(id).map(|history| history.events.as_slice()).unwrap_or_default();
            let deletion = events.iter().rfind(|event| ledger.events[**event as usize].what != What::Saved);
            last.extend(deletion.map(|event| (*id, *event)));
        }
        ledger.last[node] = last;
        drop(ledger);
        self.give_up(node);
        if manner == Restoring::Unnoticed {
            self.find_out(node)?;
        }
        self.look_at(node)
    }

    /// A device of which nobody knows that it was put back meets those who know more of it than it does itself, until it has become another
    /// instance. Where none of them can tell, the application does: the engine promises nothing to a device that first meets others.
    fn find_out(&mut self, node: usize) -> Result<(), String> {
        let own = self.nodes[node].storage.own_counters().map_err(|error| error.report())?;
        let reach = self.nodes[node].character.reach.clone();
        for other in (0..self.nodes.len()).filter(|other| *other != node) {
            let theirs = &self.nodes[other].character.reach;
            let is_in_store =
                |seen: &Seen| seen.record.counters.get(&own.instance).is_some_and(|known| known > own.told);
            let is_claimed = |claim: &Claim| claim.instance == own.instance && claim.counter > own.told;
            let knows = self.ledger().seen[other].values().any(is_in_store)
                || self.nodes[other].claims().iter().any(is_claimed);
            if !knows || !matches!(*theirs, Reach::School) && *theirs != reach {
                continue;
            }
            self.time.pass(Duration::from_secs(60 * 60));
            let peer = LocalPeer::new(self.nodes[other].engine.responder(NoAccounts));
            let here = &self.nodes[node];
            let met = here.engine.sync(&peer, here.certificate, SyncOptions::both_ways());
            let report = met.map_err(|error| format!("node {node}, put back, cannot sync: {}", error.report()))?;
            self.look_at(other)?;
            if report.renewed().is_some() {
                self.report.add("a backup put back, found out by a peer");
                return Ok(());
            }
            return Err(format!("node {other} knows more of node {node} than it told, and it was not found out"));
        }
        self.nodes[node].engine.renew_database_id().map(drop).map_err(|error| error.report())
    }

    /// A device is replaced by one that begins with a copy of another's database.
    pub(crate) fn copy(&mut self, from: usize, to: usize) -> Result<String, String> {
        if from == to
            || to == HOME
            || !self.nodes[from].is_of_a_kind_with(&self.nodes[to])
            || self.nodes[to].is_on_server()
        {
            return Ok("not of a kind".to_owned());
        }
        if let Ok([from, to]) = self.nodes.get_disjoint_mut([from, to]) {
            from.hand_copy_to(to);
        }
        self.memory.is_copy(to, from);
        self.report.add("a device that begins as a copy");
        self.restore(to, Restoring::AsNewFile)
    }

    fn rows_of(&self, node: usize) -> Vec<(SyncId, String)> {
        let rows = self.nodes[node].desk().rows().expect("the rows can be read");
        rows.into_iter().map(|((_, id), text)| (id, text)).collect()
    }

    /// Marks as lost what no device has any more that could pass it on.
    fn give_up(&mut self, restored: usize) {
        let rows: Vec<Vec<(SyncId, String)>> = (0..self.nodes.len()).map(|node| self.rows_of(node)).collect();
        let reaches: Vec<_> = self.nodes.iter().map(|node| node.character.reach.clone()).collect();
        let mut ledger = self.ledger();
        let mut held: Vec<u32> = Vec::new();
        let mut deleted: BTreeMap<SyncId, Vec<&Seen>> = BTreeMap::new();
        for (node, reach) in reaches.iter().enumerate() {
            let passes_on = |id: &SyncId| {
                // What is no record yet was made there, by somebody who may.
                ledger.seen[node].get(id).is_none_or(|seen| reach.may_write(&seen.record.partition))
            };
            let of_rows = rows[node].iter().filter(|(id, _)| passes_on(id));
            held.extend(of_rows.flat_map(|(_, text)| events_in(text)));
            for (id, seen) in ledger.seen[node].iter().filter(|(id, _)| passes_on(id)) {
                held.extend(seen.texts.iter().copied());
                if seen.record.deleted {
                    deleted.entry(*id).or_default().push(seen);
                }
            }
        }
        let known = ledger.known_by(held);
        // Another deletion of the same record may be of an earlier state.
        let is_kept = |id: &SyncId, history: &History, deletion: &Event| {
            let has_texts = history.kind.is_some_and(|kind| kind.text_column().is_some());
            let mut records = deleted.get(id).into_iter().flatten();
            records.any(|seen| {
                let texts = ledger.known_by(seen.texts.iter().copied());
                let is_of_that_state = !has_texts || deletion.knew.iter().all(|event| texts.contains(event));
                seen.record.hard_deleted || deletion.what == What::Deleted && is_of_that_state
            })
        };
        let mut lost = vec![false; ledger.events.len()];
        for (id, history) in &ledger.histories {
            for number in &history.events {
                let event = &ledger.events[*number as usize];
                lost[*number as usize] = match event.what {
                    What::Saved => !known.contains(number),
                    What::Deleted | What::DeletedForGood => event.node == restored && !is_kept(id, history, event),
                };
            }
        }
        for (event, is_lost) in ledger.events.iter_mut().zip(lost) {
            event.is_lost |= is_lost;
        }
    }
}
