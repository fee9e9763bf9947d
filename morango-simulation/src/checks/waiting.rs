//! What waits: each record that is no row says why, and at rest that is so.

use std::collections::{BTreeMap, BTreeSet};

use morango::counter::{DatabaseMaxCounters, Stamp};
use morango::id::SyncId;
use morango::port::WaitingKind;
use morango::record::StoreRecord;
use serde_json::{Map, Value};

use super::rows::kind_of;
use crate::desk::AllRows;
use crate::ledger::Seen;
use crate::node::Character;
use crate::plan::Kind;
use crate::school::{Strictness, Version};

/// By which fields rows point at others.
pub(super) const FOREIGN_KEYS: [(&str, Kind); 4] = [
    ("facility_id", Kind::Facility),
    ("parent_id", Kind::Classroom),
    ("user_id", Kind::User),
    ("classroom_id", Kind::Classroom),
];

/// What a device holds, as far as it decides what becomes a row.
pub(super) struct Holding<'a> {
    pub(super) character: &'a Character,
    pub(super) rows: &'a AllRows,
    pub(super) waiting: &'a BTreeMap<SyncId, WaitingKind>,
    pub(super) records: &'a BTreeMap<SyncId, Seen>,
    pub(super) claims: &'a DatabaseMaxCounters,
    /// What nobody can claim who does not have all of it.
    pub(super) is_orphan: &'a dyn Fn(Stamp) -> bool,
}

impl Holding<'_> {
    /// Whether a record waits for the reason that is given.
    pub(super) fn has_reason(&self, record: &StoreRecord, reason: WaitingKind) -> bool {
        let (kind, fields) = (kind_of(&record.model_name), fields_of(&record.serialized));
        let Character { version, strictness, .. } = *self.character;
        match reason {
            WaitingKind::UnknownModel => kind.is_some_and(|kind| !version.has(kind)),
            // The one field that the new version must have and the old one does not know.
            WaitingKind::InvalidField => {
                kind == Some(Kind::Log) && version == Version::New && !fields.contains_key("extra")
            }
            WaitingKind::MissingForeignKey => {
                targets(&fields).any(|(place, id)| !self.rows.contains_key(&place) && !self.waiting.contains_key(&id))
            }
            WaitingKind::ForeignKeyWaits if record.deleted => {
                let mut with_it = self.what_goes_with(record.id).into_iter();
                with_it.any(|id| self.waiting.contains_key(&id) || self.is_open_between(record.id, id))
            }
            WaitingKind::ForeignKeyWaits => targets(&fields).any(|(_, id)| {
                let is_deleted = self.records.get(&id).is_some_and(|seen| seen.record.deleted);
                self.waiting.contains_key(&id) || (is_deleted && self.is_open_between(id, record.id))
            }),
            WaitingKind::Cycle => kind == Some(Kind::Classroom) && self.leads_into_a_circle(record.id),
            WaitingKind::Constraint => {
                let name = fields.get("username");
                let mut others = self.rows.iter().filter(|((kind, id), _)| *kind == Kind::User && *id != record.id);
                strictness == Strictness::Strict
                    && kind == Some(Kind::User)
                    && others.any(|(_, row)| fields_of(row).get("username") == name)
            }
            // At rest all was tried, nothing was changed since, and no application writes what is none of these.
            _ => false,
        }
    }

    /// Whether something may be missing that was known to those who saved these: one of them went with its device, and nobody can claim
    /// to have all of it.
    fn is_open_between(&self, one: SyncId, other: SyncId) -> bool {
        let [Some(one), Some(other)] = [one, other].map(|id| self.records.get(&id).map(|seen| &seen.record)) else {
            return false;
        };
        let is_open = |record: &StoreRecord, beside: &StoreRecord| {
            let Stamp { instance, counter } = record.last_saved;
            let reaches = |place: &str| self.claims.reaching(place, &instance).map(|claimed| counter <= claimed);
            let is_reached = reaches(&record.partition) == Some(true) && reaches(&beside.partition) != Some(false);
            // What was merged here was saved here, and is still a part of what it was merged with.
            (!is_reached && (self.is_orphan)(record.last_saved)) || record.counters.iter().any(self.is_orphan)
        };
        is_open(one, other) || is_open(other, one)
    }

    /// The records whose rows the tables would delete with the row of this one.
    fn what_goes_with(&self, first: SyncId) -> BTreeSet<SyncId> {
        let mut found = BTreeSet::new();
        let mut open = vec![first];
        while let Some(target) = open.pop() {
            let pointing = self.rows.iter().filter(|(_, row)| targets(&fields_of(row)).any(|(_, id)| id == target));
            open.extend(pointing.map(|((_, id), _)| *id).filter(|id| found.insert(*id)));
        }
        found
    }

    fn leads_into_a_circle(&self, first: SyncId) -> bool {
        let mut id = first;
        for _ in 0..=self.records.len() {
            let parent = self.records.get(&id).map(|seen| fields_of(&seen.record.serialized));
            let parent = parent.as_ref().and_then(|fields| fields.get("parent_id")?.as_str()?.parse().ok());
            let Some(parent) = parent else { return false };
            id = parent;
        }
        true
    }
}

/// What a row or a record points at.
fn targets(fields: &Map<String, Value>) -> impl Iterator<Item = ((Kind, SyncId), SyncId)> {
    FOREIGN_KEYS.iter().filter_map(|(name, kind)| {
        let id = fields.get(*name)?.as_str()?.parse().ok()?;
        Some(((*kind, id), id))
    })
}

/// The fields of a row or a record; none of what is no JSON object.
pub(super) fn fields_of(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap_or_default()
}
