//! The rows of deleted records, deleted: what came last first, so that what points at others mostly goes before these.
//!
//! Where the database refuses because another row still points there, the deleted children in the same tree are deleted first. What is
//! refused even so is tried once more when the other rows were written: what pointed there may have moved away.

use std::collections::HashSet;

use morango::id::SyncId;
use morango::port::WaitingKind;

use super::batch::{Batch, Outcome};
use super::failure::Failure;
use super::waiting::{Gone, next_child_gone, previous_gone};
use super::walk::{Step, Try};
use crate::error::Fault;
use crate::models::InstalledModel;

/// Where the walk through a model's deleted records is. It is kept from transaction to transaction.
#[derive(Debug, Clone)]
pub(super) struct Deletions {
    model: InstalledModel,
    which: Try,
    /// The place in the store down to which records were met.
    before: i64,
    /// Records whose deletion was refused, whose children are deleted first, from the top of the tree downwards.
    open: Vec<Open>,
    /// Those that were ever open: what claims to be its own ancestor is not opened twice.
    opened: HashSet<SyncId>,
    /// Those whose deletion was refused in the end. A child is also met below its parent: one of the two
    /// times is enough.
    pub(super) refused: HashSet<SyncId>,
}

#[derive(Debug, Clone)]
struct Open {
    record: Gone,
    after: i64,
}

impl Deletions {
    /// The beginning of a walk.
    pub(super) fn new(model: InstalledModel, which: Try) -> Self {
        Self { model, which, before: i64::MAX, open: Vec::new(), opened: HashSet::new(), refused: HashSet::new() }
    }

    /// Goes on for as long as the transaction's budget lasts.
    pub(super) fn go_on(&mut self, batch: &mut Batch<'_>) -> Result<Step, Fault> {
        loop {
            self.go_down(batch)?;
            if batch.budget.is_spent() {
                return Ok(Step::More);
            }
            let (definition, scene) = (self.model.definition, batch.scene);
            let page = previous_gone(&mut batch.connection, definition, scene, self.before, batch.budget.records)?;
            let Some(seen_to) = page.seen_to else {
                return Ok(Step::Done);
            };
            if self.which == Try::First {
                batch.report.skipped += page.skipped;
            }
            let outside = page.seen - page.records.len();
            for record in page.records {
                self.before = record.sequence;
                self.meet(batch, record)?;
                self.go_down(batch)?;
                if batch.budget.is_spent() {
                    return Ok(Step::More);
                }
            }
            self.before = seen_to;
            batch.budget.pass(outside);
        }
    }

    /// Deletes what is below the records that are open, and then these.
    fn go_down(&mut self, batch: &mut Batch<'_>) -> Result<(), Fault> {
        let definition = self.model.definition;
        while let Some(open) = self.open.last_mut()
            && !batch.budget.is_spent()
        {
            let (parent, scene) = (&open.record.id, batch.scene);
            if let Some(child) = next_child_gone(&mut batch.connection, definition, scene, parent, open.after)? {
                open.after = child.sequence;
                self.meet(batch, child)?;
            } else if let Some(Open { record, .. }) = self.open.pop()
                && let Outcome::Waits(failure) = batch.delete(&record)?
            {
                self.refuse(batch, &record, failure)?;
            }
        }
        Ok(())
    }

    fn meet(&mut self, batch: &mut Batch<'_>, record: Gone) -> Result<(), Fault> {
        if self.refused.contains(&record.id) {
            return Ok(());
        }
        match batch.delete(&record)? {
            Outcome::Settled => Ok(()),
            Outcome::Waits(failure) if self.may_open(&record, &failure) => {
                self.open.push(Open { record, after: 0 });
                Ok(())
            }
            Outcome::Waits(failure) => self.refuse(batch, &record, failure),
        }
    }

    fn may_open(&mut self, record: &Gone, failure: &Failure) -> bool {
        let is_in_tree = self.model.definition.self_reference().is_some();
        // A database may also refuse to cascade down a very deep tree.
        let is_of_the_table = matches!(failure.kind, WaitingKind::Constraint | WaitingKind::Database);
        is_in_tree && is_of_the_table && self.opened.insert(record.id)
    }

    fn refuse(&mut self, batch: &mut Batch<'_>, record: &Gone, failure: Failure) -> Result<(), Fault> {
        self.refused.insert(record.id);
        match self.which {
            Try::First => Ok(()),
            Try::Last => batch.note_failure((record.sequence, record.id), failure),
        }
    }
}
