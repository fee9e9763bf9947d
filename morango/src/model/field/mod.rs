//! How one field is written into the stored JSON and read from it.
//!
//! The formats are those of Python peers (Django's JSON encoder), so that both sides write the same text for the same value.
//! A field with a format of its own names a module with `#[morango(with = …)]` instead.

mod error;

pub use error::{FieldError, FieldErrors};

/// A type that can stand in a model's field.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no wire format",
    label = "this type cannot stand in a field of a model",
    note = "give the field a format of its own: `#[morango(with = some_module)]`, or keep it at home: `#[morango(skip)]`"
)]
pub trait FieldValue: Sized {
    /// Appends the value as JSON text.
    fn write_json(&self, json: &mut String);

    /// Reads the value from the raw JSON text of a member.
    ///
    /// # Errors
    /// A fragment that says what was expected and what was found.
    fn read_json(json: &str) -> Result<Self, String>;

    /// The value of a field that the stored text does not have at all: nothing, unless the type has a natural empty value.
    fn when_absent() -> Option<Self> {
        None
    }
}

/// A type whose fields a partition or source id template can use.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be used in a template",
    label = "a template needs ids, texts or whole numbers",
    note = "use a field of type `SyncId`, `Uuid`, `String` or an integer (or an `Option` of one)"
)]
pub trait TemplateValue {
    /// The text that stands in place of `${field}`; `None` where the field holds nothing.
    fn template_text(&self) -> Option<String>;
}
