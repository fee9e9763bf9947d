//! Trees: no row comes to stand below itself.

use std::collections::BTreeSet;

use morango::id::SyncId;
use morango::model::Fields;
use morango::port::WaitingKind;
use morango::{Result, limits};

use crate::deserialize::{Outcome, Run};
use crate::verdict::Failure;

/// Records above one that waits for its parent that are looked at to tell a ring from a parent that merely waits.
const WAITING_ABOVE_MAX: usize = 32;

impl Run<'_> {
    /// Writes a record; where its row would come to stand below itself, those that it is to stand below are moved first.
    pub(crate) fn write_untangled(&mut self, id: SyncId) -> Result<Outcome> {
        match self.write(id)? {
            Err(failure) if failure.kind == WaitingKind::Cycle => {
                if self.untangle(id)? {
                    self.write(id)
                } else {
                    Ok(Err(failure))
                }
            }
            outcome => Ok(outcome),
        }
    }

    /// Moves those that a row is to stand below where they are to be, from the highest down; says whether all of them are there. What
    /// has had its turn and waits is a reason to give up.
    fn untangle(&mut self, id: SyncId) -> Result<bool> {
        if self.tangled.contains(&id) {
            return Ok(false);
        }
        let turn = self.data.store[&id].sequence;
        let mut above = Vec::new();
        let mut seen = BTreeSet::from([id]);
        let mut at = self.parent_to_be(id);
        while let Some(parent) = at.filter(|parent| self.still_waits(*parent)) {
            let has_had_its_turn = self.data.store[&parent].sequence <= turn;
            if has_had_its_turn || !seen.insert(parent) || above.len() >= limits::TREE_LEVELS_MAX {
                self.tangled.extend(seen);
                return Ok(false);
            }
            above.push(parent);
            at = self.parent_to_be(parent);
        }
        for parent in above.into_iter().rev() {
            if self.still_waits(parent) && self.write(parent)?.is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The parent that a record is labelled with.
    fn parent_to_be(&self, id: SyncId) -> Option<SyncId> {
        self.data.store.get(&id)?.record.self_ref_fk.parse().ok()
    }

    /// Why a row may not be moved where its fields say. Only a row that is there and gets another parent can close a ring.
    pub(crate) fn closes_ring(&self, id: SyncId, fields: &Fields<'_>) -> Option<Failure> {
        let model = &self.data.application.models[self.model];
        let key = model.definition.self_reference()?;
        let parent_of = |id: SyncId| {
            let row = self.data.application.rows.get(&(self.model, id))?;
            Some(model.parent(&**row))
        };
        let wanted = fields.get_text(key.wire_name)?.parse::<SyncId>().ok()?;
        let before = parent_of(id)?;
        if wanted == id || before == Some(wanted) {
            return None;
        }
        let mut seen = BTreeSet::new();
        let mut at = Some(wanted);
        while let Some(above) = at {
            if above == id {
                let reason = format_args!("{}: {wanted} is below this one", key.wire_name);
                return Some(Failure::new(WaitingKind::Cycle, reason));
            }
            if !seen.insert(above) {
                return None;
            }
            at = parent_of(above).flatten();
        }
        None
    }

    /// Says of a record that waits for its parent whether the parent waits for it in turn.
    pub(crate) fn tell_ring(&self, id: SyncId, failure: Failure) -> Failure {
        let is_tree = self.data.application.models[self.model].definition.self_reference().is_some();
        if !is_tree || failure.kind != WaitingKind::ForeignKeyWaits {
            return failure;
        }
        let waiting_parent = |id: SyncId| {
            let held = self.data.store.get(&id)?;
            let waits = held.row == crate::data::RowState::Waits && !held.record.deleted;
            if waits { held.record.self_ref_fk.parse::<SyncId>().ok() } else { None }
        };
        let mut at = waiting_parent(id);
        for _ in 0..WAITING_ABOVE_MAX {
            match at {
                Some(above) if above == id => {
                    return Failure::new(
                        WaitingKind::Cycle,
                        "records wait for each other; one of them has to be moved",
                    );
                }
                Some(above) => at = waiting_parent(above),
                None => break,
            }
        }
        failure
    }
}
