//! Small readers that forgive what existing peers are known to do: `null` for a text, a list, a number.

use serde::{Deserialize, Deserializer};

use super::WireError;

/// Reads `null` as the type's default. Together with `#[serde(default)]` a member may be missing, too.
pub(super) fn or_default<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Reads a whole body that is an object. A list is none, though its items could pass for the members in their order.
pub(super) fn from_json<'a, T: Deserialize<'a>>(what: &'static str, body: &'a [u8]) -> Result<T, WireError> {
    if body.trim_ascii_start().first() == Some(&b'[') {
        return Err(WireError::malformed(what, &"it is a list where an object belongs"));
    }
    serde_json::from_slice(body).map_err(|problem| WireError::malformed(what, &problem))
}

/// Reads a JSON text that stands inside a JSON body.
pub(super) fn from_text<'a, T: Deserialize<'a>>(what: &'static str, text: &'a str) -> Result<T, WireError> {
    serde_json::from_str(text).map_err(|problem| WireError::malformed(what, &problem))
}

/// Reads an id, a filter or another text that has a form of its own.
pub(super) fn parse<T>(what: &'static str, text: &str) -> Result<T, WireError>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    text.parse().map_err(|problem| WireError::malformed(what, &problem))
}

/// Writes a body. Ours are made of texts, numbers, lists and maps with text keys, which cannot fail to be written.
pub(super) fn to_json<T: serde::Serialize + ?Sized>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain values are written to memory without failing")
}

/// The same, as a text that stands inside another body.
pub(super) fn to_text<T: serde::Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("plain values are written to memory without failing")
}
