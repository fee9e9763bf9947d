//! What a record's foreign keys allow, and why a record goes on waiting.

use morango::counter::Stamp;
use morango::id::SyncId;
use morango::model::{Fields, ForeignKey};
use morango::port::WaitingKind;

use crate::application::Violation;
use crate::data::{Held, RowState};
use crate::deserialize::Run;

/// Why a record goes on waiting.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) kind: WaitingKind,
    pub(crate) reason: String,
    /// Whether another row holds what may stand in one row only.
    pub(crate) is_clash: bool,
}

impl Failure {
    pub(crate) fn new(kind: WaitingKind, reason: impl std::fmt::Display) -> Self {
        Self { kind, reason: reason.to_string(), is_clash: false }
    }

    pub(crate) fn of(violation: &Violation) -> Self {
        let is_clash = matches!(violation, Violation::Unique(..));
        Self { is_clash, ..Self::new(WaitingKind::Constraint, violation) }
    }

    pub(crate) fn local_change() -> Self {
        Self::new(WaitingKind::LocalChangeWaits, "the row was changed here, and the change was set aside")
    }
}

/// How a record was deleted; the more of it, the later in the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deletion {
    /// Its last content stays in the store.
    Plain,
    /// Its content is gone everywhere.
    Hard,
}

/// What the foreign keys of one record allow.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// The row may stand.
    Stands,
    /// What a key points at was deleted: the deletion spreads to this record.
    Spreads(Deletion),
    /// The record has to wait.
    Fails(Failure),
}

impl Run<'_> {
    /// Whether all is here that was known when either of two records was saved last, so that the deletion of the one may be carried on to
    /// the other: the counters say so where each lies, and do not deny it where the other one does, as long as a record of whoever saved
    /// it is there.
    pub(crate) fn is_whole_between(&self, deleted: SyncId, other: SyncId) -> bool {
        let [deleted, other] = [deleted, other].map(|id| &self.data.store[&id]);
        self.is_whole(deleted, &other.record.partition) && self.is_whole(other, &deleted.record.partition)
    }

    fn is_whole(&self, held: &Held, beside: &str) -> bool {
        let saved = held.record.last_saved;
        let is_reached = |stamp: Stamp| {
            let reaches =
                |place: &str| self.data.counters.reaching(place, &stamp.instance).map(|to| stamp.counter <= to);
            let has_records = || {
                let mut records = self.data.store.values().map(|held| &held.record);
                records.any(|record| {
                    record.profile == held.record.profile
                        && record.last_saved.instance == stamp.instance
                        && record.partition.starts_with(beside)
                })
            };
            reaches(&held.record.partition) == Some(true) && (reaches(beside) != Some(false) || !has_records())
        };
        // What came in part and was merged or changed here was saved by this database since.
        let is_own = self.data.instances.contains_key(&saved.instance);
        (self.data.instance == Some(saved.instance) || is_reached(saved))
            && (!is_own || held.merged.iter().all(|stamp| is_reached(*stamp)))
    }

    /// A deletion at the end of one key outweighs whatever is wrong with another; of failures the first counts.
    pub(crate) fn verdict(&self, id: SyncId, fields: &Fields<'_>) -> Verdict {
        let definition = self.data.application.models[self.model].definition;
        let mut deletion = None;
        let mut failure = None;
        for key in definition.foreign_keys.iter().filter(|key| !key.may_be_missing) {
            // What is no id at all is told with the other fields.
            let Some(target) = fields.get_text(key.wire_name).and_then(|text| text.parse::<SyncId>().ok()) else {
                continue;
            };
            if key.is_self && target == id {
                continue;
            }
            match self.target(key, id, target) {
                Verdict::Stands => {}
                Verdict::Spreads(found) => deletion = deletion.max(Some(found)),
                Verdict::Fails(found) => failure = failure.or(Some(found)),
            }
        }
        match (deletion, failure) {
            (Some(deletion), _) => Verdict::Spreads(deletion),
            (None, Some(failure)) => Verdict::Fails(failure),
            (None, None) => Verdict::Stands,
        }
    }

    /// What one key allows: the store is asked, because it also knows what was deleted and what waits.
    fn target(&self, key: &ForeignKey, from: SyncId, id: SyncId) -> Verdict {
        let target = (key.target.definition)();
        let fails = |kind, problem: &str| {
            Verdict::Fails(Failure::new(kind, format_args!("{}: the {} {id} {problem}", key.wire_name, target.name)))
        };
        let is_of_model = |profile: &str, name: &str| (profile, name) == (target.profile, target.name);
        let Some(held) =
            self.data.store.get(&id).filter(|held| is_of_model(&held.record.profile, &held.record.model_name))
        else {
            return fails(WaitingKind::MissingForeignKey, "is not in the store");
        };
        if (held.record.deleted || held.record.hard_deleted) && !self.is_whole_between(id, from) {
            return fails(WaitingKind::ForeignKeyWaits, "is deleted, and not all is here yet that came with it");
        }
        if held.record.hard_deleted {
            return Verdict::Spreads(Deletion::Hard);
        }
        if held.record.deleted {
            return Verdict::Spreads(Deletion::Plain);
        }
        let number = self.data.application.number_of_name(target.profile, target.name);
        let has_row = || number.is_some_and(|number| self.data.application.rows.contains_key(&(number, id)));
        match held.row {
            RowState::Settled => Verdict::Stands,
            // A row from before is there to be pointed at.
            RowState::Waits | RowState::Dropped if has_row() => Verdict::Stands,
            RowState::Waits => fails(WaitingKind::ForeignKeyWaits, "waits to become a row itself"),
            RowState::Dropped => fails(WaitingKind::ForeignKeyWaits, "waited to become a row and was dropped"),
        }
    }
}
