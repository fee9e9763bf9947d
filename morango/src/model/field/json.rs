//! JSON in a field.
//!
//! Python applications have two habits. The older one (Kolibri's) sends a *text* that holds JSON: `"{\"a\": 1}"`. Django's own
//! `JSONField` sends the value bare: `{"a": 1}`. A field of type `serde_json::Value` writes the first and reads both; only a bare
//! text cannot be told from a text that holds JSON, and is taken as the latter. With the module [`json_value`] a field writes
//! and reads the second. Both habits are open to any type of the application that serde knows, through [`json_text`] and
//! [`json_value`]: an enum, a list of texts, a struct.

use serde_json::Value;

use super::text::{read_text, write_text};
use super::{FieldValue, mismatch};

const EXPECTED: &str = "JSON, or a text that holds JSON";

impl FieldValue for Value {
    fn write_json(&self, json: &mut String) {
        write_text(json, &self.to_string());
    }

    fn read_json(json: &str) -> Result<Self, String> {
        if json.starts_with('"') {
            serde_json::from_str(&read_text(json, EXPECTED)?)
        } else {
            serde_json::from_str(json)
        }
        .map_err(|_| mismatch(EXPECTED, json))
    }
}

pub mod json_text {
    //! Any type that serde knows, as a text that holds its JSON. What is `null` there is a bare `null` here.

    use serde::{Serialize, de::DeserializeOwned};
    use serde_json::Value;

    use super::super::mismatch;

    /// Writes the text.
    ///
    /// # Panics
    /// The type refuses to be written as JSON: a map whose keys are no texts, for one.
    pub fn write<T: Serialize + ?Sized>(value: &T) -> Value {
        match super::json_value::write(value) {
            Value::Null => Value::Null,
            value => value.to_string().into(),
        }
    }

    /// Reads the text, or a bare value that is no text.
    ///
    /// # Errors
    /// The text holds no JSON, or none of this type.
    pub fn read<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
        let Value::String(text) = value else {
            return super::json_value::read(value);
        };
        serde_json::from_str(text)
            .map_err(|error| format!("{}: {error}", mismatch("a text that holds JSON", &value.to_string())))
    }
}

pub mod json_value {
    //! Any type that serde knows, as bare JSON.
    //!
    //! ```
    //! use morango::model::field::json_value;
    //!
    //! #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    //! #[serde(rename_all = "lowercase")]
    //! enum Mood {
    //!     Good,
    //!     Bad,
    //! }
    //!
    //! assert_eq!(json_value::write(&Mood::Good), "good");
    //! assert_eq!(json_value::read(&"bad".into()), Ok(Mood::Bad));
    //! ```

    use serde::{Serialize, de::DeserializeOwned};
    use serde_json::Value;

    use super::super::mismatch;

    /// Writes the value.
    ///
    /// # Panics
    /// The type refuses to be written as JSON: a map whose keys are no texts, for one.
    pub fn write<T: Serialize + ?Sized>(value: &T) -> Value {
        serde_json::to_value(value).expect("a field's type can be written as JSON")
    }

    /// Reads the value.
    ///
    /// # Errors
    /// It is none of this type.
    pub fn read<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
        T::deserialize(value)
            .map_err(|error| format!("{}: {error}", mismatch("another form of JSON", &value.to_string())))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::super::testing::{is_refused, travels_as};
    use super::*;

    #[test]
    fn json_travels_as_a_text_that_holds_it() {
        travels_as(&json!({"a": [1, 2.5, "x\"y", null]}), r#""{\"a\":[1,2.5,\"x\\\"y\",null]}""#);
        travels_as(&json!("5"), r#""\"5\"""#);
        travels_as(&Value::Null, r#""null""#);
        travels_as(&Some(Value::Null), r#""null""#);
        travels_as(&None::<Value>, "null");
    }

    #[test]
    fn bare_json_is_read_too_but_a_text_is_one_that_holds_json() {
        assert_eq!(Value::read_json(r#"{"a": 1}"#), Ok(json!({"a": 1})));
        assert_eq!(Value::read_json("null"), Ok(Value::Null));
        assert_eq!(Value::read_json(r#""5""#), Ok(json!(5)));
        for json in [r#""word""#, r#""""#, r#""{""#, "{"] {
            is_refused::<Value>(json);
        }
    }

    #[test]
    fn json_that_is_too_deep_is_refused() {
        let deep = "[".repeat(10_000) + &"]".repeat(10_000);
        is_refused::<Value>(&deep);
        is_refused::<Value>(&format!("\"{deep}\""));
    }

    #[test]
    fn numbers_in_json_keep_their_value() {
        for json in ["0.1", "1.7976931348623157e+308", "18446744073709551615", "3.980498358697587e-249"] {
            let value = Value::read_json(json).expect("a number");
            assert_eq!(value.to_string(), json);
        }
    }

    #[test]
    fn any_type_that_serde_knows_may_travel_as_json_or_as_a_text_that_holds_it() {
        let scores = BTreeMap::from([("ada".to_owned(), vec![1_u8, 2])]);
        let bare = json_value::write(&scores);
        let text = json_text::write(&scores);
        assert_eq!((&bare, &text), (&json!({"ada": [1, 2]}), &json!(r#"{"ada":[1,2]}"#)));
        assert_eq!(json_value::read(&bare).as_ref(), Ok(&scores));
        assert_eq!(json_text::read(&text).as_ref(), Ok(&scores));
        assert_eq!(json_text::read(&bare).as_ref(), Ok(&scores));
        assert_eq!(json_text::write(&None::<u8>), Value::Null);
        assert_eq!(json_text::read(&Value::Null), Ok(None::<u8>));
        for value in [json!({"ada": 1}), json!(["x"]), json!("word")] {
            assert!(json_value::read::<BTreeMap<String, Vec<u8>>>(&value).is_err(), "{value}");
            assert!(json_text::read::<BTreeMap<String, Vec<u8>>>(&value).is_err(), "{value}");
        }
    }
}
