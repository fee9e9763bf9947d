//! What differs between databases: one file for each, with the same items in the same order.

#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
