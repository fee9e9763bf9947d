//! A server on which many learners' devices have synced: each learner has a partition of its own, saved last by a device of
//! its own, and this database has a counter of that device for that partition alone.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use chrono::Utc;
use morango::counter::{Fsic, RecordMaxCounters, Stamp};
use morango::id::{CertificateId, InstanceId, SyncSessionId, TransferSessionId};
use morango::port::{DeserializeOrder, FailedBefore, ReceivedChunk, Storage};
use morango::prelude::*;
use morango::record::{BufferRecord, ID_PLACEHOLDER, StoreRecord, record_id, record_partition};
use morango::scope::Reach;
use morango::session::{Direction, Side, Stage, SyncSession, TransferSession};
use morango_examples::school;
use serde_json::json;

use crate::Outcome;

/// Records that are received at a time.
const CHUNK: usize = 500;

/// Receives one record from each of so many devices, as the engine does when they push.
pub(crate) fn receive(storage: &dyn Storage, dataset: SyncId, partitions: u64) -> Outcome {
    let records: Vec<StoreRecord> = (0..partitions).map(|number| record(number, dataset)).collect();
    let mut session = open(storage, dataset, partitions)?;
    for (number, chunk) in (0_u64..).zip(records.chunks(CHUNK)) {
        let received: Vec<BufferRecord> =
            chunk.iter().map(|record| BufferRecord::from_store(session.id, record.clone())).collect();
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&number.to_be_bytes());
        storage.receive_chunk(&ReceivedChunk {
            session: &session.id,
            offset: None,
            digest: &digest,
            records: &received,
            rejections: &[],
            received_at: Utc::now(),
        })?;
    }
    let counters = records.iter().map(|record| {
        (record.partition.clone(), BTreeMap::from([(record.last_saved.instance, record.last_saved.counter)]))
    });
    session.server_fsic = Fsic { sub: counters.collect(), super_: BTreeMap::new() }.into();
    let go_on = |_| ControlFlow::Continue(());
    storage.dequeue(&session, &Reach::everything(), &go_on)?;
    let order = DeserializeOrder {
        profile: school::PROFILE,
        filter: &session.filter,
        failed_before: FailedBefore::TryAgain,
        now: session.started_at,
    };
    let report = storage.deserialize(&order, &go_on)?;
    if report.written != partitions {
        return Err(
            format!("{} of {partitions} rows were written: {:?}", report.written, report.failures.first()).into()
        );
    }
    storage.clean_up(&session.id, Utc::now())?;
    storage.close_sync_session(&session.sync_session, Utc::now())?;
    Ok(())
}

fn record(number: u64, dataset: SyncId) -> StoreRecord {
    let last_saved = Stamp::new(InstanceId::hash_of(&format!("device {number}")), 1);
    let mut counters = RecordMaxCounters::new();
    counters.raise(last_saved);
    let source_id = format!("{number:032x}");
    let template = format!("{dataset}:user-ro:{ID_PLACEHOLDER}");
    let id = record_id(&template, &source_id, "user");
    let partition = record_partition(&template, &id);
    let serialized = json!({
        "id": id.to_string(), "dataset_id": dataset.to_string(), "username": format!("learner-{number}"),
        "full_name": format!("Learner number {number}"), "birth_year": 2012,
        "_morango_source_id": source_id, "_morango_partition": partition,
    });
    StoreRecord {
        id,
        profile: school::PROFILE.to_owned(),
        model_name: "user".to_owned(),
        partition,
        source_id,
        serialized: serialized.to_string(),
        conflicting_serialized_data: String::new(),
        deleted: false,
        hard_deleted: false,
        last_saved,
        self_ref_fk: String::new(),
        counters,
    }
}

fn open(storage: &dyn Storage, dataset: SyncId, records: u64) -> Outcome<TransferSession> {
    let (now, certificate) = (Utc::now(), CertificateId::hash_of("nobody's"));
    let (id, both) = (SyncSessionId::random(), (certificate, certificate));
    let sync_session = SyncSession::begin(id, Side::Client, school::PROFILE, both, now);
    storage.create_sync_session(&sync_session)?;
    let filter = Filter::new([dataset.to_string().as_str()])?;
    let transfer = TransferSession {
        stage: Stage::Queuing,
        records_total: Some(records),
        ..TransferSession::begin(&sync_session, TransferSessionId::random(), Direction::Pull, filter, now)
    };
    Ok(storage.create_transfer_session(&transfer)?)
}
