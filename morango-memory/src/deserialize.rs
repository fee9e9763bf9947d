//! *Deserialize*: what waits in the store becomes rows.
//!
//! First the rows of deleted records go, in the models' order backwards and of each model those that came last; then the others are
//! written, in that order, as they came. Where a deletion is refused, the others are written and it is tried once more, and then the
//! others once more in turn. Before all that the application's own changes are serialized, so that none is written over.

use std::collections::BTreeSet;

use morango::Result;
use morango::counter::Stamp;
use morango::id::SyncId;
use morango::port::{ApplyFailure, DeserializeOrder, DeserializeReport, FailedBefore, REPORTED_MAX};

use crate::application::Capture;
use crate::data::{Data, Held, RowState};
use crate::serialize::Which;
use crate::verdict::Failure;

/// Whether what fails is tried again later in the same call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Try {
    First,
    Last,
}

/// What became of a record: settled, or a reason why it goes on waiting.
pub(crate) type Outcome = std::result::Result<(), Failure>;

/// One deserialization, and in it the work on one model's records, which is one transaction.
pub(crate) struct Run<'a> {
    pub(crate) data: &'a mut Data,
    pub(crate) order: DeserializeOrder<'a>,
    pub(crate) report: DeserializeReport,
    /// The model whose records have their turn.
    pub(crate) model: usize,
    /// The stamp of what this transaction itself saves.
    pub(crate) stamp: Option<Stamp>,
    /// Records of the tree that wait for each other.
    pub(crate) tangled: BTreeSet<SyncId>,
}

impl Data {
    pub(crate) fn deserialize(&mut self, order: &DeserializeOrder<'_>) -> Result<DeserializeReport> {
        self.without_capture(|data| data.deserialize_all(order))
    }

    /// What the storage itself writes is no change of the application's.
    pub(crate) fn without_capture<R>(&mut self, work: impl FnOnce(&mut Self) -> R) -> R {
        let before = std::mem::replace(&mut self.application.capture, Capture::Off);
        let done = work(self);
        self.application.capture = before;
        done
    }

    fn deserialize_all(&mut self, order: &DeserializeOrder<'_>) -> Result<DeserializeReport> {
        let waits = |held: &&Held| held.row == RowState::Waits && held.record.profile == order.profile;
        let names: BTreeSet<String> =
            self.store.values().filter(waits).map(|held| held.record.model_name.clone()).collect();
        let is_waited_for = |number: &usize| names.contains(self.application.models[*number].definition.name);
        let models: Vec<usize> = self.models_of(order.profile).into_iter().filter(is_waited_for).collect();
        let unknown = self.store.values().filter(waits).filter(|held| self.definition(&held.record).is_none());
        let unknown_models = unknown.count() as u64;
        let mut run = Run::new(self, *order);
        run.report.unknown_models = unknown_models;
        if models.is_empty() {
            return Ok(run.report);
        }
        let serialized = run.data.serialize(order.profile, order.filter)?;
        run.report.conflicts += serialized.conflicts;
        let mut was_refused = false;
        for model in models.iter().rev() {
            was_refused |= run.delete_all(*model, Try::First)?;
        }
        if was_refused {
            for model in &models {
                run.write_all(*model, Try::First)?;
            }
            for model in models.iter().rev() {
                run.delete_all(*model, Try::Last)?;
            }
        }
        for model in &models {
            run.write_all(*model, Try::Last)?;
        }
        Ok(run.report)
    }

    /// Makes one record that waits a row; where it cannot be, the answer says why.
    pub(crate) fn write_one(
        &mut self,
        id: SyncId,
        order: DeserializeOrder<'_>,
    ) -> Result<std::result::Result<(), String>> {
        let record = &self.store[&id].record;
        let number = self.application.number_of_name(&record.profile, &record.model_name);
        let mut run = Run::new(self, order);
        run.model = number.expect("the model is known");
        let outcome = run.write(id)?;
        let written = run.report.written;
        Ok(match outcome {
            Err(failure) => Err(failure.reason),
            Ok(()) if written == 0 => Err("what it points at is deleted".to_owned()),
            Ok(()) => Ok(()),
        })
    }
}

impl<'a> Run<'a> {
    fn new(data: &'a mut Data, order: DeserializeOrder<'a>) -> Self {
        let report = DeserializeReport::default();
        Self { data, order, report, model: 0, stamp: None, tangled: BTreeSet::new() }
    }

    /// Begins the work on one model's records: what the application changed since is serialized, and nothing is marked after that.
    pub(crate) fn begin(&mut self, model: usize) -> Result<()> {
        let serialized = self.data.serialize_changes(self.order.profile, Which::Untried)?;
        self.report.conflicts += serialized.conflicts;
        self.model = model;
        self.stamp = None;
        self.tangled.clear();
        Ok(())
    }

    /// The records of the model that are meant and wait: in the order in which they came.
    pub(crate) fn waiting(&self, is_deleted: bool) -> Vec<SyncId> {
        self.data.in_order(|held| self.is_waiting(held) && held.record.deleted == is_deleted)
    }

    /// Whether a record of the model waits under the filter.
    pub(crate) fn is_waiting(&self, held: &Held) -> bool {
        let definition = self.data.application.models[self.model].definition;
        held.row == RowState::Waits
            && (&*held.record.profile, &*held.record.model_name) == (definition.profile, definition.name)
            && self.order.filter.contains(&held.record.partition)
    }

    /// Whether a record is passed by because it failed before.
    pub(crate) fn is_passed_by(&self, id: SyncId) -> bool {
        self.order.failed_before == FailedBefore::Skip && self.data.store[&id].failure.is_some()
    }

    /// The record of this id, if it still waits to become a row.
    pub(crate) fn still_waits(&self, id: SyncId) -> bool {
        self.data.store.get(&id).is_some_and(|held| self.is_waiting(held) && !held.record.deleted)
    }

    /// Keeps why a record waits, and reports it.
    pub(crate) fn note_failure(&mut self, id: SyncId, failure: Failure) {
        let failure = self.tell_ring(id, failure);
        let now = self.order.now;
        let held = self.data.store.get_mut(&id).expect("what failed is in the store");
        held.since = held.since.or(Some(now));
        held.failure = Some((failure.kind, failure.reason.clone()));
        let model = held.record.model_name.clone();
        self.report.failures_total += 1;
        if self.report.failures.len() < REPORTED_MAX {
            self.report.failures.push(ApplyFailure { model, id, kind: failure.kind, reason: failure.reason });
        }
    }

    /// The law of counters: this transaction raises the counter before the first of what it saves.
    pub(crate) fn stamp(&mut self) -> Result<Stamp> {
        match self.stamp {
            Some(stamp) => Ok(stamp),
            None => Ok(*self.stamp.insert(self.data.raise_counter()?)),
        }
    }

    /// What is to be put back should what follows be taken back.
    pub(crate) fn copy(&self) -> (Data, DeserializeReport, Option<Stamp>) {
        (self.data.clone(), self.report.clone(), self.stamp)
    }

    /// Takes back what was done since.
    pub(crate) fn put_back(&mut self, (data, report, stamp): (Data, DeserializeReport, Option<Stamp>)) {
        *self.data = data;
        self.report = report;
        self.stamp = stamp;
    }
}
