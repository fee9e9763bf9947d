//! What waits in the store to become a row: dirty records, read a page at a time.

use std::ops::ControlFlow;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};
use morango::id::SyncId;
use morango::model::ModelDefinition;
use morango::port::FailedBefore;

use super::Scene;
use super::foreign_keys::Deletion;
use crate::backend;
use crate::connection::Connection;
use crate::error::Fault;
use crate::statement::{Statement, sql};

/// A record whose row is to be written.
#[derive(Debug, Queryable)]
pub(super) struct Waiting {
    pub(super) sequence: i64,
    pub(super) id: SyncId,
    pub(super) partition: String,
    pub(super) serialized: String,
    failure_kind: Option<String>,
}

/// A record whose row is to be deleted.
#[derive(Debug, Clone, Queryable)]
pub(super) struct Gone {
    pub(super) sequence: i64,
    pub(super) id: SyncId,
    partition: String,
    is_hard_deleted: i64,
    failure_kind: Option<String>,
}

impl Waiting {
    /// Whether it could not become a row when it was last tried.
    pub(super) fn has_failed(&self) -> bool {
        self.failure_kind.is_some()
    }
}

impl Gone {
    /// How it was deleted.
    pub(super) fn deletion(&self) -> Deletion {
        if self.is_hard_deleted == 0 { Deletion::Plain } else { Deletion::Hard }
    }
}

/// Some of what waits, and the place up to which all of it was seen.
#[derive(Debug)]
pub(super) struct Page<Record> {
    /// Those under the filter.
    pub(super) records: Vec<Record>,
    /// How many were seen, under the filter or not.
    pub(super) seen: usize,
    /// The place of the last one seen, under the filter or not; `None` where nothing more waits.
    pub(super) seen_to: Option<i64>,
    /// How many of those under the filter failed before and are passed by.
    pub(super) skipped: u64,
}

impl<Record: Placed> Page<Record> {
    fn new() -> Self {
        Self { records: Vec::new(), seen: 0, seen_to: None, skipped: 0 }
    }

    /// Takes in one more, and gives back the length of its text.
    fn take(&mut self, scene: &Scene<'_>, record: Record) -> usize {
        let (sequence, partition, has_failed) = record.place();
        self.seen += 1;
        self.seen_to = Some(sequence);
        if !scene.filter.contains(partition) {
            return 0;
        }
        if has_failed && scene.failed_before == FailedBefore::Skip {
            self.skipped += 1;
            return 0;
        }
        let bytes = record.bytes();
        self.records.push(record);
        bytes
    }
}

/// The condition that a model's records wait, whatever else is asked of them.
fn waiting(columns: &'static str, definition: &ModelDefinition) -> Statement<'static> {
    waiting_in(columns, "morango_store", definition)
}

/// The same where this is found: in the store, or where all that waits is.
fn waiting_in(columns: &'static str, place: &'static str, definition: &ModelDefinition) -> Statement<'static> {
    sql(columns)
        .sql(" FROM ")
        .sql(place)
        .sql(" WHERE is_dirty = 1 AND profile = ")
        .bind(definition.profile)
        .sql(" AND model_name = ")
        .bind(definition.name)
}

/// What is read of a record whose row is to be written.
const WRITTEN: &str = "SELECT sequence, record_id, partition, serialized, failure_kind";

/// The same, without the text of those that are passed by.
const WRITTEN_UNTRIED: &str = "SELECT sequence, record_id, partition,
     CASE WHEN failure_kind IS NULL THEN serialized ELSE '' END, failure_kind";

/// What is read of a record whose row is to be deleted.
const DELETED: &str = "SELECT sequence, record_id, partition, is_hard_deleted, failure_kind";

type WrittenTypes = (BigInt, Binary, Text, Text, Nullable<Text>);
type DeletedTypes = (BigInt, Binary, Text, BigInt, Nullable<Text>);

/// The next records whose rows are to be written, in the order in which they came into the store.
///
/// It ends after `limit` records, or after the one with which their texts reach `bytes_max`.
pub(super) fn next_page(
    connection: &mut Connection<'_>,
    definition: &ModelDefinition,
    scene: &Scene<'_>,
    after: i64,
    limit: usize,
    bytes_max: usize,
) -> Result<Page<Waiting>, Fault> {
    let columns = match scene.failed_before {
        FailedBefore::TryAgain => WRITTEN,
        FailedBefore::Skip => WRITTEN_UNTRIED,
    };
    let statement = waiting_in(columns, backend::waiting_records(connection), definition)
        .sql(" AND is_deleted = 0 AND sequence > ")
        .bind(after)
        .sql(" ORDER BY sequence")
        .limit(limit)
        .returns::<WrittenTypes>();
    let mut page = Page::new();
    let mut bytes = 0;
    statement.for_each(connection, |record: Waiting| {
        bytes += page.take(scene, record);
        Ok::<_, Fault>(if bytes < bytes_max { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok(page)
}

/// One record whose row is to be written.
pub(super) fn one(connection: &mut Connection<'_>, id: &SyncId) -> Result<Waiting, Fault> {
    let record = sql(WRITTEN).sql(" FROM morango_store WHERE record_id = ").bind(id);
    Ok(record.returns::<WrittenTypes>().get_result(connection)?)
}

/// The record in a place, if its row is to be written.
pub(super) fn at(connection: &mut Connection<'_>, sequence: i64) -> Result<Option<Waiting>, Fault> {
    let record = sql(WRITTEN).sql(" FROM morango_store WHERE is_dirty = 1 AND is_deleted = 0 AND sequence = ");
    Ok(record.bind(sequence).returns::<WrittenTypes>().get_result::<Waiting>(connection).optional()?)
}

/// Where a record of a model lies, and what it is to stand below, if it is under the filter and its row is to be written.
pub(super) fn place_of(
    connection: &mut Connection<'_>,
    definition: &ModelDefinition,
    scene: &Scene<'_>,
    id: &SyncId,
) -> Result<Option<(i64, Option<SyncId>)>, Fault> {
    let found = waiting("SELECT sequence, partition, self_reference", definition)
        .sql(" AND is_deleted = 0 AND record_id = ")
        .bind(id)
        .returns::<(BigInt, Text, Text)>()
        .get_result::<(i64, String, String)>(connection)
        .optional()?;
    let found = found.filter(|(_, partition, _)| scene.filter.contains(partition));
    Ok(found.map(|(sequence, _, parent)| (sequence, parent.parse().ok())))
}

/// The next record whose row is to be deleted, backwards: what came later mostly points at what came before.
pub(super) fn previous_gone(
    connection: &mut Connection<'_>,
    definition: &ModelDefinition,
    scene: &Scene<'_>,
    before: i64,
    limit: usize,
) -> Result<Page<Gone>, Fault> {
    let statement = waiting_in(DELETED, backend::waiting_records(connection), definition)
        .sql(" AND is_deleted = 1 AND sequence < ")
        .bind(before)
        .sql(" ORDER BY sequence DESC")
        .limit(limit)
        .returns::<DeletedTypes>();
    let mut page = Page::new();
    statement.for_each(connection, |record: Gone| {
        page.take(scene, record);
        Ok::<_, Fault>(ControlFlow::Continue(()))
    })?;
    Ok(page)
}

/// The next child of a record in its tree whose row is to be written, among those between two places.
pub(super) fn next_child(
    connection: &mut Connection<'_>,
    definition: &ModelDefinition,
    scene: &Scene<'_>,
    parent: &SyncId,
    after: i64,
    before: i64,
) -> Result<Option<Waiting>, Fault> {
    next_under(scene, after, |after| {
        child(WRITTEN, definition, scene, parent, after)
            .sql(" AND is_deleted = 0 AND sequence < ")
            .bind(before)
            .sql(" ORDER BY sequence LIMIT 1")
            .returns::<WrittenTypes>()
            .get_result::<Waiting>(connection)
            .optional()
    })
}

/// The next child of a record in its tree whose row is to be deleted.
pub(super) fn next_child_gone(
    connection: &mut Connection<'_>,
    definition: &ModelDefinition,
    scene: &Scene<'_>,
    parent: &SyncId,
    after: i64,
) -> Result<Option<Gone>, Fault> {
    next_under(scene, after, |after| {
        child(DELETED, definition, scene, parent, after)
            .sql(" AND is_deleted = 1 ORDER BY sequence LIMIT 1")
            .returns::<DeletedTypes>()
            .get_result::<Gone>(connection)
            .optional()
    })
}

fn child(
    columns: &'static str,
    definition: &ModelDefinition,
    scene: &Scene<'_>,
    parent: &SyncId,
    after: i64,
) -> Statement<'static> {
    waiting(columns, definition)
        .sql(match scene.failed_before {
            FailedBefore::TryAgain => "",
            FailedBefore::Skip => " AND failure_kind IS NULL",
        })
        .sql(" AND self_reference = ")
        .bind(parent.to_string())
        .sql(" AND self_reference <> '' AND sequence > ")
        .bind(after)
}

/// What lies in a place and under a partition, and may have failed before.
pub(super) trait Placed {
    fn place(&self) -> (i64, &str, bool);
    fn bytes(&self) -> usize;
}

impl Placed for Waiting {
    fn place(&self) -> (i64, &str, bool) {
        (self.sequence, &self.partition, self.has_failed())
    }

    fn bytes(&self) -> usize {
        self.serialized.len()
    }
}

impl Placed for Gone {
    fn place(&self) -> (i64, &str, bool) {
        (self.sequence, &self.partition, self.failure_kind.is_some())
    }

    fn bytes(&self) -> usize {
        0
    }
}

/// The first of what `next` gives, from a place on, that is under the filter.
fn next_under<Record: Placed>(
    scene: &Scene<'_>,
    mut after: i64,
    mut next: impl FnMut(i64) -> QueryResult<Option<Record>>,
) -> Result<Option<Record>, Fault> {
    while let Some(record) = next(after)? {
        let (sequence, partition, _) = record.place();
        if scene.filter.contains(partition) {
            return Ok(Some(record));
        }
        after = sequence;
    }
    Ok(None)
}

/// How many records of a model wait, counted in the index alone, to at most `limit`.
pub(super) fn count(
    connection: &mut Connection<'_>,
    profile: &str,
    model_name: &str,
    limit: usize,
) -> Result<u64, Fault> {
    let count = sql("SELECT count(*) FROM (SELECT 1 FROM ")
        .sql(backend::waiting(connection))
        .sql(" WHERE is_dirty = 1 AND profile = ")
        .bind(profile)
        .sql(" AND model_name = ")
        .bind(model_name)
        .limit(limit)
        .sql(") AS waiting")
        .returns::<BigInt>()
        .get_result::<i64>(connection)?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// The name, next in order, of a model of which records wait: leaps through the index, whatever waits between.
pub(super) fn next_model_name(
    connection: &mut Connection<'_>,
    profile: &str,
    after: &str,
) -> Result<Option<String>, Fault> {
    let name = sql("SELECT min(model_name) FROM ")
        .sql(backend::waiting(connection))
        .sql(" WHERE is_dirty = 1 AND profile = ")
        .bind(profile)
        .sql(" AND model_name > ")
        .bind(after)
        .returns::<Nullable<Text>>();
    Ok(name.get_result::<Option<String>>(connection)?)
}
