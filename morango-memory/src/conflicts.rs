//! Records that keep texts that lost, and how such a conflict ends.

use chrono::DateTime;
use morango::counter::Stamp;
use morango::id::SyncId;
use morango::port::{DeserializeOrder, FailedBefore};
use morango::record::StoreRecord;
use morango::scope::Filter;
use morango::{Error, ErrorKind, Result, limits};

use crate::data::Data;

impl Data {
    pub(crate) fn conflicts(
        &self,
        profile: &str,
        filter: &Filter,
        after: Option<&SyncId>,
        limit: usize,
    ) -> Vec<StoreRecord> {
        let is_meant = |record: &&StoreRecord| {
            record.profile == profile
                && filter.contains(&record.partition)
                && after.is_none_or(|after| record.id > *after)
                && !record.hard_deleted
                && !record.conflicting_serialized_data.is_empty()
        };
        let mut bytes = 0;
        let mut found = Vec::new();
        for record in self.store.values().map(|held| &held.record).filter(is_meant) {
            if found.len() >= limit || bytes >= limits::CHUNK_BYTES_TARGET {
                break;
            }
            bytes += record.serialized.len() + record.conflicting_serialized_data.len();
            found.push(record.clone());
        }
        found
    }

    /// What the record becomes is [`StoreRecord::resolved`]'s to say. Where its content cannot be the row nothing is changed.
    pub(crate) fn resolve_conflict(&mut self, id: &SyncId, listed: &Stamp, content: Option<&str>) -> Result<()> {
        let operation = format!("resolve the conflict of the record {id}");
        let changed = |what: &str| Err(Error::new(ErrorKind::RecordChanged, format!("{operation}: {what}")));
        let Some(held) = self.store.get(id) else { return changed("it is not in the store") };
        let record = held.record.clone();
        if record.last_saved != *listed {
            return changed("it was changed since it was listed");
        }
        if record.hard_deleted || record.conflicting_serialized_data.is_empty() {
            return changed("it is in no conflict");
        }
        let number = self.application.number_of_name(&record.profile, &record.model_name);
        if number.is_some_and(|number| self.application.marks.contains_key(&(number, *id))) {
            return changed("its row was changed here, and the change is not serialized yet");
        }
        let before = self.clone();
        let saved = self.raise_counter()?;
        let definition = self.definition(&record);
        let profile = record.profile.clone();
        let held = self.store.get_mut(id).expect("it was there");
        if content.is_some() {
            held.begin_waiting();
        }
        held.note_before_saving(&self.counters, saved.instance);
        held.record = record.resolved(content, definition, saved);
        held.transfer = None;
        if content.is_none() {
            return Ok(());
        }
        if number.is_none() {
            return Ok(());
        }
        let everything = Filter::everything();
        let order = DeserializeOrder {
            profile: &profile,
            filter: &everything,
            failed_before: FailedBefore::TryAgain,
            now: DateTime::UNIX_EPOCH,
        };
        let written = self.without_capture(|data| data.write_one(*id, order))?;
        written.map_err(|reason| {
            *self = before;
            Error::new(ErrorKind::InvalidInput, format!("{operation}: its content cannot be the row: {reason}"))
        })
    }
}
