//! Buffer records: what a peer sent, after it was checked at the gate.
//!
//! [`BufferRecord::check`] is the only road from outside to one. Nothing here knows how a record is written on the wire.

use super::length::is_longer_in_json;
use super::uid::record_partition_template;
use super::{RecordError, StoreRecord};
use crate::counter::Stamp;
use crate::id::{SyncId, TransferSessionId, excerpt};
use crate::limits;
use crate::model::{IdRule, record_id};
use crate::scope::Filter;

/// What every record of one transfer session must fit.
#[derive(Debug, Clone, Copy)]
pub struct Gate<'a> {
    /// The transfer session in which the records arrive.
    pub transfer_session_id: TransferSessionId,
    /// The profile of its sync session.
    pub profile: &'a str,
    /// Its filter.
    pub filter: &'a Filter,
}

/// A record in the buffer of one transfer session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BufferRecord {
    transfer_session_id: TransferSessionId,
    record: StoreRecord,
}

/// A record that did not pass the gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The record.
    pub record: StoreRecord,
    /// Why it did not.
    pub error: RecordError,
}

impl BufferRecord {
    /// Checks a received record. `id_rule` is that of its model, or `None` for a model that this application does not know.
    ///
    /// Of a model that nobody here knows, an id may be the record's source id only where the partition begins with it, as that of
    /// the root of all records does. Otherwise whoever may write anything could take the id of a record that is yet to come,
    /// which would then be refused for lying elsewhere.
    ///
    /// A record has at least its own stamp in its history: where a peer left that out of the counters, it is put in.
    ///
    /// # Errors
    /// The record with a [`RecordError`] that says why it is to be set aside.
    ///
    /// # Source
    /// Protocol, end of chapter 4.
    pub fn check(gate: &Gate<'_>, id_rule: Option<IdRule>, mut record: StoreRecord) -> Result<Self, Box<Refused>> {
        match Self::examine(gate, id_rule, &record) {
            Ok(last_saved) => record.counters.raise(last_saved),
            Err(error) => return Err(Box::new(Refused { record, error })),
        }
        Ok(Self { transfer_session_id: gate.transfer_session_id, record })
    }

    /// Looks at everything that must hold, and gives the record's own stamp.
    fn examine(gate: &Gate<'_>, id_rule: Option<IdRule>, record: &StoreRecord) -> Result<Stamp, RecordError> {
        check_fields(record)?;
        if record.profile != gate.profile {
            return Err(RecordError::Profile { profile: excerpt(&record.profile) });
        }
        if !gate.filter.contains(&record.partition) {
            return Err(RecordError::outside_filter(&record.partition));
        }
        let is_calculated = || record.id == calculated_id(record);
        let is_source_id = || record.id.hex().as_str() == record.source_id;
        let is_genuine = match id_rule {
            Some(IdRule::Calculated) => is_calculated(),
            Some(IdRule::SourceId) => is_source_id(),
            None => is_calculated() || (is_source_id() && record.partition.starts_with(record.id.hex().as_str())),
        };
        if !is_genuine {
            return Err(RecordError::Forged { id: record.id });
        }
        Ok(record.last_saved.checked()?)
    }

    /// Whether the record says more of an instance than that one told anybody of.
    pub fn exceeds(&self, told: Stamp) -> bool {
        self.record.counters.get(&told.instance).is_some_and(|counter| counter > told.counter)
    }

    /// The record as it is believed by the instance that has told of itself so far: its history holds what others can know of that one,
    /// and nothing that was told to nobody or is yet to be saved. Otherwise the record would take the place of changes that it does not
    /// hold, and every change that is made to it here would count as known wherever it goes.
    ///
    /// # Errors
    /// [`RecordError::OwnFuture`] where the record itself was saved beyond that.
    pub fn believed_by(mut self, told: Stamp) -> Result<Self, RecordError> {
        let last_saved = self.record.last_saved;
        if last_saved.instance == told.instance && last_saved.counter > told.counter {
            return Err(RecordError::OwnFuture { counter: last_saved.counter });
        }
        self.record.counters.lower(told);
        Ok(self)
    }

    /// A record of our own store on its way out, or one that comes back out of a buffer for which it was checked.
    pub fn from_store(transfer_session_id: TransferSessionId, record: StoreRecord) -> Self {
        Self { transfer_session_id, record }
    }

    /// The transfer session in whose buffer the record is.
    pub fn transfer_session_id(&self) -> TransferSessionId {
        self.transfer_session_id
    }

    /// The record.
    pub fn record(&self) -> &StoreRecord {
        &self.record
    }

    /// The record, given away.
    pub fn into_record(self) -> StoreRecord {
        self.record
    }
}

fn calculated_id(record: &StoreRecord) -> SyncId {
    let template = record_partition_template(&record.partition, &record.id);
    record_id(&template, &record.source_id, &record.model_name)
}

/// Checks lengths and characters. The two texts may hold anything at all. What a record is found by may hold no NUL, which a text
/// in one of our databases cannot hold.
fn check_fields(record: &StoreRecord) -> Result<(), RecordError> {
    let refuse = |field, problem| Err(RecordError::Field { field, problem });
    let names = [
        ("profile", &record.profile, limits::NAME_CHARS_MAX),
        ("model_name", &record.model_name, limits::NAME_CHARS_MAX),
        ("source_id", &record.source_id, limits::SOURCE_ID_CHARS_MAX),
        ("_self_ref_fk", &record.self_ref_fk, limits::NAME_CHARS_MAX),
    ];
    for (field, text, chars_max) in names {
        if text.is_empty() && field != "_self_ref_fk" {
            return refuse(field, "is empty");
        }
        if text.chars().count() > chars_max {
            return refuse(field, "is too long");
        }
    }
    if record.partition.len() > limits::PARTITION_BYTES_MAX {
        return refuse("partition", "is too long");
    }
    let texts = [
        ("serialized", &record.serialized, limits::SERIALIZED_BYTES_MAX),
        ("conflicting_serialized_data", &record.conflicting_serialized_data, limits::CONFLICTING_BYTES_MAX),
    ];
    for (field, text, bytes_max) in texts {
        if is_longer_in_json(text, bytes_max) {
            return refuse(field, "is too long");
        }
    }
    for (field, text) in
        names.map(|(field, text, _)| (field, text)).into_iter().chain([("partition", &record.partition)])
    {
        if text.contains('\0') {
            return refuse(field, "has a NUL in it");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counter::RecordMaxCounters;
    use crate::id::InstanceId;
    use crate::record::record_partition;

    const TEMPLATE: &str = "me:notes:${id}";

    fn note() -> StoreRecord {
        let id = record_id(TEMPLATE, "1", "note");
        StoreRecord {
            id,
            profile: "notebook".to_owned(),
            model_name: "note".to_owned(),
            partition: record_partition(TEMPLATE, &id),
            source_id: "1".to_owned(),
            serialized: "no JSON at all".to_owned(),
            conflicting_serialized_data: String::new(),
            deleted: false,
            hard_deleted: false,
            last_saved: Stamp::new(InstanceId::hash_of("laptop"), 3),
            self_ref_fk: String::new(),
            counters: RecordMaxCounters::new(),
        }
    }

    fn check(id_rule: Option<IdRule>, change: impl FnOnce(&mut StoreRecord)) -> Result<BufferRecord, RecordError> {
        let filter = Filter::new(["me:notes"]).expect("a prefix");
        let transfer_session_id = TransferSessionId::hash_of("session");
        let mut record = note();
        change(&mut record);
        let gate = Gate { transfer_session_id, profile: "notebook", filter: &filter };
        BufferRecord::check(&gate, id_rule, record).map_err(|refused| refused.error)
    }

    #[test]
    fn a_genuine_record_passes_whatever_its_text_is() {
        let buffered = check(Some(IdRule::Calculated), |_| ()).expect("a genuine record");
        assert!(buffered.record().counters.covers(&note().last_saved), "its own stamp is in its history");
        check(None, |_| ()).expect("the model need not be known");
    }

    #[test]
    fn a_forged_id_is_refused() {
        for rule in [Some(IdRule::Calculated), None] {
            let forged = check(rule, |record| record.id = SyncId::hash_of("other"));
            assert!(matches!(forged, Err(RecordError::Forged { .. })));
            let moved = check(rule, |record| record.partition = "me:notes:elsewhere".to_owned());
            assert!(matches!(moved, Err(RecordError::Forged { .. })));
        }
        assert!(matches!(check(Some(IdRule::SourceId), |_| ()), Err(RecordError::Forged { .. })));
    }

    #[test]
    fn an_id_that_is_the_source_id_passes_where_the_model_allows_it() {
        let as_source = |record: &mut StoreRecord| record.source_id = record.id.to_string();
        assert!(check(Some(IdRule::SourceId), as_source).is_ok());
        assert!(check(Some(IdRule::Calculated), as_source).is_err());
    }

    #[test]
    fn a_record_of_an_unknown_model_cannot_take_the_id_of_one_that_is_yet_to_come() {
        let yet_to_come = record_id("you:notes:${id}", "7", "note");
        let taken = check(None, |record| {
            record.model_name = "unknown".to_owned();
            (record.id, record.source_id) = (yet_to_come, yet_to_come.to_string());
            record.partition = "me:notes".to_owned();
        });
        assert!(matches!(taken, Err(RecordError::Forged { .. })));
        let mut root = note();
        root.source_id = root.id.to_string();
        root.partition = format!("{}:profile", root.id);
        let filter = Filter::new([root.id.to_string()]).expect("a prefix");
        let transfer_session_id = TransferSessionId::hash_of("session");
        let gate = Gate { transfer_session_id, profile: "notebook", filter: &filter };
        assert!(BufferRecord::check(&gate, None, root).is_ok(), "a root's partition begins with its id");
    }

    #[test]
    fn a_record_from_outside_the_filter_or_profile_is_refused() {
        let outside = check(None, |record| record.partition = "you:notes".to_owned());
        assert!(matches!(outside, Err(RecordError::OutsideFilter { .. })));
        let other = check(None, |record| record.profile = "other".to_owned());
        assert!(matches!(other, Err(RecordError::Profile { .. })));
    }

    #[test]
    fn fields_that_no_store_can_keep_are_refused() {
        let changes: [fn(&mut StoreRecord); 5] = [
            |record| record.source_id.clear(),
            |record| record.source_id = "x".repeat(97),
            |record| record.model_name = "x".repeat(41),
            |record| record.source_id.push('\0'),
            |record| record.last_saved.counter = -1,
        ];
        for change in changes {
            let error = check(None, change).expect_err("not to be kept");
            assert!(matches!(error, RecordError::Field { .. } | RecordError::Counter(_)), "{error}");
        }
    }

    #[test]
    fn what_a_store_can_just_keep_passes_and_one_more_is_refused() {
        type Part = fn(&mut StoreRecord) -> &mut String;
        fn check_with(field: Part, length: usize) -> Result<(), RecordError> {
            let mut record = note();
            *field(&mut record) = "é".repeat(length);
            check_fields(&record)
        }
        let names: [(Part, usize); 4] = [
            (|record| &mut record.profile, limits::NAME_CHARS_MAX),
            (|record| &mut record.model_name, limits::NAME_CHARS_MAX),
            (|record| &mut record.source_id, limits::SOURCE_ID_CHARS_MAX),
            (|record| &mut record.self_ref_fk, limits::NAME_CHARS_MAX),
        ];
        for (field, chars_max) in names {
            assert_eq!(check_with(field, chars_max), Ok(()));
            let refused = check_with(field, chars_max + 1).expect_err("one character more");
            assert!(matches!(refused, RecordError::Field { problem: "is too long", .. }), "{refused}");
        }
        // A partition is found by its bytes, and `é` has two.
        let bytes_max = limits::PARTITION_BYTES_MAX;
        assert_eq!(check_with(|record| &mut record.partition, bytes_max / 2), Ok(()));
        let refused = check_with(|record| &mut record.partition, bytes_max / 2 + 1);
        assert_eq!(refused, Err(RecordError::Field { field: "partition", problem: "is too long" }));
    }

    #[test]
    fn nobody_knows_what_this_instance_told_nobody_of() {
        let (us, them) = (InstanceId::hash_of("us"), InstanceId::hash_of("laptop"));
        let told = Stamp::new(us, 7);
        let claiming = |counter| check(None, |record| record.counters.raise(Stamp::new(us, counter))).expect("genuine");
        for (claimed, believed) in [(6, 6), (7, 7), (8, 7), (limits::COUNTER_MAX, 7)] {
            let received = claiming(claimed);
            assert_eq!(received.exceeds(told), claimed > 7, "{claimed}");
            let record = received.believed_by(told).expect("somebody else saved it").into_record();
            assert_eq!((record.counters.get(&us), record.counters.get(&them)), (Some(believed), Some(3)), "{claimed}");
        }
        let nothing_yet = claiming(5).believed_by(Stamp::new(us, 0)).expect("somebody else saved it");
        assert_eq!(nothing_yet.record().counters.get(&us), None);
        let saved = |counter| check(None, |record| record.last_saved = Stamp::new(us, counter)).expect("genuine");
        assert_eq!(saved(8).believed_by(told), Err(RecordError::OwnFuture { counter: 8 }));
        assert_eq!(saved(7).believed_by(told), Ok(saved(7)));
    }

    #[test]
    fn a_text_is_as_long_as_it_is_where_it_travels() {
        let long = |length: usize| check(None, |record| record.serialized = "\u{1}".repeat(length));
        assert!(long(limits::SERIALIZED_BYTES_MAX / 6).is_ok());
        let error = long(limits::SERIALIZED_BYTES_MAX / 6 + 1).expect_err("it takes six bytes for each");
        assert_eq!(error, RecordError::Field { field: "serialized", problem: "is too long" });
    }

    #[test]
    fn a_record_cannot_be_moved_by_sending_it_with_another_partition() {
        let ours = note();
        assert_eq!(ours.check_same(&note()), Ok(()));
        let mut moved = note();
        moved.partition = "me:notes".to_owned();
        assert_eq!(ours.check_same(&moved), Err(RecordError::Displaced { id: ours.id }));
    }

    #[test]
    fn a_record_cannot_be_taken_over_under_another_name_and_may_say_what_it_likes() {
        let ours = note();
        let changes: [fn(&mut StoreRecord); 4] = [
            |record| record.id = SyncId::hash_of("other"),
            |record| record.source_id = "2".to_owned(),
            |record| record.model_name = "owner".to_owned(),
            |record| record.profile = "other".to_owned(),
        ];
        for change in changes {
            let mut other = note();
            change(&mut other);
            assert_eq!(ours.check_same(&other), Err(RecordError::Displaced { id: other.id }));
        }
        let mut edited = note();
        edited.serialized = "another text".to_owned();
        assert_eq!(ours.check_same(&edited), Ok(()));
    }
}
