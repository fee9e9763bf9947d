//! Merge policies: what an application says of records that two peers changed without knowledge of each other.
//!
//! A policy is static data of a model or a field. Whatever depends on a field's type (how values compare, what a function
//! of the application makes of two of them) is a function from raw JSON to raw JSON, of which the derive names the right
//! one of those in this file. Who applies policies, and to what, is the business of [`record`](crate::record).

use std::cmp::Ordering;
use std::fmt::Display;

use serde_json::Value;

use super::field::FieldValue;
use super::payload::{Fields, ObjectWriter};
use super::syncable::Model;
use crate::id::SyncId;

/// Compares two values of a field, given as raw JSON. `None` where one of them has no place in the order, as a NaN has not.
pub type CompareValues = fn(&str, &str) -> Result<Option<Ordering>, String>;

/// Makes one value of a field out of ours and theirs, given and returned as raw JSON.
pub type MergeValues = fn(&str, &str) -> Result<String, String>;

/// Makes one row out of ours and theirs, which belong to the record of this id. It returns the text of a JSON object with
/// the fields that the model writes, and nothing else.
pub type MergeRows = fn(SyncId, &Fields<'_>, &Fields<'_>) -> Result<String, String>;

/// What becomes of two contents of one record. A model without a policy follows Morango's own rule: ours stays, and theirs
/// is kept beside it.
#[derive(Debug, Clone, Copy)]
pub enum RecordPolicy {
    /// Ours stays.
    Ours,
    /// Theirs replaces ours.
    Theirs,
    /// The one whose field is greater: of two times, the later.
    Newest {
        /// The field's name in the stored JSON.
        wire_name: &'static str,
        /// How its values compare.
        compare: CompareValues,
    },
    /// What a function of the application makes of both.
    Function(MergeRows),
}

/// What becomes of two values of one field, whatever becomes of the rest of the record.
#[derive(Debug, Clone, Copy)]
pub enum FieldPolicy {
    /// Ours stays.
    Ours,
    /// Theirs replaces ours.
    Theirs,
    /// The greater one.
    Max(CompareValues),
    /// The lesser one.
    Min(CompareValues),
    /// Both are JSON arrays: the elements of ours, then those of theirs that ours lacks.
    Union,
    /// What a function of the application makes of both.
    Function(MergeValues),
}

impl FieldPolicy {
    /// Whether the merged value takes in both, so that neither needs to be kept beside it.
    pub const fn takes_in_both(&self) -> bool {
        match self {
            Self::Ours | Self::Theirs => false,
            Self::Max(_) | Self::Min(_) | Self::Union | Self::Function(_) => true,
        }
    }
}

/// A type whose values can travel as a JSON array.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no JSON array",
    label = "`merge = union` takes a field of type `serde_json::Value`, or one with a format of its own",
    note = "send a list with `#[morango(with = morango::model::field::json_value)]`, or choose another policy"
)]
pub trait JsonField {}

impl JsonField for Value {}
impl JsonField for Option<Value> {}

/// The policy `union` for a field of this type.
pub const fn union<T: JsonField>() -> FieldPolicy {
    FieldPolicy::Union
}

/// How the values of a plain field compare.
///
/// # Errors
/// One of them is no value of the field.
pub fn compare<T: FieldValue + PartialOrd>(ours: &str, theirs: &str) -> Result<Option<Ordering>, String> {
    Ok(T::read_json(ours)?.partial_cmp(&T::read_json(theirs)?))
}

/// How the values of a field compare whose format is the application's.
///
/// # Errors
/// One of them is no value of the field.
pub fn compare_with<T: PartialOrd, E: Display>(
    ours: &str,
    theirs: &str,
    read: impl Fn(&Value) -> Result<T, E>,
) -> Result<Option<Ordering>, String> {
    Ok(read_with(ours, &read)?.partial_cmp(&read_with(theirs, &read)?))
}

/// What a function of the application makes of two values of a plain field.
///
/// # Errors
/// One of them is no value of the field, or the function declines.
pub fn merge_values<T: FieldValue, E: Display>(
    ours: &str,
    theirs: &str,
    merge: impl FnOnce(&T, &T) -> Result<T, E>,
) -> Result<String, String> {
    let merged = merge(&T::read_json(ours)?, &T::read_json(theirs)?).map_err(|error| error.to_string())?;
    let mut json = String::new();
    merged.write_json(&mut json);
    Ok(json)
}

/// What a function of the application makes of two values of a field whose format is the application's, too.
///
/// # Errors
/// One of them is no value of the field, or the function declines.
pub fn merge_values_with<T, Read: Display, E: Display>(
    ours: &str,
    theirs: &str,
    read: impl Fn(&Value) -> Result<T, Read>,
    write: impl FnOnce(&T) -> Value,
    merge: impl FnOnce(&T, &T) -> Result<T, E>,
) -> Result<String, String> {
    let merged = merge(&read_with(ours, &read)?, &read_with(theirs, &read)?).map_err(|error| error.to_string())?;
    Ok(write(&merged).to_string())
}

/// What a function of the application makes of two rows. Fields that stay at home have their defaults in both.
///
/// # Errors
/// One of the two contents is no row, the function declines, or what it made is refused by the model's own checks.
pub fn merge_rows<M: Model, E: Display>(
    id: SyncId,
    ours: &Fields<'_>,
    theirs: &Fields<'_>,
    merge: impl FnOnce(&M, &M) -> Result<M, E>,
) -> Result<String, String> {
    let read = |side: &str, fields: &Fields<'_>| {
        M::read_fields(id, fields).map_err(|errors| format!("{side} is no row: {errors}"))
    };
    let merged = merge(&read("ours", ours)?, &read("theirs", theirs)?).map_err(|error| error.to_string())?;
    merged.validate().map_err(|errors| format!("the merged row is refused: {errors}"))?;
    let mut object = ObjectWriter::new();
    merged.write_fields(&mut object);
    Ok(object.finish())
}

fn read_with<T, E: Display>(json: &str, read: impl Fn(&Value) -> Result<T, E>) -> Result<T, String> {
    let value = serde_json::from_str(json).map_err(|error| error.to_string())?;
    read(&value).map_err(|error| error.to_string())
}
