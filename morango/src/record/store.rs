//! Store records: what is kept of every record between the application's tables and the peers.

use super::RecordError;
use crate::counter::{RecordMaxCounters, Stamp};
use crate::id::SyncId;

/// One record as the store keeps it and as it travels.
///
/// # Source
/// Protocol, chapters 4 and 7; `Store` in the Python package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreRecord {
    /// The record's id: `model_uuid` on the wire.
    pub id: SyncId,
    /// The application's profile.
    pub profile: String,
    /// The model, for example `note`.
    pub model_name: String,
    /// Where the record belongs. Fixed at creation, as are id and source id.
    pub partition: String,
    /// What the record was made from; at most 96 characters.
    pub source_id: String,
    /// The row as JSON text. From a peer it may be any text at all.
    pub serialized: String,
    /// Texts that lost against `serialized` where both sides had changed the record: one per line, the newest first.
    pub conflicting_serialized_data: String,
    /// Whether the row was deleted.
    pub deleted: bool,
    /// Whether the row was deleted with all that was known of it.
    pub hard_deleted: bool,
    /// Who saved the record last, and at which count.
    pub last_saved: Stamp,
    /// The id of the record's parent of the same model, or nothing.
    pub self_ref_fk: String,
    /// Who ever saved the record, and at which highest count.
    pub counters: RecordMaxCounters,
}

impl StoreRecord {
    /// Checks that a received record is this one, before it may change it.
    ///
    /// For a model whose id is its source id the id alone proves nothing: without this a peer could write over a record outside its
    /// scope, by naming a partition inside.
    ///
    /// # Errors
    /// [`RecordError::Displaced`] where partition, source id, model or profile differ.
    pub fn check_same(&self, received: &Self) -> Result<(), RecordError> {
        let is_same = self.id == received.id
            && self.partition == received.partition
            && self.source_id == received.source_id
            && self.model_name == received.model_name
            && self.profile == received.profile;
        if is_same { Ok(()) } else { Err(RecordError::Displaced { id: received.id }) }
    }
}
