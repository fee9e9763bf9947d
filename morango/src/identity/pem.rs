//! PEM: base64 in short lines between two lines that say what it is. This file does not know what the bytes mean.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// The bytes of a PEM text, or of base64 without its two lines. `None` for anything else.
pub(super) fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut base64 = Zeroizing::new(String::with_capacity(text.len()));
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with("-----"));
    base64.extend(lines.flat_map(str::split_ascii_whitespace));
    STANDARD.decode(base64.as_bytes()).ok().map(Zeroizing::new)
}

/// The PEM text of these bytes, in lines of 64 characters.
pub(super) fn encode(label: &str, bytes: &[u8]) -> Zeroizing<String> {
    let base64 = Zeroizing::new(STANDARD.encode(bytes));
    let mut pieces = vec!["-----BEGIN ", label, "-----\n"];
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, further) = rest.split_at(rest.len().min(64));
        pieces.extend([line, "\n"]);
        rest = further;
    }
    pieces.extend(["-----END ", label, "-----\n"]);
    // Put together at once: a text that grows leaves half of a secret behind wherever it was before.
    Zeroizing::new(pieces.concat())
}
