//! The application's tables: foreign keys hold, what was committed there is known there, and each record that is not a row waits in the
//! open.

use std::collections::{BTreeMap, BTreeSet};

use morango::id::SyncId;
use morango::port::{WaitingKind, WaitingRecords};
use morango_examples::school::PROFILE;
use serde_json::Value;

use super::waiting::{FOREIGN_KEYS, Holding};
use crate::desk::AllRows;
use crate::ledger::{Brief, What, brief, events_in};
use crate::plan::Kind;
use crate::world::World;

impl World {
    /// Holds a device's rows against its store and the book.
    pub(super) fn check_rows(&mut self, node: usize) -> Result<(), String> {
        let rows = self.rows(node);
        check_foreign_keys(node, &rows)?;
        let waiting = self.waiting(node, false);
        for kind in waiting.values() {
            self.report.add(format!("a record waits: {kind}"));
        }
        let ledger = self.ledger();
        for (id, event) in &ledger.last[node] {
            let Some(kind) = ledger.histories[id].kind else { continue };
            if ledger.saved_last(node, id).is_none() || kind.text_column().is_none() {
                continue;
            }
            let seen = ledger.seen[node].get(id);
            if ledger.was_wiped(*id) || seen.is_some_and(|seen| seen.record.hard_deleted) {
                continue;
            }
            let row = rows.get(&(kind, *id)).map(|row| events_in(row)).unwrap_or_default();
            let texts = seen.map(|seen| seen.texts.clone()).unwrap_or_default();
            let held: Vec<u32> = row.into_iter().chain(texts).collect();
            // Mostly it is there itself, and who knew whom need not be asked.
            if !held.contains(event) && !ledger.known_by(held).contains(event) {
                let stands = brief(seen.map(|seen| &seen.record));
                return Err(format!(
                    "node {node} has forgotten its own change {event} of the {} {id}: {stands}",
                    kind.name()
                ));
            }
        }
        for (id, seen) in ledger.seen[node].iter().filter(|(_, seen)| !seen.record.deleted) {
            let Some(kind) = kind_of(&seen.record.model_name) else { continue };
            let is_deleted_since =
                ledger.last[node].get(id).is_some_and(|event| ledger.events[*event as usize].what != What::Saved);
            if !rows.contains_key(&(kind, *id)) && !waiting.contains_key(id) && !is_deleted_since {
                return Err(format!("node {node}: {} is no row, and does not wait", Brief(&seen.record)));
            }
        }
        Ok(())
    }

    /// Every row of a device.
    pub(super) fn rows(&self, node: usize) -> AllRows {
        self.nodes[node].desk().rows().expect("the rows can be read")
    }

    /// What waits on a device, or was dropped there, and why.
    pub(super) fn waiting(&self, node: usize, with_dropped: bool) -> BTreeMap<SyncId, WaitingKind> {
        let mut waiting = BTreeMap::new();
        let which = WaitingRecords::of(PROFILE);
        let lists = if with_dropped { vec![which.clone(), which.dropped()] } else { vec![which] };
        for which in lists {
            let mut after = None;
            loop {
                let page = self.nodes[node].storage.waiting(&which, after.as_ref(), 1_000).expect("what waits");
                waiting.extend(page.records.into_iter().map(|record| (record.id, record.kind)));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        waiting
    }

    /// At rest a row is what its record says.
    pub(super) fn check_rows_at_rest(&self, node: usize) -> Result<(), String> {
        let (rows, waiting) = (self.rows(node), self.waiting(node, true));
        let character = &self.nodes[node].character;
        let ledger = self.ledger();
        let claims = self.nodes[node].all_claims();
        let is_orphan = |saved| self.memory.is_orphan(saved);
        let holding = Holding {
            character,
            rows: &rows,
            waiting: &waiting,
            records: &ledger.seen[node],
            claims: &claims,
            is_orphan: &is_orphan,
        };
        let mut without_record: BTreeSet<_> = rows.keys().collect();
        for (id, seen) in &ledger.seen[node] {
            let record = &seen.record;
            let Some(kind) = kind_of(&record.model_name) else { continue };
            without_record.remove(&(kind, *id));
            if let Some(reason) = waiting.get(id) {
                if !holding.has_reason(record, *reason) {
                    let text = &record.serialized;
                    return Err(format!("node {node}: {} waits, and {reason} is no reason: {text}", Brief(record)));
                }
                continue;
            }
            let row = rows.get(&(kind, *id));
            let is_right = match row {
                None => record.deleted || !character.version.has(kind),
                Some(row) => !record.deleted && says_the_same(row, &record.serialized),
            };
            if !is_right {
                return Err(format!("node {node}: the row {row:?} is not what its record says, {}", Brief(record)));
            }
        }
        match without_record.first() {
            Some(place) => Err(format!("node {node}: the row {place:?} {} has no record", rows[place])),
            None => Ok(()),
        }
    }
}

pub(super) fn kind_of(model: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| kind.name() == model)
}

/// Whether a record says of every field of a row what the row says.
fn says_the_same(row: &str, serialized: &str) -> bool {
    let parse = |text: &str| serde_json::from_str::<Value>(text).ok();
    let (Some(Value::Object(row)), Some(Value::Object(record))) = (parse(row), parse(serialized)) else { return false };
    // What the record does not speak of, a row holds nothing of.
    row.iter().all(|(name, value)| record.get(name).unwrap_or(&Value::Null) == value)
}

fn check_foreign_keys(node: usize, rows: &AllRows) -> Result<(), String> {
    for (place, row) in rows {
        let Ok(Value::Object(fields)) = serde_json::from_str(row) else { continue };
        for (name, kind) in FOREIGN_KEYS {
            let target = fields.get(name).and_then(Value::as_str).and_then(|text| text.parse::<SyncId>().ok());
            if target.is_some_and(|target| !rows.contains_key(&(kind, target))) {
                return Err(format!("node {node}: {name} of {place:?} points at no row: {row}"));
            }
        }
    }
    Ok(())
}
