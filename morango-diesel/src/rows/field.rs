//! What the derive's output calls for each field, so that little has to be generated.

use std::fmt::Display;

use diesel::internal::table_macro::{Identifier, StaticQueryFragment};
use morango::id::SyncId;
use morango::model::field::TemplateValue;
use morango::model::{FieldErrors, FieldValue, Fields, ObjectWriter};

/// The type of a record's id.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a record's id",
    label = "the field `id` of a model is a `SyncId`",
    note = "write `id: SyncId`; the column is a text or a blob"
)]
pub trait IdField {
    /// The id.
    fn get(&self) -> SyncId;
    /// The field that holds this id.
    fn make(id: SyncId) -> Self;
}

impl IdField for SyncId {
    fn get(&self) -> SyncId {
        *self
    }

    fn make(id: SyncId) -> Self {
        id
    }
}

/// The type of a foreign key.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a foreign key",
    label = "a foreign key is a `SyncId` or an `Option<SyncId>`",
    note = "write one of the two, or take `foreign_key` out"
)]
pub trait ForeignKeyField: Sized {
    /// The id that the key holds.
    fn get(&self) -> Option<SyncId>;
    /// Writes the key into the stored JSON.
    fn write(object: &mut ObjectWriter, name: &str, key: &Self);
    /// Reads the key; `None` after noting what is wrong.
    fn read(fields: &Fields<'_>, name: &str, errors: &mut FieldErrors) -> Option<Self>;
}

impl ForeignKeyField for SyncId {
    fn get(&self) -> Option<SyncId> {
        Some(*self)
    }

    fn write(object: &mut ObjectWriter, name: &str, key: &Self) {
        write(object, name, key);
    }

    fn read(fields: &Fields<'_>, name: &str, errors: &mut FieldErrors) -> Option<Self> {
        read(fields, name, errors)
    }
}

impl ForeignKeyField for Option<SyncId> {
    fn get(&self) -> Option<SyncId> {
        *self
    }

    fn write(object: &mut ObjectWriter, name: &str, key: &Self) {
        write(object, name, key);
    }

    fn read(fields: &Fields<'_>, name: &str, errors: &mut FieldErrors) -> Option<Self> {
        read(fields, name, errors)
    }
}

/// A type whose characters can be counted.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no length",
    label = "`max_length` counts the characters of a `String` or `Option<String>`",
    note = "take `max_length` out, or check the value with `validate = path::to::function`"
)]
pub trait TextField {
    /// The number of characters; 0 where the field holds nothing.
    fn characters(&self) -> usize;
}

impl TextField for String {
    fn characters(&self) -> usize {
        self.chars().count()
    }
}

impl TextField for Option<String> {
    fn characters(&self) -> usize {
        self.as_deref().map_or(0, |text| text.chars().count())
    }
}

/// The table's name in the database, which only the output of Diesel's `table!` knows.
pub const fn table_name<T: StaticQueryFragment<Component = Identifier<'static>>>() -> &'static str {
    T::STATIC_COMPONENT.0
}

/// How the field of the id is read and made.
///
/// This and [`Format`] are constants of the derive's output: there, and nowhere else, it asks something of a field's type,
/// so that a type that does not fit is told once.
pub struct Id<T> {
    /// The id in the field.
    pub get: fn(&T) -> SyncId,
    /// The field that holds this id.
    pub make: fn(SyncId) -> T,
}

/// How a field that travels is written and read.
pub struct Format<T> {
    /// Writes the field into the stored JSON.
    pub write: fn(&mut ObjectWriter, &str, &T),
    /// Reads the field; `None` after noting what is wrong.
    pub read: fn(&Fields<'_>, &str, &mut FieldErrors) -> Option<T>,
    /// A foreign key's text for a template.
    pub key_text: fn(&T) -> Option<String>,
}

/// How the field of the id is read and made.
pub const fn id<T: IdField>() -> Id<T> {
    Id { get: T::get, make: T::make }
}

/// How a plain field travels.
pub const fn plain<T: FieldValue>() -> Format<T> {
    Format { write: write::<T>, read: read::<T>, key_text: |_| None }
}

/// How a foreign key travels.
pub const fn key<T: ForeignKeyField>() -> Format<T> {
    Format { write: T::write, read: T::read, key_text: key_text::<T> }
}

/// A field's text for a template.
pub fn text<T: TemplateValue>(value: &T) -> Option<String> {
    value.template_text()
}

/// A foreign key's text for a template.
fn key_text<T: ForeignKeyField>(key: &T) -> Option<String> {
    key.get().filter(|id| !id.is_unset()).map(|id| id.to_string())
}

/// Writes a field into the stored JSON.
fn write<T: FieldValue>(object: &mut ObjectWriter, name: &str, value: &T) {
    let mut json = String::new();
    value.write_json(&mut json);
    object.raw_member(name, &json);
}

/// Writes a field whose format is the application's.
pub fn write_with(object: &mut ObjectWriter, name: &str, value: &serde_json::Value) {
    object.member(name, value);
}

/// Reads a field of the stored JSON; `None` after noting what is wrong.
fn read<T: FieldValue>(fields: &Fields<'_>, name: &str, errors: &mut FieldErrors) -> Option<T> {
    let value = match fields.get(name) {
        Some(json) => T::read_json(json),
        None => T::when_absent().ok_or_else(|| MISSING.to_owned()),
    };
    errors.take(name, value)
}

/// Reads a field whose format is the application's; `None` after noting what is wrong. A field that the stored text does
/// not have is read as `null`, which may be as good as nothing there.
pub fn read_with<T, E: Display>(
    fields: &Fields<'_>,
    name: &str,
    errors: &mut FieldErrors,
    read: impl FnOnce(&serde_json::Value) -> Result<T, E>,
) -> Option<T> {
    let value = match fields.get(name) {
        Some(json) => serde_json::from_str(json)
            .map_err(|error| error.to_string())
            .and_then(|value| read(&value).map_err(|error| error.to_string())),
        None => read(&serde_json::Value::Null).map_err(|_| MISSING.to_owned()),
    };
    errors.take(name, value)
}

/// Notes a text that is too long.
pub fn check_length<T: TextField>(name: &str, value: &T, max: usize, errors: &mut FieldErrors) {
    let length = value.characters();
    if length > max {
        errors.add(name, format_args!("expected at most {max} characters, found {length}"));
    }
}

/// Notes what the application's own check says.
pub fn check<E: Display>(name: &str, verdict: Result<(), E>, errors: &mut FieldErrors) {
    if let Err(reason) = verdict {
        errors.add(name, reason);
    }
}

const MISSING: &str = "expected a value, found none";
