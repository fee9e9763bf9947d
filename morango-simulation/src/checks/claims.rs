//! Counters: none goes back, none stands for two states, and none claims more than is there.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use morango::counter::Stamp;
use morango::id::{InstanceId, SyncId};
use morango::port::OwnCounters;
use morango::record::StoreRecord;

use crate::ledger::{Brief, Seen, brief};
use crate::node::Claim;
use crate::papers::Reach;

/// What a state is, as far as a stamp stands for it.
type State = (String, String, bool, bool);

/// What was seen of counters so far.
#[derive(Debug)]
pub(crate) struct Memory {
    /// The state for which a stamp of a record stands.
    states: HashMap<(SyncId, Stamp), State>,
    /// Of each instance, the records that it saved, where they belong, and at which of its counts.
    saved: BTreeMap<InstanceId, BTreeMap<SyncId, (String, BTreeSet<i64>)>>,
    /// Which instances each device was.
    was: Vec<BTreeSet<InstanceId>>,
    /// Under which stamps others hold what a device saved and has no more.
    orphans: BTreeSet<Stamp>,
    /// Devices of whose databases each one's began as a copy.
    copies_of: Vec<BTreeSet<usize>>,
    /// Devices that may be another instance when they are looked at the next time.
    may_be_another: BTreeSet<usize>,
    /// What each device claimed, and as whom, when it was last looked at.
    before: Vec<Option<(OwnCounters, Vec<Claim>)>>,
}

impl Memory {
    /// Nothing was seen yet of so many devices.
    pub(crate) fn new(nodes: usize) -> Self {
        Self {
            states: HashMap::new(),
            saved: BTreeMap::new(),
            was: vec![BTreeSet::new(); nodes],
            orphans: BTreeSet::new(),
            copies_of: vec![BTreeSet::new(); nodes],
            may_be_another: BTreeSet::new(),
            before: vec![None; nodes],
        }
    }

    /// A device is another one now: it is held against nothing that it was. What others have of it, be it a part of what it saved, nobody
    /// can claim who does not have all of it: it goes from device to device with every sync.
    pub(crate) fn forget(&mut self, node: usize, seen: &[BTreeMap<SyncId, Seen>]) {
        self.before[node] = None;
        for record in seen.iter().flat_map(BTreeMap::values).map(|seen| &seen.record) {
            let saved = record.last_saved;
            let is_here = || seen[node].get(&record.id).is_some_and(|seen| seen.record.counters.covers(&saved));
            if self.was[node].contains(&saved.instance) && !is_here() {
                self.orphans.insert(saved);
            }
        }
    }

    /// A device's database is a copy of another's from now on.
    pub(crate) fn is_copy(&mut self, node: usize, from: usize) {
        let mut origins = self.copies_of[from].clone();
        origins.insert(from);
        self.copies_of[node].extend(origins);
    }

    /// A device is switched on with what makes it another instance.
    pub(crate) fn let_be_another(&mut self, node: usize) {
        self.may_be_another.insert(node);
    }

    /// What a learner's device may write and not read never comes to it: what is there it saved itself, or began with.
    pub(super) fn check_own(&self, node: usize, reach: &Reach, record: &StoreRecord) -> Result<(), String> {
        let mut selves = self.copies_of[node].iter().copied().chain([node]);
        if reach.may_read(&record.partition) || selves.any(|node| self.was(node, record.last_saved.instance)) {
            return Ok(());
        }
        Err(format!("node {node} holds what it may not read, {}", Brief(record)))
    }

    /// Whether a device that was set back saved something under this stamp that only others have.
    pub(super) fn is_orphan(&self, stamp: Stamp) -> bool {
        self.orphans.contains(&stamp)
    }

    /// A stamp stands for one state, on whichever device the record is. What a device saved and told nobody of it may save anew.
    ///
    /// Where a device may not write, what lost lies beside a change as another saved it, and cannot leave: there the stamp stands for the
    /// content alone.
    pub(super) fn check_stamp(
        &mut self,
        node: usize,
        own: &OwnCounters,
        record: &StoreRecord,
        may_write: bool,
    ) -> Result<(), String> {
        let stamp = record.last_saved;
        if stamp.instance == own.instance && stamp.counter > own.told {
            return Ok(());
        }
        if !may_write {
            let known = self.states.get(&(record.id, stamp)).filter(|_| !record.hard_deleted);
            return match known {
                Some((content, ..)) if *content != record.serialized => Err(format!(
                    "the stamp {stamp} of {} stands for {content:?}, and on node {node}, which may not write it, for {:?}",
                    record.id, record.serialized
                )),
                _ => Ok(()),
            };
        }
        let StoreRecord { serialized, conflicting_serialized_data, deleted, hard_deleted, .. } = record.clone();
        let state = (serialized, conflicting_serialized_data, deleted, hard_deleted);
        let of_instance = self.saved.entry(stamp.instance).or_default();
        let counters = of_instance.entry(record.id).or_insert_with(|| (record.partition.clone(), BTreeSet::new()));
        counters.1.insert(stamp.counter);
        match self.states.get(&(record.id, stamp)) {
            Some(known) if *known != state => Err(format!(
                "the stamp {stamp} of {} stands for two states: {known:?}, and on node {node} {state:?}",
                record.id
            )),
            Some(_) => Ok(()),
            None => {
                self.states.insert((record.id, stamp), state);
                Ok(())
            }
        }
    }

    /// A device is this instance.
    pub(super) fn note_instance(&mut self, node: usize, instance: InstanceId) {
        self.was[node].insert(instance);
    }

    /// Whether a device ever was this instance.
    pub(super) fn was(&self, node: usize, instance: InstanceId) -> bool {
        self.was[node].contains(&instance)
    }

    /// A counter never goes back.
    pub(super) fn check_counters(&mut self, node: usize, own: &OwnCounters) -> Result<(), String> {
        let may_be_another = self.may_be_another.remove(&node);
        match &self.before[node] {
            Some((before, _)) if before.instance == own.instance => {
                if own.counter < before.counter || own.told < before.told {
                    return Err(format!("node {node}: a counter goes back, from {before:?} to {own:?}"));
                }
            }
            Some((before, _)) if !may_be_another => {
                return Err(format!(
                    "node {node} became another instance for no cause: it was {before:?} and is {own:?}"
                ));
            }
            Some(_) | None => {}
        }
        Ok(())
    }

    /// What is claimed is there, and no claim goes back while the device stays who it is.
    pub(super) fn check_claims(
        &mut self,
        node: usize,
        own: &OwnCounters,
        claims: &[Claim],
        seen: &BTreeMap<SyncId, Seen>,
    ) -> Result<(), String> {
        for claim in claims {
            self.check_claim(node, claim, seen)?;
        }
        if let Some((before, claimed)) = &self.before[node]
            && before.instance == own.instance
        {
            for was in claimed {
                let is = claims.iter().find(|is| is.partition == was.partition && is.instance == was.instance);
                if is.is_none_or(|is| is.counter < was.counter) {
                    return Err(format!("node {node}: the claim {was:?} goes back to {is:?}"));
                }
            }
        }
        self.before[node] = Some((*own, claims.to_vec()));
        Ok(())
    }

    fn check_claim(&self, node: usize, claim: &Claim, seen: &BTreeMap<SyncId, Seen>) -> Result<(), String> {
        let Some(saved) = self.saved.get(&claim.instance) else { return Ok(()) };
        for (id, (partition, counters)) in saved {
            if !partition.starts_with(&claim.partition) {
                continue;
            }
            let Some(counter) = counters.range(..=claim.counter).next_back() else { continue };
            let stamp = Stamp::new(claim.instance, *counter);
            if !seen.get(id).is_some_and(|seen| seen.record.counters.covers(&stamp)) {
                let held = brief(seen.get(id).map(|seen| &seen.record));
                return Err(format!("node {node} claims {claim:?}, and does not have {id} as of {stamp}: {held}"));
            }
        }
        Ok(())
    }
}
