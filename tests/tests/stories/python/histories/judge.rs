//! What must hold after each step: the law of the protocol, told from what devices hold before and after.
//!
//! The law here is `morango::record`, applied to what both sides held: it judges the Python peer and ours alike. In what the package may
//! differ is said in `allowed` alone.

use std::collections::{BTreeMap, BTreeSet};

use morango::counter::Stamp;
use morango::prelude::{Direction, Filter, InstanceId, SyncId};
use morango::record::{Relation, StoreRecord, merge, relation};
use morango_tests::compare::{Told, differences, tell};
use morango_tests::database::Database;
use serde_json::Value;

use super::allowed::{merged_by_python, taken_over_by_python};
use super::plan::{Sync, Who};
use super::world::{Counters, Look};

/// Whoever follows a history and finds what is wrong.
pub(super) struct Judge {
    /// The database of the Python peer.
    theirs: Database,
    instances: BTreeMap<Who, InstanceId>,
    /// Every version of every record that any device ever held.
    versions: BTreeMap<(SyncId, Stamp), Version>,
    /// What each device claimed when it was looked at last.
    claims: BTreeMap<Who, Counters>,
    /// How many conflicts ours received, and how many the Python peer.
    pub(super) conflicts: Conflicts,
    /// What is wrong.
    pub(super) found: Vec<String>,
}

/// How often neither of two records knew the other.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Conflicts {
    pub(super) ours: usize,
    pub(super) of_python: usize,
}

impl Conflicts {
    fn add(&mut self, receiver: Who) {
        match receiver {
            Who::First | Who::Second => self.ours += 1,
            Who::Python => self.of_python += 1,
        }
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self { ours: self.ours + other.ours, of_python: self.of_python + other.of_python }
    }
}

/// A record as it was saved at one stamp.
struct Version {
    partition: String,
    told: Told,
    /// On whom it was seen first.
    on: Who,
}

/// Two devices before or after they met.
pub(super) struct Pair {
    pub(super) client: Look,
    pub(super) server: Look,
}

impl Judge {
    pub(super) fn new(theirs: Database, instances: BTreeMap<Who, InstanceId>) -> Self {
        Self {
            theirs,
            instances,
            versions: BTreeMap::new(),
            claims: BTreeMap::new(),
            conflicts: Conflicts::default(),
            found: Vec::new(),
        }
    }

    /// Looks at what a device holds: a stamp stands for one state everywhere, no counter falls, and none claims what is not there.
    pub(super) fn see(&mut self, who: Who, look: &Look) {
        for record in look.records.values() {
            let told = tell(record);
            let version = self.versions.entry((record.id, record.last_saved)).or_insert_with(|| Version {
                partition: record.partition.clone(),
                told: told.clone(),
                on: who,
            });
            if version.told != told {
                let (before, now) = (version.told.clone(), told);
                let [before, now] = [before, now].map(|told| BTreeMap::from([(record.last_saved.to_string(), told)]));
                let differing = differences(&before, &now, &format!("{:?}", version.on), &format!("{who:?}"));
                self.found.push(format!("{} stands for two states:\n{}", record.id, differing.join("\n")));
            }
        }
        self.see_claims(who, look);
    }

    fn see_claims(&mut self, who: Who, look: &Look) {
        for (partition, instance, counter) in &look.counters {
            for ((id, stamp), version) in &self.versions {
                let is_claimed = stamp.instance.to_string() == *instance
                    && stamp.counter <= *counter
                    && version.partition.starts_with(partition);
                let is_there = look.records.get(id).is_some_and(|record| record.counters.covers(stamp));
                if is_claimed && !is_there {
                    self.found.push(format!(
                        "{who:?} claims {counter} of {instance} under {partition:?}, and lacks {id} of {stamp}"
                    ));
                }
            }
        }
        let before = self.claims.insert(who, look.counters.clone()).unwrap_or_default();
        for (partition, instance, counter) in before {
            let is_kept =
                look.counters.iter().any(|now| (&now.0, &now.1) == (&partition, &instance) && now.2 >= counter);
            if !is_kept && who != Who::Python {
                self.found.push(format!(
                    "{who:?} claimed {counter} of {instance} under {partition:?}, and does not any more"
                ));
            }
        }
    }

    /// Two devices have synced: the one that received last knows all that the other has.
    pub(super) fn judge_knowledge(&mut self, sync: &Sync, filter: &Filter, after: &Pair) {
        let (receiver, sender) = last_transfer(sync, after);
        for record in sender.1.records.values().filter(|record| filter.contains(&record.partition)) {
            let is_known =
                receiver.1.records.get(&record.id).is_some_and(|here| here.counters.covers(&record.last_saved));
            if !is_known {
                let (receiver, sender) = (receiver.0, sender.0);
                self.found
                    .push(format!("{receiver:?} did not get {} of {} from {sender:?}", record.id, record.last_saved));
            }
        }
    }

    /// Two devices have synced, and in the last direction something moved: whoever received claims what the sender claims. (Where
    /// nothing moves, neither kind of peer notes anything: that is safe, as the next transfer compares anew.)
    pub(super) fn judge_claims(&mut self, sync: &Sync, filter: &Filter, after: &Pair) {
        let (receiver, sender) = last_transfer(sync, after);
        let taken_over = match receiver.0 {
            Who::Python => taken_over_by_python(&sender.1.counters, filter),
            Who::First | Who::Second => sender.1.counters.clone(),
        };
        for record in sender.1.records.values().filter(|record| filter.contains(&record.partition)) {
            let (partition, stamp) = (&record.partition, &record.last_saved);
            if is_claimed(&taken_over, partition, stamp) && !is_claimed(&receiver.1.counters, partition, stamp) {
                let (receiver, sender) = (receiver.0, sender.0);
                self.found.push(format!("{receiver:?} does not claim {stamp} under {partition}, as {sender:?} does"));
            }
        }
    }

    /// Two devices have synced that had no change outside their stores: what each holds is what the law makes of what both held.
    pub(super) fn judge_outcome(&mut self, sync: &Sync, filter: &Filter, before: &Pair, after: &Pair) {
        let (client, server) = (sync.client, sync.server);
        match sync.directions {
            [Direction::Pull] => {
                self.judge_received(client, (&before.client, &after.client), &before.server, filter);
                self.judge_unchanged(server, &before.server, &after.server);
            }
            [Direction::Push] => {
                self.judge_received(server, (&before.server, &after.server), &before.client, filter);
                self.judge_unchanged(client, &before.client, &after.client);
            }
            _ => {
                self.judge_received(client, (&before.client, &after.client), &before.server, filter);
                self.judge_received(server, (&before.server, &after.server), &after.client, filter);
            }
        }
    }

    fn judge_unchanged(&mut self, who: Who, before: &Look, after: &Look) {
        let names = [format!("{who:?} before"), format!("{who:?} after it sent")];
        self.found.extend(differences(&told(before), &told(after), &names[0], &names[1]));
    }

    fn judge_received(&mut self, who: Who, (before, after): (&Look, &Look), sender: &Look, filter: &Filter) {
        let own = self.instances[&who];
        let counter_before = before.records.values().filter_map(|record| record.counters.get(&own)).max().unwrap_or(0);
        let sent: BTreeMap<&SyncId, &StoreRecord> =
            sender.records.iter().filter(|(_, record)| filter.contains(&record.partition)).collect();
        for id in before.records.keys().chain(sent.keys().copied()).chain(after.records.keys()).collect::<BTreeSet<_>>()
        {
            let found = after.records.get(id);
            // At which count the receiver saved what it merged is up to it: a new one.
            let saved = found
                .map(|record| record.last_saved)
                .filter(|stamp| stamp.instance == own && stamp.counter > counter_before);
            let wanted = match (before.records.get(id), sent.get(id)) {
                (None, theirs) => theirs.map(|theirs| (*theirs).clone()),
                (Some(ours), None) => Some(ours.clone()),
                (Some(ours), Some(theirs)) => Some(self.outcome(who, ours, theirs, saved)),
            };
            let (Some(wanted), Some(found)) = (&wanted, found) else {
                if wanted.is_some() != found.is_some() {
                    self.found.push(format!("{who:?} has {id}: {}, and should: {}", found.is_some(), wanted.is_some()));
                }
                continue;
            };
            let is_spread = saved.is_some_and(|saved| is_deletion_that_spread(wanted, found, saved, after));
            if !is_spread && tell(wanted) != tell(found) {
                let [wanted, found] = [wanted, found].map(|record| BTreeMap::from([(id.to_string(), tell(record))]));
                self.found.extend(differences(&wanted, &found, "the law", &format!("{who:?}")));
            }
        }
    }

    /// What a receiver makes of a record that it has and one that came.
    fn outcome(&mut self, who: Who, ours: &StoreRecord, theirs: &StoreRecord, saved: Option<Stamp>) -> StoreRecord {
        let relation = relation(Some((&ours.last_saved, &ours.counters)), (&theirs.last_saved, &theirs.counters));
        if relation == Relation::Conflict {
            self.conflicts.add(who);
        }
        match (relation, saved) {
            (Relation::AlreadySeen, _) => ours.clone(),
            (Relation::New | Relation::FastForward, _) => {
                let mut record = theirs.clone();
                record.counters.merge_max(&ours.counters);
                record
            }
            // It was not saved anew. That is wrong, and what it is shows how.
            (Relation::Conflict, None) => merge(None, ours, theirs, ours.last_saved).record,
            (Relation::Conflict, Some(saved)) if who == Who::Python => {
                merged_by_python(ours, theirs, saved, self.theirs)
            }
            (Relation::Conflict, Some(saved)) => merge(None, ours, theirs, saved).record,
        }
    }
}

/// Who received in the last direction of a sync, and who sent.
fn last_transfer<'a>(sync: &Sync, after: &'a Pair) -> ((Who, &'a Look), (Who, &'a Look)) {
    let (client, server) = ((sync.client, &after.client), (sync.server, &after.server));
    match sync.directions.last() {
        Some(Direction::Push) => (server, client),
        Some(Direction::Pull) | None => (client, server),
    }
}

/// Whether counters say that what was saved at a stamp under a partition is here.
fn is_claimed(counters: &Counters, partition: &str, stamp: &Stamp) -> bool {
    let instance = stamp.instance.to_string();
    counters.iter().any(|(place, writer, counter)| {
        partition.starts_with(place) && *writer == instance && *counter >= stamp.counter
    })
}

/// Whether a record was deleted by whoever received, because what it belongs to is deleted: one of its foreign keys points there.
fn is_deletion_that_spread(wanted: &StoreRecord, found: &StoreRecord, saved: Stamp, receiver: &Look) -> bool {
    let mut deleted = wanted.clone();
    deleted.deleted = true;
    deleted.last_saved = saved;
    deleted.counters.raise(saved);
    if found.hard_deleted {
        deleted.hard_deleted = true;
        deleted.serialized.clone_from(&found.serialized);
        deleted.conflicting_serialized_data.clear();
    }
    let is_emptied = !found.hard_deleted || found.serialized == "{}" || found.serialized.is_empty();
    let Ok(Value::Object(fields)) = serde_json::from_str(&wanted.serialized) else { return false };
    let belongs_to_deleted = fields.iter().filter(|(name, _)| name.ends_with("_id")).any(|(_, value)| {
        let target = value.as_str().and_then(|id| id.parse().ok()).and_then(|id: SyncId| receiver.records.get(&id));
        target.is_some_and(|target| target.deleted)
    });
    !wanted.deleted && is_emptied && belongs_to_deleted && tell(&deleted) == tell(found)
}

/// What a device holds, as it is compared.
pub(super) fn told(look: &Look) -> BTreeMap<String, Told> {
    look.records.values().map(|record| (record.id.to_string(), tell(record))).collect()
}
