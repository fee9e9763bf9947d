//! The gate: what a peer sent is checked here, record by record, before any of it is kept.
//!
//! A record that does not hold is set aside with its reason, and the others go on. [`BufferRecord::check`] says what holds;
//! this file brings the model's rule, keeps what was refused, and names the chunk by its digest.

use std::collections::HashSet;

use ring::digest::{self, SHA256};

use super::context::Home;
use crate::limits;
use crate::model::IdRule;
use crate::port::{ReceivedRecord, Rejection};
use crate::record::{BufferRecord, Gate, ID_PLACEHOLDER, LooseRecord, RecordError, Refused, StoreRecord};

/// A chunk whose records have been looked at.
pub(super) struct CheckedChunk {
    /// The digest of the chunk as it came: the same chunk has the same digest when it comes again.
    pub(super) digest: [u8; 32],
    pub(super) records: Vec<BufferRecord>,
    pub(super) rejections: Vec<Rejection>,
}

impl CheckedChunk {
    /// How many records came, whatever became of them.
    pub(super) fn len(&self) -> usize {
        self.records.len() + self.rejections.len()
    }
}

/// Checks a chunk that came. `offset` says where in the queue it began, where that is known: two chunks of unreadable records may look
/// alike.
pub(super) fn check(home: &Home, gate: &Gate<'_>, offset: Option<u64>, received: Vec<ReceivedRecord>) -> CheckedChunk {
    let digest = digest_of(offset, &received);
    let mut records = Vec::with_capacity(received.len());
    let mut rejections = Vec::new();
    let mut seen = HashSet::with_capacity(received.len());
    for received in received {
        let loose = match received {
            ReceivedRecord::Unreadable { received, reason } => {
                rejections.push(Rejection { claimed_id: String::new(), reason, received: cut(received) });
                continue;
            }
            ReceivedRecord::Readable(loose) => loose,
        };
        let heading = match loose.heading(gate.transfer_session_id) {
            Ok(heading) => heading,
            Err(error) => {
                rejections.push(reject(&loose, error.to_string()));
                continue;
            }
        };
        match check_record(home, gate, loose.under(heading)) {
            Ok(record) if seen.insert(record.record().id) => records.push(record),
            Ok(twice) => {
                let reason = "take the record: it is in the chunk twice";
                rejections.push(reject_read(gate, twice.into_record(), reason.to_owned()));
            }
            Err(refused) => rejections.push(reject_read(gate, refused.record, refused.error.to_string())),
        }
    }
    CheckedChunk { digest, records, rejections }
}

fn check_record(home: &Home, gate: &Gate<'_>, record: StoreRecord) -> Result<BufferRecord, Box<Refused>> {
    let model = home.registry.model(&record.profile, &record.model_name);
    if record.partition.contains(ID_PLACEHOLDER) {
        let error = RecordError::Field { field: "partition", problem: "has the placeholder of the id in it" };
        return Err(Box::new(Refused { record, error }));
    }
    // An id that is its source id proves nothing by itself; the model's partition begins with it where its template does.
    if let Some(model) = model
        && model.id_rule == IdRule::SourceId
        && model.partition.starts_with(ID_PLACEHOLDER)
        && !record.partition.starts_with(record.id.hex().as_str())
    {
        let error = RecordError::Forged { id: record.id };
        return Err(Box::new(Refused { record, error }));
    }
    BufferRecord::check(gate, model.map(|model| model.id_rule), record)
}

fn reject_read(gate: &Gate<'_>, record: StoreRecord, reason: String) -> Rejection {
    reject(&LooseRecord::from_store_record(record, gate.transfer_session_id), reason)
}

fn reject(loose: &LooseRecord, reason: String) -> Rejection {
    let counters: Vec<_> = loose
        .counters
        .iter()
        .take(limits::RECORD_MAX_COUNTERS_MAX)
        .map(|counter| {
            serde_json::json!({
                "transfer_session": counter.transfer_session, "model_uuid": counter.model_uuid,
                "instance_id": counter.instance_id, "counter": counter.counter,
            })
        })
        .collect();
    let received = serde_json::json!({
        "model_uuid": loose.model_uuid, "profile": loose.profile, "model_name": loose.model_name,
        "partition": loose.partition, "source_id": loose.source_id, "deleted": loose.deleted,
        "hard_deleted": loose.hard_deleted, "last_saved_instance": loose.last_saved_instance,
        "last_saved_counter": loose.last_saved_counter, "_self_ref_fk": loose.self_ref_fk,
        "transfer_session": loose.transfer_session, "rmcb_list": counters, "serialized": loose.serialized,
        "conflicting_serialized_data": loose.conflicting_serialized_data,
    });
    Rejection {
        claimed_id: loose.model_uuid.chars().take(limits::NAME_CHARS_MAX).collect(),
        reason,
        received: cut(received.to_string()),
    }
}

/// The start of a text that may be kept: between characters, and without a NUL, which one of our databases cannot keep.
fn cut(mut text: String) -> String {
    let mut end = text.len().min(limits::SERIALIZED_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

/// Every text goes in with its length before it, so that no two chunks read alike.
fn digest_of(offset: Option<u64>, received: &[ReceivedRecord]) -> [u8; 32] {
    let mut context = digest::Context::new(&SHA256);
    context.update(&offset.unwrap_or(u64::MAX).to_be_bytes());
    for record in received {
        match record {
            ReceivedRecord::Unreadable { received, .. } => add(&mut context, &[received]),
            ReceivedRecord::Readable(loose) => add_record(&mut context, loose),
        }
    }
    context.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
}

fn add_record(context: &mut digest::Context, loose: &LooseRecord) {
    let texts = [
        &loose.transfer_session,
        &loose.model_uuid,
        &loose.profile,
        &loose.model_name,
        &loose.partition,
        &loose.source_id,
        &loose.serialized,
        &loose.conflicting_serialized_data,
        &loose.self_ref_fk,
        &loose.last_saved_instance,
    ];
    add(context, &texts);
    context.update(&[u8::from(loose.deleted), u8::from(loose.hard_deleted)]);
    context.update(&loose.last_saved_counter.to_be_bytes());
    context.update(&(loose.counters.len() as u64).to_be_bytes());
    for counter in &loose.counters {
        add(context, &[&counter.transfer_session, &counter.model_uuid, &counter.instance_id]);
        context.update(&counter.counter.to_be_bytes());
    }
}

fn add(context: &mut digest::Context, texts: &[&String]) {
    context.update(&(texts.len() as u64).to_be_bytes());
    for text in texts {
        context.update(&(text.len() as u64).to_be_bytes());
        context.update(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::LooseCounter;

    /// A record of which each part is another text or number.
    fn loose() -> LooseRecord {
        LooseRecord {
            transfer_session: "session".to_owned(),
            model_uuid: "id".to_owned(),
            profile: "notebook".to_owned(),
            model_name: "note".to_owned(),
            partition: "me:notes".to_owned(),
            source_id: "1".to_owned(),
            serialized: "text".to_owned(),
            conflicting_serialized_data: "earlier".to_owned(),
            self_ref_fk: "parent".to_owned(),
            deleted: false,
            hard_deleted: false,
            last_saved_instance: "laptop".to_owned(),
            last_saved_counter: 3,
            counters: vec![LooseCounter {
                transfer_session: "session".to_owned(),
                model_uuid: "id".to_owned(),
                instance_id: "laptop".to_owned(),
                counter: 3,
            }],
        }
    }

    #[test]
    fn a_chunk_that_comes_again_has_the_same_digest_and_every_other_has_another() {
        let changes: [fn(&mut LooseRecord); 20] = [
            |_| (),
            |record| record.transfer_session.push('x'),
            |record| record.model_uuid.push('x'),
            |record| record.profile.push('x'),
            |record| record.model_name.push('x'),
            |record| record.partition.push('x'),
            |record| record.source_id.push('x'),
            |record| record.serialized.push('x'),
            |record| record.conflicting_serialized_data.push('x'),
            |record| record.self_ref_fk.push('x'),
            |record| record.deleted = true,
            |record| record.hard_deleted = true,
            |record| record.last_saved_instance.push('x'),
            |record| record.last_saved_counter = 4,
            |record| record.counters.clear(),
            |record| record.counters[0].transfer_session.push('x'),
            |record| record.counters[0].model_uuid.push('x'),
            |record| record.counters[0].instance_id.push('x'),
            |record| record.counters[0].counter = 4,
            // The same letters, in another part.
            |record| {
                record.source_id.push('t');
                record.serialized.remove(0);
            },
        ];
        let readable = |change: fn(&mut LooseRecord)| {
            let mut record = loose();
            change(&mut record);
            ReceivedRecord::Readable(Box::new(record))
        };
        let unreadable = |received: &str| ReceivedRecord::Unreadable {
            received: received.to_owned(),
            reason: "it is no record".to_owned(),
        };
        let mut chunks: Vec<(Option<u64>, Vec<ReceivedRecord>)> =
            changes.iter().map(|change| (Some(0), vec![readable(*change)])).collect();
        chunks.extend([
            (None, vec![readable(changes[0])]),
            (Some(1), vec![readable(changes[0])]),
            (Some(0), vec![readable(changes[0]), readable(changes[0])]),
            (Some(0), Vec::new()),
            (Some(0), vec![unreadable("ab")]),
            (Some(0), vec![unreadable("ac")]),
            (Some(0), vec![unreadable("a"), unreadable("b")]),
        ]);
        let digests = || chunks.iter().map(|(offset, received)| digest_of(*offset, received));
        assert_eq!(digests().collect::<HashSet<_>>().len(), chunks.len());
        assert!(digests().eq(digests()));
    }

    #[test]
    fn what_is_set_aside_is_cut_between_characters_and_kept_without_a_nul() {
        let longest = limits::SERIALIZED_BYTES_MAX;
        assert_eq!(cut("a\0é".to_owned()), "a\u{fffd}é");
        assert_eq!(cut("x".repeat(longest)).len(), longest);
        assert_eq!(cut("x".repeat(longest + 1)).len(), longest);
        assert_eq!(cut("x".repeat(longest - 1) + "é").len(), longest - 1, "half of a character is none");
    }
}
