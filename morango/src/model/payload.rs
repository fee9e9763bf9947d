//! The stored JSON of a record, `serialized`: how it is written, and how it is read without copying it.
//!
//! Reading splits the text into names and raw values only; each field is then parsed as what it is. So numbers keep all
//! their digits, and fields that this version of the application does not know go on as the text that they were.

use std::fmt;

use serde_json::value::RawValue;

use super::syncable::Model;

/// The name under which `serialized` carries the source id.
pub const SOURCE_ID_NAME: &str = "_morango_source_id";
/// The name under which `serialized` carries the partition.
pub const PARTITION_NAME: &str = "_morango_partition";

/// A stored text is no JSON object.
#[derive(Debug)]
pub struct PayloadError(serde_json::Error);

impl fmt::Display for PayloadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "read the stored text as a JSON object: {}", self.0)
    }
}

impl std::error::Error for PayloadError {}

/// The members of a stored JSON object: names and raw values, borrowed from the text.
#[derive(Debug)]
pub struct Fields<'a>(Vec<(std::borrow::Cow<'a, str>, &'a RawValue)>);

impl<'a> Fields<'a> {
    /// Splits a stored text. Of two members with one name the last counts, as everywhere in JSON.
    ///
    /// # Errors
    /// The text is no JSON object.
    pub fn parse(text: &'a str) -> Result<Self, PayloadError> {
        serde_json::from_str(text).map_err(PayloadError)
    }

    /// The raw JSON text of a member, for example `"milk"` with its quotes.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().rev().find(|(member, _)| member == name).map(|(_, value)| value.get())
    }

    /// A member that holds a string.
    pub fn get_text(&self, name: &str) -> Option<String> {
        self.get(name).and_then(|raw| serde_json::from_str(raw).ok())
    }

    /// All members in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.get()))
    }
}

impl<'de: 'a, 'a> serde::Deserialize<'de> for Fields<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<'a>(std::marker::PhantomData<&'a ()>);

        impl<'de: 'a, 'a> serde::de::Visitor<'de> for Members<'a> {
            type Value = Fields<'a>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a JSON object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(Name(name)) = map.next_key()? {
                    members.push((name, map.next_value::<&'a RawValue>()?));
                }
                Ok(Fields(members))
            }
        }

        deserializer.deserialize_map(Members(std::marker::PhantomData))
    }
}

/// A member's name: borrowed from the text where it holds no escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] std::borrow::Cow<'a, str>);

/// Writes a JSON object member by member.
#[derive(Debug)]
pub struct ObjectWriter {
    text: String,
}

impl Default for ObjectWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl ObjectWriter {
    /// An object without members.
    pub fn new() -> Self {
        Self { text: String::with_capacity(512) }
    }

    /// Adds a member of any kind that serde can write.
    ///
    /// Values are numbers, texts, booleans, lists and maps with text keys, none of which serde can fail to write.
    pub fn member<T: serde::Serialize + ?Sized>(&mut self, name: &str, value: &T) {
        let value = serde_json::to_string(value).expect("plain values are written to memory without failing");
        self.raw_member(name, &value);
    }

    /// Adds a member whose value is already JSON text.
    pub fn raw_member(&mut self, name: &str, json: &str) {
        self.text.push(if self.text.is_empty() { '{' } else { ',' });
        self.text.push_str(&serde_json::to_string(name).expect("a text is written to memory without failing"));
        self.text.push(':');
        self.text.push_str(json);
    }

    /// The whole object as text.
    pub fn finish(mut self) -> String {
        if self.text.is_empty() {
            self.text.push('{');
        }
        self.text.push('}');
        self.text
    }
}

/// The stored text of a row: its id, source id and partition, its own fields, and whatever the text that was stored
/// before holds beside them (fields of a newer application, which this one passes on).
pub fn serialize_row<M: Model>(
    row: &M,
    source_id: &str,
    partition: &str,
    stored_before: Option<&Fields<'_>>,
) -> String {
    let definition = M::definition();
    let mut object = ObjectWriter::new();
    object.member("id", &row.id());
    object.member(SOURCE_ID_NAME, source_id);
    object.member(PARTITION_NAME, partition);
    row.write_fields(&mut object);
    for (name, value) in stored_before.into_iter().flat_map(Fields::iter) {
        if !definition.writes(name) {
            object.raw_member(name, value);
        }
    }
    object.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_by_name_and_the_last_of_two_counts() {
        let fields = Fields::parse(r#"{"a": 1.50, "b\n": "x", "a": [1, {"c": null}]}"#).expect("an object");
        assert_eq!(fields.get("a"), Some(r#"[1, {"c": null}]"#));
        assert_eq!(fields.get_text("b\n").as_deref(), Some("x"));
        assert_eq!(fields.get("c"), None);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in ["", "null", "[]", "{", "{\"a\":}", "no json"] {
            assert!(Fields::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_object_is_written_member_by_member() {
        let mut object = ObjectWriter::new();
        assert_eq!(ObjectWriter::new().finish(), "{}");
        object.member("a\"", &1);
        object.raw_member("b", "null");
        assert_eq!(object.finish(), r#"{"a\"":1,"b":null}"#);
    }
}
