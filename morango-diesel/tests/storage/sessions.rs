//! Nonces, sync sessions and transfer sessions are kept as they were given.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use morango::ErrorKind;
use morango::counter::Fsic;
use morango::id::{CertificateId, InstanceId, NonceId, SyncSessionId, TransferSessionId};
use morango::identity::Nonce;
use morango::port::Storage as _;
use morango::scope::Filter;
use morango::session::{Capabilities, Direction, Side, Stage, StageStatus, SyncSession, TransferSession};

use crate::notebook::Device;

fn noon() -> DateTime<Utc> {
    DateTime::from_timestamp(1_750_000_000, 123_000_000).expect("a time")
}

fn sync_session() -> SyncSession {
    SyncSession {
        id: SyncSessionId::random(),
        side: Side::Server,
        profile: "notebook".to_owned(),
        client_certificate: CertificateId::random(),
        server_certificate: CertificateId::random(),
        client_instance: Some(InstanceId::random()),
        server_instance: None,
        client_instance_json: "{}".to_owned(),
        server_instance_json: "{\"a\": 1}".to_owned(),
        connection_path: "http://192.0.2.7:8080/".to_owned(),
        client_ip: "192.0.2.1".to_owned(),
        server_ip: String::new(),
        capabilities: Capabilities::ours(),
        started_at: noon(),
        last_activity_at: noon(),
        is_active: true,
    }
}

fn transfer_session(sync_session: &SyncSession, direction: Direction) -> TransferSession {
    TransferSession {
        id: TransferSessionId::random(),
        sync_session: sync_session.id,
        side: Side::Server,
        direction,
        profile: "notebook".to_owned(),
        filter: Filter::new(["a", "b:c"]).expect("a filter"),
        stage: Stage::Initializing,
        status: StageStatus::Completed,
        error: None,
        records_total: None,
        records_transferred: 0,
        bytes_sent: 0,
        bytes_received: 0,
        client_fsic: Fsic::default(),
        server_fsic: Fsic::default(),
        started_at: noon(),
        last_activity_at: noon(),
        is_active: true,
    }
}

#[test]
fn a_nonce_is_taken_once() {
    let storage = Device::new().storage;
    let nonce = Nonce { id: NonceId::random(), issued_at: noon(), ip: "192.0.2.1".to_owned() };
    storage.issue_nonce(&nonce, noon() - TimeDelta::seconds(60)).expect("issue");
    assert_eq!(storage.take_nonce(&nonce.id).expect("take"), Some(nonce.clone()));
    assert_eq!(storage.take_nonce(&nonce.id).expect("take again"), None);
    storage.issue_nonce(&nonce, noon()).expect("issue");
    let next = Nonce { id: NonceId::random(), issued_at: noon() + TimeDelta::seconds(60), ip: String::new() };
    storage.issue_nonce(&next, noon() + TimeDelta::milliseconds(1)).expect("issue");
    assert_eq!(storage.take_nonce(&nonce.id).expect("take"), None, "it was stale");
}

#[test]
fn a_sync_session_is_kept_until_it_is_closed_and_after() {
    let storage = Device::new().storage;
    let session = sync_session();
    storage.create_sync_session(&session).expect("create");
    assert_eq!(storage.sync_session(&session.id).expect("read").as_ref(), Some(&session));
    let error = storage.create_sync_session(&session).expect_err("one of each id");
    assert_eq!(error.kind(), ErrorKind::SessionConflict);
    assert_eq!(storage.sync_session(&SyncSessionId::random()).expect("read"), None);

    let transfer = transfer_session(&session, Direction::Pull);
    storage.create_transfer_session(&transfer).expect("create");
    let later = noon() + TimeDelta::seconds(5);
    storage.close_sync_session(&session.id, later).expect("close");
    let closed = storage.sync_session(&session.id).expect("read").expect("still known");
    assert_eq!((closed.is_active, closed.last_activity_at), (false, later));
    assert!(!storage.transfer_session(&transfer.id).expect("read").expect("still known").is_active);
    let error = storage.create_transfer_session(&transfer_session(&session, Direction::Push)).expect_err("closed");
    assert_eq!(error.kind(), ErrorKind::SessionUnknown);
}

#[test]
fn the_open_transfer_of_the_same_direction_is_taken_up() {
    let storage = Device::new().storage;
    let session = sync_session();
    storage.create_sync_session(&session).expect("create");
    let first = transfer_session(&session, Direction::Pull);
    assert_eq!(storage.create_transfer_session(&first).expect("create"), first);
    let second = transfer_session(&session, Direction::Pull);
    assert_eq!(storage.create_transfer_session(&second).expect("take up"), first);
    assert_eq!(storage.transfer_session(&second.id).expect("read"), None);
    let push = transfer_session(&session, Direction::Push);
    assert_eq!(storage.create_transfer_session(&push).expect("create"), push);
    let mut same_id = transfer_session(&session, Direction::Pull);
    same_id.id = first.id;
    storage.update_transfer_session(&first.id, &mut |open| open.is_active = false).expect("close");
    let error = storage.create_transfer_session(&same_id).expect_err("one of each id");
    assert_eq!(error.kind(), ErrorKind::SessionConflict);
}

#[test]
fn an_update_keeps_what_it_changes_and_nothing_that_it_must_not() {
    let storage = Device::new().storage;
    let session = sync_session();
    storage.create_sync_session(&session).expect("create");
    let transfer = transfer_session(&session, Direction::Push);
    storage.create_transfer_session(&transfer).expect("create");
    let counters = BTreeMap::from([("a".to_owned(), BTreeMap::from([(InstanceId::random(), 7)]))]);
    let fsic = Fsic { sub: counters, ..Fsic::default() };
    let changed = storage
        .update_transfer_session(&transfer.id, &mut |open| {
            open.stage = Stage::Queuing;
            open.status = StageStatus::Errored;
            open.error = Some("the disk is full".to_owned());
            open.records_total = Some(12);
            open.bytes_sent = 9;
            open.client_fsic = fsic.clone();
            open.filter = Filter::everything();
            open.direction = Direction::Pull;
            open.profile.clear();
        })
        .expect("update")
        .expect("it is there");
    assert_eq!((changed.direction, changed.profile.as_str()), (Direction::Push, "notebook"));
    assert_eq!(storage.transfer_session(&transfer.id).expect("read"), Some(changed.clone()));
    assert_eq!((changed.records_total, changed.client_fsic), (Some(12), fsic));
    assert_eq!(storage.update_transfer_session(&TransferSessionId::random(), &mut |_| ()).expect("read"), None);
}
