//! What sessions remember for operations: small values under names.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use morango::port::SessionMemory;
use morango::{Error, ErrorKind, limits};

use crate::connection::Connection;
use crate::error::Fault;
use crate::statement::{Statement, sql};

/// The value under a name, by whoever owns it.
pub(crate) fn recall(
    connection: &mut Connection<'_>,
    memory: SessionMemory,
    owner: &str,
    name: &str,
) -> Result<Option<String>, Fault> {
    let found = of(sql("SELECT value FROM morango_session_memory"), &memory);
    let found = found.sql(" AND owner = ").bind(owner).sql(" AND name = ").bind(name).returns::<Text>();
    Ok(found.get_result(connection).optional()?)
}

/// Keeps a value under a name in place of the one before, or forgets it.
pub(crate) fn remember(
    connection: &mut Connection<'_>,
    memory: SessionMemory,
    owner: &str,
    name: &str,
    value: Option<&str>,
) -> Result<(), Fault> {
    let Some(value) = value else {
        let forgotten = of(sql("DELETE FROM morango_session_memory"), &memory);
        forgotten.sql(" AND owner = ").bind(owner).sql(" AND name = ").bind(name).execute(connection)?;
        return Ok(());
    };
    let insert = sql("INSERT INTO morango_session_memory (session, owner, name, value) VALUES (");
    let insert = match &memory {
        SessionMemory::Sync(id) => insert.bind(id),
        SessionMemory::Transfer(id) => insert.bind(id),
    };
    insert
        .sql(", ")
        .bind_all([owner, name, value])
        .sql(") ON CONFLICT (session, owner, name) DO UPDATE SET value = excluded.value")
        .execute(connection)?;
    let count = of(sql("SELECT count(*) FROM morango_session_memory"), &memory).returns::<BigInt>();
    if count.get_result::<i64>(connection)? > limits::SESSION_MEMORY_VALUES_MAX {
        let message = format!("remember {name:?} with a session: it remembers {}", limits::SESSION_MEMORY_VALUES_MAX);
        return Err(Error::new(ErrorKind::LimitExceeded, message).into());
    }
    Ok(())
}

fn of<'a>(statement: Statement<'a>, memory: &'a SessionMemory) -> Statement<'a> {
    let statement = statement.sql(" WHERE session = ");
    match memory {
        SessionMemory::Sync(id) => statement.bind(id),
        SessionMemory::Transfer(id) => statement.bind(id),
    }
}
