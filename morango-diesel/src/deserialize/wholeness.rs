//! Whether all is here that was known to those who deleted one record and saved another.
//!
//! A deletion that is carried on to another record is a change of our own, which wins against whatever was saved of that record before.
//! So it may not be made of a part: who revived a shelf and put a book on it, or took a book off a shelf and deleted that, sent both, and
//! one may be here long before the other. Until the database max counters reach what both were saved at, the one waits.
//!
//! They have to reach that where the record lies. Where the other one lies, they may only not deny it: who may delete shelves and never
//! syncs books knows nothing of books that is yet to come. An entry of somebody of whom no record is left there denies nothing, since
//! nobody but that one itself tells how far it reaches any more.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Text};
use morango::counter::Stamp;
use morango::id::{InstanceId, SyncId};

use crate::connection::Connection;
use crate::counters::Reaching;
use crate::error::Fault;
use crate::statement::sql;
use crate::transaction::current_stamp;
use crate::{counters, instance, merged};

/// What was found out about it within one transaction, in which nobody else merges.
#[derive(Debug, Default)]
pub(super) struct Wholeness {
    current: Option<InstanceId>,
    /// Up to which counter of an instance all is here of a partition, where anything is known of it there.
    claimed: Reaching,
    /// Whether any record under a partition was saved last by an instance.
    has_records: HashMap<(String, InstanceId), bool>,
    /// Whether this database is an instance, or was it.
    own: HashMap<InstanceId, bool>,
    /// The deleted record that was asked for last, on which many others may hang. Who saved it may have changed to this very instance.
    deleted: Option<(SyncId, Saved)>,
}

/// When and where a record was saved last.
#[derive(Debug, Clone, Queryable)]
struct Saved {
    sequence: i64,
    profile: String,
    partition: String,
    instance: InstanceId,
    counter: i64,
}

impl Wholeness {
    /// Whether all is here that was known when either of these records was saved last, as far as it may concern the other.
    pub(super) fn is_between(
        &mut self,
        connection: &mut Connection<'_>,
        deleted_id: &SyncId,
        other: &SyncId,
    ) -> Result<bool, Fault> {
        let other = saved(connection, other)?;
        let deleted = match self.deleted.take() {
            Some((id, known)) if id == *deleted_id => known,
            _ => saved(connection, deleted_id)?,
        };
        let is_whole = self.is_whole(connection, &deleted, &other.partition)?
            && self.is_whole(connection, &other, &deleted.partition)?;
        self.deleted = Some((*deleted_id, deleted));
        Ok(is_whole)
    }

    fn is_whole(&mut self, connection: &mut Connection<'_>, saved: &Saved, beside: &str) -> Result<bool, Fault> {
        let current = match self.current {
            Some(current) => current,
            None => *self.current.insert(current_stamp(connection)?.instance),
        };
        if saved.instance != current && !self.is_reached(connection, saved, saved.stamp(), beside)? {
            return Ok(false);
        }
        // What came in part and was merged or changed here was saved by this database since.
        if self.is_own(connection, saved.instance)? {
            for stamp in merged::of(connection, saved.sequence)? {
                if !self.is_reached(connection, saved, stamp, beside)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Whether all is here that was known when something was saved in the place of a record, as far as it may concern another place.
    fn is_reached(
        &mut self,
        connection: &mut Connection<'_>,
        saved: &Saved,
        stamp: Stamp,
        beside: &str,
    ) -> Result<bool, Fault> {
        let claimed = self.claimed.of(connection, &saved.partition, stamp.instance)?;
        if claimed.is_none_or(|claimed| claimed < stamp.counter) {
            return Ok(false);
        }
        let is_denied =
            self.claimed.of(connection, beside, stamp.instance)?.is_some_and(|claimed| claimed < stamp.counter);
        Ok(!is_denied || !self.has_records(connection, (&saved.profile, beside), stamp.instance)?)
    }

    fn is_own(&mut self, connection: &mut Connection<'_>, instance: InstanceId) -> Result<bool, Fault> {
        if let Some(known) = self.own.get(&instance) {
            return Ok(*known);
        }
        let found = instance::is_or_was(connection, &instance)?;
        self.own.insert(instance, found);
        Ok(found)
    }

    fn has_records(
        &mut self,
        connection: &mut Connection<'_>,
        (profile, partition): (&str, &str),
        instance: InstanceId,
    ) -> Result<bool, Fault> {
        let place = (partition.to_owned(), instance);
        if let Some(known) = self.has_records.get(&place) {
            return Ok(*known);
        }
        let found = counters::has_record_of(connection, profile, partition, &instance)?;
        self.has_records.insert(place, found);
        Ok(found)
    }
}

impl Saved {
    fn stamp(&self) -> Stamp {
        Stamp::new(self.instance, self.counter)
    }
}

fn saved(connection: &mut Connection<'_>, id: &SyncId) -> Result<Saved, Fault> {
    let saved = sql("SELECT sequence, profile, partition, last_saved_instance, last_saved_counter
         FROM morango_store WHERE record_id = ")
    .bind(id);
    Ok(saved.returns::<(BigInt, Text, Text, Binary, BigInt)>().get_result(connection)?)
}
