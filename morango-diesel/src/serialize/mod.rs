//! *Serialize*: what the application changed becomes records in the store, stamped anew.
//!
//! All marks of the profile are taken, not only those under the filter. Where a row lies is known only once it is loaded;
//! and a record outside the filter that is in the store a little early is in nobody's way: it is stamped like any other,
//! and what this database claims to have is raised only for the prefixes of the filter, by the next serialization of
//! which it is claimed too.
//!
//! A long serialization is cut into transactions, each of which raises the counter before it stamps. They are on the disk together
//! with the claim at its end. Nothing that bears their stamps leaves before it is there: whoever reads a chunk that is queued first
//! notes, durably, how far others may know this instance.

mod claim;
mod decide;
mod mark;
mod stored;
pub(crate) mod trace;

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::sync::mpsc::sync_channel;
use std::thread;

use morango::counter::Stamp;
use morango::id::SyncId;
use morango::model::Origin;
use morango::port::{Progress, REPORTED_MAX, SerializeReport, SetAside, Watch};
use morango::scope::Filter;
use morango::{Error, ErrorKind, limits};

pub(crate) use mark::{LeftMark, has_mark, marks_left};

use decide::{Content, Decision, Deletion};
use mark::{Mark, RowId, Which};
use stored::Stored;

use crate::backend::{self, Lock};
use crate::connection::Connection;
use crate::counters::Reaching;
use crate::error::Fault;
use crate::merged;
use crate::models::{InstalledModel, InstalledModels};
use crate::pool::Beside;
use crate::rows::LoadedRow;
use crate::storage::DieselStorage;
use crate::transaction::{fold_changes, raise_counter};
use crate::transactions::Transactions;

/// Marks whose rows and records are in memory at one time.
const PAGE_MARKS: usize = 100;

/// Brings every changed row of the profile into the store, and then raises this instance's own database max counters.
///
/// Before: marks, and changes that are not marks yet. After: no marks but those of rows that were set aside, whose reasons stand
/// with them. The counter moves by one with each transaction that stamps something; where there was nothing to stamp it moves by one
/// if a database max counter has to be raised, and not at all, like everything else, if none has.
pub(crate) fn serialize(
    storage: &Transactions<'_>,
    profile: &str,
    filter: &Filter,
    watch: Watch<'_>,
) -> morango::Result<SerializeReport> {
    let operation = format!("serialize {profile:?}");
    let models: Vec<InstalledModel> = storage.models()?.of_profile(profile).copied().collect();
    let count = |connection: &mut Connection<'_>| mark::count(connection, &models);
    let folds_and_count =
        |connection: &mut Connection<'_>| Ok((backend::folds_needed(connection)?, count(connection)?));
    let (folds, mut total) = storage.read(&operation, folds_and_count)?;
    if folds > 0 {
        fold(storage, &operation, folds, watch)?;
        total = storage.read(&operation, count)?;
    }
    let mut report = SerializeReport::default();
    let mut position = Position::default();
    let mut has_stamped = false;
    let mut done = 0;
    while total > 0 && position.model < models.len() {
        // While a transaction of ours is open nobody else writes to a file: another connection sees there what this one does.
        let step = storage.write_part(&operation, Lock::Profile { profile }, |connection| {
            let step = Step::new(Which::All, position.clone());
            match (total > PAGE_MARKS as u64).then(|| storage.beside()).flatten() {
                Some(beside) => step.run_ahead(connection, &models, beside),
                None => step.run(connection, &models),
            }
        })?;
        add(&mut report, step.report);
        has_stamped |= step.stamp.is_some();
        position = step.position;
        done += step.marks as u64;
        if watch(Progress { done, total: Some(total.max(done)) }).is_break() {
            return Err(Error::new(ErrorKind::Cancelled, format!("{operation}: it was told to stop")));
        }
    }
    claim::claim(storage, &operation, (profile, filter), has_stamped)?;
    Ok(report)
}

/// Makes marks of changes that triggers noted, in so many transactions of their own.
///
/// What power takes back of it is as it was before, and is folded the next time.
pub(crate) fn fold(storage: &Transactions<'_>, operation: &str, folds: u64, watch: Watch<'_>) -> morango::Result<()> {
    for done in 0..folds {
        if done > 0 && watch(Progress { done: 0, total: None }).is_break() {
            return Err(Error::new(ErrorKind::Cancelled, format!("{operation}: it was told to stop")));
        }
        storage.write_buffered(operation, backend::fold_changes)?;
    }
    Ok(())
}

/// The same for whoever is about to read marks in a transaction of its own, which then has little left to fold.
pub(crate) fn fold_apart(storage: &DieselStorage, operation: &str) -> morango::Result<()> {
    let folds = storage.read(operation, backend::folds_needed)?;
    fold(&Transactions::of(storage), operation, folds, &|_| ControlFlow::Continue(()))
}

/// Serializes what the application changed since it was last tried, within the write transaction of another stage, which
/// is about to write rows and would write over these changes.
///
/// Before: the transaction has raised no counter, or will stamp nothing more. After: no marks but those of rows that were set
/// aside. The counter moves by one if anything was stamped. No database max counter is raised: the next [`serialize`]
/// does it.
pub(crate) fn serialize_new_changes(
    connection: &mut Connection<'_>,
    models: &[InstalledModel],
) -> Result<SerializeReport, Fault> {
    fold_changes(connection)?;
    let mut step = Step::new(Which::Untried, Position::default());
    while step.position.model < models.len() {
        step = step.run(connection, models)?;
        step.marks = 0;
        step.bytes = 0;
    }
    Ok(step.report)
}

/// Forgets that a row of the model of this profile and name was changed, unless it has no record yet. Says whether it was.
pub(crate) fn forget_change(
    connection: &mut Connection<'_>,
    models: &InstalledModels,
    (profile, name): (&str, &str),
    id: &SyncId,
) -> Result<bool, Fault> {
    let model = models.of_profile(profile).find(|model| model.definition.name == name).ok_or_else(|| {
        Error::new(ErrorKind::InvalidInput, format!("forget a change of {profile}/{name} {id}: there is no such model"))
    })?;
    fold_changes(connection)?;
    mark::forget(connection, model, id)
}

/// How far a serialization is: the models before this one are done, and of this one the marks up to a row.
#[derive(Debug, Clone, Default)]
struct Position {
    model: usize,
    after: Option<RowId>,
}

impl Position {
    /// Behind the last mark of all.
    fn end(models: &[InstalledModel]) -> Self {
        Self { model: models.len(), after: None }
    }
}

/// What one transaction does.
struct Step {
    which: Which,
    position: Position,
    report: SerializeReport,
    /// The stamp of this transaction, once something was stamped.
    stamp: Option<Stamp>,
    reaching: Reaching,
    marks: usize,
    bytes: usize,
    /// Whose rows had their turn. A row may be marked twice, under its id as text and as bytes, where its column changed its type.
    handled: HashSet<SyncId>,
}

impl Step {
    fn new(which: Which, position: Position) -> Self {
        Self {
            which,
            position,
            report: SerializeReport::default(),
            stamp: None,
            reaching: Reaching::default(),
            marks: 0,
            bytes: 0,
            handled: HashSet::new(),
        }
    }

    fn run(mut self, connection: &mut Connection<'_>, models: &[InstalledModel]) -> Result<Self, Fault> {
        while let Some(page) = Page::read(connection, models, self.which, &self.position)? {
            self.take(connection, page)?;
            if self.is_full() {
                return Ok(self);
            }
        }
        self.position = Position::end(models);
        Ok(self)
    }

    /// The same, while the next page is read and decided about through another connection on a thread of its own, which does not see
    /// what this one writes: no page hangs on another. What is read beyond what this transaction takes is read again by the next:
    /// the thread ends when nobody takes its pages any more. A page may be large, so none waits beside the one that is written and
    /// the one that is read.
    fn run_ahead(
        mut self,
        connection: &mut Connection<'_>,
        models: &[InstalledModel],
        beside: Beside<'_>,
    ) -> Result<Self, Fault> {
        let (which, mut position) = (self.which, self.position.clone());
        let (sender, receiver) = sync_channel(0);
        let read = move || {
            beside.read(|connection| {
                while let Some(page) = Page::read(connection, models, which, &position)? {
                    position = page.next.clone();
                    if sender.send(page).is_err() {
                        break;
                    }
                }
                Ok(())
            })
        };
        thread::scope(|scope| {
            let reading = scope.spawn(read);
            for page in receiver {
                self.take(connection, page)?;
                if self.is_full() {
                    return Ok(self);
                }
            }
            reading.join().unwrap_or_else(|panic| resume_unwind(panic))?;
            self.position = Position::end(models);
            Ok(self)
        })
    }

    fn is_full(&self) -> bool {
        self.marks >= limits::TRANSACTION_RECORDS_MAX || self.bytes >= limits::TRANSACTION_BYTES_MAX
    }

    fn take(&mut self, connection: &mut Connection<'_>, page: Page) -> Result<(), Fault> {
        let Page { model, marks, stored, mut decisions, next } = page;
        self.marks += marks.len();
        self.position = next;
        let mut done = Vec::with_capacity(marks.len());
        let (mut new, mut updates) = (Vec::new(), Vec::new());
        for mark in &marks {
            let id = mark.row_id.record_id();
            if id.is_some_and(|id| !self.handled.insert(id)) {
                done.push(&mark.row_id);
                continue;
            }
            let stored = id.and_then(|id| stored.get(&id));
            let decision = match id.and_then(|id| decisions.remove(&id)) {
                Some(decision) => decision,
                None if mark::has_row(connection, &model, &mark.row_id)? => Decision::unreachable_row(),
                None => decide::without_row(mark, stored, &model),
            };
            match (decision, stored) {
                (Decision::SetAside(reason), _) => {
                    self.set_aside(connection, &model, mark, reason)?;
                    continue;
                }
                (Decision::Insert(origin, content), _) => new.push((origin, content)),
                (Decision::Update(content), Some(stored)) => updates.push((stored, content)),
                (Decision::Delete(deletion), Some(stored)) => self.delete(connection, stored, deletion)?,
                (Decision::Nothing, _) => {}
                (Decision::Update(_) | Decision::Delete(_), None) => {
                    unreachable!("only a record that is in the store is updated or deleted")
                }
            }
            done.push(&mark.row_id);
        }
        self.insert(connection, &model, &new)?;
        self.update(connection, &updates)?;
        mark::remove_all(connection, &model, &done)
    }

    /// Rows that have no record yet get one each.
    fn insert(
        &mut self,
        connection: &mut Connection<'_>,
        model: &InstalledModel,
        new: &[(Origin, Content)],
    ) -> Result<(), Fault> {
        if new.is_empty() {
            return Ok(());
        }
        let stamp = self.stamp(connection)?;
        stored::insert_all(connection, model, new, stamp)?;
        self.bytes += new.iter().map(|(_, content)| content.serialized.len()).sum::<usize>();
        self.report.new += new.len() as u64;
        Ok(())
    }

    /// Rows that changed give their records their contents.
    fn update(&mut self, connection: &mut Connection<'_>, updates: &[(&Stored, Content)]) -> Result<(), Fault> {
        if updates.is_empty() {
            return Ok(());
        }
        let stamp = self.stamp(connection)?;
        let overwritten = updates.iter().map(|(stored, _)| stored.overwritten());
        merged::note_unreached(connection, &mut self.reaching, stamp.instance, overwritten)?;
        stored::update_all(connection, updates, stamp)?;
        self.bytes += updates.iter().map(|(_, content)| content.serialized.len()).sum::<usize>();
        self.report.updated += updates.len() as u64;
        self.report.conflicts += updates.iter().filter(|(stored, _)| stored.is_dirty).count() as u64;
        Ok(())
    }

    /// The record of a row that is gone is deleted.
    fn delete(&mut self, connection: &mut Connection<'_>, stored: &Stored, deletion: Deletion) -> Result<(), Fault> {
        let stamp = self.stamp(connection)?;
        merged::note_unreached(connection, &mut self.reaching, stamp.instance, [stored.overwritten()])?;
        stored::delete(connection, stored, deletion, stamp)?;
        self.report.deleted += 1;
        Ok(())
    }

    /// The law of counters: the counter is raised in the transaction that stamps, once, before it stamps.
    fn stamp(&mut self, connection: &mut Connection<'_>) -> Result<Stamp, Fault> {
        match self.stamp {
            Some(stamp) => Ok(stamp),
            None => Ok(*self.stamp.insert(raise_counter(connection)?)),
        }
    }

    fn set_aside(
        &mut self,
        connection: &mut Connection<'_>,
        model: &InstalledModel,
        mark: &Mark,
        reason: String,
    ) -> Result<(), Fault> {
        mark::set_aside(connection, model, mark, &reason)?;
        self.report.set_aside_total += 1;
        let id = mark.row_id.to_string();
        self.report.set_aside.push(SetAside { model: model.definition.name.to_owned(), id, reason });
        Ok(())
    }
}

/// Some marks of one model, with what they stand for and what becomes of it: read, and not written yet.
struct Page {
    model: InstalledModel,
    marks: Vec<Mark>,
    stored: HashMap<SyncId, Stored>,
    /// What becomes of the rows that are there. An id without a row has no decision.
    decisions: HashMap<SyncId, Decision>,
    /// Where the next page begins.
    next: Position,
}

impl Page {
    /// Reads the marks from a position on, with their rows and records. None where no more are there.
    fn read(
        connection: &mut Connection<'_>,
        models: &[InstalledModel],
        which: Which,
        position: &Position,
    ) -> Result<Option<Self>, Fault> {
        let mut position = position.clone();
        while let Some(model) = models.get(position.model) {
            let marks = mark::page(connection, model, which, position.after.as_ref(), PAGE_MARKS)?;
            let Some(last) = marks.last() else {
                position = Position { model: position.model + 1, after: None };
                continue;
            };
            let next = Position { model: position.model, after: Some(last.row_id.clone()) };
            let mut ids: Vec<SyncId> = marks.iter().filter_map(|mark| mark.row_id.record_id()).collect();
            ids.sort_unstable();
            ids.dedup();
            let stored = stored::load(connection, &ids)?;
            let decisions = decide_all(connection, model, &marks, &ids, &stored)?;
            return Ok(Some(Self { model: *model, marks, stored, decisions, next }));
        }
        Ok(None)
    }
}

/// Loads the rows and decides about each while it is in memory.
fn decide_all(
    connection: &mut Connection<'_>,
    model: &InstalledModel,
    marks: &[Mark],
    ids: &[SyncId],
    stored: &HashMap<SyncId, Stored>,
) -> Result<HashMap<SyncId, Decision>, Fault> {
    let marks: HashMap<SyncId, &Mark> =
        marks.iter().rev().filter_map(|mark| Some((mark.row_id.record_id()?, mark))).collect();
    let mut decisions = HashMap::with_capacity(ids.len());
    model.rows.load(connection, ids, &mut |loaded| {
        let (id, decision) = match loaded {
            LoadedRow::Row(row) => {
                let Some(mark) = marks.get(&row.id()) else { return };
                (row.id(), decide::with_row(row, mark, stored.get(&row.id()), model))
            }
            LoadedRow::Unreadable { id, reason } => (id, Decision::SetAside(format!("read the row: {reason}"))),
        };
        decisions.insert(id, decision);
    })?;
    Ok(decisions)
}

fn add(report: &mut SerializeReport, step: SerializeReport) {
    report.new += step.new;
    report.updated += step.updated;
    report.deleted += step.deleted;
    report.conflicts += step.conflicts;
    report.set_aside_total += step.set_aside_total;
    let room = REPORTED_MAX.saturating_sub(report.set_aside.len());
    report.set_aside.extend(step.set_aside.into_iter().take(room));
}
