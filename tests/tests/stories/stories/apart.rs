//! Serializing and deserializing apart from syncs, when the application asks.

use morango::prelude::*;
use morango_examples::school::PROFILE;
use morango_tests::compare::assert_equal;

use super::given::{
    Between, SCHOOL_RECORDS, empty_device, moved, rename, root, serving_school, sql, two_equal_devices,
};

pub(super) fn what_is_serialized_apart_travels_once_it_is(on: Between) {
    let (server, mut client, school, url) = two_equal_devices(on);
    client.rebuild(morango::engine::EngineBuilder::serialize_apart);
    let made = school.logs(&client, school.ada, 2);

    assert_eq!(moved(&client.sync(&url, root(), SyncOptions::both_ways())), (0, 0));

    assert!(made.iter().all(|id| !client.store().contains_key(id)), "it was left alone");
    let filter = Filter::new([school.dataset.to_string()]).expect("a prefix");
    assert_eq!(client.engine.serialize(PROFILE, &filter).expect("it is serialized").new, 2);
    assert_eq!(moved(&client.sync(&url, root(), SyncOptions::both_ways())), (0, 2));
    assert_equal(&server, &client, &[]);
    assert_eq!(moved(&client.sync(&url, root(), SyncOptions::both_ways())), (0, 0));
}

pub(super) fn what_comes_writes_over_no_change_that_is_to_be_serialized_apart(on: Between) {
    let (server, mut client, school, url) = two_equal_devices(on);
    client.rebuild(morango::engine::EngineBuilder::serialize_apart);
    rename(&server, school.ada, "by the server");
    sql(&server, &format!("DELETE FROM membership WHERE id = '{}'", school.membership));
    rename(&client, school.ada, "by the client");
    sql(
        &client,
        &format!("UPDATE membership SET classroom_id = '{}' WHERE id = '{}'", school.upper, school.membership),
    );
    let made = school.logs(&client, school.ada, 2);

    let report = client.sync(&url, root(), SyncOptions::pull());

    assert_eq!(
        (moved(&report), report.pull.and_then(|pull| pull.deserialize).map(|it| it.conflicts)),
        ((2, 0), Some(2))
    );
    assert_eq!(client.execute("UPDATE \"user\" SET full_name = full_name WHERE full_name = 'by the client'"), 1);
    assert_eq!(
        client.execute("UPDATE membership SET classroom_id = classroom_id"),
        1,
        "the change is newer than the deletion"
    );
    let store = client.store();
    assert!(store[&school.ada].conflicting_serialized_data.contains("by the server"), "both are kept");
    assert!(made.iter().all(|id| store.contains_key(id)), "all changes of the profile were serialized");
    assert_eq!(moved(&client.sync(&url, root(), SyncOptions::both_ways())), (0, 4), "and the next push sends them");
    assert_equal(&server, &client, &[]);
}

pub(super) fn what_is_deserialized_apart_waits_until_it_is(on: Between) {
    let (server, _, url) = serving_school(on);
    let mut client = empty_device(on.client, "client");
    client.rebuild(morango::engine::EngineBuilder::deserialize_apart);

    let report = client.sync(&url, root(), SyncOptions::pull());

    assert_eq!(report.records_transferred(), SCHOOL_RECORDS);
    assert_eq!(client.waiting().len() as u64, SCHOOL_RECORDS, "they are in the store, and no rows yet");
    assert_eq!(client.execute("UPDATE classroom SET name = name"), 0);
    let made = client.engine.deserialize(PROFILE, &Filter::everything()).expect("they become rows");
    assert_eq!((made.written, made.failures_total), (SCHOOL_RECORDS, 0));
    assert_equal(&server, &client, &[]);
}
