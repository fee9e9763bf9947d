//! What a receiver lacks is queued once, in order, and goes out in chunks.

use morango::counter::Instances;
use morango::port::Storage as _;
use morango::scope::{Filter, Reach};
use morango::session::{Direction, Side, Stage, StageStatus};

use super::library::{Device, PROFILE, Shelf, everything, foreign, foreign_shelf, go_on, has, stamp};

#[test]
fn only_what_is_lacking_within_the_filter_is_queued_and_in_the_order_of_the_store() {
    let device = Device::new("server");
    let note =
        |partition: &str, source: &str, counter| foreign("note", partition, source, "{}", &[stamp("a", counter)]);
    let records = vec![
        note("lib:x", "1", 5),
        note("lib:x:y", "2", 3),
        note("lib:x:y", "3", 7),
        note("lib:z", "4", 9),
        note("lib_x", "5", 9),
        note("LIB:x", "6", 9),
        foreign("note", "lib:x", "7", "{}", &[stamp("b", 9)]),
    ];
    device.dequeue_part(records.clone());
    let queued = |prefix: &str, receiver: &[_]| {
        let filter = Filter::new([prefix]).expect("a prefix");
        let session = device.session(Side::Server, Direction::Pull, &filter);
        let total = device.storage.queue(&session, &has(receiver)).expect("it queues");
        let chunk = device.storage.queued_chunk(&session.id, 0, 500).expect("a chunk");
        assert_eq!(chunk.total, total);
        chunk.records.into_iter().map(|record| record.source_id).collect::<Vec<_>>()
    };
    let as_expected = || {
        assert_eq!(queued("lib:", &[("lib:", "a", 4)]), ["1", "3", "4", "7"]);
        assert_eq!(queued("lib:", &[("lib:", "a", 4), ("", "b", 9)]), ["1", "3", "4"]);
        // A record under two partitions goes out once.
        assert_eq!(queued("lib:", &[("lib:x", "a", 4), ("lib:x:y", "a", 6), ("lib:x", "b", 9)]), ["1", "3", "4"]);
        assert_eq!(queued("lib:x", &[]), ["1", "2", "3", "7"]);
        assert_eq!(queued("lib", &[("", "a", 8)]), ["4", "5", "7"]);
        assert_eq!(queued("lib", &[("", "a", 9), ("", "b", 9)]), [""; 0]);
    };
    as_expected();
    // The same where the instance saved too much to look at it all.
    device.dequeue_part((0..3_000).map(|number| note("other", &format!("x{number}"), 20)).collect());
    as_expected();
}

#[test]
fn chunks_cover_the_queue_wherever_they_begin_and_a_second_try_replaces_the_first() {
    let device = Device::new("server");
    let records: Vec<_> = (0..1_234).map(|number| foreign_shelf(&number.to_string(), None)).collect();
    device.dequeue(records);
    let session = device.session(Side::Server, Direction::Pull, &everything());
    for _ in 0..2 {
        assert_eq!(device.storage.queue(&session, &has(&[])).expect("it queues"), 1_234);
    }
    for (offset, limit, expected) in
        [(0, 500, 500), (499, 2, 2), (500, 5_000, 734), (1_233, 500, 1), (1_234, 500, 0), (9_999, 1, 0)]
    {
        let chunk = device.storage.queued_chunk(&session.id, offset, limit).expect("a chunk");
        assert_eq!((chunk.records.len(), chunk.total), (expected, 1_234));
        let first = chunk.records.first().map(|record| record.source_id.clone());
        assert_eq!(first, (expected > 0).then(|| offset.to_string()));
    }
}

/// Another process comes late with the same stage, when records are being fetched already.
#[test]
fn what_is_queued_stays_once_it_is_noted_that_queuing_is_done() {
    let device = Device::new("server");
    device.dequeue((0..5).map(|number| foreign_shelf(&number.to_string(), None)).collect());
    let session = device.session(Side::Server, Direction::Pull, &everything());
    assert_eq!(device.storage.queue(&session, &has(&[])).expect("it queues"), 5);
    let stands = device.storage.transfer_session(&session.id).expect("it is read").expect("it is there");
    assert_eq!(stands.records_total, Some(5), "the number is that of the queue, whoever tells it");
    device.dequeue((5..9).map(|number| foreign_shelf(&number.to_string(), None)).collect());
    assert_eq!(device.storage.queue(&session, &has(&[])).expect("it queues once more"), 9);
    for (stage, status) in [(Stage::Queuing, StageStatus::Completed), (Stage::Transferring, StageStatus::Pending)] {
        let noted = device.storage.update_transfer_session(&session.id, &mut |session| {
            (session.stage, session.status) = (stage, status);
        });
        noted.expect("it is kept");
        assert_eq!(device.storage.queue(&session, &has(&[])).expect("it is there"), 9, "{stage} {status}");
        let chunk = device.storage.queued_chunk(&session.id, 0, 500).expect("a chunk");
        assert_eq!((chunk.records.len(), chunk.total), (9, 9), "{stage} {status}");
    }
}

/// The stage before told which instances this side has; by the time of the next one, a sync with somebody else has gone on.
#[test]
fn what_another_sync_brought_since_the_counters_were_told_is_queued() {
    let device = Device::new("server");
    device.dequeue(vec![foreign("note", "lib:x", "1", "{}", &[stamp("a", 1)])]);
    let mut session = device.session(Side::Server, Direction::Pull, &everything());
    session.server_fsic = device.storage.fsic(PROFILE, &everything(), Instances::WithRecords).expect("told").into();

    device.dequeue(vec![foreign("note", "lib:x", "1", "{}", &[stamp("b", 1), stamp("a", 1)])]);

    assert_eq!(device.storage.queue(&session, &has(&[])).expect("it queues"), 1);
    let chunk = device.storage.queued_chunk(&session.id, 0, 500).expect("a chunk");
    assert_eq!(
        chunk.records[0].last_saved,
        stamp("b", 1),
        "who gets it has what the first instance saved, as was told"
    );
    assert_eq!(
        device.storage.queue(&session, &has(&[("", "a", 1)])).expect("it queues"),
        1,
        "nor does it know this state"
    );
}

#[test]
fn a_chunk_of_huge_records_ends_early_but_never_empty() {
    let device = Device::new("server");
    let text = "x".repeat(5 * 1024 * 1024);
    let records = (0..3).map(|number| foreign("note", "lib:x", &number.to_string(), &text, &[stamp("a", 1)])).collect();
    device.dequeue(records);
    let session = device.session(Side::Server, Direction::Pull, &everything());
    device.storage.queue(&session, &has(&[])).expect("it queues");
    for offset in 0..3 {
        assert_eq!(device.storage.queued_chunk(&session.id, offset, 500).expect("a chunk").records.len(), 1);
    }
}

#[test]
fn a_producer_leaves_out_instances_of_which_it_has_nothing_to_send() {
    let mut device = Device::new("server");
    let other = Device::new("other");
    device.shelf("fiction", None);
    other.pull(&device, &everything());
    let session = other.receiving(&everything());
    // The other knows of an instance whose records it has none of.
    let mut told = session.clone();
    told.server_fsic
        .change(|fsic| drop(fsic.sub.insert("lib:shelves".to_owned(), [(stamp("gone", 0).instance, 7)].into())))
        .expect("good counters");
    other.storage.dequeue(&told, &Reach::everything(), &go_on).expect("it raises the counters");
    let fsic = |instances| other.storage.fsic(PROFILE, &everything(), instances).expect("the counters");
    let knows =
        |instances| fsic(instances).sub.values().any(|counters| counters.contains_key(&stamp("gone", 0).instance));
    assert!(!knows(Instances::WithRecords));
    assert!(knows(Instances::All));
    assert!(fsic(Instances::WithRecords).sub[""].contains_key(&device.instance));
}

/// Nobody else tells when all has come that it saved.
#[test]
fn a_producer_tells_of_itself_though_none_of_its_records_is_left() {
    let (mut device, mut other) = (Device::new("server"), Device::new("other"));
    let shelf = device.shelf("fiction", None);
    device.serialize();
    other.pull(&device, &everything());
    other.deserialize();
    other.change(shelf, |shelf: &mut Shelf| shelf.name.push_str(", there"));
    other.serialize();
    device.pull(&other, &everything());
    device.deserialize();
    device.change(shelf, |shelf: &mut Shelf| shelf.name.push_str(", and back"));
    device.serialize();
    other.pull(&device, &everything());
    let told = other.storage.fsic(PROFILE, &everything(), Instances::WithRecords).expect("the counters");
    assert!(told.sub[""].contains_key(&other.instance));
}

#[test]
fn counters_above_the_filter_are_found_for_every_prefix() {
    let device = Device::new("server");
    let session = device.receiving(&everything());
    let mut told = session.clone();
    let a = stamp("a", 0).instance;
    for partition in ["l", "lib:", "lib:é", "lib:éx", "lib:b", "lib:books", "m", "lib:books:ada:1"] {
        told.server_fsic
            .change(|fsic| {
                drop(
                    fsic.sub.insert(partition.to_owned(), [(a, i64::try_from(partition.len()).expect("short"))].into()),
                );
            })
            .expect("good counters");
    }
    device.storage.dequeue(&told, &Reach::everything(), &go_on).expect("it raises the counters");
    let filter = Filter::new(["lib:books:ada", "lib:éxy", "z"]).expect("good prefixes");
    let fsic = device.storage.fsic(PROFILE, &filter, Instances::All).expect("the counters");
    assert_eq!(fsic.super_.keys().collect::<Vec<_>>(), ["l", "lib:", "lib:b", "lib:books", "lib:é", "lib:éx"]);
    assert_eq!(fsic.sub.keys().collect::<Vec<_>>(), ["lib:books:ada:1"]);
}

#[test]
fn what_one_process_queues_late_does_not_replace_what_another_has_queued_by_then() {
    let device = Device::new("server");
    device.dequeue((0..3).map(|number| foreign_shelf(&number.to_string(), None)).collect());
    let mut session = device.session(Side::Server, Direction::Pull, &everything());
    let instance = stamp("other", 0).instance;
    session
        .server_fsic
        .change(|fsic| {
            fsic.sub.entry(String::new()).or_default().insert(instance, 7);
        })
        .expect("good counters");
    assert_eq!(device.storage.queue(&session, &has(&[])).expect("it queues"), 3);
    let stored = device.storage.transfer_session(&session.id).expect("read").expect("it is there");
    assert_eq!((stored.records_total, &stored.server_fsic), (Some(3), &session.server_fsic), "they go together");
    let done = &mut |stored: &mut morango::session::TransferSession| {
        (stored.stage, stored.status) = (Stage::Queuing, StageStatus::Completed);
    };
    device.storage.update_transfer_session(&session.id, done).expect("it is noted");

    session
        .server_fsic
        .change(|fsic| {
            fsic.sub.entry(String::new()).or_default().insert(instance, 9);
        })
        .expect("good counters");
    assert_eq!(device.storage.queue(&session, &has(&[])).expect("it is late"), 3, "it is told what is queued");

    let stored = device.storage.transfer_session(&session.id).expect("read").expect("it is there");
    assert_eq!(
        stored.server_fsic.fsic().expect("good counters").sub[""][&instance],
        7,
        "nor is more claimed than was queued"
    );
    assert_eq!(device.storage.queued_chunk(&session.id, 0, 10).expect("a chunk").records.len(), 3);
    device.storage.clean_up(&session.id, super::library::time()).expect("it is closed");
    let error = device.storage.queue(&session, &has(&[])).expect_err("nothing is queued for a closed session");
    assert_eq!(error.kind(), morango::ErrorKind::SessionUnknown, "{error:?}");
}
