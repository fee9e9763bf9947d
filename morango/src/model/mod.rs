//! What applications bring: their models, told in terms of records.
//!
//! A model is an application's row type with a name, a partition and fields that can be written as JSON. This room knows
//! nothing of databases: a storage reads the same definitions and does the rows.

mod definition;
pub mod field;
mod model;
mod payload;
mod registry;
mod uid;

pub use definition::{Dependency, Field, ForeignKey, IdRule, ModelDefinition, ModelEntry, SourceRule};
pub use field::{FieldError, FieldErrors, FieldValue};
pub use model::Model;
pub use payload::{Fields, ObjectWriter, PayloadError};
pub use registry::{Registry, RegistryBuilder};
pub use uid::{Origin, identify, record_id};
