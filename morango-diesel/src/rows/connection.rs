//! What creating and hard deleting a row needs beside the row itself.

use diesel::Connection;
use diesel::result::Error as DieselError;
use morango::model::{ModelDefinition, Origin};

use crate::error;

/// A connection to a database that holds our tables as well as the application's.
///
/// The storage implements it for each kind of connection; an application never names it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` holds no records",
    label = "rows can be created over a connection to a database that morango-diesel knows",
    note = "use a `diesel::SqliteConnection`, and switch on the feature of `morango-diesel` for it"
)]
pub trait RecordConnection: Connection {
    /// Remembers the source ids and partitions of rows of one model that were just inserted.
    /// It is called in the transaction of the insertion.
    ///
    /// # Errors
    /// The database's, or the tables of ours are not there: the engine was never built over this database.
    fn note_created(&mut self, definition: &'static ModelDefinition, origins: &[Origin]) -> morango::Result<()>;

    /// Has every deletion within `work` noted as a hard one, in a transaction around it.
    ///
    /// # Errors
    /// Those of `work`, or the database's.
    fn hard_deleting<R>(&mut self, work: impl FnOnce(&mut Self) -> morango::Result<R>) -> morango::Result<R>;

    /// Runs `work` in a transaction, which is undone if `work` fails. Within another transaction it is a savepoint.
    ///
    /// # Errors
    /// Those of `work`, or the database's.
    fn in_transaction<R>(&mut self, work: impl FnOnce(&mut Self) -> morango::Result<R>) -> morango::Result<R> {
        self.transaction(|connection| work(connection).map_err(Failure::Work)).map_err(|failure| match failure {
            Failure::Work(error) => error,
            Failure::Transaction(error) => error::from_diesel("run a transaction", error),
        })
    }
}

/// Diesel wants to turn its own errors into the one that `work` gives.
enum Failure {
    Work(morango::Error),
    Transaction(DieselError),
}

impl From<DieselError> for Failure {
    fn from(error: DieselError) -> Self {
        Self::Transaction(error)
    }
}
