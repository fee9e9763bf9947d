//! This database's id, and the instance that it is: the owner of the counter.

use std::collections::HashSet;
use std::ops::ControlFlow;

use diesel::sql_types::{BigInt, Binary};
use morango::counter::{RecordMaxCounters, Stamp};
use morango::id::{DatabaseId, InstanceId};
use morango::identity::Instance;
use morango::port::{Adoption, OwnCounters};
use morango::{Error, ErrorKind};

use crate::backend::{self, Lock};
use crate::connection::Connection;
use crate::error::Fault;
use crate::renewal;
use crate::schema::{fact, set_fact};
use crate::statement::sql;
use crate::storage::DieselStorage;

/// The name of the fact that holds the database's id.
const DATABASE_ID_FACT: &str = "database_id";

/// The id of this database; a new database draws one.
pub(crate) fn database_id(storage: &DieselStorage) -> morango::Result<DatabaseId> {
    const OPERATION: &str = "read the database's id";
    match storage.read(OPERATION, stored_id)? {
        Some(id) => Ok(id),
        None => storage.write_locked(OPERATION, Lock::Setup, |connection| match stored_id(connection)? {
            Some(id) => Ok(id),
            None => draw_id(connection),
        }),
    }
}

/// Gives this database a new id. The instance that goes with the old one stays until another is adopted.
pub(crate) fn renew_database_id(storage: &DieselStorage) -> morango::Result<DatabaseId> {
    storage.write_locked("renew the database's id", Lock::Setup, draw_id)
}

/// Makes an instance the current one, unless more is known of it than it counted. A new one starts at 0, an old one goes on where it was;
/// what the one before left is taken up.
pub(crate) fn adopt_instance(storage: &DieselStorage, instance: &Instance) -> morango::Result<Adoption> {
    storage.write_locked("adopt the instance", Lock::Setup, |connection| {
        if is_known_beyond(connection, &instance.id)? {
            return Ok(Adoption::KnownBeyond);
        }
        adopt(connection, instance).map(|_| Adoption::Adopted)
    })
}

/// Whether more is known of an instance that is to be the current one, in the place of another, than it would count on from.
fn is_known_beyond(connection: &mut Connection<'_>, instance: &InstanceId) -> Result<bool, Fault> {
    // Whoever stamps as the one before is waited for here, so that all that came to it is seen below.
    let rows = sql("SELECT id, counter, is_current FROM morango_instance WHERE is_current = 1 OR id = ")
        .bind(instance)
        .for_update()
        .returns::<(Binary, BigInt, BigInt)>()
        .load::<(InstanceId, i64, i64)>(connection)?;
    if !rows.iter().any(|(id, _, is_current)| *is_current == 1 && id != instance) {
        return Ok(false);
    }
    let counted = rows.iter().find(|(id, ..)| id == instance).map_or(0, |(_, counter, _)| *counter);
    let saved = sql("SELECT count(*) FROM (SELECT 1 FROM morango_store")
        .sql(backend::by_counter(connection))
        .sql(" WHERE last_saved_instance = ")
        .bind(instance)
        .sql(" AND last_saved_counter > ")
        .bind(counted);
    let claimed = sql("SELECT count(*) FROM (SELECT 1 FROM morango_database_max_counter WHERE instance = ")
        .bind(instance)
        .sql(" AND counter > ")
        .bind(counted);
    let noted = sql("SELECT count(*) FROM (SELECT 1 FROM morango_unclaimed WHERE instance = ")
        .bind(instance)
        .sql(" AND counter > ")
        .bind(counted);
    for known in [saved, claimed, noted] {
        let found = known.sql(" LIMIT 1) AS known").returns::<BigInt>().get_result::<i64>(connection)?;
        if found > 0 {
            return Ok(true);
        }
    }
    is_saved_beyond(connection, Stamp::new(*instance, counted))
}

/// Whether any record's history has more of an instance than it counted. Who becomes an instance again does so seldom: all are read.
fn is_saved_beyond(connection: &mut Connection<'_>, counted: Stamp) -> Result<bool, Fault> {
    let histories = sql("SELECT record_max_counters FROM morango_store WHERE ")
        .sql(backend::position_of(connection))
        .sql("(record_max_counters, ")
        .bind(counted.instance.as_bytes().as_slice())
        .sql(") > 0")
        .returns::<Binary>();
    let mut is_beyond = false;
    histories.for_each(connection, |history: Vec<u8>| {
        let saved = RecordMaxCounters::from_bytes(&history)?;
        is_beyond = saved.get(&counted.instance).is_some_and(|saved| saved > counted.counter);
        Ok::<_, Fault>(if is_beyond { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok(is_beyond)
}

/// The same within a write transaction, whatever is known of it. Says how many records were saved anew.
pub(crate) fn adopt(connection: &mut Connection<'_>, instance: &Instance) -> Result<u64, Fault> {
    // Whoever stamps as the one before is waited for here, so that all it saved is seen below.
    let former = sql("UPDATE morango_instance SET is_current = 0 WHERE is_current = 1 AND id <> ")
        .bind(&instance.id)
        .sql(" RETURNING id, counter, told_counter")
        .returns::<(Binary, BigInt, BigInt)>()
        .load::<(InstanceId, i64, i64)>(connection)?;
    let facts = facts_of(instance);
    sql("INSERT INTO morango_instance (id, counter, is_current, facts) VALUES (")
        .bind(&instance.id)
        .sql(", 0, 1, ")
        .bind(&facts)
        .sql(") ON CONFLICT (id) DO UPDATE SET is_current = 1, facts = excluded.facts WHERE morango_instance.is_current = 0 OR morango_instance.facts <> excluded.facts")
        .execute(connection)?;
    let mut saved_anew = 0;
    for (instance, counter, told) in former {
        saved_anew += renewal::succeed(connection, &OwnCounters { instance, counter, told })?;
    }
    Ok(saved_anew)
}

/// Whether this database is an instance, or was it before.
pub(crate) fn is_or_was(connection: &mut Connection<'_>, instance: &InstanceId) -> Result<bool, Fault> {
    let found = sql("SELECT count(*) FROM morango_instance WHERE id = ").bind(instance).returns::<BigInt>();
    Ok(found.get_result::<i64>(connection)? == 1)
}

/// All instances that this database is or was.
pub(crate) fn all_own(connection: &mut Connection<'_>) -> Result<HashSet<InstanceId>, Fault> {
    let found = sql("SELECT id FROM morango_instance").returns::<Binary>().load::<InstanceId>(connection)?;
    Ok(found.into_iter().collect())
}

/// Of what was read of the current instance, the one that there must be.
pub(crate) fn one_instance<T: Copy>(found: &[T]) -> Result<T, Fault> {
    match found {
        [one] => Ok(*one),
        [] => Err(Error::new(ErrorKind::Configuration, "find this database's instance: none was adopted yet")
            .with_hint("build an engine over this storage first")
            .into()),
        [_, _, ..] => {
            Err(Error::new(ErrorKind::StorageCorrupt, "find this database's instance: more than one is current").into())
        }
    }
}

fn stored_id(connection: &mut Connection<'_>) -> Result<Option<DatabaseId>, Fault> {
    let Some(text) = fact(connection, DATABASE_ID_FACT)? else { return Ok(None) };
    text.parse()
        .map(Some)
        .map_err(|error| Error::new(ErrorKind::StorageCorrupt, "read the database's id").with_source(error).into())
}

/// Draws a new id of this database, within a write transaction.
pub(crate) fn draw_id(connection: &mut Connection<'_>) -> Result<DatabaseId, Fault> {
    let id = DatabaseId::random();
    set_fact(connection, DATABASE_ID_FACT, &id.hex())?;
    Ok(id)
}

/// What is known of the instance, for people who look into the database.
fn facts_of(instance: &Instance) -> String {
    serde_json::json!({
        "platform": instance.platform,
        "hostname": instance.hostname,
        "sysversion": instance.sysversion,
        "node_id": instance.node_id,
        "system_id": instance.system_id,
        "database_id": instance.database_id,
        "db_path": instance.db_path,
    })
    .to_string()
}
