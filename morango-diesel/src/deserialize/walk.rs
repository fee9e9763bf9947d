//! The order in which the records of one model become rows: as they came into the store, but in a tree parents first.
//!
//! A record that comes before its parent is passed over. When the parent's row is there, those of its children that were passed over
//! are looked up by the index over parents, and so on down; so every record is met once in the order of the store and once more at most
//! below its parent, however deep the tree is. What waits after that does so for a reason, which a second round finds and notes. There,
//! a row that would come to stand below itself has those that it is to stand below moved first.

use std::collections::HashSet;

use morango::id::SyncId;
use morango::limits;
use morango::port::WaitingKind;

use super::batch::{Batch, Outcome};
use super::waiting::{self, Waiting, next_child, next_page};
use crate::error::Fault;
use crate::models::InstalledModel;

/// Whether a piece of work is done, or goes on in the next transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    More,
    Done,
}

/// Whether what fails is tried again later in the same call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Try {
    First,
    Last,
}

/// Where the walk through a model's records is. It is kept from transaction to transaction.
#[derive(Debug, Clone)]
pub(super) struct Walk {
    model: InstalledModel,
    which: Try,
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
    pub(super) fn new(model: InstalledModel, which: Try) -> Self {
        let round = match model.definition.self_reference() {
            Some(_) => Round::ParentsFirst,
            None => Round::Rest,
        };
        Self { model, which, round, after: 0, has_passed_over: false, open: Vec::new() }
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
            let page = next_page(&mut batch.connection, definition, batch.scene, self.after, records, bytes)?;
            let Some(seen_to) = page.seen_to else {
                if self.round == Round::Rest || !self.has_passed_over {
                    return Ok(Step::Done);
                }
                self.round = Round::Rest;
                self.after = 0;
                continue;
            };
            if self.which == Try::Last && !self.has_had_a_round() {
                batch.report.skipped += page.skipped;
            }
            batch.hold(page.records.iter().map(|record| record.id))?;
            let mut rest = page.records.as_slice();
            while let Some(first) = rest.first() {
                let mut met = batch.write_together(rest)?;
                if met == 0 {
                    met = 1;
                    self.after = first.sequence;
                    self.meet(batch, first)?;
                    self.go_down(batch)?;
                }
                self.after = rest[met - 1].sequence;
                rest = &rest[met..];
                if batch.budget.is_spent() {
                    return Ok(Step::More);
                }
            }
            self.after = seen_to;
            batch.budget.pass(page.seen - page.records.len());
        }
    }

    /// Whether every record was met before.
    fn has_had_a_round(&self) -> bool {
        self.round == Round::Rest && self.has_passed_over
    }

    /// Settles what was passed over below the records that are open.
    fn go_down(&mut self, batch: &mut Batch<'_>) -> Result<(), Fault> {
        let definition = self.model.definition;
        while let Some(open) = self.open.last_mut()
            && !batch.budget.is_spent()
        {
            let (parent, after) = (&open.parent, open.after);
            match next_child(&mut batch.connection, definition, batch.scene, parent, after, self.after)? {
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
            (Outcome::Waits(failure), Round::Rest) => {
                let is_untangled = failure.kind == WaitingKind::Cycle && self.untangle(batch, record)?;
                let outcome = if is_untangled { batch.write(record)? } else { Outcome::Waits(failure) };
                match (outcome, self.which) {
                    (Outcome::Settled, _) | (Outcome::Waits(_), Try::First) => Ok(()),
                    (Outcome::Waits(failure), Try::Last) => batch.note_failure((record.sequence, record.id), failure),
                }
            }
        }
    }

    /// Moves those that a row is to stand below where they are to be, from the highest down; whether all of them are there.
    ///
    /// What has had its turn in this round and waits is a reason to give up, and so is the record itself.
    fn untangle(&mut self, batch: &mut Batch<'_>, record: &Waiting) -> Result<bool, Fault> {
        if batch.tangled.contains(&record.id) {
            return Ok(false);
        }
        let definition = self.model.definition;
        let place =
            |batch: &mut Batch<'_>, id: &SyncId| waiting::place_of(&mut batch.connection, definition, batch.scene, id);
        let mut above = Vec::new();
        let mut seen = HashSet::from([record.id]);
        let mut at = place(batch, &record.id)?.and_then(|(_, parent)| parent);
        while let Some(id) = at {
            let Some((sequence, parent)) = place(batch, &id)? else { break };
            if sequence <= self.after || !seen.insert(id) || above.len() >= limits::TREE_LEVELS_MAX {
                batch.tangled.extend(seen);
                return Ok(false);
            }
            above.push(sequence);
            at = parent;
        }
        for sequence in above.into_iter().rev() {
            let Some(record) = waiting::at(&mut batch.connection, sequence)? else { continue };
            if let Outcome::Waits(_) = batch.write(&record)? {
                return Ok(false);
            }
            batch.settled_early.insert(sequence);
        }
        Ok(true)
    }
}
