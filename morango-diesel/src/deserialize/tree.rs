//! Rings: records of one model that claim to be below each other.
//!
//! Rows must stay trees, since whoever walks up one that is a ring never arrives. Two devices that each put one of two shelves within the
//! other make a ring without a conflict: the records differ. Here the row that would close the ring waits, and says so.

use std::collections::HashSet;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use morango::id::SyncId;
use morango::limits;
use morango::model::{Fields, ForeignKey};
use morango::port::WaitingKind;

use super::batch::Batch;
use super::failure::Failure;
use super::waiting::Waiting;
use crate::error::Fault;
use crate::rows::LoadedRow;
use crate::statement::sql;

/// Records above one that waits for its parent that are looked at to tell a ring from a parent that merely waits.
const WAITING_ABOVE_MAX: usize = 32;

/// What a row stands below.
enum Above {
    /// Its parent.
    Parent(SyncId),
    /// It has no parent.
    Nothing,
    /// There is no row, or none that can be read.
    NoRow,
}

impl Batch<'_> {
    /// Why a record's row may not be moved where its fields say: it would come to stand below itself.
    ///
    /// Only a row that is there has others below it, and only one that gets another parent can close a ring.
    pub(super) fn closes_ring(&mut self, record: &Waiting, fields: &Fields<'_>) -> Result<Option<Failure>, Fault> {
        let Some(key) = self.model().definition.self_reference() else { return Ok(None) };
        let Some(parent) = parent_in(fields, key).filter(|parent| *parent != record.id) else { return Ok(None) };
        match self.above(&record.id)? {
            Above::Nothing => {}
            Above::Parent(before) if before != parent => {}
            Above::Parent(_) | Above::NoRow => return Ok(None),
        }
        let mut above = Vec::new();
        let mut seen = HashSet::new();
        let mut at = Some(parent);
        let mut leads_to_settled = true;
        while let Some(id) = at {
            if id == record.id {
                return Ok(Some(ring(key, parent)));
            }
            if self.settled_trees.contains(&id) {
                break;
            }
            if !seen.insert(id) {
                leads_to_settled = false;
                break;
            }
            if seen.len() > limits::TREE_LEVELS_MAX {
                let reason =
                    format_args!("{}: {parent} stands over {} levels deep", key.wire_name, limits::TREE_LEVELS_MAX);
                return Ok(Some(Failure::new(WaitingKind::Cycle, reason)));
            }
            // Whoever moves one of them before this is committed is waited for, or stops it: both would close a ring, and neither alone.
            self.hold([id])?;
            above.push(id);
            at = match self.above(&id)? {
                Above::Parent(parent) => Some(parent),
                Above::Nothing | Above::NoRow => None,
            };
        }
        self.note_settled_tree(above, leads_to_settled)?;
        Ok(None)
    }

    /// Remembers which of these, from the lowest to the highest, have nothing above them that waits: what waits is not among them
    /// and never will be, in this transaction.
    fn note_settled_tree(&mut self, above: Vec<SyncId>, leads_to_settled: bool) -> Result<(), Fault> {
        if !leads_to_settled {
            return Ok(());
        }
        for id in above.into_iter().rev() {
            let waiting = sql("SELECT count(*) FROM morango_store WHERE is_dirty = 1 AND record_id = ").bind(&id);
            if waiting.returns::<BigInt>().get_result::<i64>(&mut self.connection)? > 0 {
                break;
            }
            self.settled_trees.insert(id);
        }
        Ok(())
    }

    fn above(&mut self, id: &SyncId) -> Result<Above, Fault> {
        let rows = self.model().rows;
        let mut found = Above::NoRow;
        rows.load(&mut self.connection, std::slice::from_ref(id), &mut |loaded| {
            if let LoadedRow::Row(row) = loaded {
                found = row.self_reference().map_or(Above::Nothing, Above::Parent);
            }
        })?;
        Ok(found)
    }

    /// Says of a record that waits for its parent whether the parent waits for it in turn.
    pub(super) fn tell_ring(&mut self, id: &SyncId, failure: Failure) -> Result<Failure, Fault> {
        let Some(key) = self.model().definition.self_reference() else { return Ok(failure) };
        if failure.kind != WaitingKind::ForeignKeyWaits {
            return Ok(failure);
        }
        let Some(parent) = self.waiting_parent(id)? else { return Ok(failure) };
        let mut at = Some(parent);
        for _ in 0..WAITING_ABOVE_MAX {
            match at {
                Some(above) if above == *id => return Ok(ring(key, parent)),
                Some(above) => at = self.waiting_parent(&above)?,
                None => break,
            }
        }
        Ok(failure)
    }

    /// The parent that a record which waits is to have.
    fn waiting_parent(&mut self, id: &SyncId) -> Result<Option<SyncId>, Fault> {
        let parent =
            sql("SELECT self_reference FROM morango_store WHERE is_dirty = 1 AND is_deleted = 0 AND record_id = ");
        let parent = parent.bind(id).returns::<Text>().get_result::<String>(&mut self.connection).optional()?;
        Ok(parent.and_then(|parent| parent.parse().ok()))
    }
}

/// The parent that fields name.
fn parent_in(fields: &Fields<'_>, key: &ForeignKey) -> Option<SyncId> {
    fields.get_text(key.wire_name).and_then(|text| text.parse().ok())
}

fn ring(key: &ForeignKey, parent: SyncId) -> Failure {
    let model = (key.target.definition)().name;
    let reason = format_args!("{}: the {model} {parent} is below this one; one of them has to be moved", key.wire_name);
    Failure::new(WaitingKind::Cycle, reason)
}
