//! The list of what waits, which the server keeps beside the store.
//!
//! Goal: it names exactly the records that wait or were dropped, whoever changes the store and however. Method: the store is changed by
//! verbs and by statements of a program of an earlier version, and after each the two are compared.

use super::faults::with_shelf;
use super::library::{Device, deleted, foreign_book, retitled};

/// Records that are in one of the two and not in the other, or otherwise there.
const DIFFERENCES: &str = "SELECT count(*) FROM morango_waiting AS waiting FULL JOIN
     (SELECT * FROM morango_store WHERE is_dirty <> 0) AS store USING (sequence, is_dirty, profile, model_name, is_deleted)
     WHERE waiting.sequence IS NULL OR store.record_id IS NULL";

fn listed(device: &mut Device) -> i64 {
    assert_eq!(device.number(DIFFERENCES), 0);
    device.number("SELECT count(*) FROM morango_waiting")
}

#[test]
fn what_waits_is_listed_whoever_changes_the_store() {
    let (mut device, shelf) = with_shelf();
    let books = ["Emma", "Dune", "Solaris"].map(|title| foreign_book(title, shelf.id));
    device.dequeue(books.to_vec());
    assert_eq!(listed(&mut device), 3);
    assert_eq!(device.deserialize().written, 3);
    assert_eq!(listed(&mut device), 0);

    device.dequeue(vec![
        retitled(&books[0], 2, "Emma, again"),
        retitled(&books[1], 2, "Dune, again"),
        deleted(&books[2], 3),
    ]);
    assert_eq!(listed(&mut device), 3);

    for (statement, expected) in [
        ("UPDATE morango_store SET is_dirty = 2 WHERE is_deleted = 1", 3),
        ("UPDATE morango_store SET failure_kind = 'database' WHERE is_dirty = 1", 3),
        ("UPDATE morango_store SET is_deleted = 1 WHERE is_dirty = 1", 3),
        ("UPDATE morango_store SET is_dirty = 0, row_serialized = NULL WHERE is_dirty = 2", 2),
        ("UPDATE morango_store SET is_dirty = 1", 4),
        ("DELETE FROM morango_store WHERE is_deleted = 1", 1),
        ("UPDATE morango_store SET is_dirty = 0, row_serialized = NULL", 0),
    ] {
        device.run(statement);
        assert_eq!(listed(&mut device), expected, "{statement}");
    }
}
