//! What is known of a model before any row of it exists: names, partition, how ids are made, foreign keys.
//!
//! All of it is `static` data that the derive writes down. What only the whole program can show (two models of one name,
//! a foreign key to nowhere) is checked by the registry.

use std::any::TypeId;

use super::policy::{FieldPolicy, RecordPolicy};

/// The static description of a model.
#[derive(Debug)]
pub struct ModelDefinition {
    /// The profile that the model belongs to: models of different profiles never meet in one sync.
    pub profile: &'static str,
    /// The model's name on the wire, for example `note`.
    pub name: &'static str,
    /// The path of the Rust type, for messages, for example `notebook::models::Note`.
    pub rust_type: &'static str,
    /// The Rust type itself, by which foreign keys find it.
    pub type_id: fn() -> TypeId,
    /// The application's table.
    pub table: &'static str,
    /// The column of the record id, the table's primary key.
    pub id_column: &'static str,
    /// The partition's template over the row's fields and `${id}`, for example `${owner_id}:notes`.
    pub partition: &'static str,
    /// How the record id follows from source id and partition.
    pub id_rule: IdRule,
    /// Where the source id comes from.
    pub source: SourceRule,
    /// Every field but the id, in the order of the struct.
    pub fields: &'static [Field],
    /// The foreign keys among the fields.
    pub foreign_keys: &'static [ForeignKey],
    /// Models whose rows must be there first, though no foreign key says so.
    pub depends_on: &'static [Dependency],
    /// What becomes of a record that two peers changed without knowledge of each other; Morango's own rule where nothing is said.
    pub merge: Option<RecordPolicy>,
}

/// One field of a model.
#[derive(Debug)]
pub struct Field {
    /// The name of the struct's field, by which templates call it.
    pub name: &'static str,
    /// The name in the stored JSON; for a foreign key it ends in `_id`.
    pub wire_name: &'static str,
    /// The column of the table.
    pub column: &'static str,
    /// Whether the field stays at home: it is not sent, and gets its default on arrival.
    pub is_skipped: bool,
    /// What becomes of the field where two peers changed the record; as the rest of the record where nothing is said.
    pub merge: Option<FieldPolicy>,
}

/// A field that holds another record's id.
#[derive(Debug)]
pub struct ForeignKey {
    /// The name of the struct's field.
    pub field: &'static str,
    /// The name in the stored JSON.
    pub wire_name: &'static str,
    /// The column of the table.
    pub column: &'static str,
    /// The model that it points at.
    pub target: Dependency,
    /// Whether the row may stand even where the record that it points at is not here.
    pub may_be_missing: bool,
    /// Whether it points at the model's own kind.
    pub is_self: bool,
}

/// A model that another one names.
#[derive(Clone, Copy)]
pub struct Dependency {
    /// The definition of the model named. A function, because two models may name each other.
    pub definition: fn() -> &'static ModelDefinition,
}

impl std::fmt::Debug for Dependency {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str((self.definition)().rust_type)
    }
}

/// How a record's id follows from what else is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdRule {
    /// The hash id of partition, source id and model name: the protocol's rule.
    Calculated,
    /// The record's id is its source id: for a model that stands for a root certificate.
    SourceId,
}

/// Where a record's source id comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceRule {
    /// A random one at creation: the id cannot be computed again from the row.
    Random,
    /// A template over the row's fields, for example `${user_id}:${classroom_id}`.
    Template(&'static str),
    /// A function of the application.
    Function,
}

/// A model as the derive registers it with `inventory`.
pub struct ModelEntry {
    /// The definition of the model.
    pub definition: fn() -> &'static ModelDefinition,
}

inventory::collect!(ModelEntry);

impl ModelDefinition {
    /// The model's name with its profile, for messages: `notebook/note (notebook::models::Note)`.
    pub fn describe(&self) -> String {
        format!("{}/{} ({})", self.profile, self.name, self.rust_type)
    }

    /// The foreign key to the model's own kind, where there is one.
    pub fn self_reference(&self) -> Option<&ForeignKey> {
        self.foreign_keys.iter().find(|key| key.is_self)
    }

    /// Whether anything is said of records that two peers changed without knowledge of each other.
    pub fn has_merge_policy(&self) -> bool {
        self.merge.is_some() || self.fields.iter().any(|field| field.merge.is_some())
    }

    /// Whether a name of the stored JSON is one that this application writes itself.
    pub fn writes(&self, wire_name: &str) -> bool {
        matches!(wire_name, "id" | super::payload::SOURCE_ID_NAME | super::payload::PARTITION_NAME)
            || self.fields.iter().any(|field| !field.is_skipped && field.wire_name == wire_name)
    }
}
