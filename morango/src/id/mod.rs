//! Identifiers: 128 bits, written as 32 lower-case hexadecimal digits without dashes.
//!
//! Every kind of thing has its own type, so that a sync session's id cannot stand where a transfer session's belongs.
//! This room knows how an id is written, parsed and made from a text; it does not know what the ids stand for.

mod draw;
mod hash;
mod hex;
#[cfg(feature = "diesel")]
mod sql;

#[cfg(feature = "simulation")]
pub use draw::seeded::SeededIds;
pub use hash::hash_id;
pub(crate) use hex::excerpt;
pub use hex::{HexText, ParseIdError};

use hex::hex_id;

hex_id! {
    /// The id of a record: the primary key of the application's row, and the record's `model_uuid` on the wire.
    ///
    /// A new row carries [`SyncId::unset`] until `create` gives it its id.
    SyncId
}
hex_id! {
    /// The id of a certificate: the hash id of its public key, profile and salt.
    CertificateId
}
hex_id! {
    /// The id of an instance: one database on one machine. It owns one counter.
    InstanceId
}
hex_id! {
    /// The id of a database file or server database; it changes when the database is copied.
    DatabaseId
}
hex_id! {
    /// The id of a sync session: two peers that have shown each other their certificates.
    SyncSessionId
}
hex_id! {
    /// The id of a transfer session: one push or one pull within a sync session.
    TransferSessionId
}
hex_id! {
    /// The id of a nonce: a number that a server hands out to be signed once.
    NonceId
}

impl SyncId {
    /// The id of a row that has none yet: `create` replaces it.
    pub const fn unset() -> Self {
        Self::from_bytes([0; 16])
    }

    /// Whether this is [`SyncId::unset`].
    pub const fn is_unset(&self) -> bool {
        u128::from_be_bytes(*self.as_bytes()) == 0
    }
}

impl From<CertificateId> for SyncId {
    /// The id of the record that a root certificate was made for: the same 128 bits.
    fn from(id: CertificateId) -> Self {
        Self::from_bytes(*id.as_bytes())
    }
}
