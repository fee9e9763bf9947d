//! One transaction of a stage: the engine's verbs and the application's own writing are applied together or not at all.

use std::panic::{AssertUnwindSafe, catch_unwind};

use morango::id::SyncId;
use morango::port::{Isolation, SessionMemory, Storage as _, TouchedRecord, Transaction, WaitingKind};
use morango::scope::Reach;
use morango::session::{Stage, StageStatus};
use morango::{Error, ErrorKind, Result};

use super::library::{
    Book, Device, PROFILE, changed, deleted, everything, foreign_book, foreign_shelf, go_on, order, time,
};
use super::rows;

const STAGE: Isolation<'static> = Isolation::Stage { profile: PROFILE };

fn rename(transaction: &mut dyn Transaction, book: SyncId, title: &str) {
    rows::change_within(transaction, book, |book: &mut Book| title.clone_into(&mut book.title));
}

fn fault() -> Error {
    Error::new(ErrorKind::Internal, "a fault for a test")
}

#[test]
fn what_an_application_writes_and_what_a_verb_does_with_it_are_applied_together_or_not_at_all() {
    let mut device = Device::new("laptop");
    let shelf = device.shelf("fiction", None);
    device.serialize();
    let session = device.receiving(&everything());
    let before = device.records();
    for ends_well in [false, true] {
        let done = device.storage.transaction("write a book", STAGE, &mut |transaction| {
            let (owner, title) = ("ada".to_owned(), "Emma".to_owned());
            let book = Book { id: SyncId::unset(), shelf_id: shelf, owner, title, blurb: None };
            rows::create_within(transaction, book).expect("a book");
            assert_eq!(transaction.serialize(PROFILE, &everything(), &go_on)?.new, 1);
            let noted = transaction.update_transfer_session(&session.id, &mut |session| {
                (session.stage, session.status) = (Stage::Serializing, StageStatus::Completed);
            })?;
            assert_eq!(noted.map(|session| session.stage), Some(Stage::Serializing));
            if ends_well { Ok(()) } else { Err(fault()) }
        });
        assert_eq!(done.is_ok(), ends_well);
        let kept = device.storage.transfer_session(&session.id).expect("it is read").expect("it is there");
        if ends_well {
            assert_eq!((device.titles().len(), device.records().len(), kept.stage), (1, 2, Stage::Serializing));
        } else {
            assert_eq!((device.titles().len(), kept.stage), (0, Stage::Initializing));
            assert_eq!(device.records(), before, "no stamp is left of it");
        }
    }
    assert_eq!(device.marks(), [""; 0], "the book was serialized where it was made");
}

#[test]
fn records_are_merged_and_become_rows_within_one_transaction() {
    let mut device = Device::new("laptop");
    let shelf = foreign_shelf("fiction", None);
    let (emma, bad) = (foreign_book("Emma", shelf.id), foreign_book("forbidden", shelf.id));
    let mut session = device.receiving(&everything());
    session.records_total = Some(3);
    device.take(&session, vec![emma.clone(), bad.clone(), shelf]);
    device
        .storage
        .transaction("dequeue and deserialize", STAGE, &mut |transaction| {
            assert_eq!(transaction.dequeue(&session, &Reach::everything(), &go_on)?.new, 3);
            let report = transaction.deserialize(&order(&everything()), &go_on)?;
            assert_eq!((report.written, report.failures_total), (2, 1), "a bad record stops nobody here either");
            assert_eq!(transaction.record(&bad.id)?.map(|record| record.id), Some(bad.id));
            // What the application does after the engine is its own change.
            rename(transaction, emma.id, "Emma, again");
            Ok(())
        })
        .expect("all of it");
    assert_eq!(device.titles(), ["Emma, again"]);
    assert_eq!(device.serialize().updated, 1);
}

#[test]
fn an_untracked_change_is_not_serialized_and_a_tracked_one_beside_it_is() {
    let mut device = Device::new("laptop");
    let shelf = device.shelf("fiction", None);
    let (emma, dune) = (device.book(shelf, "ada", "Emma"), device.book(shelf, "ada", "Dune"));
    device.serialize();
    device
        .storage
        .transaction("write", STAGE, &mut |transaction| {
            transaction.without_capture(&mut |transaction| {
                rename(transaction, emma, "kept here");
                Ok(())
            })?;
            let failed = transaction.without_capture(&mut |_| Err(fault()));
            assert_eq!(failed.expect_err("its work failed").kind(), ErrorKind::Internal);
            rename(transaction, dune, "sent");
            Ok(())
        })
        .expect("all of it");
    let report = device.serialize();
    assert_eq!((report.new, report.updated), (0, 1));
    assert!(device.record(dune).serialized.contains("sent") && device.record(emma).serialized.contains("Emma"));
    assert_eq!(device.titles(), ["kept here", "sent"]);
}

#[test]
fn a_change_that_is_forgotten_is_not_sent_and_a_new_row_is_never_forgotten() {
    let mut device = Device::new("laptop");
    let shelf = device.shelf("fiction", None);
    let emma = device.book(shelf, "ada", "Emma");
    device.serialize();
    device.rename(emma, "for me alone");
    let dune = device.book(shelf, "ada", "Dune");
    let mut forgotten = Vec::new();
    device
        .storage
        .transaction("forget", STAGE, &mut |transaction| {
            forgotten = vec![
                transaction.forget_change(PROFILE, "book", &emma)?,
                transaction.forget_change(PROFILE, "book", &dune)?,
            ];
            let unknown = transaction.forget_change(PROFILE, "film", &emma).expect_err("there is no such model");
            assert_eq!(unknown.kind(), ErrorKind::InvalidInput);
            Ok(())
        })
        .expect("it is forgotten");
    assert_eq!(forgotten, [true, false], "without its mark a new row would never travel");
    let report = device.serialize();
    assert_eq!((report.new, report.updated), (1, 0));

    device.delete::<Book>(emma);
    device
        .storage
        .transaction("forget", STAGE, &mut |transaction| transaction.forget_change(PROFILE, "book", &emma).map(drop))
        .expect("it is forgotten");
    assert_eq!(device.serialize().deleted, 0);
}

fn remember(transaction: &mut dyn Transaction, memory: SessionMemory, value: Option<&str>) -> Result<()> {
    transaction.remember(memory, "owner", "name", value)
}

fn recall(device: &Device, memory: SessionMemory) -> Option<String> {
    let mut value = None;
    let recalled = device.storage.transaction("recall", Isolation::Plain, &mut |transaction| {
        value = transaction.recall(memory, "owner", "name")?;
        assert_eq!(transaction.recall(memory, "somebody else", "name")?, None);
        Ok(())
    });
    recalled.expect("it is read");
    value
}

#[test]
fn a_session_remembers_until_it_is_closed() {
    let device = Device::new("laptop");
    let session = device.receiving(&everything());
    let (sync, transfer) = (SessionMemory::Sync(session.sync_session), SessionMemory::Transfer(session.id));
    let write = |value: Option<&str>| {
        device.storage.transaction("remember", Isolation::Plain, &mut |transaction| {
            [sync, transfer].into_iter().try_for_each(|memory| remember(transaction, memory, value))
        })
    };
    write(Some("1")).expect("it is kept");
    write(Some("2")).expect("it is kept");
    assert_eq!([sync, transfer].map(|memory| recall(&device, memory)), [Some("2".to_owned()), Some("2".to_owned())]);
    let failed = device.storage.transaction("remember", Isolation::Plain, &mut |transaction| {
        remember(transaction, sync, Some("3"))?;
        Err(fault())
    });
    failed.expect_err("it was taken back");
    device.storage.clean_up(&session.id, time()).expect("it is closed");
    assert_eq!([sync, transfer].map(|memory| recall(&device, memory)), [Some("2".to_owned()), None]);
    write(Some("4")).expect("it is kept");
    write(None).expect("it is forgotten");
    assert_eq!([sync, transfer].map(|memory| recall(&device, memory)), [None, None]);
    write(Some("5")).expect("it is kept");
    device.storage.close_sync_session(&session.sync_session, time()).expect("it is closed");
    assert_eq!([sync, transfer].map(|memory| recall(&device, memory)), [None, None]);
}

#[test]
fn what_a_transfer_changed_is_known_until_somebody_changes_it() {
    let mut device = Device::new("laptop");
    let shelf = foreign_shelf("fiction", None);
    let titles = ["Emma", "Dune", "forbidden"];
    let [emma, dune, bad] = titles.map(|title| foreign_book(title, shelf.id));
    let first = device.receiving(&everything());
    device.take(&first, vec![shelf, emma.clone(), dune.clone(), bad.clone()]);
    device.storage.dequeue(&first, &Reach::everything(), &go_on).expect("it dequeues");
    device.deserialize();
    let touched = |session: &_, after: Option<&SyncId>, limit| -> Vec<TouchedRecord> {
        device.storage.touched(session, "book", after, limit).expect("it is known")
    };
    let all = touched(&first.id, None, 10);
    assert!(all.is_sorted_by_key(|record| record.id) && all.len() == 3, "{all:?}");
    let of_bad = all.iter().find(|record| record.id == bad.id).expect("it was touched too");
    assert_eq!(of_bad.waiting, Some(WaitingKind::Constraint));
    assert_eq!(touched(&first.id, Some(&all[0].id), 1), [all[1].clone()]);

    let second = device.receiving(&everything());
    device.take(&second, vec![deleted(&dune, 2), changed(&emma, 1, |_| {})]);
    device.storage.dequeue(&second, &Reach::everything(), &go_on).expect("it dequeues");
    device.deserialize();
    device.storage.clean_up(&second.id, time()).expect("it is closed");
    let gone = TouchedRecord { id: dune.id, deleted: true, hard_deleted: false, waiting: None };
    assert_eq!(device.storage.touched(&second.id, "book", None, 10).expect("it is known"), [gone], "Emma was known");
    assert_eq!(device.storage.touched(&second.id, "shelf", None, 10).expect("it is known"), []);

    device.rename(emma.id, "Emma, again");
    device.serialize();
    let left = device.storage.touched(&first.id, "book", None, 10).expect("it is known");
    assert_eq!(left.iter().map(|record| record.id).collect::<Vec<_>>(), [bad.id]);
}

#[test]
fn a_second_writer_on_the_same_thread_is_refused_instead_of_waited_for() {
    let device = Device::new("laptop");
    let session = device.receiving(&everything());
    let done = device.storage.transaction("write", STAGE, &mut |_| {
        let error = device.storage.clean_up(&session.id, time()).expect_err("it would wait for ever");
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error:?}");
        device.storage.transfer_session(&session.id).map(drop)
    });
    done.expect("the first goes on, and may read");
    device.storage.clean_up(&session.id, time()).expect("after it there is nothing in the way");
}

#[test]
fn a_panic_takes_everything_back_and_the_next_transaction_goes_well() {
    let mut device = Device::new("laptop");
    let shelf = device.shelf("fiction", None);
    let emma = device.book(shelf, "ada", "Emma");
    device.serialize();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        device.storage.transaction("write", STAGE, &mut |transaction| {
            transaction.without_capture(&mut |transaction| {
                rename(transaction, emma, "half done");
                panic!("a fault for a test")
            })
        })
    }));
    assert!(panicked.is_err());
    assert_eq!((device.titles(), device.marks()), (vec!["Emma".to_owned()], vec![]));
    device
        .storage
        .transaction("write", STAGE, &mut |transaction| {
            rename(transaction, emma, "done");
            Ok(())
        })
        .expect("nothing is in the way");
    assert_eq!(device.titles(), ["done"]);
    assert_eq!(device.serialize().updated, 1, "changes are captured as before");
}
