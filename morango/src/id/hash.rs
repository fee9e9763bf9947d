//! Hash ids: how a text becomes 128 bits that every peer computes alike.

use ring::digest::{SHA256, digest};

/// The hash id of a text: the first 128 bits of its SHA-256.
///
/// *Shape*: 16 bytes; written, `hash_id("a")` is `ca978112ca1bbdcafac231b39a23dc4d`.
///
/// # Source
/// The protocol's "hash id"; `sha2_uuid` in the Python package.
pub fn hash_id(text: &str) -> [u8; 16] {
    let digest = digest(&SHA256, text.as_bytes());
    let mut id = [0; 16];
    id.copy_from_slice(&digest.as_ref()[..16]);
    id
}

#[cfg(test)]
mod tests {
    use crate::id::SyncId;

    #[test]
    fn the_hash_id_of_a_text_is_the_start_of_its_sha256() {
        let id = SyncId::hash_of("a");
        assert_eq!(id.to_string(), "ca978112ca1bbdcafac231b39a23dc4d");
    }
}
