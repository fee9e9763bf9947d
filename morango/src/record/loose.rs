//! Records as they came from a peer: every field is there, and nothing of it is checked.
//!
//! Whoever reads what a peer wrote makes one of these; the gate makes a [`BufferRecord`](super::BufferRecord) of it or sets
//! it aside. Nothing here knows how a record is written on the wire.

use super::{RecordError, StoreRecord};
use crate::counter::{RecordMaxCounters, Stamp};
use crate::id::{InstanceId, SyncId, TransferSessionId};

/// A record with all the parts that a record has on the wire, as plain texts, numbers and truth values.
///
/// # Source
/// Protocol, chapter 4, "a buffer record".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LooseRecord {
    /// The transfer session that it claims to belong to.
    pub transfer_session: String,
    /// The record's id.
    pub model_uuid: String,
    /// The application's profile.
    pub profile: String,
    /// The model.
    pub model_name: String,
    /// The partition.
    pub partition: String,
    /// The source id.
    pub source_id: String,
    /// The row as JSON text, or any other text.
    pub serialized: String,
    /// Texts that lost in conflicts.
    pub conflicting_serialized_data: String,
    /// The id of the record's parent of the same model, or nothing.
    pub self_ref_fk: String,
    /// Whether the row was deleted.
    pub deleted: bool,
    /// Whether the row was deleted with all that was known of it.
    pub hard_deleted: bool,
    /// The instance that saved the record last.
    pub last_saved_instance: String,
    /// Its counter when it did.
    pub last_saved_counter: i64,
    /// The record max counters: `rmcb_list` on the wire.
    pub counters: Vec<LooseCounter>,
}

/// One record max counter as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LooseCounter {
    /// The transfer session that it claims to belong to.
    pub transfer_session: String,
    /// The record that it claims to be of.
    pub model_uuid: String,
    /// The instance.
    pub instance_id: String,
    /// Its counter.
    pub counter: i64,
}

/// The ids and counters of a record, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    id: SyncId,
    last_saved: Stamp,
    counters: RecordMaxCounters,
}

impl LooseRecord {
    /// Reads the ids and counters.
    ///
    /// # Errors
    /// [`RecordError::Field`] for what is no id or another session's, [`RecordError::CounterElsewhere`] for a counter of
    /// another record or session, [`RecordError::Counter`] for one that cannot be believed.
    pub fn heading(&self, session: TransferSessionId) -> Result<Heading, RecordError> {
        let session = session.hex();
        if self.transfer_session != session.as_str() {
            return Err(RecordError::Field { field: "transfer_session", problem: "is another session's" });
        }
        let id: SyncId = parse("model_uuid", &self.model_uuid)?;
        let last_saved = Stamp::new(parse("last_saved_instance", &self.last_saved_instance)?, self.last_saved_counter);
        let mut stamps = Vec::with_capacity(self.counters.len());
        for counter in &self.counters {
            if counter.transfer_session != session.as_str() || counter.model_uuid != self.model_uuid {
                return Err(RecordError::CounterElsewhere);
            }
            let instance: InstanceId = parse("rmcb_list", &counter.instance_id)?;
            stamps.push(Stamp::new(instance, counter.counter));
        }
        let last_saved = last_saved.checked()?;
        Ok(Heading { id, last_saved, counters: RecordMaxCounters::from_stamps(stamps)? })
    }

    /// The record, under a heading that was read of it.
    pub fn under(self, heading: Heading) -> StoreRecord {
        StoreRecord {
            id: heading.id,
            profile: self.profile,
            model_name: self.model_name,
            partition: self.partition,
            source_id: self.source_id,
            serialized: self.serialized,
            conflicting_serialized_data: self.conflicting_serialized_data,
            deleted: self.deleted,
            hard_deleted: self.hard_deleted,
            last_saved: heading.last_saved,
            self_ref_fk: self.self_ref_fk,
            counters: heading.counters,
        }
    }

    /// Reads the ids and counters. What else there is to check is [`BufferRecord::check`](super::BufferRecord::check)'s.
    ///
    /// # Errors
    /// Those of [`heading`](Self::heading).
    pub fn into_store_record(self, session: TransferSessionId) -> Result<StoreRecord, RecordError> {
        let heading = self.heading(session)?;
        Ok(self.under(heading))
    }

    /// The record as this session's buffer holds it, before it is written for the wire.
    pub fn from_store_record(record: StoreRecord, session: TransferSessionId) -> Self {
        let (transfer_session, model_uuid) = (session.to_string(), record.id.to_string());
        let counters = record.counters.iter().map(|stamp| LooseCounter {
            transfer_session: transfer_session.clone(),
            model_uuid: model_uuid.clone(),
            instance_id: stamp.instance.to_string(),
            counter: stamp.counter,
        });
        Self {
            counters: counters.collect(),
            transfer_session,
            model_uuid,
            profile: record.profile,
            model_name: record.model_name,
            partition: record.partition,
            source_id: record.source_id,
            serialized: record.serialized,
            conflicting_serialized_data: record.conflicting_serialized_data,
            self_ref_fk: record.self_ref_fk,
            deleted: record.deleted,
            hard_deleted: record.hard_deleted,
            last_saved_instance: record.last_saved.instance.to_string(),
            last_saved_counter: record.last_saved.counter,
        }
    }
}

fn parse<T: std::str::FromStr>(field: &'static str, text: &str) -> Result<T, RecordError> {
    text.parse().map_err(|_| RecordError::Field { field, problem: "is no id" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> TransferSessionId {
        TransferSessionId::hash_of("session")
    }

    fn loose() -> LooseRecord {
        let record = StoreRecord {
            id: SyncId::hash_of("note"),
            profile: "notebook".to_owned(),
            model_name: "note".to_owned(),
            partition: "me:notes".to_owned(),
            source_id: "1".to_owned(),
            serialized: "no JSON".to_owned(),
            conflicting_serialized_data: String::new(),
            deleted: true,
            hard_deleted: false,
            last_saved: Stamp::new(InstanceId::hash_of("laptop"), 3),
            self_ref_fk: String::new(),
            counters: RecordMaxCounters::from_stamps([Stamp::new(InstanceId::hash_of("laptop"), 3)]).expect("good"),
        };
        LooseRecord::from_store_record(record, session())
    }

    #[test]
    fn a_record_that_went_out_is_read_back() {
        let record = loose().into_store_record(session()).expect("it is ours");
        assert_eq!(LooseRecord::from_store_record(record, session()), loose());
    }

    #[test]
    fn what_belongs_to_another_session_or_record_is_refused() {
        let other = TransferSessionId::hash_of("other");
        assert!(matches!(loose().into_store_record(other), Err(RecordError::Field { field: "transfer_session", .. })));
        let changes: [fn(&mut LooseCounter); 2] = [
            |counter| counter.transfer_session = SyncId::hash_of("other").to_string(),
            |counter| counter.model_uuid = SyncId::hash_of("other").to_string(),
        ];
        for change in changes {
            let mut record = loose();
            change(&mut record.counters[0]);
            assert_eq!(record.into_store_record(session()), Err(RecordError::CounterElsewhere));
        }
    }

    #[test]
    fn what_is_no_id_and_no_counter_is_refused() {
        let changes: [fn(&mut LooseRecord); 4] = [
            |record| record.model_uuid.push('0'),
            |record| record.last_saved_instance.clear(),
            |record| record.last_saved_counter = -1,
            |record| record.counters[0].counter = i64::MAX,
        ];
        for change in changes {
            let mut record = loose();
            change(&mut record);
            assert!(record.into_store_record(session()).is_err());
        }
    }
}
