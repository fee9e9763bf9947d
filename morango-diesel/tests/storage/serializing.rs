//! Rows become records: which, with which stamp, and what is left behind.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::sync::Mutex;

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use morango::ErrorKind;
use morango::counter::RecordMaxCounters;
use morango::id::{InstanceId, SyncId};
use morango::model::Fields;
use morango::port::Storage as _;
use morango::record::StoreRecord;
use morango::scope::Filter;
use morango_diesel::Syncable as _;

use super::database::{WRITES, id};
use super::notebook::{Device, Photo, notes, owners, stamp};

#[test]
fn a_new_row_becomes_a_record_with_the_next_stamp() {
    let mut device = Device::new();
    let ada = device.owner("Ada");
    let note = device.note(&ada, "milk");
    let report = device.serialize();
    assert_eq!((report.new, report.updated, report.deleted, report.set_aside_total), (2, 0, 0, 0));
    let record = device.record(note.id);
    assert_eq!((record.profile.as_str(), record.model_name.as_str()), ("notebook", "note"));
    assert_eq!(record.partition, format!("{}:notes", ada.id));
    assert_eq!(record.last_saved, stamp(1));
    assert_eq!(record.counters, RecordMaxCounters::from_stamps([stamp(1)]).expect("good counters"));
    assert!(!record.deleted && !record.hard_deleted && record.conflicting_serialized_data.is_empty());
    let fields = Fields::parse(&record.serialized).expect("a JSON object");
    assert_eq!(fields.get_text("title").as_deref(), Some("milk"));
    assert_eq!(fields.get_text("owner_id"), Some(ada.id.to_string()));
    assert_eq!(fields.get("opened"), None, "what stays at home is not sent");
    assert_eq!(device.record(ada.id).partition, format!("{}:profile", ada.id));
}

#[test]
fn a_changed_row_keeps_what_a_newer_program_wrote_beside_it() {
    let mut device = Device::new();
    let ada = device.owner("Ada");
    device.serialize();
    let other = InstanceId::hash_of("a newer program");
    let counters =
        RecordMaxCounters::from_stamps([stamp(1), morango::counter::Stamp::new(other, 9)]).expect("good counters");
    let text = device.record(ada.id).serialized.replacen('{', "{\"colour\":\"red\",", 1);
    device.run(&format!(
        "UPDATE morango_store SET serialized = '{text}', last_saved_counter = 9,
         last_saved_instance = {}, record_max_counters = X'{}'",
        id(other),
        hex(&counters.to_bytes())
    ));
    diesel::update(owners::table.find(ada.id))
        .set(owners::name.eq("Ada L."))
        .execute(&mut device.connection)
        .expect("update");
    assert_eq!(device.serialize().updated, 1);
    let record = device.record(ada.id);
    let fields = Fields::parse(&record.serialized).expect("a JSON object");
    assert_eq!(fields.get_text("name").as_deref(), Some("Ada L."));
    assert_eq!(fields.get_text("colour").as_deref(), Some("red"));
    assert_eq!(record.last_saved, stamp(2));
    assert_eq!(record.counters.get(&other), Some(9));
    assert_eq!(record.counters.get(&stamp(2).instance), Some(2));
}

#[test]
fn a_row_that_says_the_same_keeps_its_stamp() {
    let mut device = Device::new();
    let ada = device.owner("Ada");
    let note = device.note(&ada, "milk");
    device.serialize();
    diesel::update(notes::table.find(note.id))
        .set(notes::opened.eq(7))
        .execute(&mut device.connection)
        .expect("update");
    let report = device.serialize();
    assert_eq!((report.updated, report.set_aside_total), (0, 0));
    assert_eq!(device.record(note.id).last_saved, stamp(1));
    assert!(device.marks().is_empty());
}

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
fn what_this_database_has_is_claimed_for_each_prefix_of_the_filter() {
    let mut device = Device::new();
    let claimed = |device: &mut Device, partition: &str| {
        device.number(&format!(
            "coalesce((SELECT counter FROM morango_database_max_counter WHERE partition = '{partition}'), -1)"
        ))
    };
    device.serialize();
    assert_eq!((device.counter(), claimed(&mut device, "")), (1, 1), "an empty database has everything of its own");
    device.photo("cat");
    device.serialize_under(&Filter::new(["photos", "b"]).expect("a filter"));
    assert_eq!(device.counter(), 2);
    assert_eq!(claimed(&mut device, "photos"), 2);
    assert_eq!(claimed(&mut device, "b"), 2);
    assert_eq!(claimed(&mut device, ""), 1, "that of everything was not asked for");
    device.serialize();
    assert_eq!((device.counter(), claimed(&mut device, "")), (3, 3));
}

#[test]
fn rows_outside_the_filter_are_in_the_store_already_when_their_turn_comes() {
    let mut device = Device::new();
    let ada = device.owner("Ada");
    device.photo("cat");
    let report = device.serialize_under(&Filter::new(["photos"]).expect("a filter"));
    assert_eq!(report.new, 2);
    assert_eq!(device.record(ada.id).last_saved, stamp(1));
}

#[test]
fn deleted_rows_leave_their_content_and_hard_deleted_ones_none() {
    let mut device = Device::new();
    let (cat, dog) = (device.photo("cat"), device.photo("dog"));
    device.serialize();
    let before = device.record(cat.id).serialized;
    diesel::delete(super::notebook::photos::table.find(cat.id)).execute(&mut device.connection).expect("delete");
    dog.hard_delete(&mut device.connection).expect("delete for good");
    assert_eq!(device.serialize().deleted, 2);
    let (cat_record, dog_record) = (device.record(cat.id), device.record(dog.id));
    assert!(cat_record.deleted && !cat_record.hard_deleted);
    assert_eq!(cat_record.serialized, before);
    assert!(dog_record.deleted && dog_record.hard_deleted);
    assert_eq!((dog_record.serialized.as_str(), dog_record.conflicting_serialized_data.as_str()), ("{}", ""));
    assert_eq!((cat_record.last_saved, dog_record.last_saved), (stamp(2), stamp(2)));

    // A row of the same name is the same record, and lives again.
    device.photo("dog");
    assert_eq!(device.serialize().updated, 1);
    let dog_record = device.record(dog.id);
    assert!(!dog_record.deleted && !dog_record.hard_deleted && dog_record.serialized.contains("dog"));
}

#[test]
fn a_row_that_came_and_went_leaves_nothing() {
    let mut device = Device::new();
    let cat = device.photo("cat");
    diesel::delete(super::notebook::photos::table.find(cat.id)).execute(&mut device.connection).expect("delete");
    assert_eq!(device.serialize(), morango::port::SerializeReport::default());
    assert!(device.records().is_empty() && device.marks().is_empty());
}

#[test]
fn what_had_arrived_and_is_not_yet_a_row_loses_against_a_change_made_here() {
    let mut device = Device::new();
    let cat = device.photo("cat");
    device.serialize();
    device.run(&format!(
        "UPDATE morango_store SET is_dirty = 1, is_deleted = 1, serialized = '{{\"name\":\"theirs\"}}',
         conflicting_serialized_data = 'older', failure_kind = 'x', failure_reason = 'y', transfer_session = {}",
        id(SyncId::random())
    ));
    diesel::update(super::notebook::photos::table.find(cat.id))
        .set(super::notebook::photos::name.eq("ours"))
        .execute(&mut device.connection)
        .expect("update");
    assert_eq!(device.serialize().updated, 1);
    let record = device.record(cat.id);
    assert!(record.serialized.contains("ours") && !record.deleted);
    assert_eq!(record.conflicting_serialized_data, "{\"name\":\"theirs\"}\nolder");
    let waiting = "SELECT count(*) FROM morango_store WHERE is_dirty = 1 OR failure_kind IS NOT NULL OR transfer_session IS NOT NULL";
    assert_eq!(device.number(waiting), 0);
}

#[test]
fn who_a_row_belonged_to_when_it_was_created_decides_where_its_record_lies() {
    let mut device = Device::new();
    let (ada, bob) = (device.owner("Ada"), device.owner("Bob"));
    let note = device.note(&ada, "milk");
    device.run(&format!("UPDATE notes SET owner_id = '{}'", bob.id));
    assert_eq!(device.serialize().set_aside_total, 0);
    let record = device.record(note.id);
    assert_eq!(record.partition, format!("{}:notes", ada.id));
    assert!(record.serialized.contains(&bob.id.to_string()));
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

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}
