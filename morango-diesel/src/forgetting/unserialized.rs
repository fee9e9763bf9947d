//! Changes of what is taken off that could not be serialized: they are in no record, and nobody else has them.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Text};
use morango::counter::Stamp;
use morango::id::{InstanceId, SyncId};

use super::Place;
use crate::connection::Connection;
use crate::error::Fault;
use crate::handed_over::HandedOver;
use crate::models::InstalledModel;
use crate::rows::LoadedRow;
use crate::serialize::{LeftMark, marks_left};
use crate::statement::sql;

/// What stays marked after serializing.
#[derive(Default)]
pub(super) struct Unserialized {
    /// How many changes there are that are counted for no other reason.
    pub(super) changes: u64,
    /// Rows without a record that would belong under the root, by the number of their model, each with its parent of the same model.
    strays: HashMap<i64, Vec<(SyncId, Option<SyncId>)>>,
}

impl Unserialized {
    /// Looks through all marks that are left of these models.
    pub(super) fn find(
        connection: &mut Connection<'_>,
        models: &[InstalledModel],
        place: &Place<'_>,
        handed_over: &HandedOver,
    ) -> Result<Self, Fault> {
        let mut found = Self::default();
        for model in models {
            for mark in marks_left(connection, model)? {
                match record_of(connection, place, &mark.id)? {
                    Some((partition, last_saved)) => {
                        let is_counted = handed_over.lacks(&partition, last_saved);
                        found.changes += u64::from(partition.starts_with(&place.prefix) && !is_counted);
                    }
                    None => found.look_at_stray(connection, model, place, mark)?,
                }
            }
        }
        Ok(found)
    }

    /// The rows without a record of this model.
    pub(super) fn strays(&self, model: &InstalledModel) -> &[(SyncId, Option<SyncId>)] {
        self.strays.get(&model.number).map_or(&[], Vec::as_slice)
    }

    /// Whether this is one of the rows without a record.
    pub(super) fn has_stray(&self, model_number: i64, id: &SyncId) -> bool {
        self.strays.get(&model_number).is_some_and(|strays| strays.iter().any(|(stray, _)| stray == id))
    }

    /// Of a row that cannot be identified it is not known where it belongs: should it go with another, it is found then.
    fn look_at_stray(
        &mut self,
        connection: &mut Connection<'_>,
        model: &InstalledModel,
        place: &Place<'_>,
        mark: LeftMark,
    ) -> Result<(), Fault> {
        let (mut is_there, mut parent, mut partition) = (false, None, mark.partition);
        model.rows.load(connection, &[mark.id], &mut |loaded| {
            is_there = true;
            if let LoadedRow::Row(row) = loaded {
                parent = row.self_reference();
                partition = partition.take().or_else(|| row.identify(None).ok().map(|origin| origin.partition));
            }
        })?;
        if is_there && partition.is_some_and(|partition| partition.starts_with(&place.prefix)) {
            self.changes += 1;
            self.strays.entry(model.number).or_default().push((mark.id, parent));
        }
        Ok(())
    }
}

/// Where the record of a row lies, and when it was saved last.
fn record_of(
    connection: &mut Connection<'_>,
    place: &Place<'_>,
    id: &SyncId,
) -> Result<Option<(String, Stamp)>, Fault> {
    let found = sql("SELECT partition, last_saved_instance, last_saved_counter FROM morango_store WHERE profile = ")
        .bind(place.profile)
        .sql(" AND record_id = ")
        .bind(id)
        .returns::<(Text, Binary, BigInt)>();
    let found = found.get_result::<(String, InstanceId, i64)>(connection).optional()?;
    Ok(found.map(|(partition, instance, counter)| (partition, Stamp::new(instance, counter))))
}
