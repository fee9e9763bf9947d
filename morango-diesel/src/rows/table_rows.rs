//! A model's rows in whichever database a storage is over.

use diesel::result::QueryResult;
use morango::id::SyncId;
use morango::model::{Fields, ModelDefinition};

#[cfg(feature = "postgres")]
use super::PostgresModel;
#[cfg(feature = "sqlite")]
use super::SqliteModel;
use super::table_model::{ApplyError, LoadedRow, Received};
use crate::connection::Connection;

#[cfg(all(feature = "sqlite", feature = "postgres"))]
const OTHER_DATABASE: &str = "a storage takes rows of its own kind of database only";

/// What can be done with a model's rows. A storage holds those of its own kind of database only.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TableRows {
    /// In a SQLite file.
    #[cfg(feature = "sqlite")]
    Sqlite(SqliteModel),
    /// In a PostgreSQL database.
    #[cfg(feature = "postgres")]
    Postgres(PostgresModel),
}

impl TableRows {
    /// The definition of the model.
    pub(crate) fn definition(&self) -> &'static ModelDefinition {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(model) => (model.definition)(),
            #[cfg(feature = "postgres")]
            Self::Postgres(model) => (model.definition)(),
        }
    }

    /// Loads rows; see [`TableModel::load`](super::TableModel::load).
    pub(crate) fn load(
        &self,
        connection: &mut Connection<'_>,
        ids: &[SyncId],
        each: &mut dyn FnMut(LoadedRow<'_>),
    ) -> QueryResult<()> {
        match (self, connection) {
            #[cfg(feature = "sqlite")]
            (Self::Sqlite(model), Connection::Sqlite(connection)) => (model.load)(connection, ids, each),
            #[cfg(feature = "postgres")]
            (Self::Postgres(model), Connection::Postgres(connection)) => (model.load)(connection, ids, each),
            #[cfg(all(feature = "sqlite", feature = "postgres"))]
            (Self::Sqlite(_), Connection::Postgres(_)) | (Self::Postgres(_), Connection::Sqlite(_)) => {
                unreachable!("{OTHER_DATABASE}")
            }
        }
    }

    /// Makes received fields a row; see [`TableModel::apply`](super::TableModel::apply).
    pub(crate) fn apply(
        &self,
        connection: &mut Connection<'_>,
        id: SyncId,
        partition: &str,
        fields: &Fields<'_>,
    ) -> Result<(), ApplyError> {
        match (self, connection) {
            #[cfg(feature = "sqlite")]
            (Self::Sqlite(model), Connection::Sqlite(connection)) => (model.apply)(connection, id, partition, fields),
            #[cfg(feature = "postgres")]
            (Self::Postgres(model), Connection::Postgres(connection)) => {
                (model.apply)(connection, id, partition, fields)
            }
            #[cfg(all(feature = "sqlite", feature = "postgres"))]
            (Self::Sqlite(_), Connection::Postgres(_)) | (Self::Postgres(_), Connection::Sqlite(_)) => {
                unreachable!("{OTHER_DATABASE}")
            }
        }
    }

    /// Makes the received fields of many records rows; see [`TableModel::apply_all`](super::TableModel::apply_all).
    pub(crate) fn apply_all(
        &self,
        connection: &mut Connection<'_>,
        received: &[Received<'_>],
    ) -> Result<(), ApplyError> {
        match (self, connection) {
            #[cfg(feature = "sqlite")]
            (Self::Sqlite(model), Connection::Sqlite(connection)) => (model.apply_all)(connection, received),
            #[cfg(feature = "postgres")]
            (Self::Postgres(model), Connection::Postgres(connection)) => (model.apply_all)(connection, received),
            #[cfg(all(feature = "sqlite", feature = "postgres"))]
            (Self::Sqlite(_), Connection::Postgres(_)) | (Self::Postgres(_), Connection::Sqlite(_)) => {
                unreachable!("{OTHER_DATABASE}")
            }
        }
    }

    /// Keeps others from changing or deleting rows; see [`TableModel::hold`](super::TableModel::hold).
    pub(crate) fn hold(&self, connection: &mut Connection<'_>, ids: &[SyncId]) -> QueryResult<()> {
        match (self, connection) {
            #[cfg(feature = "sqlite")]
            (Self::Sqlite(model), Connection::Sqlite(connection)) => (model.hold)(connection, ids),
            #[cfg(feature = "postgres")]
            (Self::Postgres(model), Connection::Postgres(connection)) => (model.hold)(connection, ids),
            #[cfg(all(feature = "sqlite", feature = "postgres"))]
            (Self::Sqlite(_), Connection::Postgres(_)) | (Self::Postgres(_), Connection::Sqlite(_)) => {
                unreachable!("{OTHER_DATABASE}")
            }
        }
    }

    /// Finds rows that hold the same in some columns; see [`TableModel::rivals`](super::TableModel::rivals).
    pub(crate) fn rivals(
        &self,
        connection: &mut Connection<'_>,
        id: SyncId,
        fields: &Fields<'_>,
        columns: &[&str],
    ) -> Result<Vec<SyncId>, ApplyError> {
        match (self, connection) {
            #[cfg(feature = "sqlite")]
            (Self::Sqlite(model), Connection::Sqlite(connection)) => (model.rivals)(connection, id, fields, columns),
            #[cfg(feature = "postgres")]
            (Self::Postgres(model), Connection::Postgres(connection)) => {
                (model.rivals)(connection, id, fields, columns)
            }
            #[cfg(all(feature = "sqlite", feature = "postgres"))]
            (Self::Sqlite(_), Connection::Postgres(_)) | (Self::Postgres(_), Connection::Sqlite(_)) => {
                unreachable!("{OTHER_DATABASE}")
            }
        }
    }

    /// Deletes a row; see [`TableModel::delete`](super::TableModel::delete).
    pub(crate) fn delete(&self, connection: &mut Connection<'_>, id: &SyncId) -> QueryResult<usize> {
        match (self, connection) {
            #[cfg(feature = "sqlite")]
            (Self::Sqlite(model), Connection::Sqlite(connection)) => (model.delete)(connection, id),
            #[cfg(feature = "postgres")]
            (Self::Postgres(model), Connection::Postgres(connection)) => (model.delete)(connection, id),
            #[cfg(all(feature = "sqlite", feature = "postgres"))]
            (Self::Sqlite(_), Connection::Postgres(_)) | (Self::Postgres(_), Connection::Sqlite(_)) => {
                unreachable!("{OTHER_DATABASE}")
            }
        }
    }
}
