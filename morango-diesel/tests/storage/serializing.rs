//! Rows become records: which, with which stamp, and what is left behind.

use morango::counter::{RecordMaxCounters, Stamp};
use morango::id::{InstanceId, SyncId};
use morango::model::Fields;
use morango::port::{DeserializeReport, SerializeReport, Storage as _};
use morango::record::StoreRecord;
use morango::scope::Filter;

use super::notebook::{Device, Note, Owner, Photo, stamp};

/// The same record, saved once more by a device that knows what it says here.
pub(crate) fn saved_elsewhere(record: &StoreRecord, change: impl FnOnce(&mut StoreRecord)) -> StoreRecord {
    saved_later(record, 9, change)
}

/// The same, at another of its counts.
fn saved_later(record: &StoreRecord, counter: i64, change: impl FnOnce(&mut StoreRecord)) -> StoreRecord {
    let mut record = record.clone();
    record.last_saved = Stamp::new(InstanceId::hash_of("another device"), counter);
    record.counters.raise(record.last_saved);
    change(&mut record);
    record
}

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
    device.storage.note_told().expect("it is told");
    let theirs = saved_elsewhere(&device.record(ada.id), |record| {
        record.serialized = record.serialized.replacen('{', "{\"colour\":\"red\",", 1);
    });
    device.dequeue(vec![theirs.clone()]);
    assert_eq!(device.deserialize().written, 1);
    let before = device.counter();
    device.change(ada.id, |owner: &mut Owner| owner.name = "Ada L.".to_owned());
    assert_eq!(device.serialize().updated, 1);
    let record = device.record(ada.id);
    let fields = Fields::parse(&record.serialized).expect("a JSON object");
    assert_eq!(fields.get_text("name").as_deref(), Some("Ada L."));
    assert_eq!(fields.get_text("colour").as_deref(), Some("red"));
    assert_eq!(record.last_saved, stamp(before + 1));
    assert_eq!(record.counters.get(&theirs.last_saved.instance), Some(9));
    assert_eq!(record.counters.get(&record.last_saved.instance), Some(before + 1));
}

#[test]
fn a_row_that_says_the_same_keeps_its_stamp() {
    let mut device = Device::new();
    let ada = device.owner("Ada");
    let note = device.note(&ada, "milk");
    device.serialize();
    device.open(note.id, 7);
    let report = device.serialize();
    assert_eq!((report.updated, report.set_aside_total), (0, 0));
    assert_eq!(device.record(note.id).last_saved, stamp(1));
    assert!(device.marks().is_empty());
}

#[test]
fn what_stays_at_home_stays_when_a_change_comes() {
    let mut device = Device::new();
    let ada = device.owner("Ada");
    let note = device.note(&ada, "milk");
    device.open(note.id, 7);
    device.serialize();
    device.storage.note_told().expect("it is told");
    let theirs = saved_elsewhere(&device.record(note.id), |record| {
        record.serialized = record.serialized.replace("milk", "bread");
    });
    device.dequeue(vec![theirs]);
    assert_eq!(device.deserialize().written, 1);
    let [note] = &*device.all::<Note>() else { panic!("one note") };
    assert_eq!((note.title.as_str(), note.opened), ("bread", 7));
}

#[test]
fn nothing_new_moves_no_counter() {
    let mut device = Device::new();
    device.photo("cat");
    device.serialize();
    let before = device.counter();
    assert_eq!(device.serialize(), SerializeReport::default());
    assert_eq!(device.counter(), before);
}

#[test]
fn what_this_database_has_is_claimed_for_each_prefix_of_the_filter() {
    let mut device = Device::new();
    let claimed = |device: &Device, partition: &str| device.claims().get(partition).copied();
    device.serialize();
    let everything = (device.counter(), claimed(&device, ""));
    assert_eq!(everything, (1, Some(1)), "an empty database has everything of its own");
    device.photo("cat");
    device.serialize_under(&Filter::new(["photos", "b"]).expect("a filter"));
    assert_eq!(device.counter(), 2);
    assert_eq!(claimed(&device, "photos"), Some(2));
    assert_eq!(claimed(&device, "b"), Some(2));
    assert_eq!(claimed(&device, ""), Some(1), "that of everything was not asked for");
    device.serialize();
    assert_eq!((device.counter(), claimed(&device, "")), (3, Some(3)));
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
    device.delete::<Photo>(cat.id);
    device.hard_delete::<Photo>(dog.id);
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
    device.delete::<Photo>(cat.id);
    assert_eq!(device.serialize(), SerializeReport::default());
    assert!(device.records().is_empty() && device.marks().is_empty());
}

#[test]
fn what_had_arrived_and_is_not_yet_a_row_loses_against_a_change_made_here() {
    let mut device = Device::new();
    let cat = device.photo("cat");
    device.serialize();
    device.storage.note_told().expect("it is told");
    device.dequeue(vec![saved_elsewhere(&device.record(cat.id), |record| {
        record.serialized = "{\"name\":\"theirs\"}".to_owned();
        record.conflicting_serialized_data = "older".to_owned();
        record.deleted = true;
    })]);
    device.change(cat.id, |photo: &mut Photo| photo.name = "ours".to_owned());
    let report = device.serialize();
    assert_eq!((report.updated, report.conflicts), (1, 1));
    let record = device.record(cat.id);
    assert!(record.serialized.contains("ours") && !record.deleted);
    assert_eq!(record.conflicting_serialized_data, "{\"name\":\"theirs\"}\nolder");
    assert_eq!(device.deserialize(), DeserializeReport::default(), "nothing waits");
}

#[test]
fn a_row_that_nobody_gave_a_source_id_is_told_of_and_tried_again_and_stops_no_other() {
    let mut device = Device::new();
    let stranger = SyncId::random();
    device.insert(&Owner { id: stranger, name: "Eve".to_owned() });
    device.owner("Ada");
    for _ in 0..2 {
        let report = device.serialize();
        assert_eq!(report.set_aside_total, 1, "{report:?}");
        assert_eq!(report.set_aside[0].id, stranger.to_string());
        assert!(report.set_aside[0].reason.contains("`create`"), "{report:?}");
    }
    assert_eq!(device.records().len(), 1);
    device.delete::<Owner>(stranger);
    assert_eq!(device.serialize().set_aside_total, 0);
    assert!(device.marks().is_empty());
}

#[test]
fn who_a_row_belonged_to_when_it_was_created_decides_where_its_record_lies() {
    let mut device = Device::new();
    let (ada, bob) = (device.owner("Ada"), device.owner("Bob"));
    let note = device.note(&ada, "milk");
    device.change(note.id, |note: &mut Note| note.owner_id = bob.id);
    assert_eq!(device.serialize().set_aside_total, 0);
    let record = device.record(note.id);
    assert_eq!(record.partition, format!("{}:notes", ada.id));
    assert!(record.serialized.contains(&bob.id.to_string()));
}

/// A device with a note that another device gave another title, which waits to become the row.
fn with_newer_title() -> (Device, Note) {
    let mut device = Device::new();
    let ada = device.owner("Ada");
    let note = device.note(&ada, "milk");
    device.serialize();
    device.storage.note_told().expect("it is told");
    let retitled = |record: &mut StoreRecord| record.serialized = record.serialized.replace("milk", "bread");
    device.dequeue(vec![saved_elsewhere(&device.record(note.id), retitled)]);
    (device, note)
}

fn titles(device: &mut Device) -> Vec<String> {
    device.all::<Note>().into_iter().map(|note| note.title).collect()
}

#[test]
fn a_row_that_is_written_as_it_was_is_no_change_made_beside_what_waits() {
    type Touch = fn(&mut Device, &Note);
    let touches: [Touch; 3] = [
        |device, note| device.open(note.id, 7),
        |device, note| device.change(note.id, |note: &mut Note| note.title = "milk".to_owned()),
        |device, note| {
            device.delete::<Note>(note.id);
            device.insert(note);
        },
    ];
    for touch in touches {
        let (mut device, note) = with_newer_title();
        touch(&mut device, &note);
        let report = device.deserialize();
        assert_eq!((report.written, report.conflicts), (1, 0), "{report:?}");
        assert_eq!(titles(&mut device), ["bread"]);
        assert!(device.record(note.id).conflicting_serialized_data.is_empty());
    }
}

#[test]
fn a_row_that_changed_and_changed_again_before_the_next_came_is_a_change() {
    let (mut device, note) = with_newer_title();
    device.change(note.id, |note: &mut Note| note.title = "eggs".to_owned());
    let report = device.deserialize();
    assert_eq!((report.written, report.conflicts), (0, 1), "{report:?}");
    assert_eq!(titles(&mut device), ["eggs"]);
    assert_eq!(device.record(note.id).conflicting_serialized_data.matches("bread").count(), 1);
}

#[test]
fn a_row_that_is_written_as_it_was_does_not_undo_a_deletion_that_waits() {
    for is_hard in [false, true] {
        let mut device = Device::new();
        let ada = device.owner("Ada");
        let note = device.note(&ada, "milk");
        device.serialize();
        device.storage.note_told().expect("it is told");
        device.dequeue(vec![saved_elsewhere(&device.record(note.id), |record| {
            (record.deleted, record.hard_deleted) = (true, is_hard);
        })]);
        device.open(note.id, 7);
        let report = device.deserialize();
        assert_eq!((report.deleted, report.conflicts), (1, 0), "{report:?}");
        assert!(device.record(note.id).deleted && titles(&mut device).is_empty());
    }
}

#[test]
fn a_row_that_was_made_and_deleted_again_while_its_record_waits_deletes_nothing() {
    let mut device = Device::new();
    let ada = device.owner("Ada");
    let note = device.note(&ada, "milk");
    device.serialize();
    device.delete::<Note>(note.id);
    device.serialize();
    device.storage.note_told().expect("it is told");
    device.dequeue(vec![saved_elsewhere(&device.record(note.id), |record| record.deleted = false)]);
    device.insert(&note);
    device.delete::<Note>(note.id);
    assert_eq!(device.deserialize().written, 1);
    assert_eq!(titles(&mut device), ["milk"]);
}

#[test]
fn of_what_was_deleted_for_good_nothing_is_left_where_it_is_there_again() {
    let mut device = Device::new();
    let ada = device.owner("Ada");
    let note = device.note(&ada, "milk");
    device.serialize();
    device.storage.note_told().expect("it is told");
    device.dequeue(vec![saved_elsewhere(&device.record(note.id), |record| {
        record.serialized = record.serialized.replacen('{', "{\"colour\":\"red\",", 1);
        record.conflicting_serialized_data = "{\"title\":\"older\"}\n".to_owned();
    })]);
    device.deserialize();
    device.hard_delete::<Note>(note.id);
    device.insert(&note);
    assert_eq!(device.serialize().updated, 1);
    let record = device.record(note.id);
    assert!(!record.deleted && !record.serialized.contains("red"), "{record:?}");
    assert_eq!(record.conflicting_serialized_data, "");
}

/// The other's program spells a text otherwise than this one would, and beside it writes what this one does not know.
#[test]
fn a_row_is_as_it_was_however_its_record_was_spelled() {
    let (device, note) = with_newer_title();
    let mut device = device;
    device.deserialize();
    let spelled = |record: &mut StoreRecord| {
        record.serialized =
            record.serialized.replace("bread", "br\\u0065ad").replacen('{', "{ \"colour\" : \"red\",", 1);
    };
    device.dequeue(vec![saved_later(&device.record(note.id), 10, spelled)]);
    device.deserialize();
    device.dequeue(vec![saved_later(&device.record(note.id), 11, |record| {
        record.serialized = record.serialized.replace("br\\u0065ad", "eggs");
    })]);
    device.open(note.id, 9);
    let report = device.deserialize();
    assert_eq!((report.written, report.conflicts), (1, 0), "{report:?}");
    assert_eq!(titles(&mut device), ["eggs"]);
}
