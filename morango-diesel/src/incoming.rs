//! What a received chunk looks like while it waits in the buffer: its records one after another, in a compact form.
//!
//! *Shape*: a byte for the form; how many records of the chunk are in the store already, in eight bytes; then of each other record: id,
//! flags, last stamp; then its texts and record max counters, each with its length before it in four bytes. All numbers have their
//! highest byte first. Nothing here knows a database or a wire.

use morango::counter::{RecordMaxCounters, Stamp};
use morango::id::{InstanceId, SyncId};
use morango::record::{BufferRecord, StoreRecord};
use morango::{Error, ErrorKind};

/// The first byte of a chunk in this form.
const FORM: u8 = 2;

const DELETED: u8 = 1;
const HARD_DELETED: u8 = 2;

/// Bytes that a record takes beside its texts and counters.
const RECORD_BYTES_MIN: usize = 16 + 1 + 16 + 8 + 8 * 4;

/// How many bytes a record takes in a chunk.
pub(crate) fn encoded_length(record: &StoreRecord) -> usize {
    RECORD_BYTES_MIN + texts(record).map(str::len).iter().sum::<usize>() + record.counters.len() * 24
}

fn texts(record: &StoreRecord) -> [&str; 7] {
    [
        &record.profile,
        &record.model_name,
        &record.partition,
        &record.source_id,
        &record.serialized,
        &record.conflicting_serialized_data,
        &record.self_ref_fk,
    ]
}

/// What a part of a received chunk holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Part {
    /// How many of its records were new and are in the store already.
    pub(crate) inserted: u64,
    /// The others.
    pub(crate) records: Vec<StoreRecord>,
}

/// The compact form of these records, of a chunk of which others are in the store already.
pub(crate) fn encode(inserted: u64, records: &[&BufferRecord]) -> Vec<u8> {
    let length: usize = records.iter().map(|received| encoded_length(received.record())).sum();
    let mut bytes = Vec::with_capacity(1 + 8 + length);
    bytes.push(FORM);
    bytes.extend_from_slice(&inserted.to_be_bytes());
    for received in records {
        let record = received.record();
        bytes.extend_from_slice(record.id.as_bytes());
        bytes.push((u8::from(record.deleted) * DELETED) | (u8::from(record.hard_deleted) * HARD_DELETED));
        bytes.extend_from_slice(record.last_saved.instance.as_bytes());
        bytes.extend_from_slice(&record.last_saved.counter.to_be_bytes());
        for text in texts(record) {
            put(&mut bytes, text.as_bytes());
        }
        put(&mut bytes, &record.counters.to_bytes());
    }
    bytes
}

fn put(bytes: &mut Vec<u8>, piece: &[u8]) {
    let length = u32::try_from(piece.len()).expect("the gate takes no text of 4 GiB");
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(piece);
}

/// Reads the compact form.
///
/// # Errors
/// [`ErrorKind::StorageCorrupt`]: the bytes are not what [`encode`] wrote.
pub(crate) fn decode(bytes: &[u8]) -> morango::Result<Part> {
    let damaged = || Error::new(ErrorKind::StorageCorrupt, format!("read a received chunk of {} bytes", bytes.len()));
    let mut reader = Reader { rest: bytes };
    if reader.array::<1>() != Some([FORM]) {
        return Err(damaged());
    }
    let inserted = u64::from_be_bytes(reader.array().ok_or_else(damaged)?);
    let mut records = Vec::new();
    while !reader.rest.is_empty() {
        records.push(reader.record().ok_or_else(damaged)?);
    }
    Ok(Part { inserted, records })
}

/// What is still to be read. Every answer is `None` where the bytes end too early or cannot be what they stand for.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(bytes)
    }

    fn array<const LENGTH: usize>(&mut self) -> Option<[u8; LENGTH]> {
        self.bytes(LENGTH)?.try_into().ok()
    }

    fn piece(&mut self) -> Option<&'a [u8]> {
        let length = u32::from_be_bytes(self.array()?);
        self.bytes(usize::try_from(length).ok()?)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.piece()?.to_vec()).ok()
    }

    fn record(&mut self) -> Option<StoreRecord> {
        let id = SyncId::from_bytes(self.array()?);
        let [flags] = self.array()?;
        if flags & !(DELETED | HARD_DELETED) != 0 {
            return None;
        }
        let instance = InstanceId::from_bytes(self.array()?);
        let last_saved = Stamp::new(instance, i64::from_be_bytes(self.array()?)).checked().ok()?;
        Some(StoreRecord {
            id,
            profile: self.text()?,
            model_name: self.text()?,
            partition: self.text()?,
            source_id: self.text()?,
            serialized: self.text()?,
            conflicting_serialized_data: self.text()?,
            self_ref_fk: self.text()?,
            deleted: flags & DELETED != 0,
            hard_deleted: flags & HARD_DELETED != 0,
            last_saved,
            counters: RecordMaxCounters::from_bytes(self.piece()?).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use morango::id::TransferSessionId;

    fn record(text: &str) -> StoreRecord {
        let last_saved = Stamp::new(InstanceId::hash_of("laptop"), 7);
        let mut counters = RecordMaxCounters::new();
        counters.raise(last_saved);
        counters.raise(Stamp::new(InstanceId::hash_of("tablet"), 3));
        StoreRecord {
            id: SyncId::hash_of(text),
            profile: "notebook".to_owned(),
            model_name: "note".to_owned(),
            partition: "me:notes".to_owned(),
            source_id: "1".to_owned(),
            serialized: text.to_owned(),
            conflicting_serialized_data: "älter\n".to_owned(),
            deleted: text.is_empty(),
            hard_deleted: text.len() == 2,
            last_saved,
            self_ref_fk: String::new(),
            counters,
        }
    }

    fn encoded(records: &[StoreRecord]) -> Vec<u8> {
        let session = TransferSessionId::hash_of("session");
        let received: Vec<_> = records.iter().map(|record| BufferRecord::from_store(session, record.clone())).collect();
        encode(7, &received.iter().collect::<Vec<_>>())
    }

    #[test]
    fn a_chunk_is_read_as_it_was_written() {
        let records: Vec<StoreRecord> = ["", "{}", "no json", "{\"title\":\"Milch für Ödön\"}"].map(record).to_vec();
        let bytes = encoded(&records);
        assert_eq!(bytes.len(), 1 + 8 + records.iter().map(encoded_length).sum::<usize>());
        assert_eq!(decode(&bytes).expect("its own form"), Part { inserted: 7, records });
        assert_eq!(decode(&encoded(&[])).expect("an empty chunk"), Part { inserted: 7, records: Vec::new() });
    }

    #[test]
    fn a_chunk_that_was_cut_or_changed_is_an_error_and_no_panic() {
        let bytes = encoded(&[record("one"), record("two")]);
        let one = 1 + 8 + encoded_length(&record("one"));
        for end in (0..bytes.len()).filter(|end| *end != 1 + 8 && *end != one) {
            assert!(decode(&bytes[..end]).is_err(), "cut at {end}");
        }
        for position in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[position] ^= 0xff;
            // Whatever it gives, it gives it without a panic or a huge allocation.
            let _ = decode(&changed);
        }
    }
}
