//! What applications bring: their models, told in terms of records.
//!
//! A model is an application's row type with a name, a partition and fields that can be written as JSON. This room knows
//! nothing of databases: a storage reads the same definitions and does the rows.

mod definition;
pub mod field;
mod payload;
pub mod policy;
mod registry;
mod syncable;
mod uid;

pub use definition::{Dependency, Field, ForeignKey, IdRule, ModelDefinition, ModelEntry, SourceRule};
pub use field::{FieldError, FieldErrors, FieldValue, TemplateValue};
pub use payload::{Fields, ObjectWriter, PARTITION_NAME, PayloadError, SOURCE_ID_NAME, serialize_row};
pub use policy::{FieldPolicy, RecordPolicy};
pub use registry::{Registry, RegistryBuilder};
pub use syncable::Model;
pub use uid::{ID_PLACEHOLDER, IdentifyError, Origin, identify, new_source_id, partition_of, record_id};
