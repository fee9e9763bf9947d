//! What is received is merged into the store, once, and claimed when all of it is there.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use morango::ErrorKind;
use morango::counter::{Instances, RecordMaxCounters, Stamp};
use morango::id::{InstanceId, SyncId};
use morango::port::{DequeueReport, ReceivedChunk, Rejection, Storage as _};
use morango::record::{BufferRecord, StoreRecord};
use morango::scope::{Filter, Reach};

use super::library::{Device, PROFILE, changed, everything, foreign, foreign_shelf, go_on, stamp, take, time};

fn note(text: &str, stamps: &[Stamp]) -> StoreRecord {
    foreign("note", "lib:notes", "1", text, stamps)
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
fn a_chunk_that_comes_twice_is_kept_and_counted_once() {
    let mut device = Device::new("laptop");
    let session = device.receiving(&everything());
    let records: Vec<BufferRecord> = (0..4_001)
        .map(|number| BufferRecord::from_store(session.id, foreign_shelf(&number.to_string(), None)))
        .collect();
    let rejection = Rejection { claimed_id: "x".to_owned(), reason: "forged".to_owned(), received: "{}".to_owned() };
    for _ in 0..2 {
        let transferred = device.take_chunk(&session.id, &[7; 32], &records, std::slice::from_ref(&rejection));
        assert_eq!(transferred.expect("it is kept"), 4_002);
    }
    assert_eq!(device.number("SELECT count(*) FROM morango_incoming"), 3, "in parts of 2,000 records");
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
    let mut device = Device::new("laptop");
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
        let before = device.number("SELECT count(*) FROM morango_store");
        for _ in 0..2 {
            assert_eq!(device.storage.buffer_chunk(&chunk).expect("it is put aside"), 4);
        }
        assert_eq!(device.number("SELECT count(*) FROM morango_store"), before, "nothing of it is in the store");
        if is_gone_on_with {
            for _ in 0..2 {
                assert_eq!(device.storage.receive_chunk(&chunk).expect("it is gone on with"), 4);
            }
            assert_eq!(device.number("SELECT count(*) FROM morango_store"), before + 2, "what is new is");
            assert_eq!(device.storage.buffer_chunk(&chunk).expect("it is there"), 4);
        }
        assert_eq!(device.storage.rejections(&session.id, 10).expect("the rejections").len(), 1);
        let report = device.storage.dequeue(&session, &Reach::everything(), &go_on).expect("it dequeues");
        assert_eq!((report.new, report.already_seen), (2, 1));
        assert_eq!(device.number("SELECT count(*) FROM morango_store"), before + 2);
        device.storage.clean_up(&session.id, time()).expect("it cleans up");
    }
}

#[test]
fn what_one_transfer_brings_has_an_end() {
    let mut device = Device::new("laptop");
    let session = device.receiving(&everything());
    let record = [BufferRecord::from_store(session.id, foreign_shelf("one", None))];
    device.take_chunk(&session.id, &[1; 32], &record, &[]).expect("it is kept");
    assert!(device.number("SELECT received_bytes FROM morango_transfer_session") > 0);
    device
        .run(&format!("UPDATE morango_transfer_session SET received_bytes = {}", morango::limits::TRANSFER_BYTES_MAX));
    let error = device.take_chunk(&session.id, &[2; 32], &record, &[]).expect_err("no more than that");
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    assert!(error.hint().is_some(), "{error:?}");
    assert_eq!(device.number("SELECT count(*) FROM morango_incoming"), 1, "and nothing is kept of it");
}

#[test]
fn buffers_of_no_open_session_are_counted_and_deleted() {
    let mut device = Device::new("laptop");
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
    let nobody = super::database::id(morango::id::SyncId::random());
    let sequences = "00".repeat(24);
    device.run(&format!(
        "INSERT INTO morango_outgoing (transfer_session, page, sequences) VALUES ({nobody}, 0, X'{sequences}')"
    ));
    assert_eq!(device.storage.delete_orphaned_buffers().expect("a number"), 5);
    assert_eq!(device.storage.buffered(&closed.id).expect("a number"), 0);
    assert_eq!(device.storage.buffered(&open.id).expect("a number"), 2);
    assert_eq!(device.number("SELECT count(*) FROM morango_outgoing"), 0);
}

#[test]
fn what_was_refused_takes_bounded_room() {
    let mut device = Device::new("laptop");
    let session = device.receiving(&everything());
    let rejections: Vec<Rejection> = (0..1_500)
        .map(|number: u32| Rejection { claimed_id: number.to_string(), reason: String::new(), received: String::new() })
        .collect();
    device.take_chunk(&session.id, &[1; 32], &[], &rejections).expect("it is kept");
    assert_eq!(device.number("SELECT count(*) FROM morango_rejection"), 1_000);
    assert_eq!(device.storage.rejections(&session.id, 1).expect("the newest")[0].claimed_id, "999");
}

#[test]
fn a_call_that_was_stopped_between_transactions_goes_on_and_claims_only_at_the_end() {
    let device = Device::new("laptop");
    let shelf = |chunk: u32, number: u32| foreign_shelf(&format!("{chunk}/{number}"), None);
    device.dequeue((0..3).flat_map(|chunk| (0..1_500).map(move |number| shelf(chunk, number))).collect());
    let mut session = device.receiving(&everything());
    session
        .server_fsic
        .change(|fsic| drop(fsic.sub.insert(String::new(), [(stamp("other", 0).instance, 9)].into())))
        .expect("good counters");
    for chunk in 0..3 {
        device.take(
            &session,
            (0..1_500).map(|number| super::library::changed(&shelf(chunk, number), 9, |_| ())).collect(),
        );
    }
    let error = device
        .storage
        .dequeue(&session, &Reach::everything(), &|_| ControlFlow::Break(()))
        .expect_err("it was stopped");
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    let newer = |device: &Device| device.records().iter().filter(|record| record.last_saved.counter == 9).count();
    assert_eq!(newer(&device), 1_500);
    let claims = |device: &Device| {
        let fsic = device.storage.fsic(PROFILE, &everything(), Instances::All).expect("the counters");
        fsic.sub.get("").and_then(|counters| counters.get(&stamp("other", 0).instance).copied())
    };
    assert_eq!(claims(&device), None);
    assert_eq!(
        device.storage.dequeue(&session, &Reach::everything(), &go_on).expect("it goes on").fast_forwarded,
        3_000
    );
    assert_eq!(newer(&device), 4_500);
    assert_eq!(claims(&device), Some(9));
}

/// Another process closes the session: before anything is merged, after a part, and after all of it.
#[test]
fn of_a_session_that_was_closed_nothing_more_is_merged_or_claimed() {
    for closed_after in 0..3 {
        let mut device = Device::new("laptop");
        let mut session = device.receiving(&everything());
        session
            .server_fsic
            .change(|fsic| drop(fsic.sub.insert(String::new(), [(stamp("other", 0).instance, 9)].into())))
            .expect("good counters");
        // What is in the store already has to be merged, in a transaction for each chunk.
        device.dequeue((0..4_000).map(|number| foreign_shelf(&number.to_string(), None)).collect());
        let newer = |number: u32| changed(&foreign_shelf(&number.to_string(), None), 9, |_| {});
        for chunk in 0..2 {
            device.take(&session, (chunk * 2_000..(chunk + 1) * 2_000).map(newer).collect());
        }
        let close = || device.storage.close_sync_session(&session.sync_session, time()).expect("it is closed");
        if closed_after == 0 {
            close();
        }
        let transactions = std::sync::atomic::AtomicU32::new(0);
        let watch = |_| {
            if transactions.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1 == closed_after {
                close();
            }
            ControlFlow::Continue(())
        };
        let error = device.storage.dequeue(&session, &Reach::everything(), &watch).expect_err("it is closed");
        assert_eq!(error.kind(), ErrorKind::SessionUnknown, "{}", error.report());
        let claims = device.number("SELECT count(*) FROM morango_database_max_counter WHERE counter = 9");
        assert_eq!(claims, 0, "closed after {closed_after}");
    }
}

/// The same chunk was sent twice, and the second comes when the first is merged already.
#[test]
fn a_chunk_that_comes_late_is_merged_before_anything_is_claimed() {
    let mut device = Device::new("laptop");
    let mut session = device.receiving(&everything());
    session
        .server_fsic
        .change(|fsic| drop(fsic.sub.insert(String::new(), [(stamp("other", 0).instance, 9)].into())))
        .expect("good counters");
    device.take(&session, vec![foreign_shelf("first", None)]);
    let late = std::sync::atomic::AtomicBool::new(true);
    let watch = |_| {
        if late.swap(false, std::sync::atomic::Ordering::SeqCst) {
            take(&device.storage, &session, vec![foreign_shelf("first", None), foreign_shelf("second", None)]);
        }
        ControlFlow::Continue(())
    };
    let report = device.storage.dequeue(&session, &Reach::everything(), &watch).expect("it dequeues");
    assert_eq!((report.new, report.already_seen), (2, 1), "{report:?}");
    assert_eq!(device.number("SELECT count(*) FROM morango_incoming"), 0);
    assert_eq!(device.number("SELECT counter FROM morango_database_max_counter WHERE counter = 9"), 9);
}

#[test]
fn new_records_are_in_the_store_as_they_come_and_claimed_only_when_all_have_come() {
    let device = Device::new("laptop");
    let mut session = device.receiving(&everything());
    session
        .server_fsic
        .change(|fsic| drop(fsic.sub.insert(String::new(), [(stamp("other", 0).instance, 9)].into())))
        .expect("good counters");
    let claims = |device: &Device| {
        let fsic = device.storage.fsic(PROFILE, &everything(), Instances::All).expect("the counters");
        fsic.sub.get("").and_then(|counters| counters.get(&stamp("other", 0).instance).copied())
    };
    device.take(&session, vec![foreign_shelf("first", None), foreign_shelf("second", None)]);
    assert_eq!(device.records().len(), 2);
    assert_eq!(claims(&device), None);
    let report = device.storage.dequeue(&session, &Reach::everything(), &go_on).expect("it dequeues");
    assert_eq!(report, DequeueReport { new: 2, ..DequeueReport::default() });
    assert_eq!(claims(&device), Some(9));
}

#[test]
fn what_a_producer_claims_never_lowers_ours_nor_reaches_beyond_the_filter_or_into_our_own_future() {
    let mut device = Device::new("laptop");
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
    assert_eq!(device.number("SELECT count(*) FROM morango_database_max_counter"), 1);
    assert_eq!(device.number("SELECT counter FROM morango_database_max_counter"), 7);
}

#[test]
fn a_record_can_neither_be_moved_nor_taken_over_from_another_profile() {
    let mut device = Device::new("laptop");
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
    assert_eq!(device.number("SELECT count(*) FROM morango_store"), 1);
    let refused: Vec<String> =
        device.storage.rejections(&session.id, 10).expect("they are kept").into_iter().map(|it| it.received).collect();
    assert_eq!(refused, ["outside", "another", "moved"]);
}

#[test]
fn nothing_is_written_where_there_is_nothing_to_merge_or_to_raise() {
    let mut device = Device::new("laptop");
    let session = device.receiving(&everything());
    let before = device.number("SELECT counter FROM morango_instance");
    device.storage.dequeue(&session, &Reach::everything(), &go_on).expect("it dequeues");
    assert_eq!(device.number("SELECT counter FROM morango_instance"), before);
}

/// The rule of chapter 7, written down a second time as plainly as it can be.
#[derive(Default)]
struct Plain(BTreeMap<SyncId, StoreRecord>);

impl Plain {
    fn merge(&mut self, theirs: &StoreRecord, saved: Stamp) -> &'static str {
        let has = |record: &StoreRecord, stamp: Stamp| {
            record.counters.iter().any(|entry| entry.instance == stamp.instance && entry.counter >= stamp.counter)
        };
        let Some(ours) = self.0.get_mut(&theirs.id) else {
            self.0.insert(theirs.id, theirs.clone());
            return "new";
        };
        let highest = |one: &StoreRecord, other: &StoreRecord| {
            let stamps = one.counters.iter().chain(other.counters.iter());
            RecordMaxCounters::from_stamps(stamps).expect("good counters")
        };
        let counters = highest(ours, theirs);
        if has(ours, theirs.last_saved) {
            return "seen";
        }
        if has(theirs, ours.last_saved) {
            *ours = StoreRecord { counters, ..theirs.clone() };
            return "forward";
        }
        ours.deleted |= theirs.deleted;
        ours.hard_deleted |= theirs.hard_deleted;
        let older = std::mem::take(&mut ours.conflicting_serialized_data);
        if ours.hard_deleted {
            ours.serialized.clear();
        } else {
            let of_theirs: String = theirs
                .conflicting_serialized_data
                .lines()
                .filter(|line| !older.lines().any(|known| known == *line))
                .flat_map(|line| [line, "\n"])
                .collect();
            ours.conflicting_serialized_data = format!("{}\n{of_theirs}{older}", theirs.serialized);
        }
        ours.counters = counters;
        ours.counters.raise(saved);
        ours.last_saved = saved;
        "conflict"
    }
}

#[test]
fn whatever_comes_in_whatever_order_is_merged_as_the_plain_rule_says() {
    const SEED: u64 = 0x00d1_ce5e_ed00;
    let mut state = SEED;
    let mut below = |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let mut device = Device::new("laptop");
    let mut plain = Plain::default();
    let mut totals = DequeueReport::default();
    for round in 0..150 {
        // Of what this instance is yet to save nothing is believed, so nobody says so here.
        let so_far = device.number("SELECT counter FROM morango_instance");
        let records: Vec<StoreRecord> = (0..=below(12))
            .map(|_| {
                let stamps: Vec<Stamp> = (0..=below(3))
                    .map(|_| {
                        let counter = i64::try_from(1 + below(8 + round)).expect("small");
                        let instance = match below(6) {
                            0..=2 if so_far > 0 => device.instance,
                            other => InstanceId::hash_of(["a", "b", "c"][usize::try_from(other % 3).expect("small")]),
                        };
                        let is_own = instance == device.instance;
                        Stamp::new(instance, if is_own { counter.min(so_far) } else { counter })
                    })
                    .collect();
                let source = below(40).to_string();
                let mut record = foreign("note", "lib:notes", &source, &format!("text {}", below(1_000)), &stamps);
                record.counters.raise(record.last_saved);
                record.deleted = below(5) == 0;
                record.hard_deleted = record.deleted && below(3) == 0;
                if below(4) == 0 {
                    record.conflicting_serialized_data = "before\n".to_owned();
                }
                record
            })
            .collect();
        let saved = Stamp::new(device.instance, so_far + 1);
        let mut expected = DequeueReport::default();
        for record in &records {
            match plain.merge(record, saved) {
                "new" => expected.new += 1,
                "seen" => expected.already_seen += 1,
                "forward" => expected.fast_forwarded += 1,
                _ => expected.conflicts += 1,
            }
        }
        assert_eq!(device.dequeue(records), expected, "seed {SEED:#x}, round {round}");
        assert_eq!(device.records(), plain.0.values().cloned().collect::<Vec<_>>(), "seed {SEED:#x}, round {round}");
        totals.fast_forwarded += expected.fast_forwarded;
        totals.conflicts += expected.conflicts;
        totals.already_seen += expected.already_seen;
    }
    assert!(totals.fast_forwarded > 50 && totals.conflicts > 50 && totals.already_seen > 50, "{totals:?}");
    let waiting = "SELECT count(*) FROM morango_store WHERE is_dirty = 1 AND transfer_session IS NOT NULL";
    assert_eq!(device.number(waiting), i64::try_from(plain.0.len()).expect("few"));
    super::database::check(&mut device.connection);
}
