//! What keeps a database in good order over years: instances, counters, and failures in the middle.

use morango::ErrorKind;
use morango::port::Storage as _;
use morango::scope::Filter;

use super::database::NO_DOGS;
use super::notebook::{CREATE_TABLES, Device, go_on, instance, registry};

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
