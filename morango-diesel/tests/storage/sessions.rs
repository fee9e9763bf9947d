//! Nonces, sync sessions and transfer sessions are kept as they were given.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use morango::counter::{Fsic, RecordMaxCounters, Stamp};
use morango::id::{CertificateId, InstanceId, NonceId, SyncSessionId, TransferSessionId};
use morango::identity::Nonce;
use morango::port::{Storage as _, WaitingRecords};
use morango::record::{BufferRecord, StoreRecord, record_id};
use morango::scope::Filter;
use morango::session::{
    Direction, Side, Stage, StageStatus, SyncHolder, SyncPlan, SyncSession, SyncSessionOrder, SyncSessionQuery,
    TransferSession,
};

use morango::{ErrorKind, limits};

use super::notebook::Device;
use super::transfers::take_chunk;

fn noon() -> DateTime<Utc> {
    DateTime::from_timestamp(1_750_000_000, 123_000_000).expect("a time")
}

fn sync_session() -> SyncSession {
    let certificates = (CertificateId::random(), CertificateId::random());
    SyncSession {
        client_instance: Some(InstanceId::random()),
        server_instance_json: "{\"a\": 1}".to_owned(),
        connection_path: "http://192.0.2.7:8080/".to_owned(),
        client_ip: "192.0.2.1".to_owned(),
        ..SyncSession::begin(SyncSessionId::random(), Side::Server, "notebook", certificates, noon())
    }
}

/// A session that a client of this certificate opened.
pub(crate) fn session_of(client_certificate: CertificateId) -> SyncSession {
    SyncSession { client_certificate, ..sync_session() }
}

fn transfer_session(sync_session: &SyncSession, direction: Direction) -> TransferSession {
    let filter = Filter::new(["a", "b:c"]).expect("a filter");
    TransferSession::begin(sync_session, TransferSessionId::random(), direction, filter, noon())
}

#[test]
fn a_nonce_is_taken_once() {
    let device = Device::new();
    let storage = &device.storage;
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
fn however_many_nonces_are_asked_for_no_more_than_the_newest_ten_thousand_wait() {
    let device = Device::new();
    let nonces: Vec<Nonce> = (0..=limits::NONCES_OUTSTANDING_MAX)
        .map(|number| {
            let issued_at = noon() + TimeDelta::milliseconds(i64::try_from(number).expect("few"));
            Nonce { id: NonceId::random(), issued_at, ip: "192.0.2.1".to_owned() }
        })
        .collect();
    for nonce in &nonces {
        device.storage.issue_nonce(nonce, noon()).expect("issue");
    }
    let take = |nonce: &Nonce| device.storage.take_nonce(&nonce.id).expect("take");
    assert_eq!(take(&nonces[0]), None, "it was the oldest of too many");
    assert_eq!(take(&nonces[1]).as_ref(), Some(&nonces[1]));
    assert_eq!(take(&nonces[nonces.len() - 1]).as_ref(), nonces.last());
}

#[test]
fn a_sync_session_is_kept_until_it_is_closed_and_after() {
    let device = Device::new();
    let storage = &device.storage;
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
    let device = Device::new();
    let storage = &device.storage;
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
    let device = Device::new();
    let storage = &device.storage;
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
            open.client_fsic = fsic.clone().into();
            open.filter = Filter::everything();
            open.direction = Direction::Pull;
            open.profile.clear();
        })
        .expect("update")
        .expect("it is there");
    assert_eq!((changed.direction, changed.profile.as_str()), (Direction::Push, "notebook"));
    assert_eq!(storage.transfer_session(&transfer.id).expect("read"), Some(changed.clone()));
    assert_eq!((changed.records_total, changed.client_fsic), (Some(12), fsic.into()));
    assert_eq!(storage.update_transfer_session(&TransferSessionId::random(), &mut |_| ()).expect("read"), None);
}

#[test]
fn of_a_sync_session_its_plan_its_holder_and_its_activity_change_and_nothing_else() {
    let device = Device::new();
    let storage = &device.storage;
    let mut session = sync_session();
    session.side = Side::Client;
    session.plan = Some(SyncPlan {
        left: vec![Direction::Pull, Direction::Push],
        filter: Some(Filter::new(["a", "b:c"]).expect("a filter")),
        chunk_records: Some(7),
    });
    storage.create_sync_session(&session).expect("create");
    assert_eq!(storage.sync_session(&session.id).expect("read").as_ref(), Some(&session));

    let later = noon() + TimeDelta::seconds(5);
    let holder = SyncHolder { name: "here/1/2#3".to_owned(), until: later };
    let plan = SyncPlan { left: Vec::new(), filter: Some(Filter::everything()), chunk_records: None };
    let changed = storage.update_sync_session(&session.id, &mut |open| {
        open.plan = Some(plan.clone());
        open.holder = Some(holder.clone());
        open.last_activity_at = later;
        open.profile.clear();
        open.is_active = false;
    });
    let expected = SyncSession {
        plan: Some(plan.clone()),
        holder: Some(holder.clone()),
        last_activity_at: later,
        ..session.clone()
    };
    assert_eq!(changed.expect("update"), Some(expected.clone()));
    assert_eq!(storage.sync_session(&session.id).expect("read"), Some(expected));
    assert_eq!(storage.update_sync_session(&SyncSessionId::random(), &mut |_| ()).expect("read"), None);

    storage.close_sync_session(&session.id, later).expect("close");
    let closed = storage.sync_session(&session.id).expect("read").expect("still known");
    assert_eq!((closed.holder, closed.plan.map(|plan| plan.left)), (None, Some(Vec::new())), "nobody holds it");
}

#[test]
fn sync_sessions_are_found_by_what_is_asked_for_the_last_used_first() {
    let device = Device::new();
    let storage = &device.storage;
    let (client, server) = (InstanceId::random(), InstanceId::random());
    let sessions: Vec<SyncSession> = (0..4)
        .map(|number| SyncSession {
            side: if number == 0 { Side::Client } else { Side::Server },
            profile: if number == 1 { "other".to_owned() } else { "notebook".to_owned() },
            client_instance: (number == 2).then_some(client),
            server_instance: (number == 3).then_some(server),
            last_activity_at: noon() + TimeDelta::seconds(number),
            ..sync_session()
        })
        .collect();
    for session in &sessions {
        storage.create_sync_session(session).expect("create");
    }
    storage.close_sync_session(&sessions[3].id, sessions[3].last_activity_at).expect("close");
    let found = |query: SyncSessionQuery, limit| {
        let found = storage.sync_sessions(&query, limit).expect("a list");
        let number = |session: SyncSession| sessions.iter().position(|one| one.id == session.id).expect("one of them");
        found.into_iter().map(number).collect::<Vec<_>>()
    };
    let all = SyncSessionQuery::default;
    assert_eq!(found(all(), 10), [3, 2, 1, 0]);
    assert_eq!(found(all(), 2), [3, 2]);
    assert_eq!(found(SyncSessionQuery { is_active: Some(true), ..all() }, 10), [2, 1, 0]);
    assert_eq!(found(SyncSessionQuery { is_active: Some(false), ..all() }, 10), [3]);
    assert_eq!(found(SyncSessionQuery { side: Some(Side::Client), ..all() }, 10), [0]);
    assert_eq!(found(SyncSessionQuery { profile: Some("other".to_owned()), ..all() }, 10), [1]);
    assert_eq!(found(SyncSessionQuery { client_instance: Some(client), ..all() }, 10), [2]);
    assert_eq!(found(SyncSessionQuery { server_instance: Some(server), ..all() }, 10), [3]);
    let certificate = Some(sessions[1].client_certificate);
    assert_eq!(found(SyncSessionQuery { client_certificate: certificate, ..all() }, 10), [1]);
    assert_eq!(found(SyncSessionQuery { idle_since: Some(sessions[2].last_activity_at), ..all() }, 10), [1, 0]);
    assert_eq!(found(SyncSessionQuery { ids: Some(vec![sessions[1].id, sessions[2].id]), ..all() }, 10), [2, 1]);
    assert_eq!(found(SyncSessionQuery { ids: Some(Vec::new()), ..all() }, 10), Vec::<usize>::new());
    // More than a statement takes.
    let mut many: Vec<SyncSessionId> = (0..40_000).map(|_| SyncSessionId::random()).collect();
    many[10_000] = sessions[1].id;
    many[39_999] = sessions[2].id;
    assert_eq!(found(SyncSessionQuery { ids: Some(many.clone()), ..all() }, 10), [2, 1]);
    assert_eq!(found(SyncSessionQuery { ids: Some(many), ..all() }, 1), [2]);
    let after = |number: Option<usize>| {
        let after = number.map(|number| (sessions[number].last_activity_at, sessions[number].id));
        SyncSessionQuery { order: SyncSessionOrder::UsedLongestAgoFirst { after }, ..all() }
    };
    let all_by_age = found(after(None), 10);
    assert_eq!(all_by_age, found(all(), 10).into_iter().rev().collect::<Vec<_>>());
    let pages: Vec<usize> = [None, Some(all_by_age[0]), Some(all_by_age[1])]
        .into_iter()
        .flat_map(|number| found(after(number), 1))
        .collect();
    assert_eq!(pages, all_by_age[..3]);
}

#[test]
fn transfer_sessions_are_listed_with_the_open_ones_first_and_keep_their_sync_session_in_use() {
    let device = Device::new();
    let storage = &device.storage;
    let session = sync_session();
    storage.create_sync_session(&session).expect("create");
    let later = |seconds| noon() + TimeDelta::seconds(seconds);
    let mut made = Vec::new();
    for (number, direction) in (1_i64..).zip([Direction::Pull, Direction::Pull, Direction::Push, Direction::Push]) {
        let mut transfer = transfer_session(&session, direction);
        (transfer.started_at, transfer.last_activity_at) = (later(number), later(number));
        storage.create_transfer_session(&transfer).expect("create");
        // The first pull stays open for a moment only, the first push stays.
        if number == 1 || number == 4 {
            storage.update_transfer_session(&transfer.id, &mut |open| open.is_active = false).expect("close");
        }
        made.push(transfer.id);
    }
    let listed = |limit| {
        let listed = storage.transfer_sessions(&session.id, limit).expect("a list");
        listed.into_iter().map(|transfer| made.iter().position(|id| *id == transfer.id)).collect::<Vec<_>>()
    };
    // The second push took up the first.
    assert_eq!(listed(10), [Some(2), Some(1), Some(0)]);
    assert_eq!(listed(2), [Some(2), Some(1)]);
    let used = storage.sync_session(&session.id).expect("read").expect("it is there").last_activity_at;
    assert_eq!(used, later(3));
}

/// A photo that another device took.
fn photo_of_another() -> StoreRecord {
    let saved = Stamp::new(InstanceId::hash_of("another device"), 1);
    StoreRecord {
        id: record_id("photos", "cat", "photo"),
        profile: "notebook".to_owned(),
        model_name: "photo".to_owned(),
        partition: "photos".to_owned(),
        source_id: "cat".to_owned(),
        serialized: "{\"name\":\"cat\"}".to_owned(),
        conflicting_serialized_data: String::new(),
        deleted: false,
        hard_deleted: false,
        last_saved: saved,
        self_ref_fk: String::new(),
        counters: RecordMaxCounters::from_stamps([saved]).expect("good counters"),
    }
}

#[test]
fn sessions_of_old_are_forgotten_but_those_from_which_a_record_waits() {
    let device = Device::new();
    let sessions: Vec<SyncSession> = (0..4).map(|_| sync_session()).collect();
    let [old, recent, open, waits] = &sessions[..] else { unreachable!("there are four") };
    let mut transfers = BTreeMap::new();
    for session in &sessions {
        device.storage.create_sync_session(session).expect("create");
        let transfer = TransferSession { filter: Filter::everything(), ..transfer_session(session, Direction::Push) };
        device.storage.create_transfer_session(&transfer).expect("create");
        transfers.insert(session.id, transfer.id);
    }
    let cat = [BufferRecord::from_store(transfers[&waits.id], photo_of_another())];
    take_chunk(&device.storage, &transfers[&waits.id], &[0; 32], &cat, &[]).expect("the chunk is kept");
    let (early, late) = (noon() + TimeDelta::days(1), noon() + TimeDelta::days(100));
    for (session, at) in [(old, early), (recent, late), (waits, early)] {
        device.storage.close_sync_session(&session.id, at).expect("close");
    }
    let forget =
        |device: &Device, days| device.storage.forget_sessions(noon() + TimeDelta::days(days), 10).expect("forget");
    assert_eq!(forget(&device, 1), 0, "none is old enough");
    assert_eq!(forget(&device, 50), 1);
    let is_kept = |session: &SyncSession| device.storage.sync_session(&session.id).expect("read").is_some();
    assert_eq!([old, recent, open, waits].map(is_kept), [false, true, true, true]);
    assert!(device.storage.transfer_session(&transfers[&old.id]).expect("read").is_none());
    let photos = WaitingRecords::of("notebook");
    assert_eq!(device.storage.drop_waiting(&photos).expect("it is dropped"), 1);
    assert_eq!(forget(&device, 50), 0, "what was dropped may come back");
    assert_eq!(device.storage.wait_again(&photos.dropped()).expect("it waits again"), 1);
    assert_eq!(device.deserialize().written, 1);
    assert_eq!(forget(&device, 1000), 2, "the open one stays however old it is");
    let is_known =
        |session: &SyncSession| device.storage.transfer_session(&transfers[&session.id]).expect("read").is_some();
    assert_eq!([old, recent, open, waits].map(is_known), [false, false, true, false]);
}
