//! Texts.

use std::borrow::Cow;

use super::{FieldValue, TemplateValue, mismatch};

/// Appends a text as a JSON string.
pub(super) fn write_text(json: &mut String, text: &str) {
    if text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        json.push_str(&serde_json::to_string(text).expect("a text is written to memory without failing"));
    } else {
        json.push('"');
        json.push_str(text);
        json.push('"');
    }
}

/// The text of a JSON string, borrowed where it has no escapes.
pub(super) fn read_text<'a>(json: &'a str, expected: &str) -> Result<Cow<'a, str>, String> {
    #[derive(serde::Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

    serde_json::from_str::<Text<'a>>(json).map(|text| text.0).map_err(|_| mismatch(expected, json))
}

impl FieldValue for String {
    fn write_json(&self, json: &mut String) {
        write_text(json, self);
    }

    fn read_json(json: &str) -> Result<Self, String> {
        read_text(json, "a text").map(Cow::into_owned)
    }
}

impl TemplateValue for String {
    fn template_text(&self) -> Option<String> {
        Some(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{is_refused, low_bits, travels_as, written};
    use super::*;
    use crate::scope::testing::Dice;

    #[test]
    fn a_text_travels_as_a_json_string() {
        travels_as(&String::new(), r#""""#);
        travels_as(
            &"milk and <b>bread</b>, größer ✓ \u{2028}\u{7f}".to_owned(),
            "\"milk and <b>bread</b>, größer ✓ \u{2028}\u{7f}\"",
        );
        travels_as(&"\"\\\n\0\u{1f}".to_owned(), r#""\"\\\n\u0000\u001f""#);
    }

    #[test]
    fn a_text_is_read_as_python_writes_it() {
        let python = r#""\u00e9\"\\\n\u2028\u007f\ud83d\ude00""#;
        assert_eq!(String::read_json(python).as_deref(), Ok("é\"\\\n\u{2028}\u{7f}\u{1f600}"));
    }

    #[test]
    fn what_is_no_text_is_refused() {
        for json in ["7", "null", "[]", r#""\ud83d""#, "\"", "\"\n\"", "\"a\" \"b\""] {
            is_refused::<String>(json);
        }
        let reason = is_refused::<String>(&format!("[{}]", "1,".repeat(1_000)));
        assert!(reason.len() < 150, "a reason quotes only the start: {reason}");
    }

    #[test]
    fn every_text_comes_back() {
        let mut dice = Dice::seeded(0x7e87);
        for _ in 0..5_000 {
            let mut text = dice.text(8);
            text.extend((0..dice.below(8)).filter_map(|_| char::from_u32(low_bits(&mut dice) % 0x300)));
            assert_eq!(String::read_json(&written(&text)), Ok(text));
        }
    }
}
