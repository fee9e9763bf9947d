//! What happens inside one write transaction beside its work: the counter is raised, change capture is switched, changes are folded.
//!
//! *The law of counters*: a transaction that stamps a record calls [`raise_counter`] first and stamps with what it gives.
//! Which connection a transaction runs on, and how durable its commit is, the storage's `read` and `write` say.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use diesel::result::QueryResult;
use diesel::sql_types::{BigInt, Binary};
use morango::counter::Stamp;
use morango::id::InstanceId;
use morango::{Error, ErrorKind, limits};

use crate::backend::{self, Capture, Folded};
use crate::connection::{AsConnection, Connection};
use crate::error::Fault;
use crate::instance::one_instance;
use crate::statement::sql;

/// Raises the current instance's counter by one and returns the new stamp.
///
/// Before: the transaction has stamped nothing. After: whatever it stamps carries this stamp. The counter moves with the
/// transaction and falls back with it.
pub(crate) fn raise_counter(connection: &mut Connection<'_>) -> Result<Stamp, Fault> {
    let mut raise = || {
        sql("UPDATE morango_instance SET counter = counter + 1 WHERE is_current = 1 RETURNING id, counter")
            .returns::<(Binary, BigInt)>()
            .load::<(InstanceId, i64)>(connection)
    };
    // Whoever waited here while the database became another instance does not see that one yet.
    let raised = Some(raise()?).filter(|raised| !raised.is_empty()).map_or_else(raise, Ok)?;
    stamp_of(&raised)
}

/// The current instance and its counter as it stands.
pub(crate) fn current_stamp(connection: &mut Connection<'_>) -> Result<Stamp, Fault> {
    let found = sql("SELECT id, counter FROM morango_instance WHERE is_current = 1")
        .returns::<(Binary, BigInt)>()
        .load::<(InstanceId, i64)>(connection)?;
    stamp_of(&found)
}

fn stamp_of(found: &[(InstanceId, i64)]) -> Result<Stamp, Fault> {
    let (instance, counter) = one_instance(found)?;
    if counter > limits::COUNTER_MAX {
        let message = format!("raise the counter of this instance beyond {}", limits::COUNTER_MAX);
        return Err(Error::new(ErrorKind::StorageCorrupt, message).into());
    }
    Ok(Stamp::new(instance, counter))
}

/// Runs work whose changes to the application's rows are not marked: the engine's own writing of what peers sent.
///
/// It is called within a write transaction; capture is on again before it returns, whatever the work does.
pub(crate) fn without_capture<C: AsConnection, R, E: From<Fault>>(
    connection: &mut C,
    work: impl FnOnce(&mut C) -> Result<R, E>,
) -> Result<R, E> {
    with_capture(connection, Capture::Off, work)
}

/// Runs work whose changes to the application's rows are traced; see [`Capture::Trace`]. The traces are there when it is done.
pub(crate) fn with_traces<C: AsConnection, R, E: From<Fault>>(
    connection: &mut C,
    work: impl FnOnce(&mut C) -> Result<R, E>,
) -> Result<R, E> {
    let value = with_capture(connection, Capture::Trace, work)?;
    fold_changes(&mut connection.as_connection())?;
    Ok(value)
}

/// Runs work whose deletions are marked as hard ones; see [`without_capture`].
pub(crate) fn with_hard_capture<C: AsConnection, R, E: From<Fault>>(
    connection: &mut C,
    work: impl FnOnce(&mut C) -> Result<R, E>,
) -> Result<R, E> {
    with_capture(connection, Capture::Hard, work)
}

fn with_capture<C: AsConnection, R, E: From<Fault>>(
    connection: &mut C,
    capture: Capture,
    work: impl FnOnce(&mut C) -> Result<R, E>,
) -> Result<R, E> {
    let before = backend::switch_capture(&mut connection.as_connection(), capture)?;
    // A mode that stayed behind would hide the changes of every other program: it is put back after a panic too.
    let outcome = catch_unwind(AssertUnwindSafe(|| work(connection)));
    let restored = backend::switch_capture(&mut connection.as_connection(), before);
    let value = outcome.unwrap_or_else(|panic| resume_unwind(panic))?;
    restored?;
    Ok(value)
}

/// Makes marks of all changes that triggers noted: whoever reads marks within a write transaction does that first.
pub(crate) fn fold_changes(connection: &mut Connection<'_>) -> Result<(), Fault> {
    while backend::fold_changes(connection)? == Folded::Some {}
    Ok(())
}

/// Begins a savepoint within a transaction. It is kept or undone before another one around it is.
pub(crate) fn begin_savepoint(connection: &mut Connection<'_>) -> QueryResult<()> {
    connection.batch_execute("SAVEPOINT morango_step")
}

/// Keeps what was done since the last savepoint.
pub(crate) fn keep_savepoint(connection: &mut Connection<'_>) -> QueryResult<()> {
    connection.batch_execute("RELEASE SAVEPOINT morango_step")
}

/// Undoes what was done since the last savepoint.
pub(crate) fn undo_savepoint(connection: &mut Connection<'_>) -> QueryResult<()> {
    connection.batch_execute("ROLLBACK TO SAVEPOINT morango_step; RELEASE SAVEPOINT morango_step")
}
