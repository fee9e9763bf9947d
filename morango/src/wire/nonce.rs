//! `nonces/`: a text to be signed once.

use serde::{Deserialize, Serialize};

use super::WireError;
use super::loose::{from_json, to_json};
use crate::identity::Nonce;

/// Reads the nonce of an answer.
///
/// # Errors
/// The body is no JSON object with an `id`.
pub fn read_nonce(body: &[u8]) -> Result<String, WireError> {
    #[derive(Deserialize)]
    struct Answer {
        id: String,
    }

    Ok(from_json::<Answer>("a nonce", body)?.id)
}

/// Writes a nonce that was issued.
pub fn write_nonce(nonce: &Nonce) -> Vec<u8> {
    #[derive(Serialize)]
    struct Answer<'a> {
        id: crate::id::NonceId,
        timestamp: String,
        ip: &'a str,
    }

    to_json(&Answer { id: nonce.id, timestamp: super::sync_session::timestamp(nonce.issued_at), ip: &nonce.ip })
}
