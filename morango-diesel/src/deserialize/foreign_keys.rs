//! What a record's foreign keys point at, asked of the store: what is there to be a row, what is deleted, what is missing.
//!
//! The store is asked and not the application's tables, because it also knows what was deleted and what waits.

use std::collections::{BTreeSet, HashMap};

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Text};
use morango::id::SyncId;
use morango::model::{Fields, ForeignKey, ModelDefinition};
use morango::port::WaitingKind;

use super::Scene;
use super::failure::Failure;
use super::wholeness::Wholeness;
use crate::connection::Connection;
use crate::error::Fault;
use crate::rows::Received;
use crate::statement::sql;

/// What became of the record that a foreign key points at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// Its row is there.
    Row,
    /// It waits, and has no row yet.
    Waits,
    /// It was dropped, and has no row.
    Dropped,
    /// It was deleted.
    Deleted(Deletion),
    /// The store has no such record of that model.
    Missing,
}

/// How a record was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Deletion {
    /// Its last content stays in the store.
    Plain,
    /// Its content is gone everywhere.
    Hard,
}

/// What the foreign keys of one record allow.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The row may stand.
    Stands,
    /// What a key points at was deleted: the deletion spreads to this record.
    Spreads(Deletion),
    /// The record has to wait.
    Fails(Failure),
}

/// What was found out about records within one transaction, in which nobody else writes.
#[derive(Debug, Default)]
pub(super) struct Targets {
    found: HashMap<(SyncId, &'static str), Target>,
    /// Nothing that is done to rows changes it.
    pub(super) wholeness: Wholeness,
}

impl Targets {
    /// Notes what became of a record in this transaction.
    pub(super) fn note(&mut self, definition: &ModelDefinition, id: SyncId, target: Target) {
        self.found.insert((id, definition.name), target);
    }

    /// Forgets what was done to rows.
    pub(super) fn forget(&mut self) {
        self.found.clear();
    }

    /// Looks at every foreign key of a record. A deletion at the end of one outweighs whatever is wrong with another, but for one of which
    /// more is yet to come.
    pub(super) fn check(
        &mut self,
        connection: &mut Connection<'_>,
        scene: &Scene<'_>,
        definition: &ModelDefinition,
        id: &SyncId,
        fields: &Fields<'_>,
    ) -> Result<Verdict, Fault> {
        let mut deletion = None;
        let mut failure = None;
        for key in definition.foreign_keys.iter().filter(|key| !key.may_be_missing) {
            // What is no id at all is told with the other fields, when the row is made.
            let Some(target) = fields.get_text(key.wire_name).and_then(|text| text.parse::<SyncId>().ok()) else {
                continue;
            };
            if key.is_self && target == *id {
                continue;
            }
            match self.find(connection, scene, key, target)? {
                Target::Row => {}
                Target::Deleted(found) if self.wholeness.is_between(connection, &target, id)? => {
                    deletion = deletion.max(Some(found));
                }
                Target::Deleted(_) => {
                    let problem = "is deleted, and not all is here yet that was changed with it or with this one";
                    failure = failure.or(Some(fails(WaitingKind::ForeignKeyWaits, key, target, problem)));
                }
                Target::Waits => {
                    let problem = "waits to become a row itself";
                    failure = failure.or(Some(fails(WaitingKind::ForeignKeyWaits, key, target, problem)));
                }
                Target::Dropped => {
                    let problem = "waited to become a row and was dropped";
                    failure = failure.or(Some(fails(WaitingKind::ForeignKeyWaits, key, target, problem)));
                }
                Target::Missing => {
                    let problem = "is not in the store";
                    failure = failure.or(Some(fails(WaitingKind::MissingForeignKey, key, target, problem)));
                }
            }
        }
        Ok(match (deletion, failure) {
            (Some(deletion), _) => Verdict::Spreads(deletion),
            (None, Some(failure)) => Verdict::Fails(failure),
            (None, None) => Verdict::Stands,
        })
    }

    /// Finds out what became of the records that the foreign keys of many others point at, as far as the store alone tells it. What it
    /// does not tell is found out when it is asked for.
    pub(super) fn look_up(
        &mut self,
        connection: &mut Connection<'_>,
        definition: &ModelDefinition,
        received: &[Received<'_>],
    ) -> Result<(), Fault> {
        for key in definition.foreign_keys.iter().filter(|key| !key.may_be_missing) {
            let target = (key.target.definition)();
            let ids =
                received.iter().filter_map(|record| record.fields.get_text(key.wire_name)?.parse::<SyncId>().ok());
            let unknown: BTreeSet<SyncId> = ids.filter(|id| !self.found.contains_key(&(*id, target.name))).collect();
            let unknown: Vec<SyncId> = unknown.into_iter().collect();
            // A few are asked for one by one: the statement for many would be filled up with the same ones again and again.
            for page in unknown.chunks(LOOKED_UP).filter(|page| page.len() > LOOKED_UP / 10) {
                for found in find_all(connection, page)? {
                    if let Some(known) = found.tells(target) {
                        self.found.insert((found.id, target.name), known);
                    }
                }
            }
        }
        Ok(())
    }

    fn find(
        &mut self,
        connection: &mut Connection<'_>,
        scene: &Scene<'_>,
        key: &ForeignKey,
        id: SyncId,
    ) -> Result<Target, Fault> {
        let definition = (key.target.definition)();
        if let Some(known) = self.found.get(&(id, definition.name)) {
            return Ok(*known);
        }
        let found = find(connection, scene, definition, &id)?;
        self.found.insert((id, definition.name), found);
        Ok(found)
    }
}

fn fails(kind: WaitingKind, key: &ForeignKey, target: SyncId, problem: &str) -> Failure {
    let model = (key.target.definition)().name;
    Failure::new(kind, format_args!("{}: the {model} {target} {problem}", key.wire_name))
}

fn find(
    connection: &mut Connection<'_>,
    scene: &Scene<'_>,
    definition: &'static ModelDefinition,
    id: &SyncId,
) -> Result<Target, Fault> {
    let found = sql(FOUND).sql("= ").bind(id).returns::<FoundTypes>().get_result::<Found>(connection).optional()?;
    let Some(found) = found else { return Ok(Target::Missing) };
    if let Some(known) = found.tells(definition) {
        return Ok(known);
    }
    Ok(if has_row(connection, scene, definition, id)? {
        Target::Row
    } else if found.is_dirty == 1 {
        Target::Waits
    } else {
        Target::Dropped
    })
}

/// What the store says of these. The statement is filled up, so that it stays the same.
fn find_all(connection: &mut Connection<'_>, ids: &[SyncId]) -> Result<Vec<Found>, Fault> {
    let last = ids.last().expect("somebody is looked for");
    let filled = ids.iter().chain(std::iter::repeat_n(last, LOOKED_UP - ids.len()));
    Ok(sql(FOUND).sql("IN (").bind_all(filled).sql(")").returns::<FoundTypes>().load(connection)?)
}

/// Records that one statement looks up.
const LOOKED_UP: usize = 100;

const FOUND: &str =
    "SELECT record_id, profile, model_name, is_deleted, is_hard_deleted, is_dirty FROM morango_store WHERE record_id ";

type FoundTypes = (Binary, Text, Text, BigInt, BigInt, BigInt);

/// A record in the store, as far as it matters to others that point at it.
#[derive(Queryable)]
struct Found {
    id: SyncId,
    profile: String,
    model_name: String,
    is_deleted: i64,
    is_hard_deleted: i64,
    is_dirty: i64,
}

impl Found {
    /// What became of it, as a record of this model; `None` where that hangs on whether there is a row.
    fn tells(&self, definition: &ModelDefinition) -> Option<Target> {
        if self.profile != definition.profile || self.model_name != definition.name {
            Some(Target::Missing)
        } else if self.is_hard_deleted != 0 {
            Some(Target::Deleted(Deletion::Hard))
        } else if self.is_deleted != 0 {
            Some(Target::Deleted(Deletion::Plain))
        } else if self.is_dirty == 0 {
            Some(Target::Row)
        } else {
            None
        }
    }
}

/// Whether a record that waits has a row from before, to which others may point.
fn has_row(
    connection: &mut Connection<'_>,
    scene: &Scene<'_>,
    definition: &ModelDefinition,
    id: &SyncId,
) -> Result<bool, Fault> {
    let Some(model) = scene.models.iter().find(|model| model.definition.name == definition.name) else {
        return Ok(false);
    };
    let mut is_there = false;
    model.rows.load(connection, std::slice::from_ref(id), &mut |_| is_there = true)?;
    Ok(is_there)
}
