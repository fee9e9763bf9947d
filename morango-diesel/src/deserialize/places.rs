//! Values that may stand in one row only, and that go from row to row.
//!
//! Where a row cannot be written because another holds what it is to have, and the other is about to get something else, both change
//! places: the other holds a stopgap for a moment, the one is written, and then the other, which may need the place of a third. Whatever
//! ends well was allowed all along; where it does not, all of it is undone, and nothing was disturbed. No row is deleted for it, so
//! nothing cascades. A stopgap stands only in columns that travel, so that nothing of it is left when the row is written.

use std::collections::HashSet;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use morango::id::SyncId;
use morango::limits;
use morango::model::Fields;

use super::batch::{Batch, Outcome};
use super::failure::Failure;
use super::waiting::{self, Waiting};
use crate::backend::{self, UniqueKey};
use crate::error::Fault;
use crate::statement::sql;
use crate::transaction::{begin_savepoint, keep_savepoint, undo_savepoint};

/// Records that change places.
#[derive(Default)]
struct Moving {
    /// Those that hold stopgaps, and are to be written: their places in the store.
    open: Vec<i64>,
    /// All that ever held one, each with the number of the key in which it did.
    parked: HashSet<(SyncId, usize)>,
    /// All that are part of it.
    sequences: Vec<i64>,
    /// Those of them that were written.
    written: HashSet<SyncId>,
    /// Whether one was in the way that was written just for this: without the first of them the others may still change places.
    is_in_its_own_way: bool,
    bytes: usize,
}

impl Batch<'_> {
    /// Writes a row whose place another one holds, by having both change places.
    ///
    /// Before: the row clashed. After: it is written, and so is whatever had to move for it; or all is as it was.
    pub(super) fn change_places(&mut self, record: &Waiting, clash: Failure) -> Result<Outcome, Fault> {
        if self.stuck.contains(&record.sequence) {
            return Ok(Outcome::Waits(clash));
        }
        begin_savepoint(&mut self.connection)?;
        let before = self.remember();
        let mut moving = Moving { sequences: vec![record.sequence], ..Moving::default() };
        match self.move_all(record, &clash, &mut moving)? {
            Ok(()) => {
                keep_savepoint(&mut self.connection)?;
                self.settled_early.extend(moving.sequences);
                Ok(Outcome::Settled)
            }
            Err(failure) => {
                undo_savepoint(&mut self.connection)?;
                self.return_to(before);
                if moving.is_in_its_own_way {
                    moving.sequences.truncate(1);
                }
                self.stuck.extend(moving.sequences);
                Ok(Outcome::Waits(failure))
            }
        }
    }

    fn move_all(
        &mut self,
        first: &Waiting,
        clash: &Failure,
        moving: &mut Moving,
    ) -> Result<Result<(), Failure>, Fault> {
        if let Err(why) = self.write_in_place(first, clash.clone(), moving)? {
            return Ok(Err(why));
        }
        while let Some(sequence) = moving.open.pop() {
            let Some(record) = waiting::at(&mut self.connection, sequence)? else { continue };
            moving.sequences.push(sequence);
            moving.bytes += record.serialized.len();
            if moving.sequences.len() > limits::PLACES_CHANGED_MAX || moving.bytes > limits::PLACES_CHANGED_BYTES_MAX {
                return Ok(Err(clash.clone().with("too many records would have to change places at once")));
            }
            self.budget.take(record.serialized.len());
            let written = match self.write_row(&record)? {
                Outcome::Settled => {
                    moving.written.insert(record.id);
                    Ok(())
                }
                Outcome::Waits(failure) if failure.is_clash => self.write_in_place(&record, failure, moving)?,
                Outcome::Waits(failure) => Err(failure),
            };
            if let Err(why) = written {
                let name = self.model().definition.name;
                let more = format!("the {name} {}, which would have to give it up, cannot: {}", record.id, why.reason);
                return Ok(Err(clash.clone().with(&more)));
            }
        }
        Ok(Ok(()))
    }

    /// Writes a row after those that hold its place were moved out of the way.
    fn write_in_place(
        &mut self,
        record: &Waiting,
        mut clash: Failure,
        moving: &mut Moving,
    ) -> Result<Result<(), Failure>, Fault> {
        loop {
            // Each round moves at least one row that was not moved before.
            if let Err(why) = self.park_rivals(record, &clash, moving)? {
                return Ok(Err(why));
            }
            match self.write_row(record)? {
                Outcome::Settled => {
                    moving.written.insert(record.id);
                    return Ok(Ok(()));
                }
                Outcome::Waits(failure) if failure.is_clash => clash = failure,
                Outcome::Waits(failure) => return Ok(Err(failure)),
            }
        }
    }

    /// Has at least one row that holds this one's place hold a stopgap instead: all that surely do, or one that may.
    fn park_rivals(
        &mut self,
        record: &Waiting,
        clash: &Failure,
        moving: &mut Moving,
    ) -> Result<Result<(), Failure>, Fault> {
        let model = self.model();
        let Ok(fields) = Fields::parse(&record.serialized) else { return Ok(Err(clash.clone())) };
        let mut has_parked = false;
        for (number, key) in self.travelling_keys()?.into_iter().enumerate() {
            if has_parked && !key.is_exact {
                break;
            }
            let columns: Vec<&str> = key.columns.iter().map(|column| column.name.as_str()).collect();
            let found = self.apart(|rows, connection| rows.rivals(connection, record.id, &fields, &columns))?;
            let Ok(rivals) = found else { return Ok(Err(clash.clone())) };
            for rival in rivals {
                moving.is_in_its_own_way |= moving.written.contains(&rival);
                if moving.parked.contains(&(rival, number)) {
                    continue;
                }
                let more = match self.is_about_to_move(&rival)? {
                    Some(sequence) if self.park(&rival, &key)? => {
                        moving.parked.insert((rival, number));
                        if !moving.open.contains(&sequence) {
                            moving.open.push(sequence);
                        }
                        has_parked = true;
                        if key.is_exact {
                            continue;
                        }
                        return Ok(Ok(()));
                    }
                    Some(_) => "has it, and nothing else can stand there for a moment",
                    None if key.is_exact => "has it",
                    None => continue,
                };
                return Ok(Err(clash.clone().with(&format!("the {} {rival} {more}", model.definition.name))));
            }
        }
        Ok(if has_parked { Ok(()) } else { Err(clash.clone()) })
    }

    /// The place in the store of a record under the filter whose row is about to be written.
    fn is_about_to_move(&mut self, id: &SyncId) -> Result<Option<i64>, Fault> {
        let definition = self.model().definition;
        let found =
            sql("SELECT sequence, partition FROM morango_store WHERE is_dirty = 1 AND is_deleted = 0 AND record_id = ")
                .bind(id)
                .sql(" AND profile = ")
                .bind(definition.profile)
                .sql(" AND model_name = ")
                .bind(definition.name)
                .returns::<(BigInt, Text)>()
                .get_result::<(i64, String)>(&mut self.connection)
                .optional()?;
        let found = found.filter(|(_, partition)| self.scene.filter.contains(partition));
        // A change made here that could not be serialized would be written over.
        Ok(if self.is_marked(id)? { None } else { found.map(|(sequence, _)| sequence) })
    }

    fn park(&mut self, id: &SyncId, key: &UniqueKey) -> Result<bool, Fault> {
        let model = self.model();
        for column in &key.columns {
            for stopgap in &column.stopgaps {
                let held = self.apart(|_, connection| {
                    Ok(backend::hold_stopgap(connection, &model, id, &column.name, *stopgap)?)
                })?;
                if held == Ok(1) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// The unique keys of the table, as far as their columns travel. Others are none of ours to touch.
    fn travelling_keys(&mut self) -> Result<Vec<UniqueKey>, Fault> {
        if let Some(known) = &self.unique_keys {
            return Ok(known.clone());
        }
        let definition = self.model().definition;
        let travels = |name: &str| {
            let mut fields = definition.fields.iter().filter(|field| !field.is_skipped);
            fields.any(|field| field.column.eq_ignore_ascii_case(name))
        };
        let mut keys = backend::unique_keys(&mut self.connection, definition.table)?;
        for key in &mut keys {
            let all = key.columns.len();
            key.columns.retain(|column| travels(&column.name));
            key.is_exact &= key.columns.len() == all;
        }
        keys.retain(|key| !key.columns.is_empty());
        keys.sort_by_key(|key| !key.is_exact);
        Ok(self.unique_keys.insert(keys).clone())
    }
}
