//! The engine's own tables: made where they are not there, brought up to date where they are old.
//!
//! Which version a database has is a fact in it, in no place that an application or another program uses for its own.

use diesel::prelude::*;
use diesel::sql_types::Text;
use morango::{Error, ErrorKind};

use crate::backend;
use crate::connection::Connection;
use crate::error::Fault;
use crate::statement::sql;

/// The name of the fact that says which version a database has.
const VERSION_FACT: &str = "schema_version";

/// Brings the engine's own tables up to date, within a write transaction.
pub(crate) fn bring_up_to_date(connection: &mut Connection<'_>) -> Result<(), Fault> {
    let migrations = backend::migrations(connection);
    let version = version(connection)?;
    if version > migrations.len() {
        return Err(newer(version, migrations.len()).into());
    }
    for migration in &migrations[version..] {
        connection.batch_execute(migration)?;
    }
    if version < migrations.len() {
        set_fact(connection, VERSION_FACT, &migrations.len().to_string())?;
    }
    Ok(())
}

/// A single fact of this database.
pub(crate) fn fact(connection: &mut Connection<'_>, name: &str) -> Result<Option<String>, Fault> {
    let found = sql("SELECT value FROM morango_fact WHERE name = ").bind(name).returns::<Text>();
    Ok(found.get_result(connection).optional()?)
}

/// Sets a single fact of this database.
pub(crate) fn set_fact(connection: &mut Connection<'_>, name: &str, value: &str) -> Result<(), Fault> {
    sql("INSERT INTO morango_fact (name, value) VALUES (")
        .bind(name)
        .sql(", ")
        .bind(value)
        .sql(") ON CONFLICT (name) DO UPDATE SET value = excluded.value")
        .execute(connection)?;
    Ok(())
}

fn version(connection: &mut Connection<'_>) -> Result<usize, Fault> {
    if !backend::has_own_tables(connection)? {
        return Ok(0);
    }
    let text = fact(connection, VERSION_FACT)?.unwrap_or_default();
    text.parse().map_err(|_| {
        Error::new(ErrorKind::StorageCorrupt, format!("read the version {text:?} of the engine's tables")).into()
    })
}

fn newer(version: usize, known: usize) -> Error {
    Error::new(
        ErrorKind::Configuration,
        format!("use the engine's tables: they are of version {version}, and this program knows those up to {known}"),
    )
    .with_hint("a newer program has used this database; update this one")
}
