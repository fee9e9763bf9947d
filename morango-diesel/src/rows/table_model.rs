//! A model's rows without their type, which is what the storage works by.

use std::fmt;

use diesel::result::{Error as DieselError, QueryResult};
use morango::id::SyncId;
use morango::model::{self, FieldErrors, Fields, IdentifyError, Model, ModelDefinition, Origin};

use super::typed::Rows;

/// Rows that one statement loads. SQLite takes 32,766 values in one statement, but each must be prepared anew for its
/// number of values; past some hundreds nothing is gained.
const ROWS_LOADED_MAX: usize = 500;

/// A function that loads rows and hands them over.
pub type Load<C> = fn(&mut C, &[SyncId], &mut dyn FnMut(LoadedRow<'_>)) -> QueryResult<()>;

/// A function that makes the received fields of the record with this id, under this partition, a row.
pub type Apply<C> = fn(&mut C, SyncId, &str, &Fields<'_>) -> Result<(), ApplyError>;

/// A function that makes the received fields of many records rows.
pub type ApplyAll<C> = fn(&mut C, &[Received<'_>]) -> Result<(), ApplyError>;

/// A function that finds the rows that hold the same as received fields in all of these columns; see [`Rows::rivals`].
pub type Rivals<C> = fn(&mut C, SyncId, &Fields<'_>, &[&str]) -> Result<Vec<SyncId>, ApplyError>;

/// A model and what can be done with its rows over a connection of type `C`.
///
/// The derive registers one for each model and database with `inventory`; tests make them with [`TableModel::of`].
pub struct TableModel<C> {
    /// The definition of the model.
    pub definition: fn() -> &'static ModelDefinition,
    /// Loads the rows with these ids and hands them over one by one, in any order; an id without a row gives none.
    /// A row whose columns cannot be read is handed over as [`LoadedRow::Unreadable`] and does not stop the others.
    pub load: Load<C>,
    /// Makes received fields the row with this id: inserts it, or sets every column that travels.
    pub apply: Apply<C>,
    /// The same for many records at once, no two of which have the same id. Where it fails, some of them may be rows.
    pub apply_all: ApplyAll<C>,
    /// Keeps others from changing or deleting the rows with these ids; see [`Rows::hold`].
    pub hold: fn(&mut C, &[SyncId]) -> QueryResult<()>,
    /// The ids of some other rows that hold, in all of these columns, what the received fields say.
    pub rivals: Rivals<C>,
    /// Deletes the row with this id and says how many that were, 0 or 1.
    pub delete: fn(&mut C, &SyncId) -> QueryResult<usize>,
}

impl<C> TableModel<C> {
    /// The verbs of one row type.
    pub const fn of<M: Rows<C>>() -> Self {
        Self {
            definition: M::definition,
            load: load::<C, M>,
            apply: apply::<C, M>,
            apply_all: apply_all::<C, M>,
            hold: M::hold,
            rivals: rivals::<C, M>,
            delete: M::delete,
        }
    }
}

impl<C> Clone for TableModel<C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C> Copy for TableModel<C> {}

impl<C> fmt::Debug for TableModel<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("TableModel").field(&(self.definition)().rust_type).finish()
    }
}

/// A record as it was received, which is to become a row.
#[derive(Debug)]
pub struct Received<'a> {
    /// Its id, which counts, whatever its fields say.
    pub id: SyncId,
    /// Its partition, under which the row has to lie.
    pub partition: &'a str,
    /// Its fields.
    pub fields: Fields<'a>,
}

/// What was found under an id.
pub enum LoadedRow<'a> {
    /// A row.
    Row(&'a dyn RecordRow),
    /// A row of which a column holds what its field cannot.
    Unreadable {
        /// The id that was asked for.
        id: SyncId,
        /// What is wrong, as Diesel says it: `Error deserializing field 'edited_at': …`.
        reason: String,
    },
}

/// A row as records see it, whatever its type.
pub trait RecordRow {
    /// The row's id.
    fn id(&self) -> SyncId;

    /// Finds what identifies the row; see [`morango::model::identify`].
    ///
    /// # Errors
    /// The row cannot be identified: its source id is not remembered and cannot be calculated, or gives another id.
    fn identify(&self, source_id: Option<&str>) -> Result<Origin, IdentifyError>;

    /// The row's stored JSON. Members of the text stored before that the model does not write itself are kept.
    fn serialize(&self, source_id: &str, partition: &str, stored_before: Option<&Fields<'_>>) -> String;

    /// What the row of these fields would say, as [`serialize`](Self::serialize) has it; `None` where they make no row.
    fn serialize_before(&self, source_id: &str, partition: &str, fields: &Fields<'_>) -> Option<String>;

    /// The id under the foreign key to the model's own kind, where there is such a key and it holds something.
    fn self_reference(&self) -> Option<SyncId>;
}

impl<M: Model> RecordRow for M {
    fn id(&self) -> SyncId {
        Model::id(self)
    }

    fn identify(&self, source_id: Option<&str>) -> Result<Origin, IdentifyError> {
        model::identify(self, source_id)
    }

    fn serialize(&self, source_id: &str, partition: &str, stored_before: Option<&Fields<'_>>) -> String {
        model::serialize_row(self, source_id, partition, stored_before)
    }

    fn serialize_before(&self, source_id: &str, partition: &str, fields: &Fields<'_>) -> Option<String> {
        let before = M::read_fields(Model::id(self), fields).ok()?;
        Some(model::serialize_row(&before, source_id, partition, Some(fields)))
    }

    fn self_reference(&self) -> Option<SyncId> {
        let key = M::definition().self_reference()?;
        self.field_text(key.field)?.parse().ok()
    }
}

/// Why received fields did not become a row.
#[derive(Debug)]
pub enum ApplyError {
    /// Fields are missing, of the wrong form, too long, or refused by the application's validation.
    Fields(FieldErrors),
    /// The fields say that the row belongs elsewhere than its record.
    OutsidePartition {
        /// The partition that the fields give.
        place: String,
        /// The record's, under which that does not lie.
        partition: String,
    },
    /// The database wrote nothing and said nothing, as a trigger can make it.
    Ignored,
    /// The database refused the row.
    Database(DieselError),
}

impl fmt::Display for ApplyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fields(errors) => write!(formatter, "read the fields of the row: {errors}"),
            Self::OutsidePartition { place, partition } => {
                write!(formatter, "write the row: its fields place it under {place:?}, not under {partition:?}")
            }
            Self::Ignored => formatter.write_str("write the row: a trigger kept the database from it"),
            Self::Database(error) => write!(formatter, "write the row: {error}"),
        }
    }
}

impl From<DieselError> for ApplyError {
    fn from(error: DieselError) -> Self {
        Self::Database(error)
    }
}

impl std::error::Error for ApplyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Fields(errors) => Some(errors),
            Self::OutsidePartition { .. } | Self::Ignored => None,
            Self::Database(error) => Some(error),
        }
    }
}

fn load<C, M: Rows<C>>(connection: &mut C, ids: &[SyncId], each: &mut dyn FnMut(LoadedRow<'_>)) -> QueryResult<()> {
    if ids.len() == 1 {
        // This statement stays prepared, one for any number of ids does not.
        return load_one_by_one::<C, M>(connection, ids, each);
    }
    for chunk in ids.chunks(ROWS_LOADED_MAX) {
        match M::load_all(connection, chunk) {
            Ok(rows) => rows.iter().for_each(|row| each(LoadedRow::Row(row))),
            Err(DieselError::DeserializationError(_)) => load_one_by_one::<C, M>(connection, chunk, each)?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn load_one_by_one<C, M: Rows<C>>(
    connection: &mut C,
    ids: &[SyncId],
    each: &mut dyn FnMut(LoadedRow<'_>),
) -> QueryResult<()> {
    for id in ids {
        match M::load_one(connection, id) {
            Ok(Some(row)) => each(LoadedRow::Row(&row)),
            Ok(None) => {}
            Err(error @ DieselError::DeserializationError(_)) => {
                each(LoadedRow::Unreadable { id: *id, reason: error.to_string() });
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn apply<C, M: Rows<C>>(
    connection: &mut C,
    id: SyncId,
    partition: &str,
    fields: &Fields<'_>,
) -> Result<(), ApplyError> {
    let row = row_of::<M>(id, partition, fields)?;
    let written = row.upsert(connection).map_err(ApplyError::Database)?;
    let has_nothing_to_set = || M::definition().fields.iter().all(|field| field.is_skipped);
    let is_as_it_should_be = written > 0 || (has_nothing_to_set() && is_there::<C, M>(connection, &id)?);
    if is_as_it_should_be { Ok(()) } else { Err(ApplyError::Ignored) }
}

/// Where fewer rows are written than there are, some may be as they should be all the same: that is found out one by one.
fn apply_all<C, M: Rows<C>>(connection: &mut C, received: &[Received<'_>]) -> Result<(), ApplyError> {
    let row = |received: &Received<'_>| row_of::<M>(received.id, received.partition, &received.fields);
    let rows = received.iter().map(row).collect::<Result<Vec<M>, _>>()?;
    let written = M::upsert_all(&rows, connection).map_err(ApplyError::Database)?;
    if written == rows.len() { Ok(()) } else { Err(ApplyError::Ignored) }
}

/// A row may stand only where its record lies, or below. Whoever may write a record may write whatever lies under its partition;
/// elsewhere its row could pass for somebody else's.
fn row_of<M: Model>(id: SyncId, partition: &str, fields: &Fields<'_>) -> Result<M, ApplyError> {
    let row = M::read_fields(id, fields).map_err(ApplyError::Fields)?;
    match model::partition_of(&row, id) {
        Some(place) if !place.starts_with(partition) => {
            Err(ApplyError::OutsidePartition { place, partition: partition.to_owned() })
        }
        Some(_) | None => Ok(row),
    }
}

fn is_there<C, M: Rows<C>>(connection: &mut C, id: &SyncId) -> Result<bool, ApplyError> {
    let mut is_there = false;
    load::<C, M>(connection, std::slice::from_ref(id), &mut |_| is_there = true).map_err(ApplyError::Database)?;
    Ok(is_there)
}

fn rivals<C, M: Rows<C>>(
    connection: &mut C,
    id: SyncId,
    fields: &Fields<'_>,
    columns: &[&str],
) -> Result<Vec<SyncId>, ApplyError> {
    let row = M::read_fields(id, fields).map_err(ApplyError::Fields)?;
    row.rivals(connection, columns).map_err(ApplyError::Database)
}
