//! Whoever writes, in whatever way, is noticed.
//!
//! Goal: changes by plain SQL travel like any other; a row that cannot become a record stops no other. Method: SQL that no
//! application of ours would write, then one sync both ways.

use morango::prelude::*;
use morango::record::record_id;
use morango_tests::compare::{assert_equal, rows_of_device};

use super::given::{Between, moved, root, sql, two_equal_devices};

#[test]
fn a_row_replaced_by_sql_is_an_update() {
    let (server, client, school, url) = two_equal_devices(Between::FILES);
    sql(
        &client,
        &format!(
            "INSERT OR REPLACE INTO classroom (id, dataset_id, facility_id, name, parent_id)
             SELECT id, dataset_id, facility_id, 'replaced', parent_id FROM classroom WHERE id = '{}'",
            school.lower
        ),
    );

    let report = client.sync(&url, root(), SyncOptions::both_ways());

    assert_eq!(report.push.as_ref().expect("it was pushed").rejections_total, 0);
    assert_equal(&server, &client, &[]);
    assert!(server.record(&school.lower).serialized.contains("replaced"));
    assert!(!server.record(&school.lower).deleted);
}

#[test]
fn a_row_displaced_by_a_replacement_is_a_deletion() {
    // One class for each person: putting Ada elsewhere displaces her first membership.
    let (server, client, school, url) = two_equal_devices(Between::FILES);
    sql(&client, "CREATE UNIQUE INDEX one_class_each ON membership (user_id)");
    let id = membership_id(&school.dataset, &school.ada, &school.upper);
    sql(
        &client,
        &format!(
            "INSERT OR REPLACE INTO membership (id, dataset_id, user_id, classroom_id)
             VALUES ('{id}', '{}', '{}', '{}')",
            school.dataset, school.ada, school.upper
        ),
    );

    client.sync(&url, root(), SyncOptions::both_ways());

    assert_equal(&server, &client, &[]);
    let rows = rows_of_device(&server, &[]);
    assert!(rows.contains_key(&id.to_string()) && !rows.contains_key(&school.membership.to_string()));
    assert!(server.record(&school.membership).deleted);
}

pub(super) fn a_row_whose_id_can_be_calculated_may_be_inserted_by_sql_and_one_whose_id_cannot_is_set_aside(
    on: Between,
) {
    let (server, client, school, url) = two_equal_devices(on);
    let membership = membership_id(&school.dataset, &school.bert, &school.lower);
    let stray = SyncId::random();
    sql(
        &client,
        &format!(
            "INSERT INTO membership (id, dataset_id, user_id, classroom_id) VALUES ('{membership}', '{0}', '{1}', '{2}');
             INSERT INTO facility (id, dataset_id, name) VALUES ('{stray}', '{0}', 'out of nowhere');",
            school.dataset, school.bert, school.lower
        ),
    );
    school.logs(&client, school.ada, 2);

    let report = client.sync(&url, root(), SyncOptions::both_ways());

    assert_eq!(moved(&report), (0, 3), "the membership and the logs");
    assert!(rows_of_device(&server, &[]).contains_key(&membership.to_string()));
    let serialized = report.push.expect("it was pushed").serialize.expect("it was serialized");
    assert_eq!((serialized.set_aside_total, serialized.set_aside.len()), (1, 1));
    let aside = &serialized.set_aside[0];
    assert_eq!((aside.model.as_str(), aside.id.as_str()), ("facility", stray.to_string().as_str()));
    assert!(aside.reason.contains("create"), "it says what to do instead: {}", aside.reason);
    assert!(!server.store().contains_key(&stray));
}

pub(super) fn a_row_that_was_set_aside_and_is_gone_is_forgotten(on: Between) {
    let (_server, client, school, url) = two_equal_devices(on);
    let stray = SyncId::random();
    let insert =
        format!("INSERT INTO facility (id, dataset_id, name) VALUES ('{stray}', '{}', 'stray')", school.dataset);
    sql(&client, &insert);
    let report = client.sync(&url, root(), SyncOptions::push());
    assert!(!report.is_clean());

    sql(&client, &format!("DELETE FROM facility WHERE id = '{stray}'"));

    assert!(client.sync(&url, root(), SyncOptions::push()).is_clean());
}

pub(super) fn changes_in_a_transaction_that_is_rolled_back_do_not_travel(on: Between) {
    let (server, client, school, url) = two_equal_devices(on);
    let (ada, bert) = (school.ada, school.bert);
    sql(
        &client,
        &format!("BEGIN; UPDATE \"user\" SET full_name = 'never'; DELETE FROM \"user\" WHERE id = '{ada}'; ROLLBACK;"),
    );
    sql(&client, &format!("BEGIN; UPDATE \"user\" SET full_name = 'for good' WHERE id = '{bert}'; COMMIT;"));

    assert_eq!(moved(&client.sync(&url, root(), SyncOptions::both_ways())), (0, 1));

    assert_equal(&server, &client, &[]);
}

fn membership_id(dataset: &SyncId, user: &SyncId, classroom: &SyncId) -> SyncId {
    record_id(&format!("{dataset}:user-ro:{user}"), &format!("{user}:{classroom}"), "membership")
}
