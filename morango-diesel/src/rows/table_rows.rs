//! A model's rows in whichever database a storage is over.

use diesel::result::QueryResult;
use morango::id::SyncId;
use morango::model::{Fields, ModelDefinition};

#[cfg(feature = "sqlite")]
use super::SqliteModel;
use super::table_model::{ApplyError, LoadedRow};
use crate::connection::Connection;

/// What can be done with a model's rows. A storage holds those of its own kind of database only.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TableRows {
    /// In a SQLite file.
    #[cfg(feature = "sqlite")]
    Sqlite(SqliteModel),
}

impl TableRows {
    /// The definition of the model.
    pub(crate) fn definition(&self) -> &'static ModelDefinition {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(model) => (model.definition)(),
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
        }
    }

    /// Makes received fields a row; see [`TableModel::apply`](super::TableModel::apply).
    pub(crate) fn apply(
        &self,
        connection: &mut Connection<'_>,
        id: SyncId,
        fields: &Fields<'_>,
    ) -> Result<(), ApplyError> {
        match (self, connection) {
            #[cfg(feature = "sqlite")]
            (Self::Sqlite(model), Connection::Sqlite(connection)) => (model.apply)(connection, id, fields),
        }
    }

    /// Deletes a row; see [`TableModel::delete`](super::TableModel::delete).
    pub(crate) fn delete(&self, connection: &mut Connection<'_>, id: &SyncId) -> QueryResult<usize> {
        match (self, connection) {
            #[cfg(feature = "sqlite")]
            (Self::Sqlite(model), Connection::Sqlite(connection)) => (model.delete)(connection, id),
        }
    }
}
