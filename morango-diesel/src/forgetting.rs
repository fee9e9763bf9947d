//! Taking everything under a root off this database, in one transaction.

use std::collections::{HashMap, HashSet};

use diesel::sql_types::{BigInt, Binary, Text};
use morango::id::{CertificateId, SyncId, SyncSessionId};
use morango::port::{Forgetting, Forgotten, Papers, Unsent};
use morango::{Error, ErrorKind};

use crate::backend::{self, Lock};
use crate::connection::Connection;
use crate::error::Fault;
use crate::models::{InstalledModel, InstalledModels};
use crate::renewal;
use crate::serialize::trace::{self, Trace};
use crate::sessions;
use crate::statement::{Statement, sql};
use crate::storage::DieselStorage;
use crate::transaction::with_traces;

/// Traces that are in memory at one time.
const TRACES_PAGE: usize = 500;

/// Takes rows, records, claims, sessions and, where that is wanted, certificates of a root off this database.
///
/// Before: no sync session of the root is open. After: nothing of it is here; this database is another instance, and claims nothing
/// under the root nor anywhere above it.
pub(crate) fn forget(storage: &DieselStorage, order: &Forgetting<'_>) -> morango::Result<Forgotten> {
    let operation = format!("take everything under {} off", order.root);
    let models = storage.models()?;
    let place = Place { profile: order.profile, prefix: order.root.to_string() };
    storage.write_locked(&operation, Lock::ProfileAndRows { profile: order.profile }, |connection| {
        check_sessions(connection, &operation, &order.root)?;
        let unsent = unsent(connection, &place)?;
        if unsent > 0 && order.unsent == Unsent::Refused {
            let message = format!("{operation}: {unsent} records hold changes that nobody was told of");
            return Err(Error::new(ErrorKind::InvalidInput, message)
                .with_hint("push them first, or say that they may be lost")
                .into());
        }
        let rows = delete_rows(connection, &models, &place)?;
        let records = under(sql("DELETE FROM morango_store"), &place).execute(connection)? as u64;
        forget_claims(connection, &order.root)?;
        forget_sessions(connection, &order.root)?;
        let certificates = match order.papers {
            Papers::Kept => 0,
            Papers::Forgotten => of_root(sql("DELETE FROM morango_certificate WHERE id IN ("), &order.root)
                .sql(")")
                .execute(connection)?,
        };
        let renewed = renewal::become_another(connection, &order.renewal)?;
        Ok(Forgotten::new([rows, records, unsent, certificates as u64], renewed))
    })
}

/// Where the records lie that are taken off.
struct Place<'a> {
    profile: &'a str,
    prefix: String,
}

/// Adds the condition that a record lies there.
fn under<'a>(statement: Statement<'a>, place: &'a Place<'_>) -> Statement<'a> {
    let statement = statement.sql(" WHERE profile = ").bind(place.profile).sql(" AND ");
    statement.starts_with("partition", &place.prefix)
}

/// Adds a query for the certificates of the root, it among them.
fn of_root<'a>(statement: Statement<'a>, root: &'a CertificateId) -> Statement<'a> {
    statement.sql("WITH RECURSIVE family (id) AS (SELECT id FROM morango_certificate WHERE id = ").bind(root).sql(
        " UNION SELECT morango_certificate.id FROM morango_certificate JOIN family ON morango_certificate.parent = family.id)
          SELECT id FROM family",
    )
}

fn sessions_of<'a>(statement: Statement<'a>, root: &'a CertificateId) -> Statement<'a> {
    let statement = of_root(statement.sql(" (client_certificate IN ("), root);
    of_root(statement.sql(") OR server_certificate IN ("), root).sql("))")
}

fn check_sessions(connection: &mut Connection<'_>, operation: &str, root: &CertificateId) -> Result<(), Fault> {
    let open = sessions_of(sql("SELECT count(*) FROM morango_sync_session WHERE is_active = 1 AND"), root);
    match open.returns::<BigInt>().get_result::<i64>(connection)? {
        0 => Ok(()),
        open => {
            let message = format!("{operation}: {open} sync sessions of it are open");
            Err(Error::new(ErrorKind::SessionConflict, message)
                .with_hint("wait for them, or close those that nobody uses with Engine::clean_up_sessions")
                .into())
        }
    }
}

fn unsent(connection: &mut Connection<'_>, place: &Place<'_>) -> Result<u64, Fault> {
    let own = renewal::own(connection)?;
    let unsent = under(sql("SELECT count(*) FROM morango_store"), place)
        .sql(" AND last_saved_instance = ")
        .bind(&own.instance)
        .sql(" AND last_saved_counter > ")
        .bind(own.told);
    Ok(unsent.returns::<BigInt>().get_result::<i64>(connection)?.unsigned_abs())
}

/// Deletes the rows of the records, what points at others before these, and says how many. What goes with them and is none of
/// them is a change made here, as if the application had made it.
fn delete_rows(connection: &mut Connection<'_>, models: &InstalledModels, place: &Place<'_>) -> Result<u64, Fault> {
    let models: Vec<InstalledModel> = models.of_profile(place.profile).copied().collect();
    let deleted = with_traces(connection, |connection| {
        let mut deleted = 0;
        for model in models.iter().rev() {
            for id in children_first(connection, model, place)? {
                deleted += model.rows.delete(connection, &id)? as u64;
                let mark = sql("DELETE FROM morango_mark WHERE model = ").bind(model.number).sql(" AND ");
                backend::has_row_id(connection, mark, &id).execute(connection)?;
            }
        }
        Ok::<_, Fault>(deleted)
    })?;
    let mut last: Option<Trace> = None;
    loop {
        let page = trace::next(connection, last.as_ref(), TRACES_PAGE)?;
        for found in &page {
            if !is_of_root(connection, found, place)? {
                trace::mark(connection, found, false)?;
            }
        }
        if page.len() < TRACES_PAGE {
            break;
        }
        last = page.into_iter().next_back();
    }
    trace::clear(connection)?;
    Ok(deleted)
}

fn is_of_root(connection: &mut Connection<'_>, found: &Trace, place: &Place<'_>) -> Result<bool, Fault> {
    let Some(id) = found.record_id() else { return Ok(false) };
    let record = under(sql("SELECT count(*) FROM morango_store"), place).sql(" AND record_id = ").bind(&id);
    Ok(record.returns::<BigInt>().get_result::<i64>(connection)? > 0)
}

/// The records of a model, children before their parents.
fn children_first(
    connection: &mut Connection<'_>,
    model: &InstalledModel,
    place: &Place<'_>,
) -> Result<Vec<SyncId>, Fault> {
    let found = under(sql("SELECT record_id, self_reference FROM morango_store"), place)
        .sql(" AND model_name = ")
        .bind(model.definition.name)
        .returns::<(Binary, Text)>()
        .load::<(SyncId, String)>(connection)?;
    let parents: HashMap<SyncId, SyncId> =
        found.iter().filter_map(|(id, parent)| Some((*id, parent.parse().ok()?))).collect();
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

/// Takes back every claim under the root, and those above it, which would be as untrue: what they claim elsewhere is claimed again
/// with the next sync there.
fn forget_claims(connection: &mut Connection<'_>, root: &CertificateId) -> Result<(), Fault> {
    let root = root.hex();
    for table in ["DELETE FROM morango_database_max_counter", "DELETE FROM morango_unclaimed"] {
        let above = (0..root.as_str().len()).map(|end| &root.as_str()[..end]);
        sql(table)
            .sql(" WHERE ")
            .starts_with("partition", root.as_str())
            .sql(" OR partition IN (")
            .bind_all(above)
            .sql(")")
            .execute(connection)?;
    }
    Ok(())
}

/// Forgets the sync sessions of the root, with what was refused in them: all of them are closed.
fn forget_sessions(connection: &mut Connection<'_>, root: &CertificateId) -> Result<(), Fault> {
    let closed = sessions_of(sql("SELECT id FROM morango_sync_session WHERE"), root);
    for session in closed.returns::<Binary>().load::<SyncSessionId>(connection)? {
        sessions::forget_session(connection, &session)?;
    }
    Ok(())
}
