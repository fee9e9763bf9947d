//! One transaction of deserializing: how much it may take, and what it does to one record.

use std::collections::HashSet;

use diesel::sql_types::{BigInt, Binary};
use morango::counter::Stamp;
use morango::id::SyncId;
use morango::limits;
use morango::model::{Fields, ModelDefinition};
use morango::port::{ApplyFailure, DeserializeReport, REPORTED_MAX, WaitingKind};

use super::Scene;
use super::failure::{Failure, undone_by};
use super::foreign_keys::{Deletion, Target, Targets, Verdict};
use super::together::Together;
use super::waiting::{Gone, Waiting};
use crate::backend::{self, UniqueKey};
use crate::connection::{AsConnection, Connection};
use crate::error::Fault;
use crate::models::InstalledModel;
use crate::rows::{ApplyError, TableRows};
use crate::serialize::{has_mark, trace};
use crate::statement::sql;
use crate::transaction::{begin_savepoint, keep_savepoint, raise_counter, undo_savepoint, with_traces};
use crate::value::Value;

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
    pub(super) refusal: Option<Failure>,
    pub(super) targets: Targets,
    /// Records whose rows nobody else can change until the transaction ends.
    held: HashSet<SyncId>,
    saved: Option<Stamp>,
    needs_savepoint: Option<bool>,
    pub(super) together: Together,
    reaches_further: Option<bool>,
    replaces_rivals: Option<bool>,
    pub(super) unique_keys: Option<Vec<UniqueKey>>,
    /// Records that were settled before their turn came.
    pub(super) settled_early: HashSet<i64>,
    /// Records that tried in vain to change places.
    pub(super) stuck: HashSet<i64>,
    /// Records of the tree above which nothing waits.
    pub(super) settled_trees: HashSet<SyncId>,
    /// Records of the tree that wait for each other, or for one that failed.
    pub(super) tangled: HashSet<SyncId>,
}

/// What a savepoint that is undone takes with it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Remembered {
    written: u64,
    deleted: u64,
    saved: Option<Stamp>,
}

impl AsConnection for Batch<'_> {
    fn as_connection(&mut self) -> Connection<'_> {
        self.connection.as_connection()
    }
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
            held: HashSet::new(),
            saved: None,
            needs_savepoint: None,
            together: Together::default(),
            reaches_further: None,
            replaces_rivals: None,
            unique_keys: None,
            settled_early: HashSet::new(),
            stuck: HashSet::new(),
            settled_trees: HashSet::new(),
            tangled: HashSet::new(),
        })
    }

    /// The model whose records these are.
    pub(super) fn model(&self) -> InstalledModel {
        self.model
    }

    /// Keeps the application from changing or deleting the rows of these records from here on.
    ///
    /// Where it did so since the transaction began, the database refuses the transaction. The insertion alone would not notice that the
    /// row in its place was deleted: it would make it again, and nobody would ever learn of the deletion.
    pub(super) fn hold(&mut self, ids: impl IntoIterator<Item = SyncId>) -> Result<(), Fault> {
        let ids: Vec<SyncId> = ids.into_iter().filter(|id| self.held.insert(*id)).collect();
        if !ids.is_empty() {
            self.model.rows.hold(&mut self.connection, &ids)?;
        }
        Ok(())
    }

    /// Makes a record the row that it is, where its foreign keys allow that. The id in the store counts, whatever its text says.
    ///
    /// Before: the record waits. After: its row is as it says; or what it belongs to was deleted, and so is it; or it is as before.
    /// An error of one row undoes that row's statement alone.
    pub(super) fn write(&mut self, record: &Waiting) -> Result<Outcome, Fault> {
        self.budget.take(record.serialized.len());
        if self.settled_early.contains(&record.sequence) {
            return Ok(Outcome::Settled);
        }
        if let Some(failure) = self.refusal.take() {
            return Ok(Outcome::Waits(failure));
        }
        match self.write_row(record)? {
            Outcome::Waits(failure) if failure.is_clash => self.change_places(record, failure),
            outcome => Ok(outcome),
        }
    }

    /// Makes a record the row that it is, as long as no other row is in its place.
    pub(super) fn write_row(&mut self, record: &Waiting) -> Result<Outcome, Fault> {
        let definition = self.model.definition;
        self.hold([record.id])?;
        if self.is_marked(&record.id)? {
            return Ok(Outcome::Waits(Failure::local_change()));
        }
        let fields = match Fields::parse(&record.serialized) {
            Ok(fields) => fields,
            Err(error) => return Ok(Outcome::Waits(Failure::new(WaitingKind::Malformed, error))),
        };
        match self.targets.check(&mut self.connection, self.scene, definition, &record.id, &fields)? {
            Verdict::Stands => {}
            Verdict::Spreads(deletion) => return self.spread(record, deletion),
            Verdict::Fails(failure) => return Ok(Outcome::Waits(failure)),
        }
        if let Some(failure) = self.closes_ring(record, &fields)? {
            return Ok(Outcome::Waits(failure));
        }
        let written = if self.replaces_rivals()? {
            self.apply_beside_rivals(record, &fields)?
        } else {
            self.apply(record, &fields)?
        };
        if let Err(failure) = written {
            return Ok(Outcome::Waits(failure));
        }
        self.report.written += 1;
        self.targets.note(definition, record.id, Target::Row);
        self.settle(record.sequence)?;
        self.together.has_written();
        Ok(Outcome::Settled)
    }

    fn apply(&mut self, record: &Waiting, fields: &Fields<'_>) -> Result<Result<(), Failure>, Fault> {
        self.apart(|rows, connection| rows.apply(connection, record.id, &record.partition, fields))
    }

    /// The same where the table itself deletes whoever holds what may stand in one row only: that one is to keep it.
    fn apply_beside_rivals(&mut self, record: &Waiting, fields: &Fields<'_>) -> Result<Result<(), Failure>, Fault> {
        begin_savepoint(&mut self.connection)?;
        let written = with_traces(self, |batch| batch.apply(record, fields))?;
        let outcome = match written {
            Ok(()) if trace::is_another_gone(&mut self.connection, &self.model, &record.id)? => {
                Err(Failure::replaced())
            }
            outcome => outcome,
        };
        if outcome.is_ok() {
            trace::clear(&mut self.connection)?;
            keep_savepoint(&mut self.connection)?;
        } else {
            undo_savepoint(&mut self.connection)?;
        }
        Ok(outcome)
    }

    /// Deletes the row of a deleted record, with what the application's tables delete with it. It may be gone already.
    pub(super) fn delete(&mut self, record: &Gone) -> Result<Outcome, Fault> {
        self.budget.take(0);
        if let Some(failure) = self.refusal.take() {
            return Ok(Outcome::Waits(failure));
        }
        if self.is_marked(&record.id)? {
            return Ok(Outcome::Waits(Failure::local_change()));
        }
        match self.delete_row(&record.id, record.deletion())? {
            Ok(deleted) => {
                self.report.deleted += deleted;
                self.settle(record.sequence)?;
                Ok(Outcome::Settled)
            }
            Err(failure) => Ok(Outcome::Waits(failure)),
        }
    }

    /// Deletes a record because one that it points at was deleted: a change of our own, which others are to learn of.
    ///
    /// Before: the record waits. After: its row is gone, and it is marked deleted in the store as saved by this instance.
    fn spread(&mut self, record: &Waiting, deletion: Deletion) -> Result<Outcome, Fault> {
        match self.delete_row(&record.id, deletion)? {
            Ok(deleted) => self.report.deleted += deleted,
            Err(failure) => return Ok(Outcome::Waits(failure)),
        }
        let counters = sql("SELECT record_max_counters FROM morango_store WHERE sequence = ").bind(record.sequence);
        let counters = counters.returns::<Binary>().get_result::<Vec<u8>>(&mut self.connection)?;
        self.mark_deleted(record.sequence, &counters, deletion)?;
        self.targets.note(self.model.definition, record.id, Target::Deleted(deletion));
        Ok(Outcome::Settled)
    }

    /// Notes what became of a record in this transaction.
    pub(super) fn note_target(&mut self, definition: &ModelDefinition, id: SyncId, target: Target) {
        self.targets.note(definition, id, target);
    }

    /// Runs the statements about one row, so that an error of theirs undoes nothing else and leaves nothing behind.
    ///
    /// # Errors
    /// What is none of the row's fault.
    pub(super) fn apart<T>(
        &mut self,
        work: impl FnOnce(TableRows, &mut Connection<'_>) -> Result<T, ApplyError>,
    ) -> Result<Result<T, Failure>, Fault> {
        let needs_savepoint = self.needs_savepoint()?;
        if needs_savepoint {
            begin_savepoint(&mut self.connection)?;
        }
        let error = match work(self.model.rows, &mut self.connection) {
            Ok(done) => {
                if needs_savepoint {
                    keep_savepoint(&mut self.connection)?;
                }
                return Ok(Ok(done));
            }
            Err(ApplyError::Database(error)) if backend::has_lost_transaction(&mut self.connection) => {
                return Err(undone_by(error));
            }
            Err(error) => error,
        };
        let failure = Failure::of_apply(error)?;
        if needs_savepoint {
            undo_savepoint(&mut self.connection)?;
        }
        Ok(Err(failure))
    }

    pub(super) fn needs_savepoint(&mut self) -> Result<bool, Fault> {
        if let Some(known) = self.needs_savepoint {
            return Ok(known);
        }
        let found = backend::needs_savepoint(&mut self.connection, self.model.definition.table)?;
        Ok(*self.needs_savepoint.insert(found))
    }

    /// Whether the table deletes rows for others.
    pub(super) fn replaces_rivals(&mut self) -> Result<bool, Fault> {
        if let Some(known) = self.replaces_rivals {
            return Ok(known);
        }
        let found = backend::replaces_rivals(&mut self.connection, self.model.definition.table)?;
        Ok(*self.replaces_rivals.insert(found))
    }

    /// Whether the deletion of a row may change others.
    pub(super) fn deletion_reaches_further(&mut self) -> Result<bool, Fault> {
        if let Some(known) = self.reaches_further {
            return Ok(known);
        }
        let found = backend::deletion_reaches_further(&mut self.connection, self.model.definition.table)?;
        Ok(*self.reaches_further.insert(found))
    }

    /// What is to be put back should a savepoint that begins now be undone.
    pub(super) fn remember(&self) -> Remembered {
        Remembered { written: self.report.written, deleted: self.report.deleted, saved: self.saved }
    }

    /// Puts back what a savepoint took with it that was undone.
    pub(super) fn return_to(&mut self, before: Remembered) {
        self.report.written = before.written;
        self.report.deleted = before.deleted;
        self.saved = before.saved;
        self.targets.forget();
        self.held.clear();
        self.settled_trees.clear();
    }

    /// Whether the record's row was changed here and could not be serialized: it must not be written over.
    pub(super) fn is_marked(&mut self, id: &SyncId) -> Result<bool, Fault> {
        if !self.has_marks {
            return Ok(false);
        }
        has_mark(&mut self.connection, &self.model, id)
    }

    /// The stamp of what this transaction itself saves: the counter is raised before the first of it.
    pub(super) fn stamp(&mut self) -> Result<Stamp, Fault> {
        match self.saved {
            Some(saved) => Ok(saved),
            None => Ok(*self.saved.insert(raise_counter(&mut self.connection)?)),
        }
    }

    /// The record does not wait any more.
    fn settle(&mut self, sequence: i64) -> Result<(), Fault> {
        struct Settle;

        sql("UPDATE morango_store SET is_dirty = 0, row_serialized = NULL, failure_kind = NULL, failure_reason = NULL,
             waiting_since = NULL WHERE sequence = ")
        .bind(sequence)
        .execute_as::<Settle>(&mut self.connection)?;
        Ok(())
    }

    /// Keeps why a record waits, and reports it. One that waits for the same reason as before is not written again.
    pub(super) fn note_failure(&mut self, (sequence, id): (i64, SyncId), failure: Failure) -> Result<(), Fault> {
        let failure = self.tell_ring(&id, failure)?;
        let code = failure.kind.code();
        sql("UPDATE morango_store SET failure_kind = ")
            .bind(code)
            .sql(", failure_reason = ")
            .bind(Value::content(&failure.reason))
            .sql(", waiting_since = coalesce(waiting_since, ")
            .bind(self.scene.now.timestamp_millis())
            .sql(") WHERE sequence = ")
            .bind(sequence)
            .sql(" AND (failure_kind IS DISTINCT FROM ")
            .bind(code)
            .sql(" OR failure_reason IS DISTINCT FROM ")
            .bind(Value::content(&failure.reason))
            .sql(")")
            .execute(&mut self.connection)?;
        self.report.failures_total += 1;
        if self.report.failures.len() < REPORTED_MAX {
            let model = self.model.definition.name.to_owned();
            self.report.failures.push(ApplyFailure { model, id, kind: failure.kind, reason: failure.reason });
        }
        Ok(())
    }
}
