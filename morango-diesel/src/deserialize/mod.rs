//! *Deserialize*: what waits in the store becomes rows of the application.
//!
//! First the rows of deleted records are deleted, in the models' order backwards; then the others are written, in that order. Where the
//! tables forbid a deletion, it is tried once more when the others were written, and then these once more in turn. The work
//! is cut into transactions, so that the application's own writing gets its turn. Each first serializes what the application changed
//! since, so that no change of its own is written over: the store then holds both, and that change wins.
//!
//! One bad record never stops the others: it waits on, with the reason beside it, and is tried again the next time.

mod batch;
mod deletion;
mod deletions;
mod failure;
mod foreign_keys;
mod places;
mod together;
mod tree;
mod waiting;
mod walk;
mod wholeness;

use chrono::{DateTime, Utc};
use morango::id::SyncId;
use morango::port::{DeserializeOrder, DeserializeReport, FailedBefore, Progress, REPORTED_MAX, Watch};
use morango::scope::Filter;
use morango::{Error, ErrorKind, limits};

use crate::backend::{self, Lock};
use crate::connection::{AsConnection as _, Connection};
use crate::error::Fault;
use crate::models::{InstalledModel, InstalledModels};
use crate::serialize::{serialize, serialize_new_changes};
use crate::transaction::without_capture;
use crate::transactions::Transactions;

use batch::{Batch, Budget, Outcome};
use deletions::Deletions;
use failure::Failure;
use walk::{Step, Try, Walk};

/// Records of an unknown model that are counted: beyond this a report says this number.
const UNKNOWN_COUNTED_MAX: usize = 100_000;

/// What is deserialized, and by which models.
pub(crate) struct Scene<'a> {
    profile: &'a str,
    filter: &'a Filter,
    failed_before: FailedBefore,
    now: DateTime<Utc>,
    /// In the order of their foreign keys.
    models: Vec<InstalledModel>,
}

/// Makes rows of every record of the profile under the filter that waits.
///
/// Called again after it was stopped or failed, it goes on.
pub(crate) fn deserialize(
    storage: &Transactions<'_>,
    order: &DeserializeOrder<'_>,
    watch: Watch<'_>,
) -> morango::Result<DeserializeReport> {
    let DeserializeOrder { profile, filter, failed_before, now } = *order;
    let operation = format!("deserialize the records of {profile:?}");
    let models = storage.models()?.of_profile(profile).copied().collect();
    let scene = Scene { profile, filter, failed_before, now, models };
    let mut run = Run::new(storage, &scene, watch, operation);
    let waiting = run.what_waits()?;
    if !waiting.is_empty() {
        // However much the application changed, it is serialized in transactions of its own; what it changes after that is little.
        let serialized = serialize(storage, profile, filter, &|_| watch(Progress { done: 0, total: None }))?;
        run.report.conflicts += serialized.conflicts;
    }
    let mut was_refused = false;
    for model in waiting.iter().rev() {
        was_refused |= run.delete(*model, Try::First)?;
    }
    if was_refused {
        // What points at those rows may move away, and what takes their places can be written only after they went.
        for model in &waiting {
            run.write(*model, Try::First)?;
        }
        for model in waiting.iter().rev() {
            run.delete(*model, Try::Last)?;
        }
    }
    for model in &waiting {
        run.write(*model, Try::Last)?;
    }
    if !waiting.is_empty() {
        storage.make_durable(&run.operation)?;
    }
    Ok(run.report)
}

/// Makes one record that waits a row, within the write transaction of another verb and with capture off.
///
/// Before: the record waits, live. After: it is a row, and nothing waits. Or it cannot be: then the answer says why, and the
/// transaction is to be undone.
pub(crate) fn write_one(
    connection: &mut Connection<'_>,
    models: &InstalledModels,
    model: &InstalledModel,
    id: &SyncId,
) -> Result<Result<(), String>, Fault> {
    let filter = Filter::everything();
    let profile = model.definition.profile;
    let scene = Scene {
        profile,
        filter: &filter,
        failed_before: FailedBefore::TryAgain,
        // Nothing is noted with it.
        now: DateTime::UNIX_EPOCH,
        models: models.of_profile(profile).copied().collect(),
    };
    let record = waiting::one(connection, id)?;
    let mut batch = Batch::new(connection.as_connection(), &scene, *model, Budget::one_record(), None)?;
    Ok(match batch.write(&record)? {
        Outcome::Waits(failure) => Err(failure.reason),
        Outcome::Settled if batch.report.written == 0 => Err("what it points at is deleted".to_owned()),
        Outcome::Settled => Ok(()),
    })
}

/// One call of [`deserialize`].
struct Run<'a, 't> {
    storage: &'a Transactions<'t>,
    scene: &'a Scene<'a>,
    watch: Watch<'a>,
    operation: String,
    report: DeserializeReport,
    progress: Progress,
}

impl<'a, 't> Run<'a, 't> {
    fn new(storage: &'a Transactions<'t>, scene: &'a Scene<'a>, watch: Watch<'a>, operation: String) -> Self {
        let progress = Progress { done: 0, total: None };
        Self { storage, scene, watch, operation, report: DeserializeReport::default(), progress }
    }

    /// The models of which anything waits, in order. Of those that this application does not have, the records are counted.
    fn what_waits(&mut self) -> morango::Result<Vec<InstalledModel>> {
        let Scene { profile, models, .. } = self.scene;
        self.storage.read(&self.operation, |connection| {
            let mut total = 0;
            let mut found = vec![None; models.len()];
            let mut name = String::new();
            while let Some(next) = waiting::next_model_name(connection, profile, &name)? {
                match models.iter().position(|model| model.definition.name == next) {
                    Some(position) => {
                        found[position] = Some(models[position]);
                        total += waiting::count(connection, profile, &next, usize::MAX)?;
                    }
                    None => {
                        self.report.unknown_models += waiting::count(connection, profile, &next, UNKNOWN_COUNTED_MAX)?;
                    }
                }
                name = next;
            }
            self.progress.total = Some(total);
            Ok(found.into_iter().flatten().collect())
        })
    }

    fn delete(&mut self, model: InstalledModel, which: Try) -> morango::Result<bool> {
        let deletions = self.in_transactions(model, Deletions::new(model, which), Deletions::go_on)?;
        Ok(!deletions.refused.is_empty())
    }

    fn write(&mut self, model: InstalledModel, which: Try) -> morango::Result<()> {
        self.in_transactions(model, Walk::new(model, which), Walk::go_on).map(|_| ())
    }

    /// Runs transactions until the work on one model's records is done, and gives back where the work then is.
    ///
    /// What a single row's statement does wrong is found there. But a foreign key that is checked at the commit only (`DEFERRABLE
    /// INITIALLY DEFERRED`) fails the commit, and a trigger of the application may undo the whole transaction: then the same records
    /// are taken again, each in a transaction of its own, and the one with which it fails again is passed by.
    fn in_transactions<Work: Clone>(
        &mut self,
        model: InstalledModel,
        mut work: Work,
        go_on: fn(&mut Work, &mut Batch<'_>) -> Result<Step, Fault>,
    ) -> morango::Result<Work> {
        let mut single_records = 0;
        let mut refusal = None;
        // What only the commit checks of a transaction that is not ours to commit: it would fail with whatever else is done in it.
        let mut deferred = if self.storage.is_within_another() {
            self.storage.read(&self.operation, |connection| backend::deferred(connection, model.definition.table))?
        } else {
            None
        };
        loop {
            let budget = if single_records > 0 { Budget::one_record() } else { Budget::default() };
            let refused: Option<Failure> = refusal.take();
            // The transaction may be run more than once: each time it begins with the work as it was.
            let lock = Lock::PartitionsAndRows { profile: self.scene.profile, filter: self.scene.filter };
            let done = self.storage.write_part(&self.operation, lock, |connection| {
                let mut work = work.clone();
                let serialized = serialize_new_changes(connection, &self.scene.models)?;
                let done = without_capture(connection, |connection| {
                    let mut batch = Batch::new(connection.as_connection(), self.scene, model, budget, refused.clone())?;
                    batch.report.conflicts += serialized.conflicts;
                    let step = go_on(&mut work, &mut batch)?;
                    Ok::<_, Fault>((step, batch.report, work))
                })?;
                let checked =
                    deferred.as_ref().map(|before| backend::check_deferred(connection, before)).transpose()?;
                Ok((done, checked))
            });
            let ((step, report, after), checked) = match done {
                Ok(done) => done,
                Err(error) if error.kind() == ErrorKind::InvalidInput && refused.is_none() => {
                    if single_records > 0 {
                        refusal = Some(Failure::of_transaction(&error));
                    } else {
                        single_records = limits::TRANSACTION_RECORDS_MAX;
                    }
                    continue;
                }
                Err(error) => return Err(error),
            };
            work = after;
            deferred = checked;
            single_records = single_records.saturating_sub(1);
            self.progress.done += report.written + report.deleted + report.failures_total;
            add(report, &mut self.report);
            if (self.watch)(self.progress).is_break() {
                return Err(Error::new(ErrorKind::Cancelled, self.operation.clone()));
            }
            if step == Step::Done {
                return Ok(work);
            }
        }
    }
}

/// Adds what one transaction did to what all of them did.
fn add(one: DeserializeReport, all: &mut DeserializeReport) {
    all.written += one.written;
    all.deleted += one.deleted;
    all.conflicts += one.conflicts;
    all.failures_total += one.failures_total;
    all.skipped += one.skipped;
    let room = REPORTED_MAX.saturating_sub(all.failures.len());
    all.failures.extend(one.failures.into_iter().take(room));
}
