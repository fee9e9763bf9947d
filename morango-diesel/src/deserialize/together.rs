//! Records that become rows together, because each statement costs as much as what it does.
//!
//! Most records become rows without further ado, and what is asked of the store about one of them does not hang on the others: these
//! are written many at a time and settled with one statement. Where the database undoes the whole transaction for an error, one
//! savepoint stands around all of them; if one cannot be written, they are undone and tried again, half as many at once, until the
//! one that is at fault stands alone and is met as any other. So whatever is noted about a record was found out about it alone.
//!
//! Records of a tree wait for each other, and what a trigger of the application does to one row may hang on the rows before it, as does
//! what a table replaces by itself: there nothing is written together.

use morango::model::Fields;

use super::batch::Batch;
use super::foreign_keys::{Target, Verdict};
use super::waiting::Waiting;
use crate::backend;
use crate::error::Fault;
use crate::rows::{ROWS_FEW, ROWS_MANY, Received};
use crate::statement::sql;

/// How records of a model are written together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// In as few statements as there can be, all of them or none.
    AllOrNone,
    /// Row by row up to the first that cannot be written.
    UpToTheFirstError,
    /// Not at all.
    Never,
}

/// How many records are written together in one transaction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Together {
    way: Option<Way>,
    /// It falls where something cannot be written, and rises again with what can.
    at_once: usize,
}

/// The name of the statement that settles so many records.
struct SettlePage<const RECORDS: usize>;

impl Default for Together {
    fn default() -> Self {
        Self { way: None, at_once: ROWS_MANY }
    }
}

impl Together {
    /// A record was written by itself.
    pub(super) fn has_written(&mut self) {
        self.at_once = (self.at_once * 2).min(ROWS_MANY);
    }
}

impl Batch<'_> {
    /// Makes as many of these records rows as can be at once, from the first on, and says how many. None where the first has to be
    /// met by itself.
    ///
    /// Before: the records wait, in the order of the store. After: those are rows as they say, and do not wait; the others are as before.
    pub(super) fn write_together(&mut self, records: &[Waiting]) -> Result<usize, Fault> {
        let way = self.way()?;
        let at_once = self.together.at_once.min(records.len());
        if way == Way::Never || self.refusal.is_some() || at_once < 2 {
            return Ok(0);
        }
        let mut received = self.without_further_ado(&records[..at_once])?;
        if received.len() < at_once {
            // What comes after is looked at again: where much has to be met by itself, not much is looked at.
            self.together.at_once = received.len().max(1);
        }
        while received.len() > 1 {
            let written = match way {
                Way::AllOrNone => self.write_all_or_none(&received)?,
                Way::UpToTheFirstError => self.write_up_to_an_error(&received)?,
                Way::Never => 0,
            };
            if written == received.len() {
                self.together.has_written();
            } else {
                // A row that failed by itself is known, and met next.
                self.together.at_once = if way == Way::AllOrNone { received.len() / 2 } else { 1 };
            }
            if written > 0 {
                self.note_written(&records[..written])?;
                return Ok(written);
            }
            received.truncate(self.together.at_once);
        }
        Ok(0)
    }

    fn way(&mut self) -> Result<Way, Fault> {
        if let Some(known) = self.together.way {
            return Ok(known);
        }
        let definition = self.model().definition;
        let has_tree = definition.self_reference().is_some();
        let reaches_further = self.replaces_rivals()? || backend::has_triggers(&mut self.connection, definition.table)?;
        let way = if has_tree || reaches_further {
            Way::Never
        } else if self.needs_savepoint()? {
            Way::AllOrNone
        } else {
            Way::UpToTheFirstError
        };
        Ok(*self.together.way.insert(way))
    }

    /// The first of these records, up to one about which there is more to say than that it is to be written.
    fn without_further_ado<'r>(&mut self, records: &'r [Waiting]) -> Result<Vec<Received<'r>>, Fault> {
        let definition = self.model().definition;
        self.hold(records.iter().map(|record| record.id))?;
        let mut received = Vec::with_capacity(records.len());
        for record in records {
            if record.has_failed() || self.settled_early.contains(&record.sequence) || self.is_marked(&record.id)? {
                break;
            }
            let Ok(fields) = Fields::parse(&record.serialized) else { break };
            received.push(Received { id: record.id, partition: &record.partition, fields });
        }
        self.targets.look_up(&mut self.connection, definition, &received)?;
        let mut standing = 0;
        for Received { id, fields, .. } in &received {
            let verdict = self.targets.check(&mut self.connection, self.scene, definition, id, fields)?;
            if verdict != Verdict::Stands {
                break;
            }
            standing += 1;
        }
        received.truncate(standing);
        Ok(received)
    }

    fn write_all_or_none(&mut self, received: &[Received<'_>]) -> Result<usize, Fault> {
        let written = self.apart(|rows, connection| rows.apply_all(connection, received))?;
        Ok(if written.is_ok() { received.len() } else { 0 })
    }

    fn write_up_to_an_error(&mut self, received: &[Received<'_>]) -> Result<usize, Fault> {
        for (number, Received { id, partition, fields }) in received.iter().enumerate() {
            if self.apart(|rows, connection| rows.apply(connection, *id, partition, fields))?.is_err() {
                return Ok(number);
            }
        }
        Ok(received.len())
    }

    fn note_written(&mut self, records: &[Waiting]) -> Result<(), Fault> {
        let definition = self.model().definition;
        for record in records {
            self.budget.take(record.serialized.len());
            self.targets.note(definition, record.id, Target::Row);
        }
        self.report.written += records.len() as u64;
        self.settle_all(records)
    }

    /// The records do not wait any more.
    fn settle_all(&mut self, records: &[Waiting]) -> Result<(), Fault> {
        for page in records.chunks(ROWS_MANY) {
            if page.len() > ROWS_FEW {
                self.settle_page::<ROWS_MANY>(page)?;
            } else {
                self.settle_page::<ROWS_FEW>(page)?;
            }
        }
        Ok(())
    }

    /// The statement is filled up to so many records, so that it stays the same.
    fn settle_page<const RECORDS: usize>(&mut self, page: &[Waiting]) -> Result<(), Fault> {
        let last = page.last().expect("a chunk is not empty");
        let filled = page.iter().chain(std::iter::repeat_n(last, RECORDS - page.len()));
        sql("UPDATE morango_store SET is_dirty = 0, row_serialized = NULL, failure_kind = NULL, failure_reason = NULL,
             waiting_since = NULL WHERE sequence IN (")
        .bind_all(filled.map(|record| record.sequence))
        .sql(")")
        .execute_as::<SettlePage<RECORDS>>(&mut self.connection)?;
        Ok(())
    }
}
