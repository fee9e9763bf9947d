//! Databases that earlier versions of this software made.
//!
//! Goal: each comes up with all that is in it. Method: the tables are made as each version made them, with what a device has in them
//! after a sync; then today's software opens them.

use diesel::connection::SimpleConnection as _;
use morango::counter::{RecordMaxCounters, Stamp};
use morango::id::{SyncId, SyncSessionId, TransferSessionId};
use morango::port::{Storage as _, WaitingRecords};
use morango::record::record_id;
use morango::scope::Filter;

use super::database::{VERSIONS, bytes, id};
use super::notebook::{CREATE_TABLES, Device, instance};

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
    let (zero, one) = (id(SyncId::from_bytes([0; 16])), id(SyncId::from_bytes([1; 16])));
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

#[test]
fn a_database_of_each_version_is_brought_up_to_date_and_keeps_what_it_has() {
    for version in 1..=VERSIONS.len() {
        let mut device = Device::without_engine();
        device.run(CREATE_TABLES);
        for step in &VERSIONS[..version] {
            device.connection.batch_execute(step).expect("the tables of that version");
        }
        device.connection.batch_execute(&contents(version)).expect("what was in them");

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
        let session = device.storage.sync_session(&SyncSessionId::from_bytes([0; 16])).expect("read");
        assert!(session.is_some_and(|session| session.is_active && session.plan.is_none()), "version {version}");
        let transfer = device.storage.transfer_session(&TransferSessionId::from_bytes([1; 16])).expect("read");
        assert_eq!(transfer.expect("it is there").filter, Filter::new(["photos"]).expect("a prefix"));
        assert_eq!(device.number("SELECT counter FROM morango_database_max_counter"), 7);
        device.photo("cow");
        assert_eq!((device.serialize().new, device.counter()), (1, 8), "version {version}: it goes on counting");
    }
}
