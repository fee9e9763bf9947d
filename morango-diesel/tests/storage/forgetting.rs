//! What is taken off, and what keeps it from being taken off.
//!
//! Goal: nothing that nobody else has is lost unprompted. Method: owners, whose ids stand for root certificates, with their notes.

use diesel::prelude::*;
use morango::counter::PartitionCounters;
use morango::id::{CertificateId, InstanceId, SyncId};
use morango::port::{Forgetting, Forgotten, Papers, Renewal, Storage as _, Unsent};
use morango::{Error, ErrorKind};

use super::database::NO_FOREIGN_KEYS;
use super::notebook::{Device, Note, Owner, instance, notes, owners, stamp};

fn forget_with(device: &Device, owner: &Owner, unsent: Unsent) -> morango::Result<Forgotten> {
    let successor =
        |id| morango::identity::Instance { id: InstanceId::random(), database_id: id, ..instance("the next") };
    let renewal = Renewal { successor: &successor, now: chrono::Utc::now(), unless_since: None };
    let root = CertificateId::from_bytes(*owner.id.as_bytes());
    device.storage.forget(&Forgetting { profile: "notebook", root, papers: Papers::Kept, unsent, renewal })
}

fn refusal(device: &Device, owner: &Owner, unsent: u64) -> Error {
    let before = (device.records(), device.storage.own_counters().expect("the counters"));
    let error = forget_with(device, owner, Unsent::Refused).expect_err("something would be lost");
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{}", error.report());
    assert!(error.report().contains(&format!(": {unsent} records or rows hold changes")), "{}", error.report());
    assert!(before == (device.records(), device.storage.own_counters().expect("the counters")), "nothing is changed");
    error
}

fn hand_over(device: &Device, entries: &[(String, i64)]) {
    let mut all = PartitionCounters::new();
    for (partition, counter) in entries {
        all.entry(partition.clone()).or_default().insert(stamp(0).instance, *counter);
    }
    device.storage.note_handed_over(&all).expect("it is noted");
}

/// Ada has two notes, and Bob one. All of it is in the store, at the count of 1.
fn device() -> (Device, Owner, Owner, Note) {
    let mut device = Device::new();
    let (ada, bob) = (device.owner("Ada"), device.owner("Bob"));
    let milk = device.note(&ada, "milk");
    device.note(&ada, "bread");
    device.note(&bob, "cheese");
    device.serialize();
    (device, ada, bob, milk)
}

#[test]
fn what_was_queued_or_told_of_and_merged_by_nobody_is_not_forgotten() {
    let (device, ada, ..) = device();
    device.storage.note_told().expect("it is told");
    refusal(&device, &ada, 3);
    hand_over(&device, &[(format!("{}:notes", ada.id), 1)]);
    refusal(&device, &ada, 1);
    hand_over(&device, &[(ada.id.to_string(), 0)]);
    refusal(&device, &ada, 1);
    hand_over(&device, &[(ada.id.to_string(), 1)]);
    let forgotten = forget_with(&device, &ada, Unsent::Refused).expect("somebody has all of it");
    assert_eq!((forgotten.rows, forgotten.records, forgotten.unsent), (3, 3, 0));
}

#[test]
fn what_was_handed_over_of_one_root_says_nothing_of_another() {
    let (device, ada, bob, _) = device();
    hand_over(&device, &[(bob.id.to_string(), 1)]);
    refusal(&device, &ada, 3);
    assert_eq!(forget_with(&device, &bob, Unsent::Refused).expect("somebody has it").records, 2);
    // This database is another instance now, and what the former one saved is as much its own.
    refusal(&device, &ada, 3);
    assert_eq!(forget_with(&device, &ada, Unsent::Lost).expect("it may be lost").unsent, 3);
}

#[test]
fn a_note_covers_what_is_below_it_and_is_never_lowered() {
    let (mut device, ada, ..) = device();
    let root = ada.id.to_string();
    hand_over(&device, &[(format!("{root}:notes"), 1), (format!("{root}:profile"), 5)]);
    hand_over(&device, &[(root.clone(), 3)]);
    hand_over(&device, &[(root, 2)]);
    let mut stranger = PartitionCounters::new();
    stranger.entry(String::new()).or_default().insert(InstanceId::hash_of("a stranger"), 9);
    device.storage.note_handed_over(&stranger).expect("it is passed over");
    assert_eq!(device.number("SELECT count(*) FROM morango_handed_over"), 2);
    assert_eq!(device.number("SELECT min(counter) FROM morango_handed_over"), 3);
    assert_eq!(device.number("SELECT max(counter) FROM morango_handed_over"), 5);
}

#[test]
fn a_change_that_is_not_serialized_yet_is_not_forgotten() {
    let (mut device, ada, _, milk) = device();
    hand_over(&device, &[(ada.id.to_string(), 1)]);
    let rename = |device: &mut Device, title: &str| {
        let renamed = diesel::update(notes::table.find(milk.id)).set(notes::title.eq(title));
        assert_eq!(renamed.execute(&mut device.connection), Ok(1));
    };
    rename(&mut device, "cream");
    refusal(&device, &ada, 1);
    rename(&mut device, "milk");
    forget_with(&device, &ada, Unsent::Refused).expect("it is as it was");
}

#[test]
fn a_change_that_cannot_be_serialized_is_not_forgotten() {
    let (mut device, ada, _, milk) = device();
    hand_over(&device, &[(ada.id.to_string(), 9)]);
    device.run(NO_FOREIGN_KEYS);
    device.run(&format!("UPDATE notes SET owner_id = 'nobody', title = 'x' WHERE id = '{}'", milk.id));
    assert_eq!(device.serialize().set_aside_total, 1);

    refusal(&device, &ada, 1);

    let forgotten = forget_with(&device, &ada, Unsent::Lost).expect("it may be lost");
    assert_eq!((forgotten.rows, forgotten.records, forgotten.unsent), (3, 3, 1));
    assert!(device.marks().is_empty(), "{:?}", device.marks());
}

#[test]
fn a_row_that_never_became_a_record_does_not_go_unseen_with_its_parent() {
    let (mut device, ada, bob, _) = device();
    hand_over(&device, &[(ada.id.to_string(), 9)]);
    let stranger = SyncId::random();
    device.run(&format!("INSERT INTO notes (id, owner_id, title) VALUES ('{stranger}', '{}', 'x')", ada.id));
    assert_eq!(device.serialize().set_aside_total, 1, "nobody knows where it belongs");

    refusal(&device, &ada, 1);

    let count: i64 = notes::table.count().get_result(&mut device.connection).expect("a number");
    assert_eq!(count, 4);
    let forgotten = forget_with(&device, &ada, Unsent::Lost).expect("it may be lost");
    assert_eq!((forgotten.rows, forgotten.records, forgotten.unsent), (3, 3, 1));
    let left: Vec<SyncId> = owners::table.select(owners::id).load(&mut device.connection).expect("the owners");
    assert_eq!(left, [bob.id]);
    let count: i64 = notes::table.count().get_result(&mut device.connection).expect("a number");
    assert_eq!(count, 1, "the note of the other owner");
}
