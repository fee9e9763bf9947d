//! *Serialize*: what the application changed becomes records in the store, stamped anew.

use std::collections::BTreeMap;

use morango::counter::{RecordMaxCounters, Stamp};
use morango::model::Fields;
use morango::port::{SerializeReport, SetAside};
use morango::record::{StoreRecord, is_longer_in_json, merge_row, put_before};
use morango::scope::Filter;
use morango::{Result, limits};

use crate::application::{Mark, Place};
use crate::data::{Data, RowState};
use crate::model::Row;

/// Which marked rows are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// All of them.
    All,
    /// Those that changed since that was last tried.
    Untried,
}

impl Data {
    /// Serializes every changed row of the profile, and then claims what this instance itself saved under the filter.
    ///
    /// The counter moves by one if anything was stamped or had to be claimed, and not at all where nothing was.
    pub(crate) fn serialize(&mut self, profile: &str, filter: &Filter) -> Result<SerializeReport> {
        let before = self.current_stamp()?;
        let report = self.serialize_changes(profile, Which::All)?;
        let has_stamped = self.current_stamp()? != before;
        let is_claimed =
            |data: &Self, prefix: &String| data.counters.get(prefix, &before.instance) == Some(before.counter);
        if !has_stamped && filter.prefixes().iter().all(|prefix| is_claimed(self, prefix)) {
            return Ok(report);
        }
        let stamp = if has_stamped { self.current_stamp()? } else { self.raise_counter()? };
        for prefix in filter.prefixes() {
            self.counters.raise(prefix, stamp);
        }
        Ok(report)
    }

    /// The same without claiming anything.
    pub(crate) fn serialize_changes(&mut self, profile: &str, which: Which) -> Result<SerializeReport> {
        let mut report = SerializeReport::default();
        let mut stamp = None;
        for number in self.models_of(profile) {
            let marks = self.application.marks.clone();
            let is_meant =
                |(place, mark): &(Place, Mark)| place.0 == number && (which == Which::All || mark.reason.is_none());
            for (place, mark) in marks.into_iter().filter(is_meant) {
                match self.serialize_row(place, &mark, &mut stamp, &mut report)? {
                    Ok(()) => {
                        self.application.marks.remove(&place);
                    }
                    Err(reason) => {
                        let model = self.application.models[number].definition.name.to_owned();
                        report.set_aside_total += 1;
                        report.set_aside.push(SetAside { model, id: place.1.to_string(), reason: reason.clone() });
                        self.application.marks.insert(place, Mark { reason: Some(reason), ..mark });
                    }
                }
            }
        }
        Ok(report)
    }

    fn stamp(&mut self, stamp: &mut Option<Stamp>) -> Result<Stamp> {
        match stamp {
            Some(stamp) => Ok(*stamp),
            None => Ok(*stamp.insert(self.raise_counter()?)),
        }
    }

    /// The inner error says why the row is set aside.
    fn serialize_row(
        &mut self,
        place: Place,
        mark: &Mark,
        stamp: &mut Option<Stamp>,
        report: &mut SerializeReport,
    ) -> Result<Result<(), String>> {
        let definition = self.application.models[place.0].definition;
        if let Some(held) = self.store.get(&place.1)
            && (&*held.record.profile, &*held.record.model_name) != (definition.profile, definition.name)
        {
            return Ok(Err(format!("the store has a record of this id, of {}", held.record.model_name)));
        }
        let row = self.application.rows.get(&place).cloned();
        match (row, self.store.contains_key(&place.1)) {
            (None, false) => Ok(Ok(())),
            (None, true) => self.delete_record(place, mark, stamp, report),
            (Some(row), false) => self.insert_record(place, &*row, mark, stamp, report),
            (Some(row), true) => self.update_record(place, &*row, mark, stamp, report),
        }
    }

    /// A row without a record becomes a new one.
    fn insert_record(
        &mut self,
        place: Place,
        row: &dyn Row,
        mark: &Mark,
        stamp: &mut Option<Stamp>,
        report: &mut SerializeReport,
    ) -> Result<Result<(), String>> {
        let (source_id, partition) = match (&mark.origin, row.identify()) {
            (Some(origin), _) => origin.clone(),
            (None, Ok(origin)) => (origin.source_id, origin.partition),
            (None, Err(error)) => return Ok(Err(error.to_string())),
        };
        let serialized = row.serialize(&source_id, &partition, None);
        if is_longer_in_json(&serialized, limits::SERIALIZED_BYTES_MAX) {
            return Ok(Err(too_long(&serialized)));
        }
        let definition = self.application.models[place.0].definition;
        let saved = self.stamp(stamp)?;
        let mut counters = RecordMaxCounters::new();
        counters.raise(saved);
        let record = StoreRecord {
            id: place.1,
            profile: definition.profile.to_owned(),
            model_name: definition.name.to_owned(),
            partition,
            source_id,
            serialized,
            conflicting_serialized_data: String::new(),
            deleted: false,
            hard_deleted: false,
            last_saved: saved,
            self_ref_fk: self.parent_text(place, row),
            counters,
        };
        self.insert(record, RowState::Settled, None);
        report.new += 1;
        Ok(Ok(()))
    }

    /// A record gets its row's content. A row that says what its record says already changes nothing.
    fn update_record(
        &mut self,
        place: Place,
        row: &dyn Row,
        mark: &Mark,
        stamp: &mut Option<Stamp>,
        report: &mut SerializeReport,
    ) -> Result<Result<(), String>> {
        let held = &self.store[&place.1];
        let record = &held.record;
        // Of what was deleted for good nothing is left where it is there again.
        let is_wiped = mark.is_hard;
        let text_over = |before: &str| {
            let fields = Fields::parse(before).ok().filter(|_| !is_wiped);
            row.serialize(&record.source_id, &record.partition, fields.as_ref())
        };
        let serialized = text_over(&record.serialized);
        let is_live = !record.deleted && !record.hard_deleted && held.row == RowState::Settled;
        let is_said = is_live && is_same(&record.serialized, &serialized);
        // What was marked and not changed is no change made beside what waits.
        let is_as_before = held.row_before.as_ref().is_some_and(|before| {
            let fields = Fields::parse(before).ok();
            let read = fields.and_then(|fields| row.serialize_before(&record.source_id, &record.partition, &fields));
            read.is_some_and(|read| is_same(&read, &text_over(before)))
        });
        if !is_wiped && (is_said || is_as_before) {
            return Ok(Ok(()));
        }
        if is_longer_in_json(&serialized, limits::SERIALIZED_BYTES_MAX) {
            return Ok(Err(too_long(&serialized)));
        }
        let parent = self.parent_text(place, row);
        let saved = self.stamp(stamp)?;
        let definition = self.application.models[place.0].definition;
        let held = self.store.get_mut(&place.1).expect("it was there");
        held.note_before_saving(&self.counters, saved.instance);
        let record = &mut held.record;
        let (mut content, mut row_before) = ((serialized, parent), None);
        if held.row != RowState::Settled {
            report.conflicts += 1;
        }
        if is_wiped {
            record.conflicting_serialized_data.clear();
        } else if held.row != RowState::Settled {
            // Both contents are kept: what waited lost, unless the application's policies say otherwise.
            let earlier = &record.conflicting_serialized_data;
            if record.deleted && !record.hard_deleted {
                record.conflicting_serialized_data = put_before(&record.serialized, earlier);
            } else if !record.hard_deleted {
                let waiting = (&*record.serialized, &*record.self_ref_fk);
                let merged = merge_row(definition, record.id, (&content.0, &content.1), waiting, earlier);
                let is_row = merged.is_row;
                let row = std::mem::replace(&mut content, (merged.serialized, merged.self_ref_fk)).0;
                record.conflicting_serialized_data = merged.conflicting_serialized_data;
                row_before = (!is_row).then_some(row);
            }
        }
        (record.serialized, record.self_ref_fk) = content;
        record.deleted = false;
        record.hard_deleted = false;
        held.settle();
        if row_before.is_some() {
            held.row = RowState::Waits;
            held.row_before = row_before;
        }
        held.save(saved);
        report.updated += 1;
        Ok(Ok(()))
    }

    /// A record whose row is gone is marked deleted. After a hard deletion nothing of its content is left, and stays so.
    fn delete_record(
        &mut self,
        place: Place,
        mark: &Mark,
        stamp: &mut Option<Stamp>,
        report: &mut SerializeReport,
    ) -> Result<Result<(), String>> {
        let held = &self.store[&place.1];
        if held.row != RowState::Settled && held.row_before.is_none() && !mark.is_hard {
            // The application made a row beside what waits, and deleted it again.
            return Ok(Ok(()));
        }
        let is_hard = mark.is_hard || held.record.hard_deleted;
        let says_so = held.record.deleted && held.record.hard_deleted == is_hard;
        if says_so && held.row == RowState::Settled {
            return Ok(Ok(()));
        }
        let saved = self.stamp(stamp)?;
        let held = self.store.get_mut(&place.1).expect("it was there");
        held.note_before_saving(&self.counters, saved.instance);
        held.record.deleted = true;
        if is_hard {
            held.record.hard_deleted = true;
            "{}".clone_into(&mut held.record.serialized);
            held.record.conflicting_serialized_data.clear();
        }
        held.settle();
        held.save(saved);
        report.deleted += 1;
        Ok(Ok(()))
    }

    fn parent_text(&self, place: Place, row: &dyn Row) -> String {
        self.application.models[place.0].parent(row).map(|id| id.to_string()).unwrap_or_default()
    }
}

fn too_long(serialized: &str) -> String {
    format!("serialize the row: its {} bytes are more than peers take", serialized.len())
}

/// Whether two texts hold the same members, in whatever order and spelling; numbers by their digits.
fn is_same(before: &str, now: &str) -> bool {
    fn members(text: &str) -> Option<BTreeMap<String, String>> {
        let fields = Fields::parse(text).ok()?;
        let spelled = |raw: &str| match serde_json::from_str::<String>(raw) {
            Ok(text) => serde_json::Value::String(text).to_string(),
            Err(_) => raw.to_owned(),
        };
        Some(fields.iter().map(|(name, value)| (name.to_owned(), spelled(value))).collect())
    }
    members(before).is_some_and(|before| members(now) == Some(before))
}
