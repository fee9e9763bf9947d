//! Scope parameters: the values that a certificate puts into the templates of its scope definition.
//!
//! They travel as a JSON text inside the signed text of a certificate, so the text is kept beside the values, byte for byte.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use super::ScopeError;
use super::partition::is_separator;
use crate::limits;

/// The values for the names in a scope definition's templates.
///
/// *Shape*: the text of a JSON object, for example `{"owner_id": "ca97…"}`. Strings and whole numbers are values; anything else
/// in it is carried along, and is no value.
#[derive(Clone, PartialEq, Eq)]
pub struct ScopeParams {
    text: String,
    values: BTreeMap<String, String>,
}

impl ScopeParams {
    /// The parameters of these names and values, with a JSON text made for them.
    ///
    /// # Errors
    /// [`ScopeError::Parameter`] for an empty value, [`ScopeError::TooLong`].
    pub fn new<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Result<Self, ScopeError> {
        let mut values = BTreeMap::new();
        for (name, value) in pairs {
            let (name, value) = (name.into(), value.into());
            if value.is_empty() {
                return Err(ScopeError::Parameter { name, problem: "its value is empty" });
            }
            values.insert(name, value);
        }
        let text = serde_json::to_string(&values).expect("a map of texts is JSON");
        check_length(&text)?;
        Ok(Self { text, values })
    }

    /// Reads the parameters of a certificate.
    ///
    /// Values that no template uses may be anything; those that one uses are checked when it is [filled](Self::value).
    ///
    /// # Errors
    /// [`ScopeError::Params`] where the text is not a JSON object, [`ScopeError::TooLong`].
    pub fn from_json(text: &str) -> Result<Self, ScopeError> {
        check_length(text)?;
        let object: Map<String, Value> = serde_json::from_str(text).map_err(|_| ScopeError::Params)?;
        let values = object.into_iter().filter_map(|(name, value)| Some((name, value_text(value)?))).collect();
        Ok(Self { text: text.to_owned(), values })
    }

    /// The JSON text, as it was read or made.
    pub fn as_json(&self) -> &str {
        &self.text
    }

    /// The value as it was given, for a description.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The names and values, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value, fit to stand in a partition.
    ///
    /// # Errors
    /// [`ScopeError::Parameter`] where there is none, or it is empty or has white space: either would widen or split the filter.
    pub fn value(&self, name: &str) -> Result<&str, ScopeError> {
        let problem = match self.get(name) {
            None => "it has no value",
            Some("") => "its value is empty",
            Some(value) if value.chars().any(is_separator) => "its value has white space in it",
            Some(value) => return Ok(value),
        };
        Err(ScopeError::Parameter { name: name.to_owned(), problem })
    }
}

fn check_length(text: &str) -> Result<(), ScopeError> {
    if text.len() > limits::SCOPE_PARAMS_BYTES_MAX {
        return Err(ScopeError::TooLong { what: "text of scope parameters", max: limits::SCOPE_PARAMS_BYTES_MAX });
    }
    Ok(())
}

/// The text of a value as every peer writes it; fractions are left out because peers differ in how they write them.
fn value_text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        Value::Number(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

impl fmt::Debug for ScopeParams {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(&self.values).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_kept_as_it_was_read() {
        let text = "{ \"b\": 5,\"a\": \"x\", \"c\": null}";
        let params = ScopeParams::from_json(text).expect("an object");
        assert_eq!(params.as_json(), text);
        assert_eq!(params.iter().collect::<Vec<_>>(), [("a", "x"), ("b", "5")]);
    }

    #[test]
    fn a_value_that_would_widen_or_split_a_filter_is_refused_where_it_is_used() {
        let params = ScopeParams::from_json(r#"{"a": "", "b": "x y", "c": 1.5, "d": [1]}"#).expect("an object");
        for name in ["a", "b", "c", "d", "e"] {
            assert!(matches!(params.value(name), Err(ScopeError::Parameter { .. })), "{name}");
        }
        assert_eq!(params.get("b"), Some("x y"));
    }

    #[test]
    fn whole_numbers_are_values_however_great_or_small() {
        let params = ScopeParams::from_json(r#"{"small": -5, "great": 18446744073709551615, "zero": 0}"#);
        let params = params.expect("an object");
        for (name, expected) in [("small", "-5"), ("great", "18446744073709551615"), ("zero", "0")] {
            assert_eq!(params.value(name), Ok(expected));
        }
        assert_eq!(format!("{params:?}"), r#"{"great": "18446744073709551615", "small": "-5", "zero": "0"}"#);
    }

    #[test]
    fn what_is_no_object_is_no_parameters() {
        for text in ["", "[]", "null", "\"a\"", "{\"a\": }"] {
            assert_eq!(ScopeParams::from_json(text), Err(ScopeError::Params), "{text:?}");
        }
        let as_long_as = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - r#"{"a":""}"#.len()));
        assert!(ScopeParams::from_json(&as_long_as(limits::SCOPE_PARAMS_BYTES_MAX)).is_ok());
        let long = as_long_as(limits::SCOPE_PARAMS_BYTES_MAX + 1);
        assert!(matches!(ScopeParams::from_json(&long), Err(ScopeError::TooLong { .. })));
    }

    #[test]
    fn made_parameters_are_written_as_json() {
        let params = ScopeParams::new([("owner_id", "x\"y")]).expect("a value");
        assert_eq!(ScopeParams::from_json(params.as_json()), Ok(params));
        assert!(ScopeParams::new([("owner_id", "")]).is_err());
    }
}
