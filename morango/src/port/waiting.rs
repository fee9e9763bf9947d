//! What waits in the store to become a row: which records, why, since when, and from whom they came.
//!
//! A record waits where the application's tables cannot take it as it is. Nothing is lost by that: it is kept, passed on to
//! other peers unchanged, and tried again.

use chrono::{DateTime, Utc};

use crate::counter::Stamp;
use crate::id::{InstanceId, SyncId, TransferSessionId};
use crate::model::{FieldErrors, Fields, Model, PayloadError};
use crate::scope::Filter;

/// Why a record waits. Each kind has a stable [`code`](WaitingKind::code), which is also what the store keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WaitingKind {
    /// It was received and not yet tried.
    NotTried,
    /// This application has no model of its name. It is kept and passed on.
    UnknownModel,
    /// Its `serialized` is no JSON object.
    Malformed,
    /// A field is missing, of the wrong form, too long, or refused by the application's validation.
    InvalidField,
    /// Its fields say that the row belongs under another partition than the record does. Whoever may write the record might
    /// not be allowed to write there.
    OutsidePartition,
    /// A foreign key points at a record that is not in the store.
    MissingForeignKey,
    /// A foreign key points at a record that waits itself, or that was deleted while more is yet to come that was known then; or rows hang
    /// on a deleted one of which that may be so.
    ForeignKeyWaits,
    /// Records of a tree claim to be below each other.
    Cycle,
    /// The row, or one that would be deleted with it, holds a change made here that could not be serialized.
    LocalChangeWaits,
    /// A constraint of the application's tables does not allow it: unique, check, not null, foreign key.
    Constraint,
    /// The database refused it for another reason, for example a trigger of the application.
    Database,
}

impl WaitingKind {
    /// All of them.
    const ALL: [Self; 11] = [
        Self::NotTried,
        Self::UnknownModel,
        Self::Malformed,
        Self::InvalidField,
        Self::OutsidePartition,
        Self::MissingForeignKey,
        Self::ForeignKeyWaits,
        Self::Cycle,
        Self::LocalChangeWaits,
        Self::Constraint,
        Self::Database,
    ];

    /// The stable name, for example `missing-foreign-key`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotTried => "not-tried",
            Self::UnknownModel => "unknown-model",
            Self::Malformed => "malformed",
            Self::InvalidField => "invalid-field",
            Self::OutsidePartition => "outside-partition",
            Self::MissingForeignKey => "missing-foreign-key",
            Self::ForeignKeyWaits => "foreign-key-waits",
            Self::Cycle => "cycle",
            Self::LocalChangeWaits => "local-change-waits",
            Self::Constraint => "constraint",
            Self::Database => "database",
        }
    }

    /// The kind of this name.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

impl std::fmt::Display for WaitingKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.code())
    }
}

/// What deserializing does with records that failed before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailedBefore {
    /// They are tried again: what they need may be here by now.
    #[default]
    TryAgain,
    /// They are passed by, which is faster where many wait, until somebody asks for them or they change.
    Skip,
}

/// What is to be deserialized.
#[derive(Debug, Clone, Copy)]
pub struct DeserializeOrder<'a> {
    /// The profile.
    pub profile: &'a str,
    /// Which records, of those that wait.
    pub filter: &'a Filter,
    /// What becomes of those that failed before.
    pub failed_before: FailedBefore,
    /// The time, which is noted with what fails.
    pub now: DateTime<Utc>,
}

/// A record that waits to become a row, or whose row waits to be deleted.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiting {
    /// The model's name.
    pub model: String,
    /// The record's id.
    pub id: SyncId,
    /// Where it belongs.
    pub partition: String,
    /// Why it waits, for a program.
    pub kind: WaitingKind,
    /// Why it waits, for people; empty where it was not tried yet.
    pub reason: String,
    /// When it first failed.
    pub since: Option<DateTime<Utc>>,
    /// Who saved it last.
    pub last_saved: Stamp,
    /// How it came here, where that is still known: of a record that was received.
    pub source: Option<WaitingSource>,
    /// Whether it was deleted, so that a row waits to be deleted.
    pub is_deleted: bool,
    /// Whether it was deleted for good.
    pub is_hard_deleted: bool,
    /// What it holds, as it was received. It may be anything at all.
    pub serialized: String,
}

/// The transfer that brought a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingSource {
    /// The transfer session.
    pub transfer_session: TransferSessionId,
    /// The peer, as it called itself; `None` where the session is no longer known.
    pub peer: Option<InstanceId>,
    /// The path by which the two were connected, for example `http://192.168.0.7:8080/`; empty where it is not known.
    pub connection_path: String,
}

impl Waiting {
    /// The record's content as a row of its model.
    ///
    /// # Errors
    /// What keeps it from being one: it is no JSON object, or the fields that are wrong.
    pub fn row<M: Model>(&self) -> Result<M, NoRow> {
        let fields = Fields::parse(&self.serialized).map_err(NoRow::Malformed)?;
        M::read_fields(self.id, &fields).map_err(NoRow::Fields)
    }
}

/// Why a record's content is no row.
#[derive(Debug)]
#[non_exhaustive]
pub enum NoRow {
    /// It is no JSON object.
    Malformed(PayloadError),
    /// Fields are missing or wrong.
    Fields(FieldErrors),
}

impl std::fmt::Display for NoRow {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed(error) => error.fmt(formatter),
            Self::Fields(errors) => write!(formatter, "read the fields of the row: {errors}"),
        }
    }
}

impl std::error::Error for NoRow {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Malformed(error) => Some(error),
            Self::Fields(errors) => Some(errors),
        }
    }
}

/// Which of the records that wait are meant.
///
/// ```
/// # use morango::port::{WaitingKind, WaitingRecords};
/// let clashes = WaitingRecords::of("notebook").model("note").kind(WaitingKind::Constraint);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use = "it only says which records are meant"]
pub struct WaitingRecords {
    pub(crate) profile: String,
    pub(crate) filter: Filter,
    pub(crate) model: Option<String>,
    pub(crate) kind: Option<WaitingKind>,
    pub(crate) ids: Option<Vec<SyncId>>,
    pub(crate) state: WaitingState,
}

/// Whether a record is tried again by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitingState {
    /// It waits.
    Waits,
    /// Somebody dropped it: no row is made of it until it changes.
    Dropped,
}

impl WaitingRecords {
    /// All that wait of a profile.
    pub fn of(profile: impl Into<String>) -> Self {
        Self {
            profile: profile.into(),
            filter: Filter::everything(),
            model: None,
            kind: None,
            ids: None,
            state: WaitingState::Waits,
        }
    }

    /// All that wait of a model.
    pub fn of_model<M: Model>() -> Self {
        let definition = M::definition();
        Self::of(definition.profile).model(definition.name)
    }

    /// Of these, those under a filter.
    pub fn under(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Of these, those of the model of this name, which need not be one of this application's.
    pub fn model(mut self, name: impl Into<String>) -> Self {
        self.model = Some(name.into());
        self
    }

    /// Of these, those that wait for this kind of reason.
    pub fn kind(mut self, kind: WaitingKind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Of these, those with these ids.
    pub fn ids(mut self, ids: impl IntoIterator<Item = SyncId>) -> Self {
        self.ids = Some(ids.into_iter().collect());
        self
    }

    /// Those that were dropped, in place of those that wait.
    pub fn dropped(mut self) -> Self {
        self.state = WaitingState::Dropped;
        self
    }

    /// The profile.
    pub fn profile(&self) -> &str {
        &self.profile
    }

    /// The filter.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// The model's name, where only one is meant.
    pub fn model_name(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// Whether those that wait are meant, or those that were dropped.
    pub fn state(&self) -> WaitingState {
        self.state
    }

    /// The ids, where only some are meant.
    pub fn only_ids(&self) -> Option<&[SyncId]> {
        self.ids.as_deref()
    }

    /// Whether a record that waits for a reason of this kind is meant.
    pub fn is_of_kind(&self, kind: WaitingKind) -> bool {
        self.kind.is_none_or(|wanted| wanted == kind)
    }
}

/// One page of what waits.
#[derive(Debug, Clone, PartialEq)]
pub struct WaitingPage {
    /// The records: by model, in each those to be written before those to be deleted, in the order in which they first came.
    pub records: Vec<Waiting>,
    /// From where the next page goes on; `None` where nothing more waits.
    pub next: Option<WaitingCursor>,
}

/// A place in the list of what waits. It stays good while records come and go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingCursor {
    /// The name of the model of the last record that was listed.
    pub model: String,
    /// Whether that one was deleted.
    pub is_deleted: bool,
    /// Its place in the store.
    pub sequence: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_found_by_its_name() {
        for kind in WaitingKind::ALL {
            assert_eq!(WaitingKind::from_code(kind.code()), Some(kind));
        }
        assert_eq!(WaitingKind::from_code("no such kind"), None);
    }
}
