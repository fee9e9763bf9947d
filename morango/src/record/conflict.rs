//! Conflicts as an application sees them: a record with what stayed and what lost, and what the application decides.
//!
//! A record is in conflict as long as it keeps texts that lost. Deciding empties them, as a change like any other: it travels, and
//! no peer that takes it has the conflict left.

use serde_json::{Map, Value};

use super::StoreRecord;
use super::contents::complete;
use super::length::is_longer_in_json;
use crate::counter::Stamp;
use crate::id::SyncId;
use crate::limits;
use crate::model::{Fields, Model, ModelDefinition, ObjectWriter};
use crate::{Error, ErrorKind, Result};

/// A record that two or more peers changed without knowledge of each other.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conflict {
    /// The record's profile.
    pub profile: String,
    /// The model's name, for example `note`. This application need not have the model.
    pub model: String,
    /// The record's id.
    pub id: SyncId,
    /// Where the record belongs.
    pub partition: String,
    /// What stands in the record now.
    pub ours: Version,
    /// What lost, the newest first: at least one, and at most [`limits::CONFLICT_VERSIONS_LISTED_MAX`].
    pub theirs: Vec<Version>,
    /// Whether the record is deleted: where one side deleted it and the other changed it, the deletion held.
    pub deleted: bool,
    /// Which instance saved the record last, and at which count. A decision is refused once that is another.
    pub last_saved: Stamp,
}

/// Some of the conflicts that there are.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConflictPage {
    /// The conflicts, in the order of their ids.
    pub conflicts: Vec<Conflict>,
    /// The id after which the next page begins; `None` where this was the last.
    pub next: Option<SyncId>,
}

impl ConflictPage {
    /// The page of these records, which come next in the store. An empty one is the last.
    pub fn of(records: Vec<StoreRecord>) -> Self {
        let next = records.last().map(|record| record.id);
        Self { conflicts: records.into_iter().filter_map(Conflict::of).collect(), next }
    }
}

/// One content of a record that is in conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    profile: String,
    model: String,
    id: SyncId,
    text: String,
}

/// How a conflict is to end.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resolution {
    /// What stands in the record stays; a deleted one stays deleted.
    KeepOurs,
    /// One of those that lost, by its place in [`Conflict::theirs`], takes its place. A deleted record lives again.
    TakeTheirs(usize),
    /// These fields, a JSON object, take the place of those of the record; others stay. A deleted record lives again. See
    /// [`Resolution::row`] and [`Resolution::fields`].
    Content(String),
}

impl Resolution {
    /// The record becomes this row, which is of the same id.
    pub fn row<M: Model>(row: &M) -> Self {
        let mut object = ObjectWriter::new();
        object.member("id", &row.id());
        row.write_fields(&mut object);
        Self::Content(object.finish())
    }

    /// The record gets these fields, by their names in the stored JSON. Others stay as they are.
    pub fn fields(fields: &Map<String, Value>) -> Self {
        let mut object = ObjectWriter::new();
        for (name, value) in fields {
            object.member(name, value);
        }
        Self::Content(object.finish())
    }
}

impl Conflict {
    /// The conflict that a store record is in, if it is in one.
    ///
    /// Each line of `conflicting_serialized_data` is one text that lost. A hard deletion leaves nothing to decide.
    pub fn of(record: StoreRecord) -> Option<Self> {
        if record.hard_deleted {
            return None;
        }
        let StoreRecord { profile, model_name: model, id, .. } = record;
        let version =
            |text: &str| Version { profile: profile.clone(), model: model.clone(), id, text: text.to_owned() };
        let lost = record.conflicting_serialized_data.lines().filter(|line| !line.trim().is_empty());
        let theirs: Vec<Version> = lost.take(limits::CONFLICT_VERSIONS_LISTED_MAX).map(version).collect();
        let ours = version(&record.serialized);
        (!theirs.is_empty()).then_some(Self {
            profile,
            model,
            id,
            partition: record.partition,
            ours,
            theirs,
            deleted: record.deleted,
            last_saved: record.last_saved,
        })
    }

    /// The content that a decision gives the record; `None` where it keeps what it has.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`]: there is no such version, it is no JSON object or too long, or it is of another record.
    pub fn content_of(&self, resolution: &Resolution) -> Result<Option<String>> {
        let refuse = |reason: String| {
            let message = format!("resolve the conflict of {}/{} {}: {reason}", self.profile, self.model, self.id);
            Error::new(ErrorKind::InvalidInput, message)
        };
        let chosen = match resolution {
            Resolution::KeepOurs => return Ok(None),
            Resolution::TakeTheirs(place) => match self.theirs.get(*place) {
                Some(version) => &version.text,
                None => return Err(refuse(format!("there is no version {place}, only {}", self.theirs.len()))),
            },
            Resolution::Content(text) => {
                if let Some(id) = Fields::parse(text).ok().and_then(|fields| fields.get_text("id"))
                    && id.parse() != Ok(self.id)
                {
                    return Err(refuse(format!("the content is of the record {:?}", crate::id::excerpt(&id))));
                }
                text
            }
        };
        let content = complete(chosen, &self.ours.text).map_err(|error| {
            refuse(error).with_hint("such a text cannot become a row: keep what is there, or give the fields yourself")
        })?;
        if is_longer_in_json(&content, limits::SERIALIZED_BYTES_MAX) {
            return Err(refuse(format!("its content would have {} bytes", content.len())));
        }
        Ok(Some(content))
    }
}

impl Version {
    /// The text as it is stored. A peer may have sent any text at all.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text as JSON.
    ///
    /// # Errors
    /// [`ErrorKind::RecordRejected`]: it is no JSON object.
    pub fn json(&self) -> Result<Map<String, Value>> {
        serde_json::from_str(&self.text).map_err(|error| {
            Error::new(ErrorKind::RecordRejected, format!("read a version of {self} as a JSON object"))
                .with_source(error)
        })
    }

    /// The text as a row. Fields that stay at home have their defaults.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] where the record is of another model; [`ErrorKind::RecordRejected`] where the text cannot
    /// become a row, with all fields that are wrong.
    pub fn read<M: Model>(&self) -> Result<M> {
        let definition = M::definition();
        if (definition.profile, definition.name) != (&*self.profile, &*self.model) {
            let message = format!("read a version of {self} as {}", definition.describe());
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        let unreadable = || Error::new(ErrorKind::RecordRejected, format!("read a version of {self} as a row"));
        let fields = Fields::parse(&self.text).map_err(|error| unreadable().with_source(error))?;
        M::read_fields(self.id, &fields).map_err(|errors| unreadable().with_source(errors))
    }
}

impl std::fmt::Display for Version {
    /// Whose version it is; its content is not shown.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{} {}", self.profile, self.model, self.id)
    }
}

impl StoreRecord {
    /// This record after a conflict was decided: with the content that was decided on, alive then, or with its own; without texts
    /// that lost; saved anew as this instance at its new count.
    ///
    /// The parent is found in the content where this application knows the model.
    #[must_use]
    pub fn resolved(mut self, content: Option<&str>, definition: Option<&ModelDefinition>, saved: Stamp) -> Self {
        if let Some(content) = content {
            content.clone_into(&mut self.serialized);
            self.deleted = false;
            let key = definition.and_then(ModelDefinition::self_reference);
            if let (Some(key), Ok(fields)) = (key, Fields::parse(content)) {
                self.self_ref_fk = fields.get_text(key.wire_name).unwrap_or_default();
            }
        }
        self.conflicting_serialized_data.clear();
        self.counters.raise(saved);
        self.last_saved = saved;
        self
    }
}

#[cfg(test)]
mod tests;
