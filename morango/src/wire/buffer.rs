//! `buffers/`: records in chunks. Every record of a transfer passes through here, so it writes in one pass and reads in one. Only where
//! that fails it reads in two, one that finds where each record begins and ends, one that reads it: so a record that is wrong spoils
//! no other.

use std::fmt;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::WireError;
use super::loose::or_default;
use crate::counter::{RecordMaxCounters, Stamp};
use crate::id::{InstanceId, SyncId, TransferSessionId};
use crate::limits;
use crate::port::ReceivedRecord;
use crate::record::{LooseCounter, LooseRecord, StoreRecord};

/// Bytes that a record takes beside its own texts, roughly: to ask for memory once.
const RECORD_BYTES_BESIDE_TEXTS: usize = 700;

/// A record as peers write it. The order of the members is that of the Python package.
#[derive(Serialize)]
struct WrittenRecord<'a> {
    serialized: &'a str,
    deleted: bool,
    last_saved_instance: InstanceId,
    last_saved_counter: i64,
    hard_deleted: bool,
    partition: &'a str,
    source_id: &'a str,
    model_name: &'a str,
    conflicting_serialized_data: &'a str,
    model_uuid: SyncId,
    transfer_session: TransferSessionId,
    profile: &'a str,
    rmcb_list: WrittenCounters<'a>,
    #[serde(rename = "_self_ref_fk")]
    self_ref_fk: &'a str,
}

impl<'a> WrittenRecord<'a> {
    fn of(transfer_session: TransferSessionId, record: &'a StoreRecord) -> Self {
        Self {
            serialized: &record.serialized,
            deleted: record.deleted,
            last_saved_instance: record.last_saved.instance,
            last_saved_counter: record.last_saved.counter,
            hard_deleted: record.hard_deleted,
            partition: &record.partition,
            source_id: &record.source_id,
            model_name: &record.model_name,
            conflicting_serialized_data: &record.conflicting_serialized_data,
            model_uuid: record.id,
            transfer_session,
            profile: &record.profile,
            rmcb_list: WrittenCounters { transfer_session, model_uuid: record.id, counters: &record.counters },
            self_ref_fk: &record.self_ref_fk,
        }
    }
}

/// A record's counters, each of which names session and record again.
struct WrittenCounters<'a> {
    transfer_session: TransferSessionId,
    model_uuid: SyncId,
    counters: &'a RecordMaxCounters,
}

impl Serialize for WrittenCounters<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Entry {
            transfer_session: TransferSessionId,
            model_uuid: SyncId,
            instance_id: InstanceId,
            counter: i64,
        }

        let mut list = serializer.serialize_seq(Some(self.counters.len()))?;
        for Stamp { instance, counter } in self.counters.iter() {
            list.serialize_element(&Entry {
                transfer_session: self.transfer_session,
                model_uuid: self.model_uuid,
                instance_id: instance,
                counter,
            })?;
        }
        list.end()
    }
}

/// Writes a chunk of records as a list, at the end of `body`.
pub fn write_chunk(transfer_session: &TransferSessionId, records: &[StoreRecord], body: &mut Vec<u8>) {
    body.reserve(likely_bytes(records));
    body.push(b'[');
    for (index, record) in records.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        serde_json::to_writer(&mut *body, &WrittenRecord::of(*transfer_session, record))
            .expect("plain values are written to memory without failing");
    }
    body.push(b']');
}

fn likely_bytes(records: &[StoreRecord]) -> usize {
    let texts = |record: &StoreRecord| {
        let texts = record.serialized.len() + record.conflicting_serialized_data.len();
        texts + texts / 8 + RECORD_BYTES_BESIDE_TEXTS
    };
    records.iter().map(texts).sum()
}

/// Where a page stands among the others, as addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageLinks {
    /// The page after this one, if there is one.
    pub next: Option<String>,
    /// The page before this one, if there is one.
    pub previous: Option<String>,
}

/// Writes a chunk of records as one page of `count` records.
pub fn write_page(
    transfer_session: &TransferSessionId,
    records: &[StoreRecord],
    count: u64,
    links: &PageLinks,
) -> Vec<u8> {
    let link = |link: &Option<String>| serde_json::to_string(link).expect("a text is JSON");
    let (next, previous) = (link(&links.next), link(&links.previous));
    let mut body = format!(r#"{{"count":{count},"next":{next},"previous":{previous},"results":"#).into_bytes();
    write_chunk(transfer_session, records, &mut body);
    body.push(b'}');
    body
}

/// Reads a chunk of records: a list, one bare record, or a page with the records under `results`.
///
/// A record that cannot be read is among the others, as [`ReceivedRecord::Unreadable`].
///
/// # Errors
/// The body is no JSON, or there are more than [`limits::CHUNK_RECORDS_ACCEPTED_MAX`] records.
pub fn read_chunk(body: &[u8]) -> Result<Vec<ReceivedRecord>, WireError> {
    match read_at_once(body) {
        Some(records) => Ok(records),
        None => read_one_by_one(body),
    }
}

fn is_list(body: &[u8]) -> bool {
    body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[')
}

/// The records of a list or a page, where nothing is wrong with any of them.
fn read_at_once(body: &[u8]) -> Option<Vec<ReceivedRecord>> {
    #[derive(Deserialize)]
    struct Page {
        results: Records<ReadRecord>,
    }

    let Records(records) = if is_list(body) {
        serde_json::from_slice(body).ok()?
    } else {
        serde_json::from_slice::<Page>(body).ok()?.results
    };
    Some(records.into_iter().map(ReceivedRecord::from).collect())
}

fn read_one_by_one(body: &[u8]) -> Result<Vec<ReceivedRecord>, WireError> {
    #[derive(Deserialize)]
    struct Page<'a> {
        #[serde(borrow)]
        results: Option<Records<&'a RawValue>>,
        model_uuid: Option<IgnoredAny>,
    }

    let malformed = |problem: serde_json::Error| {
        // A list that is too long stops the reader by an error of its own, which is told apart by its text.
        if problem.to_string().starts_with(TOO_MANY) { too_many() } else { WireError::malformed(WHAT, &problem) }
    };
    if is_list(body) {
        let Records(records) = serde_json::from_slice(body).map_err(malformed)?;
        return Ok(records.into_iter().map(read_record).collect());
    }
    let page: Page<'_> = serde_json::from_slice(body).map_err(malformed)?;
    match (page.results, page.model_uuid) {
        (Some(Records(records)), _) => Ok(records.into_iter().map(read_record).collect()),
        (None, Some(_)) => {
            let record: &RawValue = serde_json::from_slice(body).map_err(malformed)?;
            Ok(vec![read_record(record)])
        }
        (None, None) => Err(WireError::malformed(WHAT, &"it is neither a list nor a page nor a record")),
    }
}

const WHAT: &str = "a chunk of records";
const TOO_MANY: &str = "too many records";

fn too_many() -> WireError {
    WireError::TooMuch { what: "records in one chunk", max: limits::CHUNK_RECORDS_ACCEPTED_MAX }
}

/// Records, each read as a whole or as the piece of text that it is. The bound holds while they are taken: a body of millions of empty
/// records must not become a list of millions.
struct Records<Record>(Vec<Record>);

impl<'de, Record: Deserialize<'de>> Deserialize<'de> for Records<Record> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Taking<Record>(std::marker::PhantomData<Record>);

        impl<'de, Record: Deserialize<'de>> Visitor<'de> for Taking<Record> {
            type Value = Records<Record>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list of records")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut records = Vec::new();
                while records.len() < limits::CHUNK_RECORDS_ACCEPTED_MAX {
                    match list.next_element()? {
                        Some(record) => records.push(record),
                        None => return Ok(Records(records)),
                    }
                }
                match list.next_element::<IgnoredAny>()? {
                    Some(_) => Err(serde::de::Error::custom(TOO_MANY)),
                    None => Ok(Records(records)),
                }
            }
        }

        deserializer.deserialize_seq(Taking(std::marker::PhantomData))
    }
}

/// A record as existing peers send it. Texts may be `null`; what older peers do not know may be missing.
#[derive(Deserialize)]
struct ReadRecord {
    model_uuid: String,
    model_name: String,
    partition: String,
    source_id: String,
    last_saved_instance: String,
    last_saved_counter: i64,
    #[serde(default, deserialize_with = "or_default")]
    transfer_session: String,
    #[serde(default, deserialize_with = "or_default")]
    profile: String,
    #[serde(default, deserialize_with = "or_default")]
    serialized: String,
    #[serde(default, deserialize_with = "or_default")]
    conflicting_serialized_data: String,
    #[serde(default, deserialize_with = "or_default")]
    deleted: bool,
    #[serde(default, deserialize_with = "or_default")]
    hard_deleted: bool,
    #[serde(default, deserialize_with = "or_default")]
    rmcb_list: Vec<ReadCounter>,
    #[serde(default, deserialize_with = "or_default", rename = "_self_ref_fk")]
    self_ref_fk: String,
}

#[derive(Deserialize)]
struct ReadCounter {
    transfer_session: String,
    model_uuid: String,
    instance_id: String,
    counter: i64,
}

fn read_record(raw: &RawValue) -> ReceivedRecord {
    match serde_json::from_str::<ReadRecord>(raw.get()) {
        Ok(record) => record.into(),
        Err(problem) => ReceivedRecord::Unreadable {
            received: cut(raw.get(), limits::SERIALIZED_BYTES_MAX).to_owned(),
            reason: WireError::malformed("a record", &problem).to_string(),
        },
    }
}

/// The start of a text, at most so many bytes.
pub(super) fn cut(text: &str, bytes_max: usize) -> &str {
    let end = (0..=bytes_max.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.expect("every text has a boundary at its start")]
}

impl From<ReadRecord> for ReceivedRecord {
    fn from(record: ReadRecord) -> Self {
        Self::Readable(Box::new(LooseRecord {
            transfer_session: record.transfer_session,
            model_uuid: record.model_uuid,
            profile: record.profile,
            model_name: record.model_name,
            partition: record.partition,
            source_id: record.source_id,
            serialized: record.serialized,
            conflicting_serialized_data: record.conflicting_serialized_data,
            self_ref_fk: record.self_ref_fk,
            deleted: record.deleted,
            hard_deleted: record.hard_deleted,
            last_saved_instance: record.last_saved_instance,
            last_saved_counter: record.last_saved_counter,
            counters: record.rmcb_list.into_iter().map(Into::into).collect(),
        }))
    }
}

impl From<ReadCounter> for LooseCounter {
    fn from(counter: ReadCounter) -> Self {
        Self {
            transfer_session: counter.transfer_session,
            model_uuid: counter.model_uuid,
            instance_id: counter.instance_id,
            counter: counter.counter,
        }
    }
}
