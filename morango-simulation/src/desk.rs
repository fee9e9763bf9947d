//! The application at work on a device: its own connection to its own tables.

use std::collections::BTreeMap;
use std::sync::Arc;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;
use morango::id::SyncId;
use morango::model::{Fields, Model, ObjectWriter};
use morango::port::Storage;
use morango::record::StoreRecord;
use morango::scope::Filter;
use morango::{Error, ErrorKind, Result};
use morango_diesel::{RecordConnection, Rows, Syncable as _};
use morango_examples::school::PROFILE;
use morango_memory::{Application, MemoryStorage};

use crate::plan::Kind;
use crate::school::{Version, with_model};

/// Every row of a device: by model and id, its fields as the text of a JSON object.
pub(crate) type AllRows = BTreeMap<(Kind, SyncId), String>;

/// The application's way to its tables.
pub(crate) struct Desk {
    pub(crate) version: Version,
    pub(crate) store: Arc<dyn Storage>,
    pub(crate) access: Access,
}

/// How the tables are reached.
pub(crate) enum Access {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
    Memory(MemoryStorage),
}

/// Does something with the connection to a real database, or otherwise with the storage in memory.
macro_rules! over {
    ($access:expr, $connection:ident => $work:expr, $memory:ident => $other:expr) => {
        match $access {
            Access::Sqlite($connection) => $work,
            Access::Postgres($connection) => $work,
            Access::Memory($memory) => $other,
        }
    };
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = Text)]
    id: SyncId,
}

impl Desk {
    /// The record of this id, as the device's store holds it now.
    pub(crate) fn record(&self, id: SyncId) -> Result<Option<StoreRecord>> {
        let mut found = None;
        let mut keep = |record: StoreRecord| {
            if record.id == id {
                found = Some(record);
            }
            Ok(())
        };
        self.store.for_each_record(PROFILE, &Filter::everything(), &mut keep)?;
        Ok(found)
    }

    /// The row of this id, as the text of a JSON object.
    pub(crate) fn row(&mut self, kind: Kind, id: SyncId) -> Result<Option<String>> {
        let found = with_model!(kind, self.version, M => over!(
            &mut self.access,
            connection => load::<M, _>(connection, &[id])?,
            memory => memory.read_rows(|rows| rows.get::<M>(id).iter().map(text).collect())?
        ));
        Ok(found.into_iter().next().map(|(_, text)| text))
    }

    /// Every row.
    pub(crate) fn rows(&mut self) -> Result<AllRows> {
        let version = self.version;
        let mut all = AllRows::new();
        for kind in Kind::ALL.into_iter().filter(|kind| version.has(*kind)) {
            let found = with_model!(kind, version, M => over!(
                &mut self.access,
                connection => {
                    let ids: Vec<Id> = diesel::sql_query(format!("SELECT id FROM \"{}\"", kind.name()))
                        .load(connection)
                        .map_err(|error| failed("read the ids", error))?;
                    load::<M, _>(connection, &ids.into_iter().map(|row| row.id).collect::<Vec<_>>())?
                },
                memory => memory.read_rows(|rows| rows.all::<M>().iter().map(text).collect())?
            ));
            all.extend(found.into_iter().map(|(id, text)| ((kind, id), text)));
        }
        Ok(all)
    }

    /// Makes a row with the id that follows from its fields.
    pub(crate) fn create(&mut self, kind: Kind, fields: &str) -> Result<SyncId> {
        with_model!(kind, self.version, M => {
            let row: M = read(SyncId::unset(), fields)?;
            over!(
                &mut self.access,
                connection => row.create(connection).map(|row| row.id),
                memory => memory.with_rows(|rows| rows.create(row))
            )
        })
    }

    /// Puts a row back that was deleted, under the id that it had.
    pub(crate) fn put_back(&mut self, kind: Kind, id: SyncId, fields: &str) -> Result<()> {
        with_model!(kind, self.version, M => {
            let row: M = read(id, fields)?;
            over!(
                &mut self.access,
                connection => row.insert(connection).map_err(|error| failed("insert a row", error)),
                memory => memory.with_rows(|rows| rows.insert(row))
            )
        })
    }

    /// Changes all fields of a row.
    pub(crate) fn change(&mut self, kind: Kind, id: SyncId, fields: &str) -> Result<()> {
        with_model!(kind, self.version, M => {
            let row: M = read(id, fields)?;
            over!(
                &mut self.access,
                connection => row.upsert(connection).map(drop).map_err(|error| failed("change a row", error)),
                memory => memory.with_rows(|rows| rows.update(id, |there: &mut M| *there = row).map(drop))
            )
        })
    }

    /// Changes the text of a row alone, by a plain statement.
    pub(crate) fn change_text(
        &mut self,
        kind: Kind,
        id: SyncId,
        column: &str,
        value: &str,
        fields: &str,
    ) -> Result<()> {
        let statement = format!("UPDATE \"{}\" SET {column} = '{value}' WHERE id = '{id}'", kind.name());
        with_model!(kind, self.version, M => over!(
            &mut self.access,
            connection => connection.batch_execute(&statement).map_err(|error| failed("change a text", error)),
            memory => {
                let row: M = read(id, fields)?;
                memory.with_rows(|rows| rows.update(id, |there: &mut M| *there = row).map(drop))
            }
        ))
    }

    /// Deletes a row, with what goes with it.
    pub(crate) fn delete(&mut self, kind: Kind, id: SyncId) -> Result<()> {
        with_model!(kind, self.version, M => over!(
            &mut self.access,
            connection => <M as Rows<_>>::delete(connection, &id).map(drop).map_err(|error| failed("delete a row", error)),
            memory => memory.with_rows(|rows| rows.delete::<M>(id).map(drop))
        ))
    }

    /// Deletes a row for good, with what goes with it.
    pub(crate) fn hard_delete(&mut self, kind: Kind, id: SyncId) -> Result<()> {
        with_model!(kind, self.version, M => over!(
            &mut self.access,
            connection => M::hard_delete_by_id(id, connection).map(drop),
            memory => memory.with_rows(|rows: &mut Application| rows.hard_delete::<M>(id).map(drop))
        ))
    }
}

fn failed(operation: &str, error: diesel::result::Error) -> Error {
    Error::new(ErrorKind::Storage, operation.to_owned()).with_source(error)
}

fn load<M, C>(connection: &mut C, ids: &[SyncId]) -> Result<Vec<(SyncId, String)>>
where
    C: RecordConnection,
    M: Rows<C>,
{
    let rows = M::load_all(connection, ids).map_err(|error| failed("read rows", error))?;
    Ok(rows.iter().map(text).collect())
}

fn text<M: Model>(row: &M) -> (SyncId, String) {
    let mut object = ObjectWriter::new();
    row.write_fields(&mut object);
    (row.id(), object.finish())
}

fn read<M: Model>(id: SyncId, fields: &str) -> Result<M> {
    let fields = Fields::parse(fields).map_err(|error| Error::new(ErrorKind::InvalidInput, format!("{error}")))?;
    M::read_fields(id, &fields).map_err(|errors| Error::new(ErrorKind::InvalidInput, format!("{errors}")))
}
