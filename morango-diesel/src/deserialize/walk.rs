//! The order in which the records of one model become rows: as they came into the store, but in a tree parents first.
//!
//! A record that comes before its parent is passed over. When the parent's row is there, those of its children that were passed over
//! are looked up by the index over parents, and so on down; so every record is met once in the order of the store and once more at most
//! below its parent, however deep the tree is. What waits after that does so for a reason, which a second round finds and notes.

use morango::id::SyncId;

use super::batch::{Batch, Outcome};
use super::waiting::{Waiting, next_child, next_page};
use crate::error::Fault;
use crate::models::InstalledModel;

/// Whether a piece of work is done, or goes on in the next transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    More,
    Done,
}

/// Where the walk through a model's records is. It is kept from transaction to transaction.
#[derive(Debug, Clone)]
pub(super) struct Walk {
    model: InstalledModel,
    round: Round,
    /// The place in the store up to which records were met in this round.
    after: i64,
    has_passed_over: bool,
    /// Records whose children are looked up, from the top of the tree downwards.
    open: Vec<Open>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    /// What cannot become a row is passed over.
    ParentsFirst,
    /// What cannot become a row has failed.
    Rest,
}

/// A record that is settled, some of whose children were passed over.
#[derive(Debug, Clone)]
struct Open {
    parent: SyncId,
    after: i64,
}

impl Walk {
    /// The beginning of a walk.
    pub(super) fn new(model: InstalledModel) -> Self {
        let round = match model.definition.self_reference() {
            Some(_) => Round::ParentsFirst,
            None => Round::Rest,
        };
        Self { model, round, after: 0, has_passed_over: false, open: Vec::new() }
    }

    /// Goes on for as long as the transaction's budget lasts.
    pub(super) fn go_on(&mut self, batch: &mut Batch<'_>) -> Result<Step, Fault> {
        let definition = self.model.definition;
        loop {
            self.go_down(batch)?;
            if batch.budget.is_spent() {
                return Ok(Step::More);
            }
            let (records, bytes) = (batch.budget.records, batch.budget.bytes);
            let page = next_page(&mut batch.connection, definition, batch.scene.filter, self.after, records, bytes)?;
            let Some(seen_to) = page.seen_to else {
                if self.round == Round::Rest || !self.has_passed_over {
                    return Ok(Step::Done);
                }
                self.round = Round::Rest;
                self.after = 0;
                continue;
            };
            for record in &page.records {
                self.after = record.sequence;
                self.meet(batch, record)?;
                self.go_down(batch)?;
                if batch.budget.is_spent() {
                    return Ok(Step::More);
                }
            }
            self.after = seen_to;
            batch.budget.pass(page.seen - page.records.len());
        }
    }

    /// Settles what was passed over below the records that are open.
    fn go_down(&mut self, batch: &mut Batch<'_>) -> Result<(), Fault> {
        let definition = self.model.definition;
        while let Some(open) = self.open.last_mut()
            && !batch.budget.is_spent()
        {
            let child = next_child(
                &mut batch.connection,
                definition,
                batch.scene.filter,
                &open.parent,
                open.after,
                self.after,
            )?;
            match child {
                Some(child) => {
                    open.after = child.sequence;
                    self.meet(batch, &child)?;
                }
                None => {
                    self.open.pop();
                }
            }
        }
        Ok(())
    }

    fn meet(&mut self, batch: &mut Batch<'_>, record: &Waiting) -> Result<(), Fault> {
        match (batch.write(record)?, self.round) {
            (Outcome::Settled, Round::ParentsFirst) if self.has_passed_over => {
                self.open.push(Open { parent: record.id, after: 0 });
                Ok(())
            }
            (Outcome::Settled, Round::ParentsFirst | Round::Rest) => Ok(()),
            (Outcome::Waits(_), Round::ParentsFirst) => {
                self.has_passed_over = true;
                Ok(())
            }
            (Outcome::Waits(failure), Round::Rest) => batch.note_failure((record.sequence, record.id), failure),
        }
    }
}
