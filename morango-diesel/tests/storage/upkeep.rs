//! What keeps a database in good order over years: instances, counters, and failures in the middle.

use morango::ErrorKind;
use morango::port::Storage as _;
use morango::scope::Filter;

use super::database::NO_DOGS;
use super::notebook::{CREATE_TABLES, Device, go_on, instance, registry, stamp};

#[test]
fn an_instance_that_comes_back_goes_on_counting() {
    let mut device = Device::new();
    device.photo("cat");
    device.serialize();
    assert_eq!(device.counter(), 1);
    device.storage.adopt_instance(&instance("a copy")).expect("adopt another");
    assert_eq!(device.counter(), 0);
    device.photo("dog");
    device.serialize();
    assert_eq!(device.counter(), 1);
    device.storage.adopt_instance(&instance("this device")).expect("adopt the first again");
    device.photo("cow");
    device.serialize();
    assert_eq!(device.counter(), 2);
    assert_eq!(device.number("SELECT count(*) FROM morango_instance"), 2);
}

#[test]
fn without_an_instance_nothing_is_stamped() {
    let mut device = Device::without_engine();
    device.run(CREATE_TABLES);
    device.storage.prepare(&registry()).expect("prepare");
    device.photo("cat");
    let error = device.storage.serialize("notebook", &Filter::everything(), &go_on).expect_err("no instance");
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(device.records().is_empty());
    assert_eq!(device.marks().len(), 1);
}

#[test]
fn a_failure_in_the_middle_of_a_transaction_takes_the_counter_back_with_it() {
    let mut device = Device::new();
    device.photo("cat");
    device.photo("dog");
    device.run(NO_DOGS[0]);
    let error = device.storage.serialize("notebook", &Filter::everything(), &go_on).expect_err("a failure");
    assert!(
        error.report().contains("serialize \"notebook\" in") && error.report().contains("no dogs"),
        "{}",
        error.report()
    );
    assert_eq!((device.counter(), device.records().len(), device.marks().len()), (0, 0, 2));
    device.run(NO_DOGS[1]);
    assert_eq!(device.serialize().new, 2);
}

#[test]
fn what_tells_a_database_apart_is_not_believed_where_it_changes_at_each_start() {
    let mut device = Device::new();
    let before = device.storage.database_id().expect("its id");
    assert_eq!(device.storage.renew_if_copied().expect("it is looked at"), None, "the first time it is noted");
    assert_eq!(device.storage.renew_if_copied().expect("it is looked at"), None, "and then it is the same");
    let mut ids = vec![before];
    for start in 0..12 {
        // As a file system would have it that tells another time of creation each time.
        device.run("UPDATE morango_fact SET value = 'created=1 database=1' WHERE name = 'identity'");
        let renewed = device.storage.renew_if_copied().expect("it is looked at");
        assert_eq!(renewed.is_some(), start < morango::limits::RENEWALS_IN_A_ROW_MAX, "start {start}");
        ids.extend(renewed);
    }
    assert_eq!(device.storage.database_id().expect("its id"), ids[ids.len() - 1]);
    assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), ids.len(), "each is another");
    assert_eq!(device.storage.renew_if_copied().expect("it is looked at"), None, "now it stays");
    device.run("UPDATE morango_fact SET value = 'created=1 database=1' WHERE name = 'identity'");
    assert!(device.storage.renew_if_copied().expect("it is looked at").is_some(), "and is believed again");
}

#[test]
fn what_was_told_to_nobody_is_saved_anew_by_the_instance_that_follows() {
    let mut device = Device::new();
    let (cat, dog) = (device.photo("cat"), device.photo("dog"));
    device.serialize();
    device.storage.note_told().expect("it is told");
    device.run("UPDATE photos SET name = 'black cat' WHERE name = 'cat'");
    let cow = device.photo("cow");
    device.serialize();
    let own = device.storage.own_counters().expect("its counters");
    assert_eq!((own.counter, own.told), (2, 1));

    let (now, successor) = (chrono::Utc::now(), |id| morango::identity::Instance {
        id: morango::id::InstanceId::hash_of("next"),
        database_id: id,
        ..instance("next")
    });
    let order = |unless_since| morango::port::Renewal { successor: &successor, now, unless_since };
    let renewed = device.storage.renew_instance(&order(None)).expect("it is another").expect("it was not lately");

    assert_eq!((renewed.former, renewed.restamped), (own.instance, 2));
    let saved = |device: &Device, id| device.record(id).last_saved;
    assert_eq!(saved(&device, dog.id), stamp(1), "what others may know stays what it is");
    for id in [cat.id, cow.id] {
        let record = device.record(id);
        assert_eq!((record.last_saved.instance, record.last_saved.counter), (renewed.current, 1));
        assert_eq!(record.counters.get(&own.instance), Some(1), "no more of the former than was told");
    }
    assert_eq!(device.number("SELECT max(counter) FROM morango_database_max_counter"), 1, "neither is it claimed");
    assert_eq!(device.storage.renew_instance(&order(Some(now - chrono::TimeDelta::hours(1)))).expect("asked"), None);
}
