//! A record from the wire through the gate into the store: it passes where it must, changed in nothing but what the gate says.

#![no_main]

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use morango::counter::{RecordMaxCounters, Stamp};
use morango::id::{SyncId, TransferSessionId};
use morango::limits;
use morango::model::IdRule;
use morango::port::ReceivedRecord;
use morango::record::{BufferRecord, Gate, ID_PLACEHOLDER, StoreRecord, record_id, record_partition};
use morango::scope::Filter;
use morango::wire;
use morango_fuzz::{FewStamps, Path, counters, is_good_prefix};

#[path = "../../morango-diesel/src/incoming.rs"]
mod incoming;

/// Where a record's id comes from.
#[derive(Debug, Arbitrary)]
enum Origin {
    Calculated,
    SourceId,
    Forged([u8; 16]),
}

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    origin: Origin,
    partition: (Path, bool, Path),
    source_id: &'a str,
    model_name: &'a str,
    profile: Option<&'a str>,
    texts: [&'a str; 3],
    deletions: [bool; 2],
    last_saved: FewStamps,
    counters: Vec<FewStamps>,
    filter: Vec<Path>,
    rule: Option<bool>,
    told: FewStamps,
}

const PROFILE: &str = "school";

fuzz_target!(|input: Input<'_>| {
    let session = TransferSessionId::hash_of("session");
    let sent = record_of(&input);
    let mut body = Vec::new();
    wire::write_chunk(&session, std::slice::from_ref(&sent), &mut body);
    let received = match wire::read_chunk(&body).expect("what we wrote").remove(0) {
        ReceivedRecord::Readable(loose) => loose.into_store_record(session).expect("its counters are small"),
        ReceivedRecord::Unreadable { reason, .. } => panic!("{reason}"),
    };
    assert_eq!(received, sent);
    let prefixes = input.filter.iter().map(|path| path.0.as_str()).filter(|prefix| is_good_prefix(prefix));
    let filter = Filter::new(prefixes).unwrap_or_else(|_| Filter::everything());
    let gate = Gate { transfer_session_id: session, profile: PROFILE, filter: &filter };
    let rule = input.rule.map(|calculated| if calculated { IdRule::Calculated } else { IdRule::SourceId });
    let holds = plainly_holds(&sent, rule, &filter);
    match BufferRecord::check(&gate, rule, received) {
        Ok(checked) => {
            assert!(holds, "{input:?}");
            let mut expected = sent;
            expected.counters.raise(expected.last_saved);
            assert_eq!(checked.record(), &expected);
            is_kept_as_it_is(&checked);
            is_believed_up_to_what_we_told(checked, input.told.0);
        }
        Err(refused) => {
            assert!(!holds, "{}: {input:?}", refused.error);
            assert_eq!(refused.record, sent);
        }
    }
});

fn record_of(input: &Input<'_>) -> StoreRecord {
    let (before, names_id, after) = &input.partition;
    let template = [before.0.as_str(), if *names_id { ID_PLACEHOLDER } else { "" }, after.0.as_str()].concat();
    let calculated = record_id(&template, input.source_id, input.model_name);
    let (id, source_id) = match input.origin {
        Origin::Calculated => (calculated, input.source_id.to_owned()),
        Origin::SourceId => (calculated, calculated.to_string()),
        Origin::Forged(bytes) => (SyncId::from_bytes(bytes), input.source_id.to_owned()),
    };
    let [serialized, conflicting_serialized_data, self_ref_fk] = input.texts.map(str::to_owned);
    let [deleted, hard_deleted] = input.deletions;
    StoreRecord {
        id,
        profile: input.profile.unwrap_or(PROFILE).to_owned(),
        model_name: input.model_name.to_owned(),
        partition: record_partition(&template, &id),
        source_id,
        serialized,
        conflicting_serialized_data,
        deleted,
        hard_deleted,
        last_saved: input.last_saved.0,
        self_ref_fk,
        counters: counters(&input.counters),
    }
}

/// What must hold of a record, said once more.
fn plainly_holds(record: &StoreRecord, rule: Option<IdRule>, filter: &Filter) -> bool {
    let is_name = |text: &str, chars_max| !text.is_empty() && text.chars().count() <= chars_max;
    let names = [&record.profile, &record.model_name, &record.source_id, &record.self_ref_fk, &record.partition];
    let has_good_names = is_name(&record.profile, limits::NAME_CHARS_MAX)
        && is_name(&record.model_name, limits::NAME_CHARS_MAX)
        && is_name(&record.source_id, limits::SOURCE_ID_CHARS_MAX)
        && record.self_ref_fk.chars().count() <= limits::NAME_CHARS_MAX
        && record.partition.len() <= limits::PARTITION_BYTES_MAX
        && names.iter().all(|name| !name.contains('\0'));
    let template = record.partition.replace(&record.id.to_string(), ID_PLACEHOLDER);
    let is_calculated = record.id == record_id(&template, &record.source_id, &record.model_name);
    let is_source_id = record.id.to_string() == record.source_id;
    let is_genuine = match rule {
        Some(IdRule::Calculated) => is_calculated,
        Some(IdRule::SourceId) => is_source_id,
        None => is_calculated || (is_source_id && record.partition.starts_with(&record.source_id)),
    };
    let is_within = filter.prefixes().iter().any(|prefix| record.partition.starts_with(prefix.as_str()));
    has_good_names && record.profile == PROFILE && is_within && is_genuine
}

/// In the buffer a record lies in a compact form.
fn is_kept_as_it_is(checked: &BufferRecord) {
    let part = incoming::decode(&incoming::encode(3, &[checked])).expect("what we wrote");
    assert_eq!((part.inserted, part.records.as_slice()), (3, std::slice::from_ref(checked.record())));
}

/// Nothing is believed that this instance told nobody of.
fn is_believed_up_to_what_we_told(checked: BufferRecord, told: Stamp) {
    let record = checked.record().clone();
    let says_more = record.counters.iter().any(|stamp| stamp.instance == told.instance && stamp.counter > told.counter);
    assert_eq!(checked.exceeds(told), says_more);
    let is_own_future = record.last_saved.instance == told.instance && record.last_saved.counter > told.counter;
    match checked.believed_by(told) {
        Ok(believed) => {
            assert!(!is_own_future && !believed.exceeds(told));
            let lowered = record.counters.iter().map(|stamp| {
                let is_own = stamp.instance == told.instance;
                Stamp::new(stamp.instance, if is_own { stamp.counter.min(told.counter) } else { stamp.counter })
            });
            let counters = RecordMaxCounters::from_stamps(lowered).expect("they were good");
            assert_eq!(believed.into_record(), StoreRecord { counters, ..record });
        }
        Err(error) => assert!(is_own_future, "{error}"),
    }
}
