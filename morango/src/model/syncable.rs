//! The trait that `#[derive(Syncable)]` implements: one row type as records see it.

use crate::id::SyncId;

use super::definition::ModelDefinition;
use super::field::FieldErrors;
use super::payload::{Fields, ObjectWriter};

/// A row type whose rows are records.
///
/// It is implemented by `#[derive(Syncable)]`, never by hand: the derive also registers the model and does its rows.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a model",
    label = "this type does not derive `Syncable`",
    note = "put `#[derive(morango_diesel::Syncable)]` on the struct"
)]
pub trait Model: Sized + Send + 'static {
    /// What is known of the model without a row.
    fn definition() -> &'static ModelDefinition;

    /// The row's id.
    fn id(&self) -> SyncId;

    /// Gives a new row its id.
    fn set_id(&mut self, id: SyncId);

    /// The text of a field as templates use it, by the name of the struct's field.
    /// `None` where there is no such field or it holds nothing.
    fn field_text(&self, name: &str) -> Option<String>;

    /// The source id that the application's own function gives: for [`SourceRule::Function`](super::SourceRule) only.
    fn source_id_by_function(&self) -> Option<String>;

    /// Writes every field that is sent, under its wire name; not the id, source id and partition.
    fn write_fields(&self, object: &mut ObjectWriter);

    /// Makes a row of received fields. All fields that are missing or wrong are told at once.
    ///
    /// # Errors
    /// One [`FieldError`](super::FieldError) for each field that is missing, of the wrong form, too long, or refused by
    /// the application's validation.
    fn read_fields(id: SyncId, fields: &Fields<'_>) -> Result<Self, FieldErrors>;

    /// Checks lengths and the application's validations on a row that is about to be created.
    ///
    /// # Errors
    /// One error for each field that is too long or refused.
    fn validate(&self) -> Result<(), FieldErrors>;
}
