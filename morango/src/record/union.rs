//! The union of two JSON arrays: the elements of ours, then those of theirs that ours lacks.
//!
//! An array travels bare, or as a text that holds it; the union travels as ours does. Elements keep the text that they had, with
//! all digits of their numbers, and two of them are the same where they are as JSON, however they are spelled.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::limits;

/// The union of two raw JSON values.
///
/// # Errors
/// One of them is no array, or one of more than [`limits::UNION_ELEMENTS_MAX`] elements.
pub(super) fn union(ours: &str, theirs: &str) -> Result<String, String> {
    let (ours_array, is_text) = unwrap(ours)?;
    let (theirs_array, _) = unwrap(theirs)?;
    let (ours_elements, theirs_elements) = (elements(&ours_array)?, elements(&theirs_array)?);
    let mut known = HashSet::with_capacity(ours_elements.len());
    for element in &ours_elements {
        known.insert(canonical(element)?);
    }
    let mut all: Vec<&str> = ours_elements.iter().map(|element| element.get()).collect();
    for element in &theirs_elements {
        if known.insert(canonical(element)?) {
            all.push(element.get());
        }
    }
    let array = format!("[{}]", all.join(","));
    Ok(if is_text { Value::String(array).to_string() } else { array })
}

/// The array within a text, or the value itself, and which of the two it was.
fn unwrap(json: &str) -> Result<(Cow<'_, str>, bool), String> {
    if !json.starts_with('"') {
        return Ok((Cow::Borrowed(json), false));
    }
    let text: String = serde_json::from_str(json).map_err(|error| error.to_string())?;
    Ok((Cow::Owned(text), true))
}

fn elements(array: &str) -> Result<Vec<&RawValue>, String> {
    struct Elements;

    impl<'de> serde::de::Visitor<'de> for Elements {
        type Value = Vec<&'de RawValue>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a JSON array")
        }

        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
            let mut elements = Vec::new();
            while let Some(element) = array.next_element()? {
                if elements.len() == limits::UNION_ELEMENTS_MAX {
                    let message = format!("an array of more than {} elements", limits::UNION_ELEMENTS_MAX);
                    return Err(serde::de::Error::custom(message));
                }
                elements.push(element);
            }
            Ok(elements)
        }
    }

    let mut deserializer = serde_json::Deserializer::from_str(array);
    let elements = serde::Deserializer::deserialize_seq(&mut deserializer, Elements);
    elements.and_then(|elements| deserializer.end().map(|()| elements)).map_err(|error| error.to_string())
}

/// One spelling for all texts of the same JSON value: a number is held against another by its digits, so that none is taken for
/// one that differs beyond what a float can hold.
fn canonical(element: &RawValue) -> Result<String, String> {
    let json = element.get();
    if !json.starts_with(['{', '[', '"']) {
        return Ok(json.to_owned());
    }
    let mut value: Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
    // Another crate of the program may have asked serde_json to keep the order of members.
    value.sort_all_objects();
    Ok(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ours_lacks_comes_behind_what_it_has() {
        assert_eq!(union("[1, 2]", "[3,2, 3]").as_deref(), Ok("[1,2,3]"));
        assert_eq!(union("[]", "[]").as_deref(), Ok("[]"));
        assert_eq!(union(r#"["b","a","b"]"#, r#"["\u0061"]"#).as_deref(), Ok(r#"["b","a","b"]"#));
    }

    #[test]
    fn elements_are_the_same_where_they_are_as_json_and_keep_their_digits() {
        assert_eq!(union(r#"[{"a": 1, "b": [2]}]"#, r#"[{"b":[2],"a":1}]"#).as_deref(), Ok(r#"[{"a": 1, "b": [2]}]"#));
        assert_eq!(union("[0.1]", "[0.1000000000000000055]").as_deref(), Ok("[0.1,0.1000000000000000055]"));
        assert_eq!(union("[true]", "[\"true\", null]").as_deref(), Ok("[true,\"true\",null]"));
    }

    #[test]
    fn the_union_travels_as_ours_does() {
        assert_eq!(union(r#""[\"x\"]""#, r#"["y"]"#).as_deref(), Ok(r#""[\"x\",\"y\"]""#));
        assert_eq!(union(r#"["y"]"#, r#""[\"x\"]""#).as_deref(), Ok(r#"["y","x"]"#));
    }

    #[test]
    fn what_is_no_array_or_an_endless_one_has_no_union() {
        for other in ["{}", "1", "\"word\"", "\"{}\"", "[1", "[1] 2", "\"[1] 2\""] {
            assert!(union("[]", other).is_err(), "{other}");
            assert!(union(other, "[]").is_err(), "{other}");
        }
        assert!(union("[]", "{}").expect_err("an object").contains("a JSON array"), "the error says what is expected");
        let longest = format!("[{}1]", "1,".repeat(limits::UNION_ELEMENTS_MAX - 1));
        assert_eq!(union("[]", &longest).as_deref(), Ok("[1]"));
        let long = format!("[{}1]", "1,".repeat(limits::UNION_ELEMENTS_MAX));
        assert!(union("[]", &long).expect_err("too long").contains("more than"));
        let deep = "[".repeat(10_000) + &"]".repeat(10_000);
        assert!(union("[]", &deep).is_err(), "too deep");
    }
}
