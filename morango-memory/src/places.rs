//! Values that may stand in one row only, and that go from row to row.
//!
//! Where a row cannot be written because another has what it is to have, and the other is about to be written as well, the other steps
//! aside: it counts for nothing until it is written, which may need the place of a third. Whatever ends well was allowed all along;
//! where it does not, all is as it was.

use std::collections::BTreeSet;

use morango::Result;
use morango::id::SyncId;
use morango::model::Fields;

use crate::deserialize::{Outcome, Run};
use crate::verdict::Failure;

/// Rows that change places.
#[derive(Default)]
struct Moving {
    /// Those that stepped aside and are to be written, the next one last.
    open: Vec<SyncId>,
    /// All that ever stepped aside: none does twice.
    ever: BTreeSet<SyncId>,
}

impl Run<'_> {
    pub(crate) fn change_places(&mut self, first: SyncId, clash: &Failure) -> Result<Outcome> {
        let before = self.copy();
        let outcome = self.move_all(first, clash)?;
        if outcome.is_err() {
            self.put_back(before);
        }
        Ok(outcome)
    }

    fn move_all(&mut self, first: SyncId, clash: &Failure) -> Result<Outcome> {
        let mut moving = Moving::default();
        if let Err(failure) = self.write_in_place(first, clash, &mut moving)? {
            return Ok(Err(failure));
        }
        while let Some(id) = moving.open.pop() {
            if !self.still_waits(id) {
                continue;
            }
            let written = match self.write_row(id)? {
                Err(failure) if failure.is_clash => self.write_in_place(id, &failure, &mut moving)?,
                written => written,
            };
            if written.is_err() {
                return Ok(Err(clash.clone()));
            }
        }
        Ok(Ok(()))
    }

    /// Writes a row after those that have its place stepped aside.
    fn write_in_place(&mut self, id: SyncId, clash: &Failure, moving: &mut Moving) -> Result<Outcome> {
        loop {
            if !self.have_rivals_step_aside(id, moving) {
                return Ok(Err(clash.clone()));
            }
            match self.write_row(id)? {
                Err(failure) if failure.is_clash => {}
                outcome => return Ok(outcome),
            }
        }
    }

    /// Says whether any did; no, where one that has the place is not about to be written.
    fn have_rivals_step_aside(&mut self, id: SyncId, moving: &mut Moving) -> bool {
        let model = self.data.application.models[self.model].clone();
        let text = self.data.store[&id].record.serialized.clone();
        let Ok(row) = Fields::parse(&text).map(|fields| model.read(id, &fields)) else { return false };
        let Ok(row) = row else { return false };
        let mut any = false;
        for columns in &model.unique {
            for rival in self.data.application.rivals(self.model, &*row, columns) {
                let place = (self.model, rival);
                let has_local_change = self.data.application.marks.contains_key(&place);
                if has_local_change || !self.still_waits(rival) || !moving.ever.insert(rival) {
                    return false;
                }
                self.data.application.parked.insert(place);
                moving.open.push(rival);
                any = true;
            }
        }
        any
    }
}
