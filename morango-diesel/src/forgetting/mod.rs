//! Taking everything under a root off this database, in one transaction.

mod rows;
mod unserialized;

use std::ops::ControlFlow;

use diesel::sql_types::{BigInt, Binary, Text};
use morango::counter::Stamp;
use morango::id::{CertificateId, InstanceId, SyncSessionId};
use morango::port::{Forgetting, Forgotten, Papers, Unsent};
use morango::{Error, ErrorKind};

use crate::backend::Lock;
use crate::connection::Connection;
use crate::counters;
use crate::error::Fault;
use crate::handed_over::HandedOver;
use crate::models::InstalledModel;
use crate::renewal;
use crate::serialize::serialize_new_changes;
use crate::sessions;
use crate::statement::{Statement, sql};
use crate::storage::DieselStorage;

use unserialized::Unserialized;

/// Takes rows, records, claims, sessions and, where that is wanted, certificates of a root off this database.
///
/// Before: no sync session of the root is open. After: nothing of it is here; this database is another instance, and claims nothing
/// under the root nor anywhere above it. The counter moves by one before that, if anything was serialized.
pub(crate) fn forget(storage: &DieselStorage, order: &Forgetting<'_>) -> morango::Result<Forgotten> {
    let operation = format!("take everything under {} off", order.root);
    let models: Vec<InstalledModel> = storage.models()?.of_profile(order.profile).copied().collect();
    let place = Place { profile: order.profile, prefix: order.root.to_string() };
    storage.write_locked(&operation, Lock::Forgetting { profile: order.profile }, |connection| {
        check_sessions(connection, &operation, &order.root)?;
        // What was changed since it was last tried is in the store now, or marked with a reason.
        serialize_new_changes(connection, &models)?;
        let handed_over = HandedOver::load(connection)?;
        let unserialized = Unserialized::find(connection, &models, &place, &handed_over)?;
        let mut unsent = unsent(connection, &place, &handed_over)? + unserialized.changes;
        check_unsent(order, &operation, unsent)?;
        let gone = rows::delete(connection, &models, &place, &unserialized)?;
        unsent += gone.unserialized;
        check_unsent(order, &operation, unsent)?;
        // A later record may get the place of one that is gone.
        for notes in ["DELETE FROM morango_gave_way", "DELETE FROM morango_merged"] {
            let notes = sql(notes).sql(" WHERE sequence IN (SELECT sequence FROM morango_store");
            under(notes, &place).sql(")").execute(connection)?;
        }
        let records = under(sql("DELETE FROM morango_store"), &place).execute(connection)? as u64;
        forget_sessions(connection, &order.root)?;
        let certificates = match order.papers {
            Papers::Kept => 0,
            Papers::Forgotten => of_root(sql("DELETE FROM morango_certificate WHERE id IN ("), &order.root)
                .sql(")")
                .execute(connection)?,
        };
        let renewed = renewal::become_another(connection, &order.renewal)?;
        // The instance that follows has taken up the claims of the former, which are as untrue of what is gone.
        forget_claims(connection, &order.root)?;
        Ok(Forgotten::new([gone.rows, records, unsent, certificates as u64], renewed))
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

/// How many records hold a change that nobody else is known to have.
fn unsent(connection: &mut Connection<'_>, place: &Place<'_>, handed_over: &HandedOver) -> Result<u64, Fault> {
    let mut unsent = 0;
    let records = under(sql("SELECT partition, last_saved_instance, last_saved_counter FROM morango_store"), place);
    records.returns::<(Text, Binary, BigInt)>().for_each(
        connection,
        |(partition, instance, counter): (String, InstanceId, i64)| {
            unsent += u64::from(handed_over.lacks(&partition, Stamp::new(instance, counter)));
            Ok::<_, Fault>(ControlFlow::Continue(()))
        },
    )?;
    Ok(unsent)
}

/// Refuses to go on where changes would be lost that may not be.
fn check_unsent(order: &Forgetting<'_>, operation: &str, unsent: u64) -> Result<(), Fault> {
    if unsent == 0 || order.unsent == Unsent::Lost {
        return Ok(());
    }
    let message = format!("{operation}: {unsent} records or rows hold changes that nobody else is known to have");
    Err(Error::new(ErrorKind::InvalidInput, message)
        .with_hint("push them first, mend what could not be serialized, or say that they may be lost")
        .into())
}

/// Takes back every claim under the root, and those above it, which would be as untrue: what they claim elsewhere is claimed where it lies.
fn forget_claims(connection: &mut Connection<'_>, root: &CertificateId) -> Result<(), Fault> {
    let root = root.hex();
    let root = root.as_str();
    claim_beside(connection, root)?;
    for table in ["DELETE FROM morango_database_max_counter", "DELETE FROM morango_unclaimed"] {
        sql(table)
            .sql(" WHERE ")
            .starts_with("partition", root)
            .sql(" OR partition IN (")
            .bind_all(above(root))
            .sql(")")
            .execute(connection)?;
    }
    // What was handed over above the root was so under it too, and stays true.
    sql("DELETE FROM morango_handed_over WHERE ").starts_with("partition", root).execute(connection)?;
    Ok(())
}

/// The partitions that begin the root's.
fn above(root: &str) -> impl Iterator<Item = &str> {
    (0..root.len()).map(|end| &root[..end])
}

/// Claims what is claimed above a root, in the partitions beside it in which it lies. Nobody else might: what former instances of this
/// database saved is claimed by nobody's sync.
fn claim_beside(connection: &mut Connection<'_>, root: &str) -> Result<(), Fault> {
    let claims = sql("SELECT partition, instance, counter FROM morango_database_max_counter WHERE partition IN (")
        .bind_all(above(root))
        .sql(")");
    for (prefix, instance, counter) in
        claims.returns::<(Text, Binary, BigInt)>().load::<(String, InstanceId, i64)>(connection)?
    {
        let lies_in = sql("SELECT DISTINCT partition FROM morango_store WHERE last_saved_instance = ")
            .bind(&instance)
            .sql(" AND ")
            .starts_with("partition", &prefix);
        for partition in lies_in.returns::<Text>().load::<String>(connection)? {
            counters::raise(connection, &partition, Stamp::new(instance, counter))?;
        }
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
