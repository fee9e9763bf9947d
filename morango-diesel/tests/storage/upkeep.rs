//! What keeps a database in good order over years: instances and their counters.

use std::collections::BTreeMap;

use morango::counter::{Instances, Stamp};
use morango::id::{DatabaseId, InstanceId};
use morango::identity::Instance;
use morango::port::{Adoption, Renewal, Storage as _};
use morango::scope::{Filter, Reach};
use morango::session::{Direction, Side};
use morango::{ErrorKind, limits};

use super::notebook::{Device, Photo, go_on, instance, stamp};
use super::transfers::new_session;

#[test]
fn an_instance_that_comes_back_goes_on_counting() {
    let mut device = Device::new();
    device.photo("cat");
    device.serialize();
    device.storage.note_told().expect("it is told");
    assert_eq!(device.counter(), 1);
    device.storage.adopt_instance(&instance("a copy")).expect("adopt another");
    assert_eq!(device.counter(), 0);
    device.photo("dog");
    device.serialize();
    device.storage.note_told().expect("it is told");
    assert_eq!(device.counter(), 1);
    device.storage.adopt_instance(&instance("this device")).expect("adopt the first again");
    device.photo("cow");
    device.serialize();
    assert_eq!(device.counter(), 2);
}

/// As after a backup of the time before the first instance's last edits was put in place, where only others know of these, and say so
/// while the device is another instance.
#[test]
fn an_instance_of_which_more_is_known_here_than_it_counted_is_not_adopted_again() {
    let record_comes = |device: &Device, counter| {
        let mut record = device.records().remove(0);
        record.last_saved = stamp(counter);
        record.counters.raise(record.last_saved);
        device.dequeue(vec![record]);
    };
    let history_comes = |device: &Device, counter| {
        let mut record = device.records().remove(0);
        record.counters.raise(stamp(counter));
        record.last_saved = Stamp::new(InstanceId::hash_of("another device"), counter);
        record.counters.raise(record.last_saved);
        device.dequeue(vec![record]);
    };
    let claim_comes = |device: &Device, counter| {
        let everything = Filter::everything();
        let mut session = new_session(&device.storage, "notebook", Side::Client, Direction::Pull, &everything);
        let claimed = BTreeMap::from([("photos".to_owned(), BTreeMap::from([(stamp(0).instance, counter)]))]);
        session.server_fsic.change(|fsic| fsic.sub = claimed).expect("good counters");
        device.storage.dequeue(&session, &Reach::everything(), &go_on).expect("it dequeues");
    };
    let note_comes = |device: &Device, counter| {
        let noted = BTreeMap::from([("photos".to_owned(), BTreeMap::from([(stamp(0).instance, counter)]))]);
        device.storage.note_unclaimed(&noted).expect("it is noted");
    };
    let ways: [(&str, Way); 4] =
        [("a record", record_comes), ("a history", history_comes), ("a claim", claim_comes), ("a note", note_comes)];
    for (way, comes) in ways {
        let mut device = Device::new();
        device.photo("cat");
        device.serialize();
        device.storage.note_told().expect("it is told");
        let adopt = |name| device.storage.adopt_instance(&instance(name)).expect("asked");
        assert_eq!(adopt("with a card"), Adoption::Adopted);
        comes(&device, 1);
        assert_eq!(adopt("this device"), Adoption::Adopted, "{way} says what it counted itself");
        assert_eq!(adopt("with a card"), Adoption::Adopted);

        comes(&device, 5);

        assert_eq!(adopt("this device"), Adoption::KnownBeyond, "{way}");
        let own = device.storage.own_counters().expect("its counters");
        assert_eq!(own.instance, instance("with a card").id, "{way}: nothing has changed");
        assert_eq!(adopt("with a card"), Adoption::Adopted, "{way}: it goes on as what it is");
    }
}

/// As after a backup of the time before the device was ever that instance.
#[test]
fn an_instance_that_is_known_here_before_it_counted_at_all_is_not_adopted() {
    let mut device = Device::new();
    device.photo("cat");
    device.serialize();
    device.storage.note_told().expect("it is told");
    let mut record = device.records().remove(0);
    record.last_saved = Stamp::new(instance("with a card").id, 1);
    record.counters.raise(record.last_saved);
    device.dequeue(vec![record]);

    assert_eq!(device.storage.adopt_instance(&instance("with a card")).expect("asked"), Adoption::KnownBeyond);
    let order = Renewal { successor: &successor, now: chrono::Utc::now(), unless_since: None };
    let renewed = device.storage.renew_instance(&order).expect("it is another").expect("it was not lately");
    assert_eq!((renewed.former, renewed.current), (stamp(0).instance, InstanceId::hash_of("next")));
    let third = device.storage.adopt_instance(&instance("of another name")).expect("asked");
    assert_eq!(third, Adoption::Adopted, "of that one nothing is known");
}

#[test]
fn without_an_instance_nothing_is_stamped() {
    let mut device = Device::without_instance();
    device.photo("cat");
    let error = device.storage.serialize("notebook", &Filter::everything(), &go_on).expect_err("no instance");
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(device.records().is_empty());
    assert_eq!(device.marks().len(), 1);
}

#[test]
fn what_was_told_to_nobody_is_saved_anew_by_the_instance_that_follows() {
    let mut device = Device::new();
    let (cat, dog) = (device.photo("cat"), device.photo("dog"));
    device.serialize();
    device.storage.note_told().expect("it is told");
    device.change(cat.id, |photo: &mut Photo| photo.name = "black cat".to_owned());
    let cow = device.photo("cow");
    device.serialize();
    let own = device.storage.own_counters().expect("its counters");
    assert_eq!((own.counter, own.told), (2, 1));

    let now = chrono::Utc::now();
    let order = |unless_since| Renewal { successor: &successor, now, unless_since };
    let renewed = device.storage.renew_instance(&order(None)).expect("it is another").expect("it was not lately");

    assert_eq!((renewed.former, renewed.restamped), (own.instance, 2));
    let saved = |device: &Device, id| device.record(id).last_saved;
    assert_eq!(saved(&device, dog.id), stamp(1), "what others may know stays what it is");
    for id in [cat.id, cow.id] {
        let record = device.record(id);
        assert_eq!((record.last_saved.instance, record.last_saved.counter), (renewed.current, 1));
        assert_eq!(record.counters.get(&own.instance), Some(1), "no more of the former than was told");
    }
    let fsic = device.storage.fsic("notebook", &Filter::everything(), Instances::All).expect("the counters");
    let claimed = BTreeMap::from([(own.instance, 1), (renewed.current, 1)]);
    assert_eq!(fsic.sub, BTreeMap::from([(String::new(), claimed)]), "neither is it claimed");
    let an_hour_before = Some(now - chrono::TimeDelta::hours(1));
    for _ in 1..limits::RENEWALS_MAX {
        let again = device.storage.renew_instance(&order(an_hour_before)).expect("asked");
        assert!(again.is_some(), "it may have been put back again");
    }
    assert_eq!(device.storage.renew_instance(&order(an_hour_before)).expect("asked"), None, "so often it was not");
    let later = Renewal { now: now + chrono::TimeDelta::hours(2), unless_since: Some(now), ..order(None) };
    assert!(device.storage.renew_instance(&later).expect("asked").is_some(), "that was long ago");
}

/// Changes are serialized wherever they lie, and claimed under the filter of the sync for which that was done.
#[test]
fn what_was_told_and_lies_under_another_filter_is_claimed_by_the_instance_that_follows() {
    let mut device = Device::new();
    device.photo("dog");
    device.serialize();
    let cat = device.photo("cat");
    device.serialize_under(&Filter::new(["elsewhere"]).expect("a prefix"));
    device.storage.note_told().expect("it is told");
    let (own, saved) = (device.storage.own_counters().expect("its counters"), device.record(cat.id).last_saved);
    assert_eq!((own.counter, own.told, saved), (2, 2, stamp(2)));

    let order = Renewal { successor: &successor, now: chrono::Utc::now(), unless_since: None };
    device.storage.renew_instance(&order).expect("it is another").expect("it was not lately");

    assert_eq!(device.record(cat.id).last_saved, saved, "what others may know stays what it is");
    let fsic = device.storage.fsic("notebook", &Filter::everything(), Instances::All).expect("the counters");
    assert!(fsic.covers("photos", saved), "it is passed on, with what it is a part of: {fsic:?}");
}

/// A device that met only those who may see little never claims the rest. As long as it is itself, its next sync does; once it is
/// another, nobody would.
#[test]
fn what_was_told_and_lies_where_nothing_was_claimed_is_claimed_by_the_instance_that_follows() {
    let mut device = Device::new();
    let (cat, owner) = (device.photo("cat"), device.owner("Ada"));
    device.serialize_under(&Filter::new(["elsewhere"]).expect("a prefix"));
    device.storage.note_told().expect("it is told");
    let places = [device.record(cat.id), device.record(owner.id)].map(|record| record.partition);
    assert_eq!(device.claims(), BTreeMap::from([("elsewhere".to_owned(), 1)]));

    let order = Renewal { successor: &successor, now: chrono::Utc::now(), unless_since: None };
    device.storage.renew_instance(&order).expect("it is another").expect("it was not lately");

    let everywhere = places.into_iter().chain(["elsewhere".to_owned()]);
    assert_eq!(device.claims(), everywhere.map(|place| (place, 1)).collect(), "all of it, and no more");
}

/// As with a network card that is plugged in: the device is another instance, and later the first one again.
#[test]
fn what_was_told_to_nobody_is_saved_anew_when_another_instance_is_adopted() {
    let mut device = Device::new();
    let cat = device.photo("cat");
    device.serialize();
    device.storage.note_told().expect("it is told");
    let dog = device.photo("dog");
    device.change(cat.id, |photo: &mut Photo| photo.name = "black cat".to_owned());
    device.serialize();
    let (first, second) = (stamp(0).instance, instance("with a card").id);

    device.storage.adopt_instance(&instance("with a card")).expect("adopt another");

    for id in [cat.id, dog.id] {
        assert_eq!(device.record(id).last_saved, Stamp::new(second, 1));
    }
    assert_eq!(device.record(cat.id).counters.get(&first), Some(1), "no more of the first than was told");
    assert_eq!(device.claims(), BTreeMap::from([(String::new(), 1)]));
    let fsic = device.storage.fsic("notebook", &Filter::everything(), Instances::All).expect("the counters");
    assert!(fsic.covers("photos", Stamp::new(second, 1)), "{fsic:?}");

    device.storage.adopt_instance(&instance("this device")).expect("adopt the first again");

    let saved = device.record(cat.id).last_saved;
    assert_eq!(saved, stamp(3), "its numbers are never used twice, and nobody was told of the second instance");
    let own = device.storage.own_counters().expect("its counters");
    assert_eq!((own.counter, own.told), (3, 1));
}

#[test]
fn what_lies_where_nothing_was_claimed_is_claimed_when_another_instance_is_adopted() {
    let mut device = Device::new();
    let cat = device.photo("cat");
    device.serialize();
    device.owner("Ada");
    device.change(cat.id, |photo: &mut Photo| photo.name = "black cat".to_owned());
    device.serialize_under(&Filter::new(["photos"]).expect("a prefix"));
    device.storage.note_told().expect("it is told");
    let claimed = BTreeMap::from([(String::new(), 1), ("photos".to_owned(), 2)]);
    assert_eq!(device.claims(), claimed);

    device.storage.adopt_instance(&instance("this device")).expect("adopt the same");
    assert_eq!(device.claims(), claimed, "it goes on claiming by itself");

    device.storage.adopt_instance(&instance("of another name")).expect("adopt another");
    let everywhere = BTreeMap::from([(String::new(), 2)]);
    assert_eq!(device.claims(), everywhere, "all that was told is here");
}

/// How it comes to be known that the first instance counted so far.
type Way = fn(&Device, i64);

fn successor(id: DatabaseId) -> Instance {
    Instance { id: InstanceId::hash_of("next"), database_id: id, ..instance("next") }
}
