//! Dequeuing is cut into transactions, between which others do what they like; and how our own tables keep what comes.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use morango::ErrorKind;
use morango::id::SyncId;
use morango::port::Storage as _;
use morango::record::{BufferRecord, StoreRecord};
use morango::scope::Reach;
use morango::session::TransferSession;

use super::cascades::{self, by_third, moved_by_third};
use super::dequeue::{claimed_of_other, receiving_up_to};
use super::library::{Device, Shelf, changed, everything, foreign, foreign_shelf, go_on, stamp, time};
use super::transfers::take;

#[test]
fn a_call_that_was_stopped_between_transactions_goes_on_and_claims_only_at_the_end() {
    let device = Device::new("laptop");
    let shelf = |chunk: u32, number: u32| foreign_shelf(&format!("{chunk}/{number}"), None);
    device.dequeue_part((0..3).flat_map(|chunk| (0..1_500).map(move |number| shelf(chunk, number))).collect());
    let session = receiving_up_to(&device, 9);
    for chunk in 0..3 {
        device.take(&session, (0..1_500).map(|number| changed(&shelf(chunk, number), 9, |_| ())).collect());
    }
    let error = device
        .storage
        .dequeue(&session, &Reach::everything(), &|_| ControlFlow::Break(()))
        .expect_err("it was stopped");
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    let newer = |device: &Device| device.records().iter().filter(|record| record.last_saved.counter == 9).count();
    assert_eq!(newer(&device), 1_500);
    assert_eq!(claimed_of_other(&device), None);
    assert_eq!(
        device.storage.dequeue(&session, &Reach::everything(), &go_on).expect("it goes on").fast_forwarded,
        3_000
    );
    assert_eq!(newer(&device), 4_500);
    assert_eq!(claimed_of_other(&device), Some(9));
}

/// Another process closes the session: before anything is merged, after a part, and after all of it.
#[test]
fn of_a_session_that_was_closed_nothing_more_is_merged_or_claimed() {
    for closed_after in 0..3 {
        let device = Device::new("laptop");
        let session = receiving_up_to(&device, 9);
        // What is in the store already has to be merged, in a transaction for each chunk.
        device.dequeue_part((0..4_000).map(|number| foreign_shelf(&number.to_string(), None)).collect());
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
        assert_eq!(claimed_of_other(&device), None, "closed after {closed_after}");
    }
}

/// The same chunk was sent twice, and the second comes when the first is merged already.
#[test]
fn a_chunk_that_comes_late_is_merged_before_anything_is_claimed() {
    let mut device = Device::new("laptop");
    let session = receiving_up_to(&device, 9);
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
    assert_eq!(claimed_of_other(&device), Some(9));
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
fn a_large_chunk_is_kept_in_parts() {
    let mut device = Device::new("laptop");
    let session = device.receiving(&everything());
    let records: Vec<BufferRecord> = (0..4_001)
        .map(|number| BufferRecord::from_store(session.id, foreign_shelf(&number.to_string(), None)))
        .collect();
    device.take_chunk(&session.id, &[7; 32], &records, &[]).expect("it is kept");
    assert_eq!(device.number("SELECT count(*) FROM morango_incoming"), 3, "in parts of 2,000 records");
}

#[test]
fn what_is_queued_for_a_session_that_is_gone_is_counted_and_deleted() {
    let mut device = Device::new("laptop");
    let nobody = super::database::id(SyncId::random());
    let sequences = "00".repeat(24);
    device.run(&format!(
        "INSERT INTO morango_outgoing (transfer_session, page, sequences) VALUES ({nobody}, 0, X'{sequences}')"
    ));
    assert_eq!(device.storage.delete_orphaned_buffers().expect("a number"), 3);
    assert_eq!(device.number("SELECT count(*) FROM morango_outgoing"), 0);
}

#[test]
fn what_is_noted_of_what_came_in_part_is_kept_no_longer_than_until_the_rest_has_come() {
    let (mut device, shelf, book) = cascades::shelved();
    let noted = |device: &mut Device| device.number("SELECT count(*) FROM morango_merged");
    device.change(shelf.id, |shelf: &mut Shelf| shelf.name.push_str(", here"));
    device.serialize();
    device.dequeue_part(vec![by_third(&shelf, 7), by_third(&book, 6)]);
    device.deserialize();
    device.rename(book.id, "Emma, here");
    device.serialize();
    assert_eq!(noted(&mut device), 2, "one was merged, one was changed");
    device.dequeue(vec![by_third(&book, 6)]);
    assert_eq!(noted(&mut device), 1);
    device.dequeue(vec![by_third(&shelf, 7)]);
    assert_eq!(noted(&mut device), 0);
}

#[test]
fn a_database_is_sound_after_thousands_of_merges() {
    let mut device = Device::new("laptop");
    for counter in 1..5 {
        let records = (0..1_000).map(|number| {
            foreign("note", "lib:notes", &number.to_string(), &"text ".repeat(counter), &[stamp("other", 1)])
        });
        device.dequeue(records.map(|record| changed(&record, i64::try_from(counter).expect("few"), |_| ())).collect());
    }
    super::database::check(&mut device.connection);
}

/// Who took a book off a shelf, and deleted that, sent much more, and went in the midst of it: for good, or for a while.
#[test]
fn a_deletion_of_a_transfer_that_was_given_up_is_carried_no_further_until_another_brings_the_rest() {
    let (mut device, shelf, book) = cascades::shelved();
    device.change(shelf.id, |shelf: &mut Shelf| shelf.name.push_str(", here"));
    device.dequeue((0..1_999).map(|number| foreign_shelf(&number.to_string(), None)).collect());
    device.deserialize();
    device.serialize();
    let session = receiving_up_to(&device, 9);
    let claimed = BTreeMap::from([(String::new(), BTreeMap::from([(stamp("third", 7).instance, 7)]))]);
    let claim = |session: &mut TransferSession| {
        session.server_fsic.change(|fsic| fsic.sub.clone_from(&claimed)).expect("good counters");
    };
    device.storage.update_transfer_session(&session.id, &mut |kept| claim(kept)).expect("it is kept");
    let gone = StoreRecord { deleted: true, ..by_third(&shelf, 7) };
    let many = (0..1_999).map(|number| by_third(&foreign_shelf(&number.to_string(), None), 5));
    device.take(&session, many.chain([gone.clone()]).collect());
    let new = foreign_shelf("new", None);
    device.take(&session, vec![moved_by_third(&book, &new)]);
    let stop = |_| ControlFlow::Break(());
    device.storage.dequeue(&session, &Reach::everything(), &stop).expect_err("it was stopped");
    let waits = |device: &Device| {
        let waiting = device.deserialize().failures;
        assert_eq!(waiting.iter().map(|failure| failure.id).collect::<Vec<_>>(), [shelf.id], "{waiting:?}");
        assert!(device.record(shelf.id).deleted && !device.record(book.id).deleted);
    };
    waits(&device);
    device.storage.clean_up(&session.id, time()).expect("it is given up");
    waits(&device);

    device.dequeue(vec![new.clone(), moved_by_third(&book, &new), gone]);
    assert_eq!(device.deserialize().failures_total, 0);
    assert_eq!(device.titles(), ["Emma"]);
    assert!(device.get::<Shelf>(shelf.id).is_none() && !device.record(book.id).deleted);
}
