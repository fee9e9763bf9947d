//! The rows of one model, written: as they came, but in a tree parents first.

use morango::Result;
use morango::id::SyncId;
use morango::model::Fields;
use morango::port::WaitingKind;

use crate::deserialize::{Outcome, Run, Try};
use crate::verdict::{Deletion, Failure, Verdict};

impl Run<'_> {
    pub(crate) fn write_all(&mut self, model: usize, which: Try) -> Result<()> {
        self.begin(model)?;
        let waiting = self.waiting(false);
        let (passed_by, meant): (Vec<SyncId>, Vec<SyncId>) = waiting.into_iter().partition(|id| self.is_passed_by(*id));
        if which == Try::Last {
            self.report.skipped += passed_by.len() as u64;
        }
        let is_tree = self.data.application.models[model].definition.self_reference().is_some();
        if is_tree && !self.write_parents_first(&meant)? {
            return Ok(());
        }
        for id in meant {
            if self.still_waits(id)
                && let Err(failure) = self.write_untangled(id)?
                && which == Try::Last
            {
                self.note_failure(id, failure);
            }
        }
        Ok(())
    }

    /// In a tree what cannot become a row is passed over; when its parent's row is there, it follows at once. Says whether anything
    /// was passed over.
    fn write_parents_first(&mut self, meant: &[SyncId]) -> Result<bool> {
        let mut has_passed_over = false;
        for (position, id) in meant.iter().enumerate() {
            if !self.still_waits(*id) {
                continue;
            }
            match self.write(*id)? {
                Ok(()) if has_passed_over => self.write_below(*id, &meant[..position])?,
                Ok(()) => {}
                Err(_) => has_passed_over = true,
            }
        }
        Ok(has_passed_over)
    }

    /// Writes what of these, which were passed over, is to stand below a record, and what is to stand below that.
    fn write_below(&mut self, parent: SyncId, passed_over: &[SyncId]) -> Result<()> {
        for id in passed_over {
            let is_child = self.data.store[id].record.self_ref_fk == parent.to_string();
            if is_child && self.still_waits(*id) && self.write(*id)?.is_ok() {
                self.write_below(*id, passed_over)?;
            }
        }
        Ok(())
    }

    /// Makes a record the row that it is; where another row has its place and is about to give it up, both change places.
    pub(crate) fn write(&mut self, id: SyncId) -> Result<Outcome> {
        match self.write_row(id)? {
            Err(failure) if failure.is_clash => self.change_places(id, &failure),
            outcome => Ok(outcome),
        }
    }

    /// Makes a record the row that it is, as long as no other row is in its place.
    ///
    /// The id in the store counts, whatever the text says; what a record points at is in its text, whatever the label beside it says.
    pub(crate) fn write_row(&mut self, id: SyncId) -> Result<Outcome> {
        let place = (self.model, id);
        if self.data.application.marks.contains_key(&place) {
            return Ok(Err(Failure::local_change()));
        }
        let record = self.data.store[&id].record.clone();
        let fields = match Fields::parse(&record.serialized) {
            Ok(fields) => fields,
            Err(error) => return Ok(Err(Failure::new(WaitingKind::Malformed, error))),
        };
        match self.verdict(id, &fields) {
            Verdict::Stands => {}
            Verdict::Spreads(deletion) => return self.spread(id, deletion),
            Verdict::Fails(failure) => return Ok(Err(failure)),
        }
        if let Some(failure) = self.closes_ring(id, &fields) {
            return Ok(Err(failure));
        }
        let there = self.data.application.rows.get(&place);
        let row = match self.data.application.models[self.model].read_over(there.map(|row| &**row), id, &fields) {
            Ok(row) => row,
            Err(errors) => return Ok(Err(Failure::new(WaitingKind::InvalidField, errors))),
        };
        if let Some(there) = row.place().filter(|there| !there.starts_with(&record.partition)) {
            let reason =
                format_args!("its fields place it under {there:?}, its record lies under {:?}", record.partition);
            return Ok(Err(Failure::new(WaitingKind::OutsidePartition, reason)));
        }
        if let Err(violation) = self.data.application.write(self.model, row) {
            return Ok(Err(Failure::of(&violation)));
        }
        self.report.written += 1;
        self.data.store.get_mut(&id).expect("it waited").settle();
        Ok(Ok(()))
    }

    /// Deletes a record because one that it points at was deleted: a change of our own, which others are to learn of.
    fn spread(&mut self, id: SyncId, deletion: Deletion) -> Result<Outcome> {
        if let Err(failure) = self.delete_row(id, deletion)? {
            return Ok(Err(failure));
        }
        self.mark_deleted(id, deletion)?;
        Ok(Ok(()))
    }
}
