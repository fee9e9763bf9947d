//! The deletion of one row, and of what the application's tables delete with it.
//!
//! Where a foreign key cascades, or a trigger of the application does something, rows go that nobody named. Each of them is traced:
//! its record is marked deleted as well, as when a deletion spreads, so that no record lives on without a row, and others learn of it.
//! What would take a change with it that is nowhere else is undone, and waits.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Text};
use morango::counter::RecordMaxCounters;
use morango::id::SyncId;
use morango::model::Fields;
use morango::port::WaitingKind;

use super::batch::Batch;
use super::failure::Failure;
use super::foreign_keys::{Deletion, Target};
use crate::error::Fault;
use crate::models::InstalledModel;
use crate::serialize::trace::{self, Trace};
use crate::statement::sql;
use crate::transaction::{begin_savepoint, keep_savepoint, undo_savepoint, with_traces};

/// Traces that are in memory at one time.
const TRACES_PAGE: usize = 500;

/// A record whose row went with another, as far as it decides about it.
struct Taken {
    sequence: i64,
    is_deleted: bool,
    is_waiting: bool,
    counters: Vec<u8>,
    serialized: String,
}

impl Batch<'_> {
    /// Deletes a row and what goes with it, and says how many rows of records those were.
    ///
    /// Before: the record of the row is deleted, or is about to be. After: no record lives whose row is gone; or everything is as it
    /// was, for the reason given.
    pub(super) fn delete_row(&mut self, id: &SyncId, deletion: Deletion) -> Result<Result<u64, Failure>, Fault> {
        if !self.deletion_reaches_further()? {
            return self.delete_one(id);
        }
        begin_savepoint(&mut self.connection)?;
        let before = self.remember();
        let deleted = self.delete_with_others(id, deletion)?;
        if deleted.is_ok() {
            keep_savepoint(&mut self.connection)?;
        } else {
            undo_savepoint(&mut self.connection)?;
            self.return_to(before);
        }
        Ok(deleted)
    }

    fn delete_one(&mut self, id: &SyncId) -> Result<Result<u64, Failure>, Fault> {
        let deleted = self.apart(|rows, connection| {
            let deleted = rows.delete(connection, id)?;
            let mut is_there = false;
            if deleted == 0 {
                rows.load(connection, std::slice::from_ref(id), &mut |_| is_there = true)?;
            }
            Ok((deleted as u64, is_there))
        })?;
        Ok(deleted.and_then(|(deleted, is_there)| if is_there { Err(Failure::ignored()) } else { Ok(deleted) }))
    }

    fn delete_with_others(&mut self, id: &SyncId, deletion: Deletion) -> Result<Result<u64, Failure>, Fault> {
        let deleted = with_traces(self, |batch| batch.delete_one(id))?;
        let mut deleted = match deleted {
            Ok(deleted) => deleted,
            Err(failure) => return Ok(Err(failure)),
        };
        let mut last: Option<Trace> = None;
        loop {
            let page = trace::next(&mut self.connection, last.as_ref(), TRACES_PAGE)?;
            for found in &page {
                if found.model_number == self.model().number && found.record_id().as_ref() == Some(id) {
                    continue;
                }
                match self.follow(found, (id, deletion))? {
                    Ok(is_gone) => deleted += u64::from(is_gone),
                    Err(failure) => return Ok(Err(failure)),
                }
            }
            if page.len() < TRACES_PAGE {
                break;
            }
            last = page.into_iter().next_back();
        }
        trace::clear(&mut self.connection)?;
        Ok(Ok(deleted))
    }

    /// Says in the store what became of a row that went or changed with the deleted one; whether it is gone.
    fn follow(
        &mut self,
        found: &Trace,
        (deleted, deletion): (&SyncId, Deletion),
    ) -> Result<Result<bool, Failure>, Fault> {
        let Some(model) = self.scene.models.iter().find(|model| model.number == found.model_number).copied() else {
            // A model of another profile: for that one it is a change made here.
            trace::mark(&mut self.connection, found, found.is_gone && deletion == Deletion::Hard)?;
            return Ok(Ok(found.is_gone));
        };
        let name = || match found.record_id() {
            Some(id) => format!("the {} {id}", model.definition.name),
            None => format!("a {}", model.definition.name),
        };
        if trace::was_marked(&mut self.connection, found)? {
            let reason = format!("{}, which would go with it, holds a change made here that was set aside", name());
            return Ok(Err(Failure::new(WaitingKind::LocalChangeWaits, reason)));
        }
        let Some(id) = found.record_id() else { return Ok(Ok(found.is_gone)) };
        let Some(taken) = self.taken(&model, &id)? else { return Ok(Ok(found.is_gone)) };
        if taken.is_deleted {
            if found.is_gone {
                sql("UPDATE morango_store SET row_serialized = '' WHERE is_dirty <> 0 AND sequence = ")
                    .bind(taken.sequence)
                    .execute(&mut self.connection)?;
            }
            return Ok(Ok(found.is_gone));
        }
        if taken.is_waiting && !(found.is_gone && self.goes_along(&model, &taken)?) {
            let reason = format!("{}, which would go with it, waits to become what it is now", name());
            return Ok(Err(Failure::new(WaitingKind::ForeignKeyWaits, reason)));
        }
        if !self.targets.wholeness.is_between(&mut self.connection, deleted, &id)? {
            let reason =
                format!("{} would go or change with it, and not all is here yet that was changed with either", name());
            return Ok(Err(Failure::new(WaitingKind::ForeignKeyWaits, reason)));
        }
        if found.is_gone {
            self.mark_deleted(taken.sequence, &taken.counters, deletion)?;
            self.note_target(model.definition, id, Target::Deleted(deletion));
        } else {
            trace::mark(&mut self.connection, found, false)?;
        }
        Ok(Ok(found.is_gone))
    }

    /// Whether a record that waits points, as it was received, at one whose row is gone: then the deletion spreads to it.
    fn goes_along(&mut self, model: &InstalledModel, taken: &Taken) -> Result<bool, Fault> {
        let Ok(fields) = Fields::parse(&taken.serialized) else { return Ok(false) };
        for key in model.definition.foreign_keys {
            let target = (key.target.definition)();
            let Some(id) = fields.get_text(key.wire_name).and_then(|text| text.parse::<SyncId>().ok()) else {
                continue;
            };
            let Some(target) = self.scene.models.iter().find(|model| model.definition.name == target.name) else {
                continue;
            };
            if trace::is_gone(&mut self.connection, target, &id)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn taken(&mut self, model: &InstalledModel, id: &SyncId) -> Result<Option<Taken>, Fault> {
        type Row = (i64, i64, i64, Vec<u8>, String);
        let found = sql("SELECT sequence, is_deleted, is_dirty, record_max_counters,
             CASE WHEN is_dirty = 1 THEN serialized ELSE '' END FROM morango_store WHERE record_id = ")
        .bind(id)
        .sql(" AND profile = ")
        .bind(model.definition.profile)
        .sql(" AND model_name = ")
        .bind(model.definition.name)
        .returns::<(BigInt, BigInt, BigInt, Binary, Text)>()
        .get_result::<Row>(&mut self.connection)
        .optional()?;
        Ok(found.map(|(sequence, is_deleted, is_dirty, counters, serialized)| Taken {
            sequence,
            is_deleted: is_deleted != 0,
            is_waiting: is_dirty == 1,
            counters,
            serialized,
        }))
    }

    /// Marks a record deleted as a change of our own: its row is gone with another one.
    pub(super) fn mark_deleted(&mut self, sequence: i64, counters: &[u8], deletion: Deletion) -> Result<(), Fault> {
        let saved = self.stamp()?;
        let mut counters = RecordMaxCounters::from_bytes(counters)?;
        counters.raise(saved);
        let marked = sql(
            "UPDATE morango_store SET is_deleted = 1, is_dirty = 0, row_serialized = NULL, transfer_session = NULL,
             failure_kind = NULL, failure_reason = NULL, waiting_since = NULL, last_saved_instance = ",
        )
        .bind(&saved.instance)
        .sql(", last_saved_counter = ")
        .bind(saved.counter)
        .sql(", record_max_counters = ")
        .bind(counters.to_bytes());
        let marked = match deletion {
            Deletion::Plain => marked,
            Deletion::Hard => marked.sql(", is_hard_deleted = 1, serialized = '', conflicting_serialized_data = ''"),
        };
        marked.sql(" WHERE sequence = ").bind(sequence).execute(&mut self.connection)?;
        Ok(())
    }
}
