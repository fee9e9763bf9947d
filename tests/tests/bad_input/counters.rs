//! Counters that go backwards, as of a peer that restored an old backup and counts on from there.

use morango_tests::compare::assert_none_fell;
use serde_json::{Value, json};

use super::school::School;
use super::visitor::{Visitor, id_of, instance};

/// The record with this count of the visitor's.
fn at(mut record: Value, counter: i64) -> Value {
    record["last_saved_counter"] = json!(counter);
    record["rmcb_list"][0]["counter"] = json!(counter);
    record
}

fn counters(filter: &str, counter: i64) -> Value {
    json!({ "client_fsic": json!({ "sub": { filter: { instance(): counter } }, "super": {} }).to_string() })
}

/// A push of records by somebody who says this of their own counter.
fn push(visitor: &Visitor, filter: &str, counter: i64, records: impl FnOnce(&str) -> Vec<Value>) {
    let transfer = visitor.open_transfer(morango::session::Direction::Push, filter);
    visitor.proceed(&transfer, "serializing", &counters(filter, counter));
    let records = records(&transfer);
    visitor.proceed(&transfer, "queuing", &json!({ "records_total": records.len() }));
    assert_eq!(visitor.push(&records).status, 201);
    visitor.finish_push(&transfer);
}

#[test]
fn a_peer_whose_counter_went_backwards_takes_nothing_back_and_its_new_records_come() {
    let school = School::open();
    let visitor = school.visitor();
    let filter = format!("{}:user-rw:ada", school.dataset);
    let text = |transfer: &str, source: &str, text: &str, counter| {
        at(visitor.record_of(transfer, "mystery", &filter, source, text), counter)
    };
    push(&visitor, &filter, 9, |transfer| vec![text(transfer, "old", r#"{"word": "the ninth"}"#, 9)]);
    let (before, known) = (school.city.counters(), school.city.store());
    let old = id_of(&text("", "old", "", 9));
    assert!(before.iter().any(|(_, writer, counter)| (writer, *counter) == (&instance(), 9)), "{before:?}");

    let mut new = None;
    push(&visitor, &filter, 4, |transfer| {
        let record = text(transfer, "new", r#"{"word": "the fourth, again"}"#, 4);
        new = Some(id_of(&record));
        vec![record, text(transfer, "old", r#"{"word": "the third"}"#, 3)]
    });

    let after = school.city.store();
    assert_none_fell(&before, &school.city.counters());
    assert_eq!(after[&old], known[&old], "what we know of it is newer");
    assert!(after[&new.expect("it was sent")].serialized.contains("the fourth, again"));
    school.assert_works_on();
}

#[test]
fn counters_that_are_told_again_and_lower_in_the_same_transfer_change_nothing() {
    let school = School::open();
    let visitor = school.visitor();
    let filter = format!("{}:user-rw:ada", school.dataset);
    let transfer = visitor.open_transfer(morango::session::Direction::Push, &filter);
    visitor.proceed(&transfer, "serializing", &counters(&filter, 9));
    let mut lower = counters(&filter, 2);
    lower["records_total"] = json!(1);
    visitor.proceed(&transfer, "queuing", &lower);
    let record = at(visitor.record(&transfer, &filter, "the ninth"), 9);
    assert_eq!(visitor.push(std::slice::from_ref(&record)).status, 201);
    visitor.finish_push(&transfer);
    let claimed = school.city.counters();
    assert!(claimed.contains(&(filter, instance(), 9)), "{claimed:?}");
    assert!(school.city.store().contains_key(&id_of(&record)));
    school.assert_works_on();
}
