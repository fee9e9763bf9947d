//! What a transaction can change of rows, records and counters, and what takes it back: a copy.

use chrono::{DateTime, Utc};
use morango::counter::{DatabaseMaxCounters, Stamp};
use morango::id::{InstanceId, SyncId, TransferSessionId};
use morango::model::ModelDefinition;
use morango::port::WaitingKind;
use morango::record::StoreRecord;
use morango::{Error, ErrorKind, Result};
use std::collections::BTreeMap;

use crate::application::Application;

/// How a record stands to its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowState {
    /// The row is what the record says; or is gone, as it says.
    Settled,
    /// It waits to become the row, or to have it deleted.
    Waits,
    /// It waited, and somebody dropped it.
    Dropped,
}

/// A record in the store, with what is known of it there.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) record: StoreRecord,
    /// Its place in the order in which records came into the store.
    pub(crate) sequence: i64,
    pub(crate) row: RowState,
    /// What the row says as long as nobody changes it, where the record waits and has one.
    pub(crate) row_before: Option<String>,
    /// At which stamps was saved what this database then saved as its own, by a merge or otherwise, as far as that is not claimed yet.
    pub(crate) merged: Vec<Stamp>,
    /// Why it waits, since it was last tried.
    pub(crate) failure: Option<(WaitingKind, String)>,
    /// When it first failed.
    pub(crate) since: Option<DateTime<Utc>>,
    /// The transfer that changed it, where nobody has since.
    pub(crate) transfer: Option<TransferSessionId>,
    /// The stamp that it bore when ours gave way. It says nothing any more once the record bears another.
    pub(crate) gave_way: Option<Stamp>,
}

impl Held {
    /// Nothing waits any more.
    pub(crate) fn settle(&mut self) {
        self.row = RowState::Settled;
        self.row_before = None;
        self.failure = None;
        self.since = None;
    }

    /// It is about to become something else, which its row is to become.
    pub(crate) fn begin_waiting(&mut self) {
        if self.row == RowState::Settled {
            self.row_before = (!self.record.deleted).then(|| self.record.serialized.clone());
        }
        self.row = RowState::Waits;
        self.failure = None;
    }

    /// Notes at which stamp it was saved, if that is not claimed yet, before it is saved as this instance.
    pub(crate) fn note_before_saving(&mut self, counters: &DatabaseMaxCounters, current: InstanceId) {
        let saved = self.record.last_saved;
        if saved.instance != current && !counters.covers(&self.record.partition, saved) {
            self.merged.push(saved);
        }
    }

    /// Saves the record as this instance.
    pub(crate) fn save(&mut self, stamp: Stamp) {
        self.record.last_saved = stamp;
        self.record.counters.raise(stamp);
        self.transfer = None;
    }
}

/// Rows, records and counters.
#[derive(Clone)]
pub(crate) struct Data {
    pub(crate) application: Application,
    pub(crate) store: BTreeMap<SyncId, Held>,
    pub(crate) next_sequence: i64,
    pub(crate) instance: Option<InstanceId>,
    /// The counter of every instance that this database ever was.
    pub(crate) instances: BTreeMap<InstanceId, i64>,
    /// Up to which counter others may know each of them.
    pub(crate) told: BTreeMap<InstanceId, i64>,
    /// What this database claims to have.
    pub(crate) counters: DatabaseMaxCounters,
    /// What it may have beyond that.
    pub(crate) unclaimed: DatabaseMaxCounters,
    /// What somebody else has of what the instances that this database is or was saved.
    pub(crate) handed_over: DatabaseMaxCounters,
}

impl Data {
    pub(crate) fn new() -> Self {
        Self {
            application: Application::new(Vec::new()),
            store: BTreeMap::new(),
            next_sequence: 1,
            instance: None,
            instances: BTreeMap::new(),
            told: BTreeMap::new(),
            counters: DatabaseMaxCounters::new(),
            unclaimed: DatabaseMaxCounters::new(),
            handed_over: DatabaseMaxCounters::new(),
        }
    }

    /// The current instance and its counter.
    pub(crate) fn current_stamp(&self) -> Result<Stamp> {
        let instance = self.instance.ok_or_else(|| {
            Error::new(ErrorKind::Configuration, "find this database's instance: none was adopted yet")
        })?;
        Ok(Stamp::new(instance, self.instances[&instance]))
    }

    /// The law of counters: whoever stamps raises the counter first.
    pub(crate) fn raise_counter(&mut self) -> Result<Stamp> {
        let instance = self.current_stamp()?.instance;
        *self.instances.get_mut(&instance).expect("the current instance is known") += 1;
        self.current_stamp()
    }

    /// The definition of a record's model, where this application has it.
    pub(crate) fn definition(&self, record: &StoreRecord) -> Option<&'static ModelDefinition> {
        let number = self.application.number_of_name(&record.profile, &record.model_name)?;
        Some(self.application.models[number].definition)
    }

    /// The numbers of the models of a profile, each after those that it points at.
    pub(crate) fn models_of(&self, profile: &str) -> Vec<usize> {
        let models = self.application.models.iter().enumerate();
        models.filter(|(_, model)| model.definition.profile == profile).map(|(number, _)| number).collect()
    }

    /// The ids of the records that are meant, in the order in which they came into the store.
    pub(crate) fn in_order(&self, is_meant: impl Fn(&Held) -> bool) -> Vec<SyncId> {
        let mut found: Vec<&Held> = self.store.values().filter(|held| is_meant(held)).collect();
        found.sort_by_key(|held| held.sequence);
        found.into_iter().map(|held| held.record.id).collect()
    }

    /// Puts a record into the store that is not there yet.
    pub(crate) fn insert(&mut self, record: StoreRecord, row: RowState, transfer: Option<TransferSessionId>) {
        let held = Held {
            sequence: self.next_sequence,
            row,
            row_before: None,
            merged: Vec::new(),
            failure: None,
            since: None,
            transfer,
            gave_way: None,
            record,
        };
        self.next_sequence += 1;
        let before = self.store.insert(held.record.id, held);
        assert!(before.is_none(), "only a record that is not in the store is inserted");
    }
}
