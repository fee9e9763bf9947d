//! Bytes, as base64 text with padding: what Django's `BinaryField` gives where it is sent as a text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::text::read_text;
use super::{FieldValue, mismatch};

impl FieldValue for Vec<u8> {
    fn write_json(&self, json: &mut String) {
        json.push('"');
        STANDARD.encode_string(self, json);
        json.push('"');
    }

    /// Reads base64. Line breaks in it, which some encoders put there, count for nothing.
    fn read_json(json: &str) -> Result<Self, String> {
        const EXPECTED: &str = "bytes as base64 text";
        let mut text = read_text(json, EXPECTED)?;
        if text.contains(['\n', '\r']) {
            text.to_mut().retain(|character| !matches!(character, '\n' | '\r'));
        }
        STANDARD.decode(text.as_bytes()).map_err(|_| mismatch(EXPECTED, json))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{is_refused, travels_as, written};
    use super::*;
    use crate::scope::testing::Dice;

    #[test]
    fn bytes_travel_as_django_writes_them() {
        travels_as(&b"\x00\xffab".to_vec(), "\"AP9hYg==\"");
        travels_as(&Vec::new(), "\"\"");
        assert_eq!(Vec::read_json("\"AP9h\\nYg==\\r\\n\"").as_deref(), Ok(&b"\x00\xffab"[..]));
        for json in ["null", "7", "\"AP9hYg\"", "\"AP9h Yg==\"", "\"é\"", "[0,255]"] {
            is_refused::<Vec<u8>>(json);
        }
    }

    #[test]
    fn all_bytes_come_back() {
        let mut dice = Dice::seeded(0xb17e5);
        for length in 0..300 {
            let bytes: Vec<u8> = (0..length).map(|_| dice.roll().to_le_bytes()[3]).collect();
            assert_eq!(Vec::read_json(&written(&bytes)), Ok(bytes));
        }
    }
}
