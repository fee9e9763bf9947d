//! How long a text is where it counts: in a JSON body, where some characters take several bytes.
//!
//! A record travels whole, in one body. What is taken into the store is measured as it will travel, so that whatever is there can go
//! on to everybody.

/// Bytes of the longest form that a byte of a text has in JSON: `\u0001`.
const ESCAPED_BYTES_MAX: usize = 6;

/// Whether a text has more than so many bytes in JSON, without its quotes.
///
/// ```
/// assert!(!morango::record::is_longer_in_json("milk", 4));
/// assert!(morango::record::is_longer_in_json("\"milk\"", 7));
/// ```
pub fn is_longer_in_json(text: &str, bytes_max: usize) -> bool {
    // Of most texts this says enough, without a look at them.
    text.len() > bytes_max || (text.len() > bytes_max / ESCAPED_BYTES_MAX && length_in_json(text) > bytes_max)
}

/// Bytes of a text in JSON, without its quotes.
pub(super) fn length_in_json(text: &str) -> usize {
    text.bytes().map(|byte| 1 + escape_bytes(byte)).sum()
}

/// Bytes that the escaping of a byte adds.
const fn escape_bytes(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | 0x08 | b'\t' | b'\n' | 0x0c | b'\r' => 1,
        0..=0x1f => ESCAPED_BYTES_MAX - 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_as_long_as_it_is_written() {
        for code in 0..0x300 {
            let text = format!("a{}", char::from_u32(code).expect("a character"));
            let written = serde_json::to_string(&text).expect("a text is JSON").len() - 2;
            assert_eq!(length_in_json(&text), written, "{code:#x}");
            assert!(!is_longer_in_json(&text, written) && is_longer_in_json(&text, written - 1), "{code:#x}");
        }
    }
}
