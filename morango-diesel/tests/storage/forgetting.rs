//! What is taken off, and what keeps it from being taken off.
//!
//! Goal: nothing that nobody else has is lost unprompted. Method: owners, whose ids stand for root certificates, with their notes.

use morango::counter::{PartitionCounters, RecordMaxCounters, Stamp};
use morango::id::{CertificateId, InstanceId, SyncId};
use morango::port::{Forgetting, Forgotten, Papers, Renewal, Storage as _, Unsent};
use morango::record::StoreRecord;
use morango::scope::{Filter, Reach};
use morango::{Error, ErrorKind};

use super::notebook::{Device, Note, Owner, instance, stamp};

pub(crate) fn forget_with(device: &Device, owner: &Owner, unsent: Unsent) -> morango::Result<Forgotten> {
    let successor =
        |id| morango::identity::Instance { id: InstanceId::random(), database_id: id, ..instance("the next") };
    let renewal = Renewal { successor: &successor, now: chrono::Utc::now(), unless_since: None };
    let root = CertificateId::from_bytes(*owner.id.as_bytes());
    device.storage.forget(&Forgetting { profile: "notebook", root, papers: Papers::Kept, unsent, renewal })
}

pub(crate) fn refusal(device: &Device, owner: &Owner, unsent: u64) -> Error {
    let before = (device.records(), device.storage.own_counters().expect("the counters"));
    let error = forget_with(device, owner, Unsent::Refused).expect_err("something would be lost");
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{}", error.report());
    assert!(error.report().contains(&format!(": {unsent} records or rows hold changes")), "{}", error.report());
    assert!(before == (device.records(), device.storage.own_counters().expect("the counters")), "nothing is changed");
    error
}

pub(crate) fn hand_over(device: &Device, entries: &[(String, i64)]) {
    let mut all = PartitionCounters::new();
    for (partition, counter) in entries {
        all.entry(partition.clone()).or_default().insert(stamp(0).instance, *counter);
    }
    device.storage.note_handed_over(&all).expect("it is noted");
}

/// Ada has two notes, and Bob one. All of it is in the store, at the count of 1.
pub(crate) fn device() -> (Device, Owner, Owner, Note) {
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
fn what_lies_elsewhere_stays_claimed_and_nothing_above_the_root_does() {
    let (mut device, ada, bob, _) = device();
    let cat = device.photo("cat");
    device.serialize();
    device.storage.note_told().expect("it is told");
    let saved = device.record(cat.id);
    let above = StoreRecord { id: SyncId::hash_of("above"), source_id: "above".to_owned(), ..saved.clone() };
    device.dequeue(vec![StoreRecord { partition: ada.id.to_string()[..3].to_owned(), ..above }]);
    device.storage.note_told().expect("it is told");
    let told = device.counter();

    forget_with(&device, &ada, Unsent::Lost).expect("it may be lost");

    assert_eq!(device.records().len(), 4, "Bob, his note, and what lies above and beside");
    let places = [format!("{}:notes", bob.id), format!("{}:profile", bob.id), saved.partition];
    assert_eq!(device.claims(), places.map(|place| (place, told)).into());
}

#[test]
fn what_an_earlier_instance_saved_elsewhere_stays_claimed() {
    let (device, ada, bob, _) = device();
    device.storage.note_told().expect("it is told");
    device.storage.adopt_instance(&instance("with a card")).expect("adopt another");
    assert_eq!(device.claims(), [(String::new(), 1)].into());

    forget_with(&device, &ada, Unsent::Lost).expect("it may be lost");

    let places = [format!("{}:notes", bob.id), format!("{}:profile", bob.id)];
    assert_eq!(device.claims(), places.map(|place| (place, 1)).into());
}

/// Whoever comes next may get the place in the store.
#[test]
fn what_was_merged_into_what_is_forgotten_is_said_of_no_record_that_comes_later() {
    let mut device = Device::new();
    let ada = device.owner("Ada");
    let milk = device.note(&ada, "milk");
    device.serialize();
    let saved = |record: StoreRecord, name: &str| {
        let last_saved = Stamp::new(InstanceId::hash_of(name), 7);
        let mut counters = record.counters;
        counters.raise(last_saved);
        StoreRecord { last_saved, counters, ..record }
    };
    let beside = StoreRecord { counters: RecordMaxCounters::new(), ..device.record(milk.id) };
    device.dequeue(vec![saved(beside, "a stranger")]);
    assert_eq!(device.record(milk.id).last_saved.instance, stamp(0).instance, "the two are merged");
    forget_with(&device, &ada, Unsent::Lost).expect("it may be lost");

    let eve = device.owner("Eve");
    let bread = device.note(&eve, "bread");
    device.serialize();
    let gone = saved(StoreRecord { deleted: true, ..device.record(eve.id) }, "another");
    let claimed = PartitionCounters::from([(String::new(), [(gone.last_saved.instance, 7)].into())]);
    device.dequeue_claimed(&claimed, &Reach::everything(), vec![gone]);
    assert_eq!(device.deserialize().failures_total, 0);
    assert!(device.record(bread.id).deleted);
}

#[test]
fn a_note_covers_what_is_below_it_and_is_never_lowered() {
    let (mut device, ada, ..) = device();
    let root = ada.id.to_string();
    hand_over(&device, &[(root.clone(), 1)]);
    device.note(&ada, "cream");
    device.serialize();
    refusal(&device, &ada, 1);
    hand_over(&device, &[(root.clone(), 3)]);
    hand_over(&device, &[(root.clone(), 1), (format!("{root}:notes"), 1)]);
    let mut stranger = PartitionCounters::new();
    stranger.entry(String::new()).or_default().insert(InstanceId::hash_of("a stranger"), 9);
    device.storage.note_handed_over(&stranger).expect("it is passed over");
    assert_eq!(forget_with(&device, &ada, Unsent::Refused).expect("somebody has all of it").unsent, 0);
}

#[test]
fn a_change_that_is_not_serialized_yet_is_not_forgotten() {
    let (mut device, ada, _, milk) = device();
    hand_over(&device, &[(ada.id.to_string(), 1)]);
    let rename = |device: &mut Device, title: &str| {
        device.change(milk.id, |note: &mut Note| title.clone_into(&mut note.title));
    };
    rename(&mut device, "cream");
    refusal(&device, &ada, 1);
    rename(&mut device, "milk");
    forget_with(&device, &ada, Unsent::Refused).expect("it is as it was");
}

#[test]
fn a_row_that_never_became_a_record_does_not_go_unseen_with_its_parent() {
    let (mut device, ada, bob, _) = device();
    hand_over(&device, &[(ada.id.to_string(), 9)]);
    let stranger = SyncId::random();
    device.insert(&Note { id: stranger, owner_id: ada.id, title: "x".to_owned(), slug: None, opened: 0 });
    assert_eq!(device.serialize().set_aside_total, 1, "nobody knows where it belongs");

    refusal(&device, &ada, 1);

    assert_eq!(device.all::<Note>().len(), 4);
    let forgotten = forget_with(&device, &ada, Unsent::Lost).expect("it may be lost");
    assert_eq!((forgotten.rows, forgotten.records, forgotten.unsent), (3, 3, 1));
    let left: Vec<SyncId> = device.all::<Owner>().into_iter().map(|owner| owner.id).collect();
    assert_eq!(left, [bob.id]);
    assert_eq!(device.all::<Note>().len(), 1, "the note of the other owner");
}

#[test]
fn what_gave_way_and_was_forgotten_is_not_saved_anew_when_it_comes_again() {
    let (device, ada, ..) = device();
    let partition = format!("{}:notes", ada.id);
    let theirs = |text: &str, saved: Stamp| StoreRecord {
        id: SyncId::hash_of("theirs"),
        source_id: "theirs".to_owned(),
        serialized: text.to_owned(),
        last_saved: saved,
        counters: RecordMaxCounters::from_stamps([saved]).expect("good counters"),
        ..device.records().into_iter().find(|record| record.partition == partition).expect("a note of hers")
    };
    let [one, another] = ["a", "b"].map(|name| Stamp::new(InstanceId::hash_of(name), 4));
    let (first, second) = (theirs("{}", one), theirs("[]", another));
    for record in [first, second.clone()] {
        device.dequeue_within(&Reach::Nothing, vec![record]);
    }
    forget_with(&device, &ada, Unsent::Lost).expect("it may be lost");

    // SQLite gives one of these the place that it had.
    let more = ["x", "y", "z"].map(|name| StoreRecord {
        id: SyncId::hash_of(name),
        source_id: name.to_owned(),
        ..second.clone()
    });
    device.dequeue_within(&Reach::Nothing, [vec![second.clone()], more.to_vec()].concat());

    let saved = device.storage.save_what_gave_way("notebook", &Filter::everything()).expect("there is none");
    assert_eq!(saved, 0);
    assert_eq!(device.record(second.id), second);
}
