//! The rows of what is taken off, and what goes with them.

use std::collections::{HashMap, HashSet};

use diesel::sql_types::{BigInt, Binary, Text};
use morango::id::SyncId;

use super::unserialized::Unserialized;
use super::{Place, under};
use crate::backend;
use crate::connection::Connection;
use crate::error::Fault;
use crate::models::InstalledModel;
use crate::serialize::trace::{self, Trace};
use crate::statement::sql;
use crate::transaction::with_traces;

/// Traces that are in memory at one time.
const TRACES_PAGE: usize = 500;

/// What is gone.
pub(super) struct Gone {
    /// Rows that were to go.
    pub(super) rows: u64,
    /// Rows that went with them and held what is in no record.
    pub(super) unserialized: u64,
}

/// Deletes the rows of the records and those that would become one, what points at others before these. What goes with them and is none
/// of them is a change made here, as if the application had made it.
pub(super) fn delete(
    connection: &mut Connection<'_>,
    models: &[InstalledModel],
    place: &Place<'_>,
    unserialized: &Unserialized,
) -> Result<Gone, Fault> {
    let rows = with_traces(connection, |connection| {
        let mut deleted = 0;
        for model in models.iter().rev() {
            for id in children_first(connection, model, place, unserialized.strays(model))? {
                deleted += model.rows.delete(connection, &id)? as u64;
                let mark = sql("DELETE FROM morango_mark WHERE model = ").bind(model.number).sql(" AND ");
                backend::has_row_id(connection, mark, &id).execute(connection)?;
            }
        }
        Ok::<_, Fault>(deleted)
    })?;
    let mut gone = Gone { rows, unserialized: 0 };
    let mut last: Option<Trace> = None;
    loop {
        let page = trace::next(connection, last.as_ref(), TRACES_PAGE)?;
        for found in &page {
            if is_meant(connection, found, place, unserialized)? {
                continue;
            }
            if found.is_gone && (trace::was_marked(connection, found)? || !has_record(connection, found)?) {
                gone.unserialized += 1;
            }
            trace::mark(connection, found, false)?;
        }
        if page.len() < TRACES_PAGE {
            break;
        }
        last = page.into_iter().next_back();
    }
    trace::clear(connection)?;
    Ok(gone)
}

/// Whether the row is one of those that are to go.
fn is_meant(
    connection: &mut Connection<'_>,
    found: &Trace,
    place: &Place<'_>,
    unserialized: &Unserialized,
) -> Result<bool, Fault> {
    let Some(id) = found.record_id() else { return Ok(false) };
    if unserialized.has_stray(found.model_number, &id) {
        return Ok(true);
    }
    let record = under(sql("SELECT count(*) FROM morango_store"), place).sql(" AND record_id = ").bind(&id);
    Ok(record.returns::<BigInt>().get_result::<i64>(connection)? > 0)
}

fn has_record(connection: &mut Connection<'_>, found: &Trace) -> Result<bool, Fault> {
    let Some(id) = found.record_id() else { return Ok(false) };
    let record = sql("SELECT count(*) FROM morango_store WHERE record_id = ").bind(&id);
    Ok(record.returns::<BigInt>().get_result::<i64>(connection)? > 0)
}

/// The records of a model and the rows without one, children before their parents.
fn children_first(
    connection: &mut Connection<'_>,
    model: &InstalledModel,
    place: &Place<'_>,
    strays: &[(SyncId, Option<SyncId>)],
) -> Result<Vec<SyncId>, Fault> {
    let found = under(sql("SELECT record_id, self_reference FROM morango_store"), place)
        .sql(" AND model_name = ")
        .bind(model.definition.name)
        .returns::<(Binary, Text)>()
        .load::<(SyncId, String)>(connection)?;
    let found = found.into_iter().map(|(id, parent)| (id, parent.parse().ok()));
    let found: Vec<(SyncId, Option<SyncId>)> = found.chain(strays.iter().copied()).collect();
    let parents: HashMap<SyncId, SyncId> = found.iter().filter_map(|(id, parent)| Some((*id, (*parent)?))).collect();
    let mut children: HashMap<SyncId, usize> = HashMap::with_capacity(parents.len());
    for parent in parents.values() {
        *children.entry(*parent).or_default() += 1;
    }
    let is_leaf = |id: &SyncId| !children.contains_key(id);
    let (mut ordered, mut others): (Vec<SyncId>, Vec<SyncId>) = found.iter().map(|(id, _)| *id).partition(is_leaf);
    let all: HashSet<SyncId> = others.iter().copied().collect();
    let mut next = 0;
    while let Some(id) = ordered.get(next) {
        next += 1;
        let Some(parent) = parents.get(id).copied() else { continue };
        if let Some(left) = children.get_mut(&parent) {
            *left -= 1;
            if *left == 0 && all.contains(&parent) {
                ordered.push(parent);
            }
        }
    }
    // What peers sent may stand below itself. No row does.
    let placed: HashSet<SyncId> = ordered.iter().copied().collect();
    others.retain(|id| !placed.contains(id));
    ordered.append(&mut others);
    Ok(ordered)
}
