//! A connection to whichever database it is: what all of our own work is done over.
//!
//! Which database it is, is a value and no type parameter, so each verb is written and compiled once. Only a statement's
//! rendering (see [`statement`](crate::statement)) and the rooms of [`backend`](crate::backend) look inside.

use std::any::Any;

use diesel::Connection as _;
use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
#[cfg(feature = "postgres")]
use diesel::pg::PgConnection;
use diesel::result::QueryResult;
#[cfg(feature = "sqlite")]
use diesel::sqlite::SqliteConnection;

use crate::error::Fault;
#[cfg(feature = "sqlite")]
use crate::error::Reason;

/// A borrowed connection, the application's or one of the storage's own.
pub(crate) enum Connection<'c> {
    /// To a SQLite file.
    #[cfg(feature = "sqlite")]
    Sqlite(&'c mut SqliteConnection),
    /// To a PostgreSQL server.
    #[cfg(feature = "postgres")]
    Postgres(&'c mut PgConnection),
}

/// A connection of the storage's own.
pub(crate) enum OwnedConnection {
    /// To a SQLite file.
    #[cfg(feature = "sqlite")]
    Sqlite(SqliteConnection),
    /// To a PostgreSQL server.
    #[cfg(feature = "postgres")]
    Postgres(PgConnection),
}

/// What can be borrowed as a [`Connection`].
pub(crate) trait AsConnection {
    /// The connection, whichever it is.
    fn as_connection(&mut self) -> Connection<'_>;
}

#[cfg(feature = "sqlite")]
impl AsConnection for SqliteConnection {
    fn as_connection(&mut self) -> Connection<'_> {
        Connection::Sqlite(self)
    }
}

#[cfg(feature = "postgres")]
impl AsConnection for PgConnection {
    fn as_connection(&mut self) -> Connection<'_> {
        Connection::Postgres(self)
    }
}

impl AsConnection for OwnedConnection {
    fn as_connection(&mut self) -> Connection<'_> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(connection) => Connection::Sqlite(connection),
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => Connection::Postgres(connection),
        }
    }
}

impl AsConnection for Connection<'_> {
    fn as_connection(&mut self) -> Connection<'_> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(connection) => Connection::Sqlite(connection),
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => Connection::Postgres(connection),
        }
    }
}

impl Connection<'_> {
    /// Runs statements that return nothing and bind nothing.
    pub(crate) fn batch_execute(&mut self, statements: &str) -> QueryResult<()> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(connection) => connection.batch_execute(statements),
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => connection.batch_execute(statements),
        }
    }

    /// Runs work within the transaction that is open; an error undoes this work alone.
    pub(crate) fn savepoint<R>(
        &mut self,
        work: impl FnOnce(&mut Connection<'_>) -> Result<R, Fault>,
    ) -> Result<R, Fault> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(connection) => {
                let mut reason = Reason::default();
                let outcome =
                    connection.transaction(|connection| reason.keep(work(&mut Connection::Sqlite(connection))));
                reason.tell(outcome)
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => {
                connection.transaction(|connection| work(&mut Connection::Postgres(connection)))
            }
        }
    }

    /// The connection as its own type, for an application that knows it.
    pub(crate) fn as_any(&mut self) -> &mut dyn Any {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(connection) => *connection,
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => *connection,
        }
    }

    /// Whether a transaction is open, or one was broken: then the connection must not be used as if there were none.
    pub(crate) fn is_in_transaction(&mut self) -> bool {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(connection) => is_in_transaction(*connection),
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => is_in_transaction(*connection),
        }
    }
}

fn is_in_transaction<C>(connection: &mut C) -> bool
where
    C: diesel::Connection<TransactionManager = AnsiTransactionManager>,
{
    let status = <AnsiTransactionManager as TransactionManager<C>>::transaction_manager_status_mut(connection);
    !matches!(status.transaction_depth(), Ok(None))
}
