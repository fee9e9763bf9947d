//! Rows go, for good or not, and some come back.
//!
//! Goal: a deletion is one everywhere; it does not come back by an older edit; what is made again is back. Method: plain SQL
//! deletions with the cascades of the tables, one sync both ways after each.

use morango::prelude::*;
use morango_examples::school::User;
use morango_tests::compare::{assert_equal, rows_of_device};
use morango_tests::device::Device;

use super::given::{Between, empty_device, moved, rename, root, sql, two_equal_devices};

fn has_row(device: &Device, id: SyncId) -> bool {
    rows_of_device(device, &[]).contains_key(&id.to_string())
}

pub(super) fn a_deletion_takes_along_what_hangs_on_it(on: Between) {
    let (server, client, school, url) = two_equal_devices(on);
    sql(&client, &format!("DELETE FROM classroom WHERE id = '{}'", school.upper));

    assert_eq!(moved(&client.sync(&url, root(), SyncOptions::both_ways())), (0, 3));

    assert_equal(&server, &client, &[]);
    for id in [school.upper, school.lower, school.membership] {
        let record = server.record(&id);
        assert!(record.deleted && !record.hard_deleted && !has_row(&server, id));
        assert!(record.serialized.contains(&id.to_string()), "the last text is kept");
    }
    assert_eq!(moved(&client.sync(&url, root(), SyncOptions::both_ways())), (0, 0));
}

pub(super) fn a_hard_deletion_leaves_nothing_of_the_text(on: Between) {
    let (server, client, school, url) = two_equal_devices(on);
    rename(&client, school.ada, "a secret");
    client.sync(&url, root(), SyncOptions::both_ways());
    assert!(client.hard_delete::<User>(school.ada));

    client.sync(&url, root(), SyncOptions::both_ways());

    assert_equal(&server, &client, &[]);
    let record = server.record(&school.ada);
    assert!(record.deleted && record.hard_deleted && !has_row(&server, school.ada));
    assert!(matches!(record.serialized.as_str(), "" | "{}"), "{:?}", record.serialized);
    assert!(server.record(&school.membership).hard_deleted, "what hung on it is gone for good too");
}

pub(super) fn a_hard_deletion_wins_over_an_edit_made_meanwhile(on: Between) {
    let (server, client, school, url) = two_equal_devices(on);
    rename(&client, school.bert, "a secret");
    assert!(server.hard_delete::<User>(school.bert));

    client.sync(&url, root(), SyncOptions::both_ways());

    assert_equal(&server, &client, &[]);
    let record = client.record(&school.bert);
    assert!(record.hard_deleted && !has_row(&client, school.bert));
    assert!(!record.serialized.contains("a secret") && !record.conflicting_serialized_data.contains("a secret"));
}

pub(super) fn a_deleted_record_stays_deleted_after_an_older_edit_arrives(on: Between) {
    // A third device edits what the other two, unknown to it, have deleted.
    let (server, client, school, url) = two_equal_devices(on);
    let third = empty_device(on.client, "third");
    third.sync(&url, root(), SyncOptions::pull());
    rename(&third, school.bert, "edited late");
    sql(&client, &format!("DELETE FROM \"user\" WHERE id = '{}'", school.bert));
    client.sync(&url, root(), SyncOptions::both_ways());

    third.sync(&url, root(), SyncOptions::both_ways());
    client.sync(&url, root(), SyncOptions::both_ways());

    assert_equal(&server, &client, &[]);
    assert_equal(&server, &third, &[]);
    let record = client.record(&school.bert);
    assert!(record.deleted && !has_row(&client, school.bert));
    let kept = format!("{}{}", record.serialized, record.conflicting_serialized_data);
    assert!(kept.contains("edited late"), "the edit is not forgotten");
}

pub(super) fn what_is_made_again_after_its_deletion_is_back(on: Between) {
    let (server, client, school, url) = two_equal_devices(on);
    sql(&client, &format!("DELETE FROM membership WHERE id = '{}'", school.membership));
    client.sync(&url, root(), SyncOptions::both_ways());
    assert!(!has_row(&server, school.membership));

    let again = school.membership(&server, school.ada, school.lower);
    client.sync(&url, root(), SyncOptions::both_ways());

    assert_eq!(again, school.membership);
    assert_equal(&server, &client, &[]);
    assert!(has_row(&client, again) && !client.record(&again).deleted);
}

pub(super) fn what_is_made_and_deleted_between_two_syncs_moves_nothing(on: Between) {
    let (server, client, school, url) = two_equal_devices(on);
    let fleeting = school.user(&client, "fleeting");
    sql(&client, &format!("DELETE FROM \"user\" WHERE id = '{fleeting}'"));

    assert_eq!(moved(&client.sync(&url, root(), SyncOptions::both_ways())), (0, 0));

    assert_equal(&server, &client, &[]);
    assert!(!client.store().contains_key(&fleeting));
}

pub(super) fn a_row_added_to_what_was_deleted_elsewhere_goes_with_it(on: Between) {
    let (server, client, school, url) = two_equal_devices(on);
    let feedback = school.feedback(&client, school.bert, "written meanwhile");
    sql(&server, &format!("DELETE FROM \"user\" WHERE id = '{}'", school.bert));

    client.sync(&url, root(), SyncOptions::both_ways());
    client.sync(&url, root(), SyncOptions::both_ways());

    assert_equal(&server, &client, &[]);
    assert!(!has_row(&client, feedback) && !has_row(&server, feedback));
    assert!(client.record(&feedback).serialized.contains("written meanwhile"), "its text is kept");
}
