//! Serializing is cut into transactions, between which others write, and goes on beside others that serialize.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::sync::Mutex;

use diesel::connection::SimpleConnection as _;
use morango::ErrorKind;
use morango::id::SyncId;
use morango::model::Fields;
use morango::port::Storage as _;
use morango::record::StoreRecord;
use morango::scope::Filter;
use morango_diesel::Syncable as _;

use super::database::WRITES;
use super::notebook::{Device, Photo};
use super::serializing::saved_elsewhere;

#[test]
fn nothing_new_writes_nothing() {
    let mut device = Device::new();
    device.photo("cat");
    device.serialize();
    let before = (device.counter(), device.number(WRITES));
    let report = device.serialize();
    assert_eq!(report, morango::port::SerializeReport::default());
    assert_eq!((device.counter(), device.number(WRITES)), before);
}

#[test]
fn a_long_serialization_is_cut_into_transactions_each_with_a_stamp_of_its_own() {
    let mut device = Device::new();
    let photos = (0..4_500).map(|number| Photo { id: SyncId::unset(), name: format!("photo {number}") });
    Photo::create_many(photos, &mut device.connection).expect("create many");
    let seen = Mutex::new(Vec::new());
    let watch = |progress: morango::port::Progress| {
        seen.lock().expect("no panic").push((progress.done, progress.total));
        ControlFlow::Continue(())
    };
    let report = device.storage.serialize("notebook", &Filter::everything(), &watch).expect("serialize");
    assert_eq!(report.new, 4_500);
    let seen = seen.into_inner().expect("no panic");
    assert_eq!(seen.iter().map(|(done, _)| *done).collect::<Vec<_>>(), [2_000, 4_000, 4_500]);
    assert!(seen.iter().all(|(_, total)| *total == Some(4_500)));
    assert_eq!(device.number("SELECT count(DISTINCT last_saved_counter) FROM morango_store"), 3);
    assert_eq!(device.counter(), 3);
    assert_eq!(device.number("SELECT counter FROM morango_database_max_counter WHERE partition = ''"), 3);
}

#[test]
fn a_serialization_that_is_told_to_stop_leaves_a_true_state_and_goes_on_later() {
    let mut device = Device::new();
    let photos = (0..3_000).map(|number| Photo { id: SyncId::unset(), name: format!("photo {number}") });
    Photo::create_many(photos, &mut device.connection).expect("create many");
    let stop = |_: morango::port::Progress| ControlFlow::Break(());
    let error = device.storage.serialize("notebook", &Filter::everything(), &stop).expect_err("stopped");
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert_eq!(device.number("SELECT count(*) FROM morango_store"), 2_000);
    assert_eq!(device.number("SELECT count(*) FROM morango_database_max_counter"), 0, "nothing is claimed yet");
    assert_eq!(device.serialize().new, 1_000);
}

#[test]
fn changes_made_while_it_runs_are_not_lost() {
    let device = RefCell::new(Device::new());
    let storage = device.borrow().storage.clone();
    let photos = (0..2_500).map(|number| Photo { id: SyncId::unset(), name: format!("photo {number}") });
    Photo::create_many(photos, &mut device.borrow_mut().connection).expect("create many");
    let elsewhere = Mutex::new(device.borrow().database.plain_connection());
    let meddle = |_: morango::port::Progress| {
        let mut connection = elsewhere.lock().expect("no panic");
        connection.batch_execute("UPDATE photos SET name = name || '!'").expect("update");
        ControlFlow::Continue(())
    };
    storage.serialize("notebook", &Filter::everything(), &meddle).expect("serialize");
    let mut device = device.into_inner();
    device.serialize();
    let rows = device.number("SELECT sum(length(name)) FROM photos");
    let length = |record: &StoreRecord| {
        Fields::parse(&record.serialized).expect("an object").get_text("name").expect("a name").len()
    };
    let records: usize = device.records().iter().map(length).sum();
    assert_eq!(i64::try_from(records), Ok(rows));
}

#[test]
fn two_serializations_at_once_never_give_one_count_to_two_transactions() {
    let mut device = Device::new();
    let storage = device.storage.clone();
    for round in 0..5 {
        let photos = (0..300).map(|number| Photo { id: SyncId::unset(), name: format!("photo {round} {number}") });
        Photo::create_many(photos, &mut device.connection).expect("create many");
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    storage.serialize("notebook", &Filter::everything(), &super::notebook::go_on).expect("serialize");
                });
            }
        });
    }
    assert_eq!(device.records().len(), 1_500);
    let claimed = device.number("SELECT counter FROM morango_database_max_counter WHERE partition = ''");
    assert_eq!(claimed, device.counter());
    assert!(device.number("SELECT max(last_saved_counter) FROM morango_store") <= claimed);
}

/// As a program of before leaves it that runs beside this one.
#[test]
fn where_it_is_not_known_what_a_row_said_any_mark_is_a_change() {
    let mut device = Device::new();
    let cat = device.photo("cat");
    device.serialize();
    device.storage.note_told().expect("it is told");
    device.dequeue(vec![saved_elsewhere(&device.record(cat.id), |record| {
        record.serialized = record.serialized.replace("cat", "lion");
    })]);
    let settled = device.connection.batch_execute("UPDATE morango_store SET is_dirty = 0");
    settled.expect_err("such a program settles nothing of which it does not know what is known");
    device.run("UPDATE morango_store SET row_serialized = NULL");
    device.run("UPDATE photos SET name = name");
    let report = device.deserialize();
    assert_eq!((report.written, report.conflicts), (0, 1), "{report:?}");
    assert!(device.record(cat.id).conflicting_serialized_data.contains("lion"));
}
