//! What the application's own connection does for records: it remembers how new rows were identified, and says when a
//! deletion is a hard one.

use diesel::connection::{AnsiTransactionManager, TransactionManager};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel::sqlite::SqliteConnection;
use morango::model::{ModelDefinition, Origin};
use morango::{Error, ErrorKind};

use crate::backend::sqlite;
use crate::error::Fault;
use crate::rows::RecordConnection;
use crate::statement::sql;
use crate::transaction;

impl RecordConnection for SqliteConnection {
    fn note_created(&mut self, definition: &'static ModelDefinition, origins: &[Origin]) -> morango::Result<()> {
        note_created(self, definition, origins)
            .map_err(|fault| fault.during(format!("create rows of {}", definition.describe())))
    }

    fn hard_deleting<R>(&mut self, work: impl FnOnce(&mut Self) -> morango::Result<R>) -> morango::Result<R> {
        self.in_transaction(|connection| {
            transaction::with_hard_capture(connection, |connection| work(connection).map_err(Fault::from))
                .map_err(|fault| fault.during("delete rows for good"))
        })
    }

    /// A transaction that is going to write takes its turn to write at once: one that began by reading is refused,
    /// without any waiting, where another one wrote since.
    fn in_transaction<R>(&mut self, work: impl FnOnce(&mut Self) -> morango::Result<R>) -> morango::Result<R> {
        let work = |connection: &mut Self| work(connection).map_err(Fault::from);
        let done = if is_in_transaction(self) { self.transaction(work) } else { sqlite::write_transaction(self, work) };
        done.map_err(|fault: Fault| fault.during("run a transaction"))
    }
}

fn is_in_transaction(connection: &mut SqliteConnection) -> bool {
    let status =
        <AnsiTransactionManager as TransactionManager<SqliteConnection>>::transaction_manager_status_mut(connection);
    !matches!(status.transaction_depth(), Ok(None))
}

/// The insertion has just marked the rows; the marks take in what cannot be found in the rows again, should a field
/// change that it was made from.
fn note_created(
    connection: &mut SqliteConnection,
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
    for origin in origins {
        let noted = sql("UPDATE morango_mark SET source_id = ")
            .bind(&origin.source_id)
            .sql(", partition = ")
            .bind(&origin.partition)
            .sql(" WHERE model = ")
            .bind(number)
            .sql(" AND row_id IN (")
            .bind(&*origin.id.hex())
            .sql(", ")
            .bind(&origin.id)
            .sql(")")
            .execute(connection)?;
        if noted == 0 {
            return Err(not_captured(definition));
        }
    }
    Ok(())
}

fn not_captured(definition: &ModelDefinition) -> Fault {
    Error::new(
        ErrorKind::Configuration,
        format!("create a row of {}: its changes are not captured in this database", definition.describe()),
    )
    .with_hint("build an engine over this database first, with this model in its registry")
    .into()
}
