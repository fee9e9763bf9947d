//! Databases that earlier versions of this software made.
//!
//! Goal: each comes up with all that is in it. Method: the tables are made as each version made them, by copies of its statements that
//! nobody changes, with what a device has in them after a sync; then today's software opens them.

use diesel::connection::SimpleConnection as _;
use morango::counter::{ExpandedFsic, RecordMaxCounters, Stamp};
use morango::id::{SyncId, SyncSessionId, TransferSessionId};
use morango::port::{
    DeserializeOrder, FailedBefore, Isolation, ReceivedChunk, SessionMemory, Storage as _, WaitingRecords,
};
use morango::record::{BufferRecord, Gate, StoreRecord, record_id};
use morango::scope::{Filter, Reach};
use morango::session::Stage;

use super::database::{UNFINISHED, VERSIONS, bytes, id};
use super::notebook::{CREATE_TABLES, Device, go_on, instance};

/// The session that was open, and the transfer in it.
const SYNC_SESSION: SyncSessionId = SyncSessionId::from_bytes([0; 16]);
const TRANSFER_SESSION: TransferSessionId = TransferSessionId::from_bytes([1; 16]);

/// The version that first notes up to which counter others may know an instance.
const TOLD_SINCE: usize = 5;

fn photos() -> Filter {
    Filter::new(["photos"]).expect("a prefix")
}

/// What every version has had columns for.
fn contents(version: usize) -> String {
    let saved = Stamp::new(instance("this device").id, 7);
    let mut counters = RecordMaxCounters::new();
    counters.raise(saved);
    let counters = hex(&counters.to_bytes());
    let record = |name: &str, is_dirty: i64| {
        format!(
            "INSERT INTO morango_store (record_id, profile, model_name, partition, source_id, last_saved_instance,
                 last_saved_counter, is_deleted, is_hard_deleted, is_dirty, self_reference, record_max_counters,
                 serialized, conflicting_serialized_data)
             VALUES ({}, 'notebook', 'photo', 'photos', '{name}', {}, 7, 0, 0, {is_dirty}, '', {}, {}, {});",
            id(record_id("photos", name, "photo")),
            id(saved.instance),
            bytes(&counters),
            bytes(&hex(format!("{{\"name\":\"{name}\"}}").as_bytes())),
            bytes(""),
        )
    };
    let fsic = r#"{"sub":{},"super":{}}"#;
    let (zero, one) = (id(SYNC_SESSION), id(TRANSFER_SESSION));
    format!(
        "INSERT INTO morango_fact (name, value) VALUES ('schema_version', '{version}');
         INSERT INTO morango_fact (name, value) VALUES ('database_id', '{}');
         INSERT INTO morango_instance (id, counter, is_current, facts) VALUES ({}, 7, 1, '{{}}');
         INSERT INTO morango_database_max_counter (partition, instance, counter) VALUES ('photos', {}, 7);
         {} {}
         INSERT INTO morango_sync_session (id, side, profile, client_certificate, server_certificate, client_instance_json,
             server_instance_json, connection_path, client_ip, server_ip, capabilities, started_at, last_activity_at, is_active)
         VALUES ({zero}, 'client', 'notebook', {zero}, {zero}, '{{}}', '{{}}', '', '', '', '', 1, 2, 1);
         INSERT INTO morango_transfer_session (id, sync_session, side, direction, profile, filter, stage, status,
             records_transferred, bytes_sent, bytes_received, client_fsic, server_fsic, started_at, last_activity_at, is_active)
         VALUES ({one}, {zero}, 'client', 'pull', 'notebook', 'photos', 'queuing', 'completed', 0, 0, 0, '{fsic}', '{fsic}', 1, 2, 1);",
        SyncId::hash_of("this device"),
        id(saved.instance),
        id(saved.instance),
        record("cat", 0),
        record("dog", 1),
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

/// A device whose tables are those of a version, with what was in them.
fn device_of<'a>(steps: impl IntoIterator<Item = &'a str>, version: usize) -> Device {
    let mut device = Device::without_engine();
    device.run(CREATE_TABLES);
    for step in steps {
        device.connection.batch_execute(step).expect("the tables of that version");
    }
    device.connection.batch_execute(&contents(version)).expect("what was in them");
    if version >= TOLD_SINCE {
        device.run("UPDATE morango_instance SET told_counter = counter");
    }
    device
}

/// What each version added, as it was when it was first in use.
fn as_released(count: usize) -> impl Iterator<Item = &'static str> {
    VERSIONS[..count].iter().map(|[released, _]| *released)
}

#[test]
fn a_database_of_each_version_is_brought_up_to_date_and_keeps_what_it_has() {
    for version in 1..=VERSIONS.len() {
        let mut device = device_of(as_released(version), version);

        device.storage.prepare(&super::notebook::registry()).expect("it is brought up to date");
        assert_eq!(
            device.storage.renew_if_copied().expect("it is looked at"),
            None,
            "what was never noted is no difference"
        );
        device.build_engine();

        let own = device.storage.own_counters().expect("its instance");
        assert_eq!((own.instance, own.counter, own.told), (instance("this device").id, 7, 7), "version {version}");
        let names: Vec<String> = device.records().into_iter().map(|record| record.source_id).collect();
        assert!(names.len() == 2 && names.contains(&"cat".to_owned()), "version {version}: {names:?}");
        let waiting = device.storage.waiting(&WaitingRecords::of("notebook"), None, 9).expect("what waits").records;
        assert_eq!(waiting.iter().map(|record| record.id).collect::<Vec<_>>(), [record_id("photos", "dog", "photo")]);
        let session = device.storage.sync_session(&SYNC_SESSION).expect("read");
        assert!(session.is_some_and(|session| session.is_active && session.plan.is_none()), "version {version}");
        let transfer = device.storage.transfer_session(&TRANSFER_SESSION).expect("read");
        assert_eq!(transfer.expect("it is there").filter, photos());
        assert_eq!(device.number("SELECT counter FROM morango_database_max_counter"), 7);
        device.photo("cow");
        assert_eq!((device.serialize().new, device.counter()), (1, 8), "version {version}: it goes on counting");
    }
}

#[test]
fn a_database_from_before_the_first_version_was_finished_is_brought_up_to_date_and_syncs() {
    for (which, first) in UNFINISHED.iter().enumerate() {
        for version in 1..VERSIONS.len() {
            let steps = std::iter::once(*first).chain(as_released(version).skip(1));
            let mut device = device_of(steps, version);

            device.build_engine();

            device.photo("cow");
            send_and_receive(&device);
            assert_eq!(device.records().len(), 4, "{which}, version {version}");
            let photos = device.number("SELECT count(*) FROM photos");
            assert_eq!(photos, 3, "{which}, version {version}: the cow, the dog that waited, and the hen");
        }
    }
}

/// What a sync asks of a storage, on both ends.
fn send_and_receive(device: &Device) {
    let (storage, filter) = (&device.storage, photos());
    let begun = storage.update_transfer_session(&TRANSFER_SESSION, &mut |session| session.stage = Stage::Serializing);
    let mut session = begun.expect("it begins anew").expect("it is there");
    assert_eq!(device.serialize_under(&filter).new, 1);
    let queued = storage.queue(&session, &ExpandedFsic::default()).expect("it queues");
    assert_eq!(storage.queued_chunk(&session.id, 0, 9).expect("a chunk").records.len() as u64, queued);

    let theirs = Stamp::new(instance("another device").id, 3);
    session
        .server_fsic
        .change(|fsic| {
            fsic.sub.entry("photos".to_owned()).or_default().insert(theirs.instance, theirs.counter);
        })
        .expect("good counters");
    storage.note_unclaimed(&session.completed_by().expect("good counters")).expect("it is noted");
    let record = StoreRecord {
        id: record_id("photos", "hen", "photo"),
        source_id: "hen".to_owned(),
        serialized: "{\"name\":\"hen\"}".to_owned(),
        last_saved: theirs,
        counters: RecordMaxCounters::from_stamps([theirs]).expect("good counters"),
        ..device.record(record_id("photos", "cow", "photo"))
    };
    let gate = Gate { transfer_session_id: session.id, profile: "notebook", filter: &filter };
    let records = [BufferRecord::check(&gate, None, record).expect("it passes the gate")];
    let chunk = ReceivedChunk {
        session: &session.id,
        offset: Some(0),
        digest: &[1; 32],
        records: &records,
        rejections: &[],
        received_at: session.started_at,
    };
    storage.receive_chunk(&chunk).expect("it is kept");
    assert_eq!(storage.dequeue(&session, &Reach::everything(), &go_on).expect("it dequeues").new, 1);
    let order = DeserializeOrder {
        profile: "notebook",
        filter: &filter,
        failed_before: FailedBefore::TryAgain,
        now: session.started_at,
    };
    assert_eq!(storage.deserialize(&order, &go_on).expect("it deserializes").written, 2);
    let memory = SessionMemory::Transfer(session.id);
    let remembered = storage.transaction("remember", Isolation::Plain, &mut |transaction| {
        transaction.remember(memory, "an operation", "name", Some("value"))
    });
    remembered.expect("it is remembered");
    assert_eq!(storage.touched(&session.id, "photo", None, 9).expect("what it changed").len(), 1);
    storage.clean_up(&session.id, session.started_at).expect("it is closed");
}

/// What a database has that was made by an earlier version must be told from what is made today: each step is written once.
#[test]
fn no_step_is_changed_after_it_was_in_use() {
    for (number, [released, today]) in VERSIONS.iter().enumerate() {
        assert_eq!(released, today, "step {}: a step that is in use stays; add another one at the end", number + 1);
    }
    let mut device = Device::new();
    let version = device.number("SELECT CAST(value AS BIGINT) FROM morango_fact WHERE name = 'schema_version'");
    assert_eq!(usize::try_from(version), Ok(VERSIONS.len()), "each step has its copy in tests/fixtures/schema");
}
