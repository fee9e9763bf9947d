//! The compact form of received chunks: whatever bytes a database gives back, those that are read are those that would be written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use morango::counter::RecordMaxCounters;
use morango::id::TransferSessionId;
use morango::record::BufferRecord;

// The storage keeps the form to itself; it names nothing but the engine's types, so it is compiled a second time here.
#[path = "../../morango-diesel/src/incoming.rs"]
mod incoming;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(counters) = RecordMaxCounters::from_bytes(bytes) {
        assert_eq!(counters.to_bytes(), bytes);
        assert!(counters.iter().all(|stamp| stamp.checked().is_ok()));
    }
    if let Ok(part) = incoming::decode(bytes) {
        let session = TransferSessionId::hash_of("session");
        let records: Vec<_> =
            part.records.into_iter().map(|record| BufferRecord::from_store(session, record)).collect();
        assert_eq!(incoming::encode(part.inserted, &records.iter().collect::<Vec<_>>()), bytes);
    }
});
