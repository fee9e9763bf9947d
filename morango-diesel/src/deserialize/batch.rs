//! One transaction of deserializing: how much it may take, and what it does to one record.

use diesel::sql_types::{BigInt, Binary};
use morango::counter::{RecordMaxCounters, Stamp};
use morango::id::SyncId;
use morango::limits;
use morango::model::Fields;
use morango::port::{ApplyFailure, DeserializeReport, REPORTED_MAX};

use super::Scene;
use super::failure::{Failure, FailureKind};
use super::foreign_keys::{Deletion, Target, Targets, Verdict};
use super::waiting::{Gone, Waiting};
use crate::connection::Connection;
use crate::error::Fault;
use crate::models::InstalledModel;
use crate::serialize::has_mark;
use crate::statement::{Value, sql};
use crate::transaction::raise_counter;

/// What is left of the amount that one transaction may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    pub(super) records: usize,
    pub(super) bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { records: limits::TRANSACTION_RECORDS_MAX, bytes: limits::TRANSACTION_BYTES_MAX }
    }
}

impl Budget {
    /// A budget for one record, however large.
    pub(super) const fn one_record() -> Self {
        Self { records: 1, bytes: usize::MAX }
    }

    pub(super) const fn is_spent(&self) -> bool {
        self.records == 0 || self.bytes == 0
    }

    /// Takes one record with a text of this length.
    pub(super) fn take(&mut self, bytes: usize) {
        self.records = self.records.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Takes records that were merely looked at.
    pub(super) fn pass(&mut self, records: usize) {
        self.records = self.records.saturating_sub(records);
    }
}

/// What became of one record.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is a row, or its row is gone: nothing waits any more.
    Settled,
    /// It waits on, for this reason.
    Waits(Failure),
}

/// One transaction over the records of one model: its connection, and what was found out and done within it.
pub(super) struct Batch<'a> {
    pub(super) connection: Connection<'a>,
    pub(super) scene: &'a Scene<'a>,
    model: InstalledModel,
    /// Whether any row of the model was changed here and could not be serialized.
    has_marks: bool,
    pub(super) budget: Budget,
    pub(super) report: DeserializeReport,
    /// Why the first record cannot be committed, where that was found out.
    refusal: Option<Failure>,
    targets: Targets,
    saved: Option<Stamp>,
}

impl<'a> Batch<'a> {
    /// Before: what could be serialized of the application's changes is.
    pub(super) fn new(
        mut connection: Connection<'a>,
        scene: &'a Scene<'a>,
        model: InstalledModel,
        budget: Budget,
        refusal: Option<Failure>,
    ) -> Result<Self, Fault> {
        let marks = sql("SELECT count(*) FROM (SELECT 1 FROM morango_mark WHERE model = ").bind(model.number);
        let marks = marks.sql(" LIMIT 1) AS found");
        let has_marks = marks.returns::<BigInt>().get_result::<i64>(&mut connection)? != 0;
        Ok(Self {
            connection,
            scene,
            model,
            has_marks,
            budget,
            refusal,
            report: DeserializeReport::default(),
            targets: Targets::default(),
            saved: None,
        })
    }

    /// Makes a record the row that it is, where its foreign keys allow that. The id in the store counts, whatever its text says.
    ///
    /// Before: the record waits. After: its row is as it says; or what it belongs to was deleted, and so is it; or it is as before.
    /// An error of one row undoes that row's statement alone.
    pub(super) fn write(&mut self, record: &Waiting) -> Result<Outcome, Fault> {
        let definition = self.model.definition;
        self.budget.take(record.serialized.len());
        if let Some(failure) = self.refusal.take() {
            return Ok(Outcome::Waits(failure));
        }
        if self.is_marked(&record.id)? {
            return Ok(Outcome::Waits(Failure::local_change()));
        }
        let fields = match Fields::parse(&record.serialized) {
            Ok(fields) => fields,
            Err(error) => return Ok(Outcome::Waits(Failure::new(FailureKind::Malformed, error))),
        };
        match self.targets.check(&mut self.connection, self.scene, definition, &record.id, &fields)? {
            Verdict::Stands => {}
            Verdict::Spreads(deletion) => return self.spread(record, deletion),
            Verdict::Fails(failure) => return Ok(Outcome::Waits(failure)),
        }
        if let Err(error) = self.model.rows.apply(&mut self.connection, record.id, &fields) {
            return Failure::of_apply(error).map(Outcome::Waits);
        }
        self.report.written += 1;
        self.targets.note(definition, record.id, Target::Row);
        self.settle(record.sequence)?;
        Ok(Outcome::Settled)
    }

    /// Deletes the row of a deleted record, with what the table's own cascades delete. It may be gone already.
    pub(super) fn delete(&mut self, record: &Gone) -> Result<Outcome, Fault> {
        self.budget.take(0);
        if let Some(failure) = self.refusal.take() {
            return Ok(Outcome::Waits(failure));
        }
        if self.is_marked(&record.id)? {
            return Ok(Outcome::Waits(Failure::local_change()));
        }
        match self.model.rows.delete(&mut self.connection, &record.id) {
            Ok(deleted) => {
                self.report.deleted += deleted as u64;
                self.settle(record.sequence)?;
                Ok(Outcome::Settled)
            }
            Err(error) => Failure::of_database(error).map(Outcome::Waits),
        }
    }

    /// Deletes a record because one that it points at was deleted: a change of our own, which others are to learn of.
    ///
    /// Before: the record waits. After: its row is gone, and it is marked deleted in the store as saved by this instance.
    fn spread(&mut self, record: &Waiting, deletion: Deletion) -> Result<Outcome, Fault> {
        match self.model.rows.delete(&mut self.connection, &record.id) {
            Ok(deleted) => self.report.deleted += deleted as u64,
            Err(error) => return Failure::of_database(error).map(Outcome::Waits),
        }
        let saved = self.stamp()?;
        let counters = sql("SELECT record_max_counters FROM morango_store WHERE sequence = ").bind(record.sequence);
        let counters = counters.returns::<Binary>().get_result::<Vec<u8>>(&mut self.connection)?;
        let mut counters = RecordMaxCounters::from_bytes(&counters)?;
        counters.raise(saved);
        let marked = sql("UPDATE morango_store SET is_deleted = 1, is_dirty = 0, transfer_session = NULL,
             failure_kind = NULL, failure_reason = NULL, last_saved_instance = ")
        .bind(&saved.instance)
        .sql(", last_saved_counter = ")
        .bind(saved.counter)
        .sql(", record_max_counters = ")
        .bind(counters.to_bytes());
        let marked = match deletion {
            Deletion::Plain => marked,
            Deletion::Hard => marked.sql(", is_hard_deleted = 1, serialized = '', conflicting_serialized_data = ''"),
        };
        marked.sql(" WHERE sequence = ").bind(record.sequence).execute(&mut self.connection)?;
        self.targets.note(self.model.definition, record.id, Target::Deleted(deletion));
        Ok(Outcome::Settled)
    }

    /// Whether the record's row was changed here and could not be serialized: it must not be written over.
    fn is_marked(&mut self, id: &SyncId) -> Result<bool, Fault> {
        if !self.has_marks {
            return Ok(false);
        }
        has_mark(&mut self.connection, &self.model, id)
    }

    /// The stamp of what this transaction itself saves: the counter is raised before the first of it.
    fn stamp(&mut self) -> Result<Stamp, Fault> {
        match self.saved {
            Some(saved) => Ok(saved),
            None => Ok(*self.saved.insert(raise_counter(&mut self.connection)?)),
        }
    }

    /// The record does not wait any more.
    fn settle(&mut self, sequence: i64) -> Result<(), Fault> {
        sql("UPDATE morango_store SET is_dirty = 0, failure_kind = NULL, failure_reason = NULL WHERE sequence = ")
            .bind(sequence)
            .execute(&mut self.connection)?;
        Ok(())
    }

    /// Keeps why a record waits, and reports it. One that waits for the same reason as before is not written again.
    pub(super) fn note_failure(&mut self, (sequence, id): (i64, SyncId), failure: Failure) -> Result<(), Fault> {
        let kind = failure.kind.as_str();
        sql("UPDATE morango_store SET failure_kind = ")
            .bind(kind)
            .sql(", failure_reason = ")
            .bind(Value::content(&failure.reason))
            .sql(" WHERE sequence = ")
            .bind(sequence)
            .sql(" AND (failure_kind IS DISTINCT FROM ")
            .bind(kind)
            .sql(" OR failure_reason IS DISTINCT FROM ")
            .bind(Value::content(&failure.reason))
            .sql(")")
            .execute(&mut self.connection)?;
        self.report.failures_total += 1;
        if self.report.failures.len() < REPORTED_MAX {
            let (model, kind) = (self.model.definition.name.to_owned(), kind.to_owned());
            self.report.failures.push(ApplyFailure { model, id, kind, reason: failure.reason });
        }
        Ok(())
    }
}
