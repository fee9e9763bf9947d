//! What is received is merged into the store, once, and claimed when all of it is there.

use morango::ErrorKind;
use morango::counter::{PartitionCounters, Stamp};
use morango::id::InstanceId;
use morango::port::{DequeueReport, ReceivedChunk, Rejection, Storage as _};
use morango::record::{BufferRecord, StoreRecord};
use morango::scope::{Filter, Reach};
use morango::session::TransferSession;

use super::library::{Device, Shelf, changed, everything, foreign, foreign_shelf, go_on, stamp, time};
use super::notebook::instance;

fn note(text: &str, stamps: &[Stamp]) -> StoreRecord {
    foreign("note", "lib:notes", "1", text, stamps)
}

/// A session whose producer claims to have what the other saved, up to a counter.
pub(crate) fn receiving_up_to(device: &Device, counter: i64) -> TransferSession {
    let mut session = device.receiving(&everything());
    session
        .server_fsic
        .change(|fsic| drop(fsic.sub.insert(String::new(), [(stamp("other", 0).instance, counter)].into())))
        .expect("good counters");
    session
}

/// What a device claims to have of what the other saved.
pub(crate) fn claimed_of_other(device: &Device) -> Option<i64> {
    device.claims().get("").and_then(|counters| counters.get(&stamp("other", 0).instance).copied())
}

#[test]
fn a_newer_record_replaces_ours_and_an_older_one_is_dropped() {
    let device = Device::new("laptop");
    let (first, second) = (stamp("a", 1), stamp("b", 4));
    assert_eq!(device.dequeue(vec![note("one", &[first])]).new, 1);
    assert_eq!(device.dequeue(vec![note("two", &[second, first])]).fast_forwarded, 1);
    assert_eq!(device.dequeue(vec![note("one", &[first])]).already_seen, 1);
    let record = device.records().remove(0);
    assert_eq!((record.serialized.as_str(), record.last_saved), ("two", second));
    assert!(record.counters.covers(&first));
}

#[test]
fn in_a_conflict_ours_stays_theirs_is_kept_and_the_record_is_saved_by_us() {
    let device = Device::new("laptop");
    device.dequeue(vec![note("ours", &[stamp("a", 1)])]);
    assert_eq!(device.dequeue(vec![note("theirs", &[stamp("b", 4)])]).conflicts, 1);
    let record = device.records().remove(0);
    assert_eq!((record.serialized.as_str(), record.conflicting_serialized_data.as_str()), ("ours", "theirs\n"));
    assert_eq!(record.last_saved.instance, device.instance);
    assert!(record.counters.covers(&stamp("a", 1)) && record.counters.covers(&stamp("b", 4)));
    assert!(record.counters.covers(&record.last_saved));
}

#[test]
fn a_hard_deletion_wins_a_conflict_and_empties_both_texts() {
    let device = Device::new("laptop");
    device.dequeue(vec![note("ours", &[stamp("a", 1)])]);
    let mut theirs = note("", &[stamp("b", 4)]);
    (theirs.deleted, theirs.hard_deleted) = (true, true);
    device.dequeue(vec![theirs]);
    let record = device.records().remove(0);
    assert!(record.deleted && record.hard_deleted);
    assert_eq!((record.serialized.as_str(), record.conflicting_serialized_data.as_str()), ("", ""));
}

#[test]
fn what_may_not_be_written_here_is_not_saved_anew_in_a_conflict() {
    let device = Device::new("tablet");
    device.dequeue(vec![note("one", &[stamp("a", 1)])]);
    let readable_only = Reach::Within(Filter::new(["lib:books"]).expect("a prefix"));
    let session = device.receiving(&everything());
    device.take(&session, vec![note("another", &[stamp("b", 4)])]);

    let report = device.storage.dequeue(&session, &readable_only, &go_on).expect("it dequeues");

    assert_eq!(report.conflicts, 1);
    let record = device.records().remove(0);
    assert_eq!((record.serialized.as_str(), record.conflicting_serialized_data.as_str()), ("another", "one\n"));
    assert_eq!(record.last_saved, stamp("b", 4));
    // Whoever may write merges the two in the end, and is followed.
    let merged = note("one", &[stamp("a", 2), stamp("b", 4)]);
    assert_eq!(device.dequeue(vec![merged]).fast_forwarded, 1);
}

#[test]
fn what_was_deleted_here_without_a_right_comes_back_whichever_instance_this_was_then() {
    for is_another in [false, true] {
        let device = Device::new("tablet");
        device.dequeue(vec![note("one", &[stamp("a", 1)])]);
        let deleted = StoreRecord { deleted: true, ..note("one", &[stamp("b", 4)]) };
        device.dequeue(vec![deleted]);
        let record = device.records().remove(0);
        assert!(record.deleted && record.last_saved.instance == device.instance, "it is as if deleted here");
        device.storage.note_told().expect("it is told");
        if is_another {
            device.storage.adopt_instance(&instance("a tablet with a card")).expect("adopt another");
        }
        let session = device.receiving(&everything());
        device.take(&session, vec![note("another", &[stamp("c", 2)])]);

        let readable_only = Reach::Within(Filter::new(["lib:books"]).expect("a prefix"));
        device.storage.dequeue(&session, &readable_only, &go_on).expect("it dequeues");

        let record = device.records().remove(0);
        assert_eq!((record.deleted, record.serialized.as_str()), (false, "another"), "is another: {is_another}");
    }
}

/// As after a restore that nobody noticed, where this database saved other things before under numbers that it comes to again.
#[test]
fn what_was_told_to_nobody_is_known_to_no_record_from_elsewhere() {
    let mut device = Device::new("laptop");
    let shelf = device.shelf("attic", None);
    device.serialize();
    device.storage.note_told().expect("it is told");
    let told = device.record(shelf);
    device.change(shelf, |shelf: &mut Shelf| shelf.name = "cellar".to_owned());
    device.serialize();
    let ours = device.record(shelf);
    assert_eq!(ours.last_saved, Stamp::new(device.instance, 2));
    let theirs = |counter, name: &str| {
        let mut record = changed(&told, counter, |record| record.serialized = record.serialized.replace("attic", name));
        record.counters.raise(Stamp::new(device.instance, counter));
        record
    };

    let report = device.dequeue(vec![theirs(2, "loft")]);

    assert_eq!((report.conflicts, report.fast_forwarded), (1, 0), "they know another second change than ours");
    let merged = device.record(shelf);
    assert_eq!(merged.serialized, ours.serialized);
    assert!(merged.conflicting_serialized_data.contains("loft"), "{merged:?}");
    assert_eq!(merged.last_saved, Stamp::new(device.instance, 3));
    let session = device.receiving(&everything());
    let in_our_name = StoreRecord { last_saved: merged.last_saved, ..theirs(3, "loft") };
    device.take(&session, vec![in_our_name]);
    assert_eq!(device.storage.rejections(&session.id, 10).expect("the rejections").len(), 1, "it is not ours");

    device.storage.note_told().expect("it is told");
    let report = device.dequeue(vec![theirs(3, "loft")]);
    assert_eq!((report.conflicts, report.fast_forwarded), (0, 1), "what was told may be known");
}

#[test]
fn a_chunk_that_comes_twice_is_kept_and_counted_once() {
    let device = Device::new("laptop");
    let session = device.receiving(&everything());
    let records: Vec<BufferRecord> = (0..4_001)
        .map(|number| BufferRecord::from_store(session.id, foreign_shelf(&number.to_string(), None)))
        .collect();
    let rejection = Rejection { claimed_id: "x".to_owned(), reason: "forged".to_owned(), received: "{}".to_owned() };
    for _ in 0..2 {
        let transferred = device.take_chunk(&session.id, &[7; 32], &records, std::slice::from_ref(&rejection));
        assert_eq!(transferred.expect("it is kept"), 4_002);
    }
    assert_eq!(device.storage.rejections(&session.id, 10).expect("the rejections"), [rejection]);
    assert_eq!(device.storage.dequeue(&session, &Reach::everything(), &go_on).expect("it dequeues").new, 4_001);
}

#[test]
fn no_more_is_counted_than_there_is_to_come_and_nothing_is_taken_for_a_closed_session() {
    let device = Device::new("laptop");
    let session = device.receiving(&everything());
    device
        .storage
        .update_transfer_session(&session.id, &mut |session| session.records_total = Some(1))
        .expect("it is kept");
    let records = [1, 2].map(|number| BufferRecord::from_store(session.id, foreign_shelf(&number.to_string(), None)));
    assert_eq!(device.take_chunk(&session.id, &[1; 32], &records, &[]).expect("it is kept"), 1);
    device.storage.clean_up(&session.id, time()).expect("it cleans up");
    let error = device.take_chunk(&session.id, &[2; 32], &records, &[]).expect_err("it is closed");
    assert_eq!(error.kind(), ErrorKind::SessionUnknown);
    let other = device.receiving(&everything());
    let error = device.take_chunk(&other.id, &[1; 32], &records, &[]).expect_err("another session's records");
    assert_eq!(error.kind(), ErrorKind::RecordRejected);
}

#[test]
fn where_the_sender_says_where_a_chunk_stands_nothing_is_counted_twice_and_nothing_is_missing() {
    let device = Device::new("laptop");
    let session = device.receiving(&everything());
    let records: Vec<BufferRecord> =
        (0..10).map(|number| BufferRecord::from_store(session.id, foreign_shelf(&number.to_string(), None))).collect();
    let take = |offset: usize, end: usize| {
        let digest = [u8::try_from(offset * 16 + end).expect("small numbers"); 32];
        device.storage.receive_chunk(&ReceivedChunk {
            session: &session.id,
            offset: Some(offset as u64),
            digest: &digest,
            records: &records[offset..end],
            rejections: &[],
            received_at: time(),
        })
    };
    assert_eq!(take(0, 4).expect("the first"), 4);
    assert_eq!(take(0, 4).expect("the same once more"), 4);
    assert_eq!(take(0, 3).expect("a part of it, cut otherwise"), 4);
    assert_eq!(take(2, 6).expect("one that overlaps"), 6);
    let error = take(7, 10).expect_err("one is missing before it");
    assert_eq!(error.kind(), ErrorKind::SessionConflict, "{error:?}");
    assert_eq!(take(6, 10).expect("the rest"), 10);
    assert_eq!(device.storage.dequeue(&session, &Reach::everything(), &go_on).expect("it dequeues").new, 10);
}

#[test]
fn a_chunk_that_was_put_aside_is_counted_once_and_merged_whether_or_not_it_was_gone_on_with() {
    let device = Device::new("laptop");
    device.dequeue(vec![foreign_shelf("0", None)]);
    for is_gone_on_with in [true, false] {
        let session = device.receiving(&everything());
        let names = if is_gone_on_with { ["0", "a", "b"] } else { ["0", "c", "d"] };
        let records = names.map(|name| BufferRecord::from_store(session.id, foreign_shelf(name, None)));
        let rejection =
            Rejection { claimed_id: "x".to_owned(), reason: "forged".to_owned(), received: "{}".to_owned() };
        let chunk = ReceivedChunk {
            session: &session.id,
            offset: Some(0),
            digest: &[1; 32],
            records: &records,
            rejections: std::slice::from_ref(&rejection),
            received_at: time(),
        };
        let before = device.records().len();
        for _ in 0..2 {
            assert_eq!(device.storage.buffer_chunk(&chunk).expect("it is put aside"), 4);
        }
        assert_eq!(device.records().len(), before, "nothing of it is in the store");
        if is_gone_on_with {
            for _ in 0..2 {
                assert_eq!(device.storage.receive_chunk(&chunk).expect("it is gone on with"), 4);
            }
            assert_eq!(device.records().len(), before + 2, "what is new is");
            assert_eq!(device.storage.buffer_chunk(&chunk).expect("it is there"), 4);
        }
        assert_eq!(device.storage.rejections(&session.id, 10).expect("the rejections").len(), 1);
        let report = device.storage.dequeue(&session, &Reach::everything(), &go_on).expect("it dequeues");
        assert_eq!((report.new, report.already_seen), (2, 1));
        assert_eq!(device.records().len(), before + 2);
        device.storage.clean_up(&session.id, time()).expect("it cleans up");
    }
}

#[test]
fn buffers_of_no_open_session_are_counted_and_deleted() {
    let device = Device::new("laptop");
    // What is new goes into the store at once; what is here already waits in the buffer.
    device.dequeue([1, 2].map(|number| foreign_shelf(&number.to_string(), None)).to_vec());
    let (open, closed) = (device.receiving(&everything()), device.receiving(&everything()));
    for session in [&open, &closed] {
        let records =
            [1, 2].map(|number| BufferRecord::from_store(session.id, foreign_shelf(&number.to_string(), None)));
        device.take_chunk(&session.id, &[1; 32], &records, &[]).expect("it is kept");
    }
    assert_eq!(device.storage.buffered(&closed.id).expect("a number"), 2);
    device
        .storage
        .update_transfer_session(&closed.id, &mut |session| session.is_active = false)
        .expect("it is closed, and its buffer forgotten");
    assert_eq!(device.storage.delete_orphaned_buffers().expect("a number"), 2);
    assert_eq!(device.storage.buffered(&closed.id).expect("a number"), 0);
    assert_eq!(device.storage.buffered(&open.id).expect("a number"), 2);
}

#[test]
fn what_was_refused_takes_bounded_room() {
    let device = Device::new("laptop");
    let session = device.receiving(&everything());
    let rejections: Vec<Rejection> = (0..1_500)
        .map(|number: u32| Rejection { claimed_id: number.to_string(), reason: String::new(), received: String::new() })
        .collect();
    device.take_chunk(&session.id, &[1; 32], &[], &rejections).expect("it is kept");
    assert_eq!(device.storage.rejections(&session.id, 2_000).expect("all that are kept").len(), 1_000);
    assert_eq!(device.storage.rejections(&session.id, 1).expect("the newest")[0].claimed_id, "999");
}

#[test]
fn new_records_are_in_the_store_as_they_come_and_claimed_only_when_all_have_come() {
    let device = Device::new("laptop");
    let session = receiving_up_to(&device, 9);
    device.take(&session, vec![foreign_shelf("first", None), foreign_shelf("second", None)]);
    assert_eq!(device.records().len(), 2);
    assert_eq!(claimed_of_other(&device), None);
    let report = device.storage.dequeue(&session, &Reach::everything(), &go_on).expect("it dequeues");
    assert_eq!(report, DequeueReport { new: 2, ..DequeueReport::default() });
    assert_eq!(claimed_of_other(&device), Some(9));
}

#[test]
fn of_a_session_that_was_closed_nothing_is_merged_or_claimed() {
    let device = Device::new("laptop");
    let session = receiving_up_to(&device, 9);
    device.dequeue_part(vec![foreign_shelf("first", None)]);
    device.take(&session, vec![changed(&foreign_shelf("first", None), 9, |_| ())]);
    device.storage.close_sync_session(&session.sync_session, time()).expect("it is closed");
    let error = device.storage.dequeue(&session, &Reach::everything(), &go_on).expect_err("it is closed");
    assert_eq!(error.kind(), ErrorKind::SessionUnknown, "{}", error.report());
    assert_eq!(device.records()[0].last_saved, stamp("other", 1));
    assert_eq!(claimed_of_other(&device), None);
}

#[test]
fn what_a_producer_claims_never_lowers_ours_nor_reaches_beyond_the_filter_or_into_our_own_future() {
    let device = Device::new("laptop");
    let raise = |device: &Device, partition: &str, instance: InstanceId, counter: i64| {
        let mut session = device.receiving(&Filter::new(["lib:"]).expect("a prefix"));
        session
            .server_fsic
            .change(|fsic| drop(fsic.sub.insert(partition.to_owned(), [(instance, counter)].into())))
            .expect("good counters");
        device.storage.dequeue(&session, &Reach::everything(), &go_on).expect("it raises the counters");
    };
    let a = stamp("a", 0).instance;
    let own = device.instance;
    raise(&device, "lib:x", a, 7);
    raise(&device, "lib:x", a, 5);
    raise(&device, "LIB:x", a, 5);
    raise(&device, "lib:x", own, 1_000);
    raise(&device, "lib:x", a, -1);
    raise(&device, "lib:y", a, i64::MAX);
    assert_eq!(device.claims(), PartitionCounters::from([("lib:x".to_owned(), [(a, 7)].into())]));
}

#[test]
fn a_record_can_neither_be_moved_nor_taken_over_from_another_profile() {
    let device = Device::new("laptop");
    let ours = note("ours", &[stamp("a", 1)]);
    device.dequeue(vec![ours.clone()]);
    let mut moved = note("moved", &[stamp("b", 2), stamp("a", 1)]);
    moved.partition = "lib:elsewhere".to_owned();
    let mut elsewhere = note("another", &[stamp("b", 2), stamp("a", 1)]);
    elsewhere.profile = "other".to_owned();
    let mut outside = foreign("note", "outside", "2", "{}", &[stamp("b", 1)]);
    outside.serialized = "outside".to_owned();
    let session = device.receiving(&Filter::new(["lib:"]).expect("a prefix"));
    let records = [moved, elsewhere, outside].map(|record| BufferRecord::from_store(session.id, record));
    device.take_chunk(&session.id, &[1; 32], &records, &[]).expect("the gate was passed over");
    assert_eq!(
        device.storage.dequeue(&session, &Reach::everything(), &go_on).expect("it dequeues"),
        DequeueReport::default()
    );
    assert_eq!(device.records(), [ours]);
    let mut of_other = 0;
    let mut count = |_| {
        of_other += 1;
        Ok(())
    };
    device.storage.for_each_record("other", &everything(), &mut count).expect("the records");
    assert_eq!(of_other, 0);
    let refused: Vec<String> =
        device.storage.rejections(&session.id, 10).expect("they are kept").into_iter().map(|it| it.received).collect();
    assert_eq!(refused, ["outside", "another", "moved"]);
}

#[test]
fn nothing_is_written_where_there_is_nothing_to_merge_or_to_raise() {
    let device = Device::new("laptop");
    let session = device.receiving(&everything());
    let before = device.counter();
    device.storage.dequeue(&session, &Reach::everything(), &go_on).expect("it dequeues");
    assert_eq!(device.counter(), before);
}
