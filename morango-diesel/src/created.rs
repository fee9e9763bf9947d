//! What the application's own connection does for records: it remembers how new rows were identified, and says when a
//! deletion is a hard one.

#[cfg(feature = "sqlite")]
use diesel::connection::Connection as _;
#[cfg(feature = "postgres")]
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
#[cfg(feature = "sqlite")]
use diesel::sqlite::SqliteConnection;
use morango::model::{ModelDefinition, Origin};
use morango::{Error, ErrorKind};

use crate::backend;
use crate::connection::{AsConnection, Connection};
use crate::error::Fault;
use crate::rows::RecordConnection;
use crate::statement::sql;
use crate::transaction;

#[cfg(feature = "sqlite")]
impl RecordConnection for SqliteConnection {
    fn note_created(&mut self, definition: &'static ModelDefinition, origins: &[Origin]) -> morango::Result<()> {
        note_created(&mut self.as_connection(), definition, origins)
    }

    fn hard_deleting<R>(&mut self, work: impl FnOnce(&mut Self) -> morango::Result<R>) -> morango::Result<R> {
        hard_deleting(self, work)
    }

    /// A transaction that is going to write takes its turn to write at once: one that began by reading is refused,
    /// without any waiting, where another one wrote since.
    fn in_transaction<R>(&mut self, work: impl FnOnce(&mut Self) -> morango::Result<R>) -> morango::Result<R> {
        let work = |connection: &mut Self| work(connection).map_err(Fault::from);
        let is_within_another = self.as_connection().is_in_transaction();
        let done = if is_within_another { self.transaction(work) } else { self.immediate_transaction(work) };
        done.map_err(|fault: Fault| fault.during("run a transaction"))
    }
}

#[cfg(feature = "postgres")]
impl RecordConnection for PgConnection {
    fn note_created(&mut self, definition: &'static ModelDefinition, origins: &[Origin]) -> morango::Result<()> {
        note_created(&mut self.as_connection(), definition, origins)
    }

    fn hard_deleting<R>(&mut self, work: impl FnOnce(&mut Self) -> morango::Result<R>) -> morango::Result<R> {
        hard_deleting(self, work)
    }
}

fn hard_deleting<C: RecordConnection + AsConnection, R>(
    connection: &mut C,
    work: impl FnOnce(&mut C) -> morango::Result<R>,
) -> morango::Result<R> {
    connection.in_transaction(|connection| {
        transaction::with_hard_capture(connection, |connection| work(connection).map_err(Fault::from))
            .map_err(|fault| fault.during("delete rows for good"))
    })
}

fn note_created(
    connection: &mut Connection<'_>,
    definition: &ModelDefinition,
    origins: &[Origin],
) -> morango::Result<()> {
    note_origins(connection, definition, origins)
        .map_err(|fault| fault.during(format!("create rows of {}", definition.describe())))
}

/// The insertion has just been noticed; the marks take in what cannot be found in the rows again, should a field change that it
/// was made from.
fn note_origins(
    connection: &mut Connection<'_>,
    definition: &ModelDefinition,
    origins: &[Origin],
) -> Result<(), Fault> {
    let number = sql("SELECT number FROM morango_model WHERE profile = ")
        .bind(definition.profile)
        .sql(" AND name = ")
        .bind(definition.name)
        .returns::<BigInt>()
        .get_result::<i64>(connection)
        .optional()?
        .ok_or_else(|| not_captured(definition))?;
    let noted = backend::note_origins(connection, number, origins)?;
    if noted == origins.len() { Ok(()) } else { Err(not_captured(definition)) }
}

fn not_captured(definition: &ModelDefinition) -> Fault {
    Error::new(
        ErrorKind::Configuration,
        format!("create a row of {}: its changes are not captured in this database", definition.describe()),
    )
    .with_hint("build an engine over this database first, with this model in its registry")
    .into()
}
