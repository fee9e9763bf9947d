//! Whether all is here that was known to those who deleted one record and saved another.
//!
//! A deletion that is carried on to another record is a change of our own, which wins against whatever was saved of that record before.
//! So it may not be made of a part: who revived a shelf and put a book on it, or took a book off a shelf and deleted that, sent both, and
//! one may be here long before the other. Until the database max counters reach what both were saved at, the one waits.
//!
//! They have to reach that where the record lies. Where the other one lies they need not if they know nothing of that instance there: who
//! may delete shelves and never syncs books knows nothing of books that is yet to come.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};
use morango::counter::Stamp;
use morango::id::{InstanceId, SyncId, TransferSessionId};

use crate::connection::Connection;
use crate::error::Fault;
use crate::statement::sql;
use crate::{counters, dequeue};

/// What was found out about it within one transaction, in which nobody else merges.
#[derive(Debug, Default)]
pub(super) struct Wholeness {
    /// Up to which counter of an instance all is here of a partition, where anything is known of it there.
    claimed: HashMap<(String, InstanceId), Option<i64>>,
    /// Up to which counter this database itself was an instance, where it was.
    own: HashMap<InstanceId, Option<i64>>,
    /// Whether what a transfer brings is all merged.
    merged: HashMap<TransferSessionId, bool>,
}

/// When and where a record was saved last.
#[derive(Debug, Queryable)]
struct Saved {
    partition: String,
    instance: InstanceId,
    counter: i64,
    transfer: Option<TransferSessionId>,
}

impl Wholeness {
    /// Whether all is here that was known when either of these records was saved last, as far as it may concern the other.
    pub(super) fn is_between(
        &mut self,
        connection: &mut Connection<'_>,
        deleted: &SyncId,
        other: &SyncId,
    ) -> Result<bool, Fault> {
        let (deleted, other) = (saved(connection, deleted)?, saved(connection, other)?);
        Ok(self.is_whole(connection, &deleted, &other.partition)?
            && self.is_whole(connection, &other, &deleted.partition)?)
    }

    fn is_whole(&mut self, connection: &mut Connection<'_>, saved: &Saved, beside: &str) -> Result<bool, Fault> {
        let Saved { partition, instance, counter, transfer } = saved;
        if self.own(connection, *instance)?.is_some_and(|own| *counter <= own) {
            // What two were merged to was saved here, and may be a part of what came with one of them.
            return transfer.map_or(Ok(true), |transfer| self.is_merged(connection, transfer));
        }
        let stamp = Stamp::new(*instance, *counter);
        let is_reached = |claimed: Option<i64>| claimed.map(|claimed| claimed >= stamp.counter);
        Ok(is_reached(self.claimed(connection, partition, *instance)?) == Some(true)
            && is_reached(self.claimed(connection, beside, *instance)?) != Some(false))
    }

    fn own(&mut self, connection: &mut Connection<'_>, instance: InstanceId) -> Result<Option<i64>, Fault> {
        if let Some(known) = self.own.get(&instance) {
            return Ok(*known);
        }
        let found = sql("SELECT counter FROM morango_instance WHERE id = ").bind(&instance).returns::<BigInt>();
        let found = found.get_result::<i64>(connection).optional()?;
        self.own.insert(instance, found);
        Ok(found)
    }

    fn claimed(
        &mut self,
        connection: &mut Connection<'_>,
        partition: &str,
        instance: InstanceId,
    ) -> Result<Option<i64>, Fault> {
        let place = (partition.to_owned(), instance);
        if let Some(known) = self.claimed.get(&place) {
            return Ok(*known);
        }
        let found = counters::reaching(connection, partition, &instance)?;
        self.claimed.insert(place, found);
        Ok(found)
    }

    fn is_merged(&mut self, connection: &mut Connection<'_>, transfer: TransferSessionId) -> Result<bool, Fault> {
        if let Some(known) = self.merged.get(&transfer) {
            return Ok(*known);
        }
        let found = dequeue::is_complete(connection, &transfer)?;
        self.merged.insert(transfer, found);
        Ok(found)
    }
}

fn saved(connection: &mut Connection<'_>, id: &SyncId) -> Result<Saved, Fault> {
    let saved = sql("SELECT partition, last_saved_instance, last_saved_counter, transfer_session FROM morango_store
         WHERE record_id = ")
    .bind(id);
    Ok(saved.returns::<(Text, Binary, BigInt, Nullable<Binary>)>().get_result(connection)?)
}
