//! A chunk of any bytes: no record spoils another, and a record that is read goes on as it came, to the buffer and to others.

#![no_main]

use libfuzzer_sys::fuzz_target;
use morango::id::TransferSessionId;
use morango::limits;
use morango::model::IdRule;
use morango::port::ReceivedRecord;
use morango::record::{BufferRecord, Gate, LooseRecord, StoreRecord};
use morango::scope::Filter;
use morango::wire::{self, PageLinks};
use serde_json::value::RawValue;

fuzz_target!(|body: &[u8]| {
    let Ok(records) = wire::read_chunk(body) else { return };
    assert!(records.len() <= limits::CHUNK_RECORDS_ACCEPTED_MAX);
    no_record_spoils_another(body, &records);
    for record in &records {
        match record {
            ReceivedRecord::Unreadable { reason, .. } => assert!(reason.chars().count() < 400, "{reason}"),
            ReceivedRecord::Readable(loose) => goes_on_as_it_came(loose),
        }
    }
});

/// Each record of a list is read as if it had come alone.
fn no_record_spoils_another(body: &[u8], records: &[ReceivedRecord]) {
    let Ok(text) = std::str::from_utf8(body) else { return };
    let Ok(pieces) = serde_json::from_str::<Vec<&RawValue>>(text) else { return };
    assert_eq!(records.len(), pieces.len());
    for (record, piece) in records.iter().zip(pieces) {
        let alone = wire::read_chunk(format!("[{}]", piece.get()).as_bytes()).expect("a list of one value");
        assert_eq!(alone, std::slice::from_ref(record));
    }
}

fn goes_on_as_it_came(loose: &LooseRecord) {
    let Ok(session) = loose.transfer_session.parse::<TransferSessionId>() else { return };
    let Ok(record) = loose.clone().into_store_record(session) else { return };
    assert!(record.last_saved.checked().is_ok() && record.counters.iter().all(|stamp| stamp.checked().is_ok()));
    let written = LooseRecord::from_store_record(record.clone(), session);
    // Of counters alone the order may be another, and the lower of two of one instance is left out.
    assert!(written.counters.iter().all(|counter| loose.counters.contains(counter)));
    assert_eq!(LooseRecord { counters: loose.counters.clone(), ..written.clone() }, *loose);
    is_written_and_read_alike(&record, session, written);
    let filter = Filter::new([record.partition.as_str()]).unwrap_or_else(|_| Filter::everything());
    for rule in [None, Some(IdRule::Calculated), Some(IdRule::SourceId)] {
        let gate = Gate { transfer_session_id: session, profile: &record.profile, filter: &filter };
        match BufferRecord::check(&gate, rule, record.clone()) {
            Ok(checked) => assert!(checked.record().counters.covers(&record.last_saved)),
            Err(refused) => assert_eq!(refused.record, record),
        }
    }
}

fn is_written_and_read_alike(record: &StoreRecord, session: TransferSessionId, written: LooseRecord) {
    let expected = [ReceivedRecord::Readable(Box::new(written))];
    let mut body = Vec::new();
    wire::write_chunk(&session, std::slice::from_ref(record), &mut body);
    assert_eq!(wire::read_chunk(&body).expect("what we wrote"), expected);
    let links = PageLinks { next: Some(record.partition.clone()), previous: None };
    let page = wire::write_page(&session, std::slice::from_ref(record), 7, &links);
    assert_eq!(wire::read_chunk(&page).expect("what we wrote"), expected);
}
