//! How a record gets its source id, partition and id.
//!
//! All three are fixed at creation. Where the source id can be calculated, all of them can be found again from the row.

use std::fmt;

use super::definition::{IdRule, ModelDefinition, SourceRule};
use super::syncable::Model;
use crate::id::{ParseIdError, SyncId};
use crate::limits;
use crate::scope::Template;

/// What stands for the record's own id in a partition until it has one.
pub const ID_PLACEHOLDER: &str = "${id}";

/// The id of a record.
///
/// `partition` still holds `${id}` wherever the record's own id will stand.
///
/// # Source
/// The protocol's "record id"; `calculate_uuid` in the Python package.
pub fn record_id(partition: &str, source_id: &str, model_name: &str) -> SyncId {
    SyncId::hash_of(&format!("{partition}::{source_id}::{model_name}"))
}

/// Where a record comes from: what identifies it among all peers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The record's id.
    pub id: SyncId,
    /// The source id, at most 96 characters, for example `3f8c…` or `ada:class-4`.
    pub source_id: String,
    /// The partition with the record's id in its place, for example `5c2e…:notes`.
    pub partition: String,
}

/// Why a row cannot be identified.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdentifyError {
    /// The model draws its source ids at random, so the row had to be made with `create`.
    SourceUnknown,
    /// A field that a template needs holds nothing.
    FieldEmpty {
        /// The template.
        template: &'static str,
        /// The field's name.
        field: String,
    },
    /// The source id is the empty text or longer than [`limits::SOURCE_ID_CHARS_MAX`].
    SourceIdUnusable(String),
    /// The partition is longer than [`limits::PARTITION_BYTES_MAX`] or holds white space.
    PartitionUnusable(String),
    /// The model's id is its source id, which is no id.
    SourceIdNoId(ParseIdError),
    /// The row has another id than the one that follows from its fields.
    IdDiffers {
        /// The row's id.
        found: SyncId,
        /// The id that follows from source id and partition.
        calculated: SyncId,
    },
}

impl fmt::Display for IdentifyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SourceUnknown => formatter.write_str(
                "identify the row: its model draws source ids at random, and this row was inserted without one; make such rows with `create`",
            ),
            Self::FieldEmpty { template, field } => {
                write!(formatter, "fill the template {template:?}: the field `{field}` holds nothing")
            }
            Self::SourceIdUnusable(text) => write!(
                formatter,
                "use {:?} as a source id: it must have 1 to {} characters",
                crate::id::excerpt(text),
                limits::SOURCE_ID_CHARS_MAX
            ),
            Self::PartitionUnusable(text) => write!(
                formatter,
                "use {:?} as a partition: it must have 1 to {} bytes and no white space",
                crate::id::excerpt(text),
                limits::PARTITION_BYTES_MAX
            ),
            Self::SourceIdNoId(error) => write!(formatter, "use the source id as the record's id: {error}"),
            Self::IdDiffers { found, calculated } => {
                write!(formatter, "identify the row: its id is {found}, but its fields give {calculated}")
            }
        }
    }
}

impl std::error::Error for IdentifyError {}

impl From<IdentifyError> for crate::Error {
    fn from(error: IdentifyError) -> Self {
        Self::new(crate::ErrorKind::InvalidInput, error.to_string())
    }
}

/// Finds what identifies a row.
///
/// `source_id` is the one that was drawn when the row was created, where that is remembered. A row whose id is
/// [unset](SyncId::is_unset) gets the one that follows; any other id must be the one that follows.
///
/// # Errors
/// See [`IdentifyError`].
pub fn identify<M: Model>(row: &M, source_id: Option<&str>) -> Result<Origin, IdentifyError> {
    let definition = M::definition();
    let source_id = match source_id {
        Some(known) => known.to_owned(),
        None => calculate_source_id(row, definition)?,
    };
    if source_id.is_empty() || source_id.chars().count() > limits::SOURCE_ID_CHARS_MAX {
        return Err(IdentifyError::SourceIdUnusable(source_id));
    }
    let template =
        fill(
            definition.partition,
            |name| {
                if name == "id" { Some(ID_PLACEHOLDER.to_owned()) } else { row.field_text(name) }
            },
        )?;
    let id = match definition.id_rule {
        IdRule::Calculated => record_id(&template, &source_id, definition.name),
        IdRule::SourceId => source_id.parse().map_err(IdentifyError::SourceIdNoId)?,
    };
    if !row.id().is_unset() && row.id() != id {
        return Err(IdentifyError::IdDiffers { found: row.id(), calculated: id });
    }
    let partition = template.replace(ID_PLACEHOLDER, &id.hex());
    if partition.len() > limits::PARTITION_BYTES_MAX || partition.is_empty() || partition.contains(char::is_whitespace)
    {
        return Err(IdentifyError::PartitionUnusable(partition));
    }
    Ok(Origin { id, source_id, partition })
}

/// The partition that a row's fields give, for a record of this id; `None` where a field that it needs holds nothing.
///
/// A record keeps the partition that it was created with; this is where the row as it is now says that it belongs.
pub fn partition_of<M: Model>(row: &M, id: SyncId) -> Option<String> {
    let value = |name: &str| if name == "id" { Some(id.to_string()) } else { row.field_text(name) };
    fill(M::definition().partition, value).ok()
}

/// The source id that a new row gets: calculated where the model says how, drawn at random otherwise.
///
/// # Errors
/// A template's field holds nothing.
pub fn new_source_id<M: Model>(row: &M) -> Result<String, IdentifyError> {
    match calculate_source_id(row, M::definition()) {
        Err(IdentifyError::SourceUnknown) => Ok(SyncId::random().to_string()),
        calculated => calculated,
    }
}

fn calculate_source_id<M: Model>(row: &M, definition: &ModelDefinition) -> Result<String, IdentifyError> {
    match (definition.source, definition.id_rule) {
        (SourceRule::Template(template), _) => fill(template, |name| row.field_text(name)),
        (SourceRule::Function, _) => row.source_id_by_function().ok_or(IdentifyError::SourceUnknown),
        (SourceRule::Random, IdRule::SourceId) if !row.id().is_unset() => Ok(row.id().to_string()),
        (SourceRule::Random, _) => Err(IdentifyError::SourceUnknown),
    }
}

fn fill(template: &'static str, value: impl Fn(&str) -> Option<String>) -> Result<String, IdentifyError> {
    let parsed = Template::parse(template).expect("the derive refuses a template that does not parse");
    let missing = std::cell::RefCell::new(String::new());
    parsed
        .fill(&|name| {
            let text = value(name).filter(|text| !text.is_empty());
            if text.is_none() {
                name.clone_into(&mut missing.borrow_mut());
            }
            text
        })
        .map_err(|_| IdentifyError::FieldEmpty { template, field: missing.take() })
}
