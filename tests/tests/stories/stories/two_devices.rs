//! Two devices, one of which calls.
//!
//! Goal: whatever both did apart, after one sync both ways they hold the same, and nothing is lost. Method: real files and
//! HTTP; the number of records that moved, and both databases, are compared.

use morango::prelude::*;
use morango_tests::compare::{assert_counters_cover, assert_equal, told_by_device};

use super::given::{
    Between, SCHOOL_RECORDS, empty_device, moved, rename, root, serving_school, sql, two_equal_devices,
};

pub(super) fn a_first_sync_both_ways_brings_each_what_the_other_has(on: Between) {
    let (server, school, url) = serving_school(on);
    let client = empty_device(on.client, "client");
    client.sync(&url, root(), SyncOptions::pull());
    school.logs(&server, school.bert, 3);
    school.logs(&client, school.ada, 4);

    let report = client.sync(&url, root(), SyncOptions::both_ways());

    assert_eq!(moved(&report), (3, 4));
    assert_equal(&server, &client, &[]);
    // The client pulled first: what the server counted since is of the push alone.
    let (ours, theirs) = (client.counters(), server.counters());
    let everything = told_by_device(&server, &[]);
    let prefix = school.dataset.to_string();
    assert_counters_cover(&theirs, &ours, &everything, &[&prefix]);
}

pub(super) fn a_first_pull_brings_everything_into_an_empty_device(on: Between) {
    let (server, _, url) = serving_school(on);
    let client = empty_device(on.client, "client");

    let report = client.sync(&url, root(), SyncOptions::both_ways());

    assert_eq!(moved(&report), (SCHOOL_RECORDS, 0));
    assert_equal(&server, &client, &[]);
}

pub(super) fn where_nothing_is_new_nothing_moves(on: Between) {
    let (server, client, _, url) = two_equal_devices(on);
    let before = (server.store(), client.store());

    for _ in 0..3 {
        let report = client.sync(&url, root(), SyncOptions::both_ways());
        assert_eq!(moved(&report), (0, 0));
        assert!(report.is_clean());
    }

    assert!((server.store(), client.store()) == before, "no record was touched");
}

pub(super) fn what_both_changed_is_merged_and_the_loser_kept(on: Between) {
    let (server, client, school, url) = two_equal_devices(on);
    rename(&server, school.ada, "Ada at the server");
    rename(&client, school.ada, "Ada at the client");

    let report = client.sync(&url, root(), SyncOptions::both_ways());

    assert_eq!(report.conflicts(), 1);
    let merged = report.pull.expect("it was pulled").dequeue.expect("it was merged");
    assert_eq!((merged.conflicts, merged.new, merged.fast_forwarded), (1, 0, 0));
    assert_equal(&server, &client, &[]);
    let record = server.record(&school.ada);
    assert!(record.serialized.contains("Ada at the client"));
    assert!(record.conflicting_serialized_data.contains("Ada at the server"));
    assert_eq!(record.last_saved.instance, client.engine.instance().id);
    assert_eq!(moved(&client.sync(&url, root(), SyncOptions::both_ways())), (0, 0));
}

pub(super) fn rows_made_apart_from_the_same_source_are_one_record(on: Between) {
    let (server, client, school, url) = two_equal_devices(on);
    let there = school.membership(&server, school.bert, school.lower);
    let here = school.membership(&client, school.bert, school.lower);

    client.sync(&url, root(), SyncOptions::both_ways());

    assert_eq!(there, here);
    assert_equal(&server, &client, &[]);
}

pub(super) fn a_tree_arrives_in_one_go_however_deep_it_is(on: Between) {
    // 60 levels, made from the leaves' side of the alphabet: ids are hashes, so no order of ids is that of the tree.
    let (server, school, url) = serving_school(on);
    let mut parent = school.upper;
    for level in 0..60 {
        parent = school.classroom(&server, &format!("level {level}"), Some(parent));
    }
    let client = empty_device(on.client, "client");

    let report = client.sync(&url, root(), SyncOptions::both_ways());

    assert!(report.is_clean());
    assert_eq!(moved(&report), (SCHOOL_RECORDS + 60, 0));
    assert_equal(&server, &client, &[]);
}

pub(super) fn a_branch_that_is_moved_in_the_tree_stands_there_on_both_sides(on: Between) {
    let (server, client, school, url) = two_equal_devices(on);
    let wing = school.classroom(&client, "Wing", None);
    sql(&client, &format!("UPDATE classroom SET parent_id = '{wing}' WHERE id = '{}'", school.upper));

    client.sync(&url, root(), SyncOptions::both_ways());

    assert_equal(&server, &client, &[]);
    assert_eq!(server.record(&school.upper).self_ref_fk, wing.to_string());
}

pub(super) fn what_was_pulled_and_changed_here_is_not_pulled_again(on: Between) {
    // No record here names the server as the one who saved it last any more; what it saved is known all the same.
    let (server, client, school, url) = two_equal_devices(on);
    sql(
        &client,
        "UPDATE dataset SET description = 'ours'; UPDATE facility SET name = 'ours'; UPDATE classroom SET name = 'ours';
         UPDATE \"user\" SET full_name = 'ours'; UPDATE contentlog SET seconds = 1;
         DELETE FROM membership;",
    );
    client.serialize();
    let ours = client.engine.instance().id;
    assert!(client.store().values().all(|record| record.last_saved.instance == ours));

    assert_eq!(moved(&client.sync(&url, root(), SyncOptions::pull())), (0, 0));

    assert_eq!(moved(&client.sync(&url, root(), SyncOptions::both_ways())), (0, SCHOOL_RECORDS));
    assert_equal(&server, &client, &[]);
    assert!(!server.store()[&school.ada].deleted);
}

pub(super) fn two_people_of_one_name_made_apart_are_two(on: Between) {
    let (server, client, school, url) = two_equal_devices(on);
    let there = school.user(&server, "copycat");
    let here = school.user(&client, "copycat");

    assert_eq!(moved(&client.sync(&url, root(), SyncOptions::both_ways())), (1, 1));

    assert_ne!(there, here);
    assert_equal(&server, &client, &[]);
    assert!(server.store().contains_key(&here) && client.store().contains_key(&there));
}
