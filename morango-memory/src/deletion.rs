//! The rows of deleted records, deleted, and what the application's tables delete with them.

use std::collections::BTreeSet;

use morango::Result;
use morango::id::SyncId;
use morango::port::WaitingKind;

use crate::application::{Capture, Place};
use crate::data::RowState;
use crate::deserialize::{Outcome, Run, Try};
use crate::model::id_in;
use crate::verdict::{Deletion, Failure};

impl Run<'_> {
    /// Deletes the rows of a model's deleted records, what came last first; says whether any deletion was refused.
    pub(crate) fn delete_all(&mut self, model: usize, which: Try) -> Result<bool> {
        self.begin(model)?;
        let mut opened = BTreeSet::new();
        let mut refused = BTreeSet::new();
        let mut waiting = self.waiting(true);
        waiting.reverse();
        for id in waiting {
            if self.is_passed_by(id) {
                self.report.skipped += u64::from(which == Try::First);
            } else if !refused.contains(&id) {
                self.delete(id, which, &mut opened, &mut refused)?;
            }
        }
        Ok(!refused.is_empty())
    }

    /// Deletes the row of a record; in a tree, where that is refused, those of its deleted children first.
    fn delete(
        &mut self,
        id: SyncId,
        which: Try,
        opened: &mut BTreeSet<SyncId>,
        refused: &mut BTreeSet<SyncId>,
    ) -> Result<()> {
        let Err(failure) = self.delete_record(id)? else { return Ok(()) };
        let is_tree = self.data.application.models[self.model].definition.self_reference().is_some();
        let is_of_the_table = matches!(failure.kind, WaitingKind::Constraint | WaitingKind::Database);
        let mut outcome = Err(failure);
        if is_tree && is_of_the_table && opened.insert(id) {
            for child in self.waiting(true) {
                let is_below = self.data.store[&child].record.self_ref_fk == id.to_string();
                if is_below && !self.is_passed_by(child) && !refused.contains(&child) {
                    self.delete(child, which, opened, refused)?;
                }
            }
            outcome = self.delete_record(id)?;
        }
        if let Err(failure) = outcome {
            refused.insert(id);
            if which == Try::Last {
                self.note_failure(id, failure);
            }
        }
        Ok(())
    }

    fn delete_record(&mut self, id: SyncId) -> Result<Outcome> {
        if !self.data.store.get(&id).is_some_and(|held| held.row == RowState::Waits) {
            return Ok(Ok(()));
        }
        if self.data.application.marks.contains_key(&(self.model, id)) {
            return Ok(Err(Failure::local_change()));
        }
        let is_hard = self.data.store[&id].record.hard_deleted;
        let deletion = if is_hard { Deletion::Hard } else { Deletion::Plain };
        if let Err(failure) = self.delete_row(id, deletion)? {
            return Ok(Err(failure));
        }
        self.data.store.get_mut(&id).expect("it waited").settle();
        Ok(Ok(()))
    }

    /// Deletes a row and what goes with it: no record lives then whose row is gone, or all is as it was.
    pub(crate) fn delete_row(&mut self, id: SyncId, deletion: Deletion) -> Result<Outcome> {
        let before = self.copy();
        let outcome = self.delete_with_others(id, deletion)?;
        if outcome.is_err() {
            self.put_back(before);
        }
        Ok(outcome)
    }

    fn delete_with_others(&mut self, id: SyncId, deletion: Deletion) -> Result<Outcome> {
        let application = &mut self.data.application;
        let capture = std::mem::replace(&mut application.capture, Capture::Trace);
        let removed = application.remove((self.model, id));
        application.capture = capture;
        let traces = std::mem::take(&mut application.traces);
        match removed {
            Err(violation) => return Ok(Err(Failure::of(&violation))),
            Ok(removed) => self.report.deleted += u64::from(removed),
        }
        let gone: BTreeSet<Place> = traces.iter().filter(|(_, is_gone)| **is_gone).map(|(place, _)| *place).collect();
        let itself = (self.model, id);
        for (place, is_gone) in traces.into_iter().filter(|(place, _)| *place != itself) {
            if let Err(failure) = self.follow((place, is_gone), &gone, (id, deletion))? {
                return Ok(Err(failure));
            }
            self.report.deleted += u64::from(is_gone);
        }
        Ok(Ok(()))
    }

    /// Says in the store what became of a row that went, or changed, with another.
    fn follow(
        &mut self,
        (place, is_gone): (Place, bool),
        gone: &BTreeSet<Place>,
        (deleted, deletion): (SyncId, Deletion),
    ) -> Result<Outcome> {
        let definition = self.data.application.models[place.0].definition;
        if definition.profile != self.order.profile {
            // For the other profile it is a change made here.
            let is_hard = is_gone && deletion == Deletion::Hard;
            let mark = self.data.application.marks.entry(place).or_default();
            (mark.is_hard, mark.reason) = (mark.is_hard || is_hard, None);
            return Ok(Ok(()));
        }
        if self.data.application.marks.contains_key(&place) {
            let reason = format!("a {} that would go with it holds a change made here", definition.name);
            return Ok(Err(Failure::new(WaitingKind::LocalChangeWaits, reason)));
        }
        let Some(held) = self.data.store.get_mut(&place.1) else { return Ok(Ok(())) };
        if held.record.model_name != definition.name {
            return Ok(Ok(()));
        }
        if held.record.deleted {
            if is_gone {
                held.row_before = None;
            }
            return Ok(Ok(()));
        }
        let held = &self.data.store[&place.1];
        let points_at_what_is_gone = definition.foreign_keys.iter().any(|key| {
            let target = (key.target.definition)();
            let number = self.data.application.number_of_name(target.profile, target.name);
            let id = id_in(&held.record.serialized, key.wire_name);
            number.zip(id).is_some_and(|target| gone.contains(&target))
        });
        if held.row == RowState::Waits && !(is_gone && points_at_what_is_gone) {
            let reason = format!("a {} that would go with it waits to become what it is now", definition.name);
            return Ok(Err(Failure::new(WaitingKind::ForeignKeyWaits, reason)));
        }
        if !self.is_whole_between(deleted, place.1) {
            let reason = format!(
                "a {} would go or change with it, and not all is here yet that came with either",
                definition.name
            );
            return Ok(Err(Failure::new(WaitingKind::ForeignKeyWaits, reason)));
        }
        if is_gone {
            self.mark_deleted(place.1, deletion)?;
        } else {
            self.data.application.marks.entry(place).or_default().reason = None;
        }
        Ok(Ok(()))
    }

    /// Marks a record deleted as a change of our own.
    pub(crate) fn mark_deleted(&mut self, id: SyncId, deletion: Deletion) -> Result<()> {
        let stamp = self.stamp()?;
        let held = self.data.store.get_mut(&id).expect("it is in the store");
        held.record.deleted = true;
        if deletion == Deletion::Hard {
            held.record.hard_deleted = true;
            held.record.serialized.clear();
            held.record.conflicting_serialized_data.clear();
        }
        held.settle();
        held.save(stamp);
        Ok(())
    }
}
