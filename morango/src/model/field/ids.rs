//! Ids: those of records, and other UUIDs.
//!
//! The package's own `UUIDField`, and so every id and foreign key of a record, is 32 hexadecimal digits: use [`SyncId`].
//! Django's `UUIDField` is written with dashes: use `Uuid`. Where a Rust `Uuid` meets a Python field of the first kind that
//! is no record's id, the module [`dashless_uuid`] writes it so. Reading takes either.

use uuid::Uuid;

use super::text::read_text;
use super::{FieldValue, TemplateValue, mismatch};
use crate::id::SyncId;

impl FieldValue for SyncId {
    fn write_json(&self, json: &mut String) {
        json.push('"');
        json.push_str(&self.hex());
        json.push('"');
    }

    fn read_json(json: &str) -> Result<Self, String> {
        const EXPECTED: &str = "an id of 32 lower-case hexadecimal digits";
        read_text(json, EXPECTED)?.parse().map_err(|_| mismatch(EXPECTED, json))
    }
}

impl TemplateValue for SyncId {
    /// The id's 32 digits. An unset one is nothing.
    fn template_text(&self) -> Option<String> {
        (!self.is_unset()).then(|| self.to_string())
    }
}

impl FieldValue for Uuid {
    fn write_json(&self, json: &mut String) {
        json.push('"');
        json.push_str(self.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
        json.push('"');
    }

    fn read_json(json: &str) -> Result<Self, String> {
        const EXPECTED: &str = "a UUID";
        Self::try_parse(&read_text(json, EXPECTED)?).map_err(|_| mismatch(EXPECTED, json))
    }
}

impl TemplateValue for Uuid {
    /// The UUID with dashes, as Python puts one into a text.
    fn template_text(&self) -> Option<String> {
        Some(self.to_string())
    }
}

pub mod dashless_uuid {
    //! A `Uuid` (or `Option<Uuid>`) as 32 hexadecimal digits, the form of the Python package's own `UUIDField`.

    use serde_json::Value;
    use uuid::Uuid;

    use super::FieldValue;

    /// A field that this module serves.
    pub trait Field: FieldValue {
        /// Its 32 digits, or nothing.
        fn digits(&self) -> Option<String>;
    }

    impl Field for Uuid {
        fn digits(&self) -> Option<String> {
            Some(self.simple().to_string())
        }
    }

    impl<T: Field> Field for Option<T> {
        fn digits(&self) -> Option<String> {
            self.as_ref().and_then(T::digits)
        }
    }

    /// Writes the digits.
    pub fn write<T: Field>(value: &T) -> Value {
        value.digits().into()
    }

    /// Reads a UUID with or without dashes.
    ///
    /// # Errors
    /// It is no UUID.
    pub fn read<T: Field>(value: &Value) -> Result<T, String> {
        T::read_json(&value.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{is_refused, travels_as};
    use super::*;

    const DASHED: &str = "\"00000000-0000-0000-0000-0000001234ef\"";
    const DIGITS: &str = "\"000000000000000000000000001234ef\"";

    #[test]
    fn the_id_of_a_record_travels_as_its_digits() {
        let id: SyncId = DIGITS.trim_matches('"').parse().expect("an id");
        travels_as(&id, DIGITS);
        travels_as(&SyncId::unset(), "\"00000000000000000000000000000000\"");
        for json in [DASHED, "\"\"", "null", "7", "\"000000000000000000000000001234EF\""] {
            is_refused::<SyncId>(json);
        }
    }

    #[test]
    fn a_uuid_travels_with_dashes_and_is_read_without_them_too() {
        let uuid = Uuid::from_u128(0x0012_34ef);
        travels_as(&uuid, DASHED);
        assert_eq!(Uuid::read_json(DIGITS), Ok(uuid));
        assert_eq!(Uuid::read_json(&DASHED.to_uppercase()), Ok(uuid));
        for json in ["\"\"", "null", "7", "\"0000\"", "\"gggggggg-0000-0000-0000-000000123456\""] {
            is_refused::<Uuid>(json);
        }
    }

    #[test]
    fn a_uuid_may_travel_as_its_digits() {
        let uuid = Uuid::from_u128(0x0012_34ef);
        assert_eq!(dashless_uuid::write(&uuid).to_string(), DIGITS);
        assert_eq!(dashless_uuid::write(&None::<Uuid>).to_string(), "null");
        for json in [DIGITS, DASHED] {
            let value = serde_json::from_str(json).expect("a text");
            assert_eq!(dashless_uuid::read(&value), Ok(uuid));
            assert_eq!(dashless_uuid::read(&value), Ok(Some(uuid)));
        }
        assert_eq!(dashless_uuid::read(&serde_json::Value::Null), Ok(None::<Uuid>));
    }

    #[test]
    fn an_unset_id_fills_no_template() {
        assert_eq!(SyncId::unset().template_text(), None);
        assert_eq!(Uuid::from_u128(0x0012_34ef).template_text().as_deref(), Some(DASHED.trim_matches('"')));
    }
}
