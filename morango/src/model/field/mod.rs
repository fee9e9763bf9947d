//! How one field is written into the stored JSON and read from it.
//!
//! The formats are those of Python peers (Django's JSON encoder), so that both sides write the same text for the same value.
//! Reading is more patient than writing: it takes every form that some peer is known to use. A field with a format of its
//! own names a module with `#[morango(with = …)]` instead; the modules here are those that applications often need.
//!
//! A `with` module has two functions:
//!
//! ```
//! # use morango::model::field::FieldValue;
//! mod shouting {
//!     pub fn write(value: &String) -> serde_json::Value {
//!         value.to_uppercase().into()
//!     }
//!     pub fn read(value: &serde_json::Value) -> Result<String, &'static str> {
//!         Ok(value.as_str().ok_or("expected a text")?.to_lowercase())
//!     }
//! }
//! # assert_eq!(shouting::read(&shouting::write(&"milk".to_owned())), Ok("milk".to_owned()));
//! ```

mod bytes;
#[cfg(any(feature = "bigdecimal", feature = "rust_decimal"))]
mod decimal;
mod error;
#[cfg(test)]
mod golden;
mod ids;
mod json;
mod numbers;
mod optional;
mod text;
mod time;

pub use error::{FieldError, FieldErrors};
pub use ids::dashless_uuid;
pub use json::{json_text, json_value};
pub use time::{microseconds, naive_utc};

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

/// Says what was expected and what came, of which only the start is quoted.
fn mismatch(expected: &str, found: &str) -> String {
    format!("expected {expected}, found {}", crate::id::excerpt(found))
}

#[cfg(test)]
mod testing {
    //! What every format must do.

    use super::FieldValue;
    use crate::scope::testing::Dice;

    pub(super) fn written<T: FieldValue>(value: &T) -> String {
        let mut json = "kept,".to_owned();
        value.write_json(&mut json);
        let json = json.strip_prefix("kept,").expect("writing only appends").to_owned();
        serde_json::from_str::<serde::de::IgnoredAny>(&json).unwrap_or_else(|error| panic!("{json}: {error}"));
        json
    }

    /// Asserts that a value is written as this text, and read from it.
    pub(super) fn travels_as<T: FieldValue + PartialEq + std::fmt::Debug>(value: &T, json: &str) {
        assert_eq!(written(value), json);
        assert_eq!(T::read_json(json).as_ref(), Ok(value), "{json}");
    }

    /// 32 random bits.
    pub(super) fn low_bits(dice: &mut Dice) -> u32 {
        let [a, b, c, d, ..] = dice.roll().to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }

    /// Asserts that a text is refused with a reason that quotes it.
    pub(super) fn is_refused<T: FieldValue + std::fmt::Debug>(json: &str) -> String {
        let reason = T::read_json(json).expect_err(json);
        assert!(reason.starts_with("expected "), "{reason}");
        reason
    }
}
