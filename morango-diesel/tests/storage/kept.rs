//! How the engine's own tables keep what the verbs say: what only a statement can change or see.

use morango::port::Storage as _;
use morango::scope::Filter;

use super::database::NO_DOGS;
use super::forgetting::{device, hand_over};
use super::library::{self, everything, foreign_book, foreign_shelf, order};
use super::notebook::{Device, go_on};

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
fn what_became_rows_is_on_the_disk_when_that_is_told() {
    // A commit that changes nothing is not written by every database, and then nothing of what came before is on the disk with it.
    const TIMES: &str =
        "SELECT CAST(coalesce(max(value), '0') AS BIGINT) FROM morango_fact WHERE name = 'times_made_durable'";
    let mut device = library::Device::new("laptop");
    let mut times = Vec::new();
    for title in ["Emma", "Dune"] {
        let shelf = foreign_shelf(title, None);
        device.dequeue(vec![foreign_book(title, shelf.id), shelf]);
        assert_eq!(device.deserialize().written, 2);
        times.push(device.number(TIMES));
    }
    assert_eq!(device.deserialize().written, 0);
    assert_eq!((times, device.number(TIMES)), (vec![1, 2], 2), "where nothing waited nothing is written");
}

#[test]
fn many_records_are_written_in_many_transactions_and_each_is_a_true_state() {
    let mut device = library::Device::new("laptop");
    let shelf = foreign_shelf("fiction", None);
    let books = (0..5_000).map(|number| foreign_book(&number.to_string(), shelf.id));
    device.dequeue(books.chain([shelf.clone()]).collect());
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let stop = |_| match calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
        3 => std::ops::ControlFlow::Break(()),
        _ => std::ops::ControlFlow::Continue(()),
    };
    device.storage.deserialize(&order(&everything()), &stop).expect_err("it was stopped");
    let written = device.number("SELECT count(*) FROM books");
    assert!(written > 0 && written < 5_000, "{written}");
    assert_eq!(device.number("SELECT count(*) FROM morango_store WHERE is_dirty = 1"), 5_000 - written);
    assert_eq!(device.deserialize().written, u64::try_from(5_000 - written).expect("a count"));
    assert_eq!(device.number(super::database::MARKED), 0);
    assert_eq!(device.number(super::database::IS_CAPTURED), 1);
}

#[test]
fn what_was_handed_over_is_kept_in_as_few_notes_as_say_it() {
    let (mut device, ada, ..) = device();
    let root = ada.id.to_string();
    hand_over(&device, &[(format!("{root}:notes"), 1), (format!("{root}:profile"), 5)]);
    hand_over(&device, &[(root.clone(), 3)]);
    hand_over(&device, &[(root, 2)]);
    assert_eq!(device.number("SELECT count(*) FROM morango_handed_over"), 2);
    assert_eq!(device.number("SELECT min(counter) FROM morango_handed_over"), 3);
    assert_eq!(device.number("SELECT max(counter) FROM morango_handed_over"), 5);
}
