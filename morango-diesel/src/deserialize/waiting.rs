//! What waits in the store to become a row: dirty records, read a page at a time.

use std::ops::ControlFlow;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};
use morango::id::SyncId;
use morango::model::ModelDefinition;
use morango::scope::Filter;

use crate::connection::Connection;
use crate::error::Fault;
use crate::statement::{Statement, sql};

/// A record whose row is to be written.
#[derive(Debug, Queryable)]
pub(super) struct Waiting {
    pub(super) sequence: i64,
    pub(super) id: SyncId,
    partition: String,
    pub(super) serialized: String,
}

/// A record whose row is to be deleted.
#[derive(Debug, Clone, Queryable)]
pub(super) struct Gone {
    pub(super) sequence: i64,
    pub(super) id: SyncId,
    partition: String,
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
}

/// The condition that a model's records wait.
fn waiting(columns: &'static str, definition: &ModelDefinition) -> Statement<'static> {
    sql(columns)
        .sql(" FROM morango_store WHERE is_dirty = 1 AND profile = ")
        .bind(definition.profile)
        .sql(" AND model_name = ")
        .bind(definition.name)
}

/// The next records whose rows are to be written, in the order in which they came into the store.
///
/// It ends after `limit` records, or after the one with which their texts reach `bytes_max`.
pub(super) fn next_page(
    connection: &mut Connection<'_>,
    definition: &ModelDefinition,
    filter: &Filter,
    after: i64,
    limit: usize,
    bytes_max: usize,
) -> Result<Page<Waiting>, Fault> {
    let statement = waiting("SELECT sequence, record_id, partition, serialized", definition)
        .sql(" AND is_deleted = 0 AND sequence > ")
        .bind(after)
        .sql(" ORDER BY sequence LIMIT ")
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .returns::<(BigInt, Binary, Text, Text)>();
    let mut page = Page { records: Vec::new(), seen: 0, seen_to: None };
    let mut bytes = 0;
    statement.for_each(connection, |record: Waiting| {
        page.seen += 1;
        page.seen_to = Some(record.sequence);
        if filter.contains(&record.partition) {
            bytes += record.serialized.len();
            page.records.push(record);
        }
        Ok::<_, Fault>(if bytes < bytes_max { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok(page)
}

/// One record whose row is to be written.
pub(super) fn one(connection: &mut Connection<'_>, id: &SyncId) -> Result<Waiting, Fault> {
    let record =
        sql("SELECT sequence, record_id, partition, serialized FROM morango_store WHERE record_id = ").bind(id);
    Ok(record.returns::<(BigInt, Binary, Text, Text)>().get_result(connection)?)
}

/// The next record whose row is to be deleted, backwards: what came later mostly points at what came before.
pub(super) fn previous_gone(
    connection: &mut Connection<'_>,
    definition: &ModelDefinition,
    filter: &Filter,
    before: i64,
    limit: usize,
) -> Result<Page<Gone>, Fault> {
    let found = waiting("SELECT sequence, record_id, partition", definition)
        .sql(" AND is_deleted = 1 AND sequence < ")
        .bind(before)
        .sql(" ORDER BY sequence DESC LIMIT ")
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .returns::<(BigInt, Binary, Text)>()
        .load::<Gone>(connection)?;
    let (seen, seen_to) = (found.len(), found.last().map(|record| record.sequence));
    let records = found.into_iter().filter(|record| filter.contains(&record.partition)).collect();
    Ok(Page { records, seen, seen_to })
}

/// The next child of a record in its tree whose row is to be written, among those between two places.
pub(super) fn next_child(
    connection: &mut Connection<'_>,
    definition: &ModelDefinition,
    filter: &Filter,
    parent: &SyncId,
    after: i64,
    before: i64,
) -> Result<Option<Waiting>, Fault> {
    next_under(filter, after, |after| {
        child("SELECT sequence, record_id, partition, serialized", definition, parent, after)
            .sql(" AND is_deleted = 0 AND sequence < ")
            .bind(before)
            .sql(" ORDER BY sequence LIMIT 1")
            .returns::<(BigInt, Binary, Text, Text)>()
            .get_result::<Waiting>(connection)
            .optional()
    })
}

/// The next child of a record in its tree whose row is to be deleted.
pub(super) fn next_child_gone(
    connection: &mut Connection<'_>,
    definition: &ModelDefinition,
    filter: &Filter,
    parent: &SyncId,
    after: i64,
) -> Result<Option<Gone>, Fault> {
    next_under(filter, after, |after| {
        child("SELECT sequence, record_id, partition", definition, parent, after)
            .sql(" AND is_deleted = 1 ORDER BY sequence LIMIT 1")
            .returns::<(BigInt, Binary, Text)>()
            .get_result::<Gone>(connection)
            .optional()
    })
}

fn child(columns: &'static str, definition: &ModelDefinition, parent: &SyncId, after: i64) -> Statement<'static> {
    waiting(columns, definition)
        .sql(" AND self_reference = ")
        .bind(parent.to_string())
        .sql(" AND self_reference <> '' AND sequence > ")
        .bind(after)
}

/// What lies in a place and under a partition.
trait Placed {
    fn place(&self) -> (i64, &str);
}

impl Placed for Waiting {
    fn place(&self) -> (i64, &str) {
        (self.sequence, &self.partition)
    }
}

impl Placed for Gone {
    fn place(&self) -> (i64, &str) {
        (self.sequence, &self.partition)
    }
}

/// The first of what `next` gives, from a place on, that is under the filter.
fn next_under<Record: Placed>(
    filter: &Filter,
    mut after: i64,
    mut next: impl FnMut(i64) -> QueryResult<Option<Record>>,
) -> Result<Option<Record>, Fault> {
    while let Some(record) = next(after)? {
        let (sequence, partition) = record.place();
        if filter.contains(partition) {
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
    limit: i64,
) -> Result<u64, Fault> {
    let count = sql("SELECT count(*) FROM (SELECT 1 FROM morango_store WHERE is_dirty = 1 AND profile = ")
        .bind(profile)
        .sql(" AND model_name = ")
        .bind(model_name)
        .sql(" LIMIT ")
        .bind(limit)
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
    let name = sql("SELECT min(model_name) FROM morango_store WHERE is_dirty = 1 AND profile = ")
        .bind(profile)
        .sql(" AND model_name > ")
        .bind(after)
        .returns::<Nullable<Text>>();
    Ok(name.get_result::<Option<String>>(connection)?)
}
