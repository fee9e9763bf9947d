//! What an application does with its rows beyond plain Diesel: create them, and delete them for good.

use morango::id::SyncId;
use morango::model::{self, Model, Origin};

use super::connection::RecordConnection;
use super::typed::Rows;
use crate::error;

/// Rows whose origins are noted at one time while many are created.
const ORIGINS_NOTED_MAX: usize = 500;

/// A row type that is synced.
///
/// The derive of the same name makes a type one. Everything but creation and hard deletion is plain Diesel: updates and
/// deletions are tracked whoever makes them.
pub trait Syncable: Model {
    /// Gives the row its source id, partition and id, and inserts it.
    ///
    /// The id must be [unset](SyncId::unset), or the one that follows from the row's fields. The row comes back as it was
    /// inserted, with its id; defaults of the table are not read back.
    ///
    /// # Errors
    /// A field is too long or refused by its validation; a field that a template needs holds nothing; a row of this id is
    /// there already; or the database's own. Nothing is inserted then.
    fn create<C>(self, connection: &mut C) -> morango::Result<Self>
    where
        C: RecordConnection,
        Self: Rows<C>,
    {
        let mut row = self;
        let origin = give_id(&mut row)?;
        connection.in_transaction(|connection| {
            insert(&row, connection)?;
            connection.note_created(Self::definition(), std::slice::from_ref(&origin))
        })?;
        Ok(row)
    }

    /// Creates many rows, all of them or none, in one transaction; see [`Syncable::create`].
    ///
    /// # Errors
    /// Those of [`Syncable::create`], for the first row that has one.
    fn create_many<C>(rows: impl IntoIterator<Item = Self>, connection: &mut C) -> morango::Result<Vec<Self>>
    where
        C: RecordConnection,
        Self: Rows<C>,
    {
        connection.in_transaction(|connection| {
            let mut created = Vec::new();
            let mut origins = Vec::new();
            for mut row in rows {
                origins.push(give_id(&mut row)?);
                insert(&row, connection)?;
                created.push(row);
                if origins.len() == ORIGINS_NOTED_MAX {
                    connection.note_created(Self::definition(), &origins)?;
                    origins.clear();
                }
            }
            if !origins.is_empty() {
                connection.note_created(Self::definition(), &origins)?;
            }
            Ok(created)
        })
    }

    /// Deletes the row so that its content disappears from every peer, and with it what the table's cascades delete.
    /// A plain deletion leaves the last content in the peers' stores.
    ///
    /// It returns whether the row was there.
    ///
    /// # Errors
    /// The database's: another row still points here.
    fn hard_delete<C>(&self, connection: &mut C) -> morango::Result<bool>
    where
        C: RecordConnection,
        Self: Rows<C>,
    {
        Self::hard_delete_by_id(self.id(), connection)
    }

    /// [`Syncable::hard_delete`] by the row's id.
    ///
    /// # Errors
    /// The database's: another row still points here.
    fn hard_delete_by_id<C>(id: SyncId, connection: &mut C) -> morango::Result<bool>
    where
        C: RecordConnection,
        Self: Rows<C>,
    {
        connection.hard_deleting(|connection| {
            let deleted = <Self as Rows<C>>::delete(connection, &id).map_err(|error| {
                error::from_diesel(format!("hard delete {} {id}", Self::definition().describe()), error)
            })?;
            Ok(deleted > 0)
        })
    }
}

impl<M: Model> Syncable for M {}

fn give_id<M: Model>(row: &mut M) -> morango::Result<Origin> {
    let operation = || format!("create a row of {}", M::definition().describe());
    let refused = |error: &dyn std::fmt::Display| {
        morango::Error::new(morango::ErrorKind::InvalidInput, format!("{}: {error}", operation()))
    };
    row.validate().map_err(|errors| refused(&errors))?;
    let source_id = model::new_source_id(row).map_err(|error| refused(&error))?;
    let origin = model::identify(row, Some(&source_id)).map_err(|error| refused(&error))?;
    row.set_id(origin.id);
    Ok(origin)
}

fn insert<C, M: Rows<C>>(row: &M, connection: &mut C) -> morango::Result<()> {
    row.insert(connection)
        .map_err(|error| error::from_diesel(format!("insert {} {}", M::definition().describe(), row.id()), error))
}
