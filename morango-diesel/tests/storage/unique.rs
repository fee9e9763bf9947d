//! Values that may stand in one row only, and that move from row to row.
//!
//! Goal: whatever could stand in the tables in the end does, in whatever order it comes; what cannot waits, and nothing is
//! disturbed by the attempt. Method: the other device sends books whose titles, unique in the table, change hands.

use diesel::prelude::*;
use morango::id::SyncId;
use morango::model::Registry;
use morango::port::WaitingKind;
use morango::record::StoreRecord;
use morango::scope::Filter;
use morango_diesel::Syncable;
use morango_memory::{MemoryModel, OnDelete};

use super::database::{Tables, many, model, tables};
use super::library::{
    Book, Device, Shelf, changed, deleted, foreign, foreign_book, foreign_shelf, kinds, retitled, stamp,
};

/// The library's tables, in which no two shelves have one name.
const ONE_SHELF_OF_A_NAME: Tables = tables(
    "
    CREATE TABLE shelves (id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL UNIQUE, parent_id TEXT REFERENCES shelves (id));
    CREATE TABLE books (
        id TEXT PRIMARY KEY NOT NULL, shelf_id TEXT NOT NULL REFERENCES shelves (id), owner TEXT NOT NULL,
        title TEXT NOT NULL UNIQUE, blurb TEXT
    );",
    || {
        vec![
            MemoryModel::of::<Shelf>().references("parent_id", OnDelete::Refuse).unique(["name"]),
            MemoryModel::of::<Book>().references("shelf_id", OnDelete::Refuse).unique(["title"]),
        ]
    },
);

/// A device that has a shelf with these books, and the books' records.
pub(crate) fn shelved(titles: &[&str]) -> (Device, StoreRecord, Vec<StoreRecord>) {
    shelved_on(Device::new("laptop"), titles)
}

fn shelved_on(device: Device, titles: &[&str]) -> (Device, StoreRecord, Vec<StoreRecord>) {
    let shelf = foreign_shelf("fiction", None);
    let books: Vec<StoreRecord> = titles.iter().map(|title| foreign_book(title, shelf.id)).collect();
    device.dequeue(books.iter().cloned().chain([shelf.clone()]).collect());
    assert_eq!(device.deserialize().failures_total, 0);
    (device, shelf, books)
}

pub(crate) fn title_of(device: &mut Device, book: &StoreRecord) -> String {
    device.get::<Book>(book.id).expect("the book").title
}

#[test]
fn two_books_that_swap_their_titles_in_one_transfer_both_get_them() {
    let (mut device, _, books) = shelved(&["Emma", "Dune"]);
    device.dequeue(vec![retitled(&books[0], 2, "Dune"), retitled(&books[1], 2, "Emma")]);
    let report = device.deserialize();
    assert_eq!((report.written, report.failures_total), (2, 0), "{report:?}");
    assert_eq!(title_of(&mut device, &books[0]), "Dune");
    assert_eq!(title_of(&mut device, &books[1]), "Emma");
    assert_eq!(device.marks(), [""; 0]);
    assert_eq!(device.deserialize().written, 0);
}

#[test]
fn two_books_swap_their_titles_though_a_third_that_came_first_wants_one_of_them() {
    let (mut device, _, books) = shelved(&["Solaris", "Emma", "Dune"]);
    let moves = vec![retitled(&books[0], 2, "Emma"), retitled(&books[1], 2, "Dune"), retitled(&books[2], 2, "Emma")];
    device.dequeue(moves);
    let report = device.deserialize();
    assert_eq!((report.written, kinds(&report.failures)), (2, vec![WaitingKind::Constraint]), "{report:?}");
    let titles: Vec<String> = books.iter().map(|book| title_of(&mut device, book)).collect();
    assert_eq!(titles, ["Solaris", "Dune", "Emma"]);
}

#[test]
fn titles_go_round_a_ring_of_books() {
    let titles: Vec<String> = (0..40).map(|number| format!("title {number}")).collect();
    let (mut device, _, books) = shelved(&titles.iter().map(String::as_str).collect::<Vec<_>>());
    let next = |number: usize| &titles[(number + 1) % titles.len()];
    device.dequeue(books.iter().enumerate().map(|(number, book)| retitled(book, 2, next(number))).collect());
    assert_eq!(device.deserialize().written, 40);
    for (number, book) in books.iter().enumerate() {
        assert_eq!(title_of(&mut device, book), *next(number));
    }
}

#[test]
fn titles_move_up_a_long_row_of_books_in_whatever_order_they_come() {
    for is_backwards in [false, true] {
        let titles: Vec<String> = (0..many(3_000)).map(|number| format!("title {number:04}")).collect();
        let (mut device, _, books) = shelved(&titles.iter().map(String::as_str).collect::<Vec<_>>());
        let mut moves: Vec<StoreRecord> = books
            .iter()
            .enumerate()
            .map(|(number, book)| retitled(book, 2, titles.get(number + 1).map_or("the last", String::as_str)))
            .collect();
        if is_backwards {
            moves.reverse();
        }
        device.dequeue(moves);
        let report = device.deserialize();
        assert_eq!((report.written, report.failures_total), (titles.len() as u64, 0));
        assert_eq!(title_of(&mut device, &books[0]), "title 0001");
        assert_eq!(title_of(&mut device, &books[titles.len() - 1]), "the last");
    }
}

#[test]
fn the_title_of_a_deleted_book_goes_to_a_new_one_and_a_chain_of_others_follows() {
    let (mut device, shelf, books) = shelved(&["Emma", "Dune", "Solaris"]);
    let mut new = foreign_book("new", shelf.id);
    new.serialized = foreign_book("Solaris", shelf.id).serialized;
    device.dequeue(vec![
        new.clone(),
        retitled(&books[2], 2, "Dune"),
        retitled(&books[1], 2, "Emma"),
        deleted(&books[0], 2),
    ]);
    let report = device.deserialize();
    assert_eq!((report.written, report.deleted, report.failures_total), (3, 1, 0));
    assert_eq!(device.titles(), ["Dune", "Emma", "Solaris"]);
    assert_eq!(title_of(&mut device, &new), "Solaris");
}

#[test]
fn a_name_that_is_free_only_once_a_refused_deletion_went_through_is_taken_all_the_same() {
    let device = || Device::with_tables("laptop", ONE_SHELF_OF_A_NAME);
    let (mut first, shelf, books) = shelved_on(device(), &["Emma"]);
    // The shelf cannot go before its book has moved to the new one, which bears its name, and cannot stand before it went.
    let mut new = foreign_shelf("new", None);
    new.serialized = shelf.serialized.clone();
    let moved = changed(&books[0], 2, |book| book.serialized = foreign_book("Emma", new.id).serialized);
    let other = foreign_shelf("other", None);
    let elsewhere = changed(&books[0], 2, |book| book.serialized = foreign_book("Emma", other.id).serialized);
    first.dequeue(vec![deleted(&shelf, 2), new.clone(), other, elsewhere, foreign_book("Dune", new.id)]);
    let report = first.deserialize();
    assert_eq!((report.written, report.deleted, report.failures_total), (4, 1, 0), "{report:?}");
    assert_eq!(first.shelves(), ["fiction", "other"]);

    // Where the one waits for the other in a ring, both wait, and say so.
    let (mut device, shelf, _) = shelved_on(device(), &["Emma"]);
    device.dequeue(vec![deleted(&shelf, 2), new, moved]);
    let report = device.deserialize();
    assert_eq!(kinds(&report.failures).len(), 3, "{report:?}");
    assert_eq!(device.titles(), ["Emma"]);
}

#[test]
fn a_title_that_somebody_else_keeps_is_not_taken_and_the_reason_names_who_has_it() {
    let (mut device, shelf, books) = shelved(&["Emma", "Dune"]);
    let clash = changed(&foreign_book("clash", shelf.id), 2, |book| {
        book.serialized = foreign_book("Emma", shelf.id).serialized;
    });
    device.dequeue(vec![clash.clone(), retitled(&books[1], 2, "Dune, again")]);
    let report = device.deserialize();
    assert_eq!((report.written, kinds(&report.failures)), (1, vec![WaitingKind::Constraint]));
    assert!(report.failures[0].reason.contains(&books[0].id.to_string()), "{:?}", report.failures);
    assert_eq!(device.titles(), ["Dune, again", "Emma"]);

    // It is mended where the other gives it up.
    device.dequeue(vec![retitled(&books[0], 3, "Emma, again")]);
    assert_eq!(device.deserialize().written, 2);
    assert_eq!(device.titles(), ["Dune, again", "Emma", "Emma, again"]);
}

#[test]
fn where_one_of_those_that_change_places_is_bad_all_of_them_stay_as_they_were() {
    let (mut device, shelf, books) = shelved(&["Emma", "Dune", "Solaris"]);
    let bad = changed(&books[2], 2, |book| book.serialized = "no json".to_owned());
    device.dequeue(vec![
        retitled(&books[0], 2, "Dune"),
        retitled(&books[1], 2, "Solaris"),
        bad.clone(),
        foreign_book("Ulysses", shelf.id),
    ]);
    let report = device.deserialize();
    let expected = [WaitingKind::Constraint, WaitingKind::Constraint, WaitingKind::Malformed];
    assert_eq!((report.written, kinds(&report.failures)), (1, expected.to_vec()));
    assert_eq!(device.titles(), ["Dune", "Emma", "Solaris", "Ulysses"]);
    device.dequeue(vec![retitled(&books[2], 3, "Emma")]);
    assert_eq!(device.deserialize().written, 3);
    assert_eq!(title_of(&mut device, &books[0]), "Dune");
    assert_eq!(title_of(&mut device, &books[2]), "Emma");
}

#[test]
fn a_place_is_not_taken_from_a_record_that_lies_outside_the_filter() {
    let (mut device, shelf, books) = shelved(&["Emma"]);
    let bobs = foreign(
        "book",
        "lib:books:bob",
        "his",
        &foreign_book("Dune", shelf.id).serialized.replace("ada", "bob"),
        &[stamp("other", 1)],
    );
    device.dequeue(vec![bobs.clone()]);
    device.deserialize();
    device.dequeue(vec![retitled(&books[0], 2, "Dune"), retitled(&bobs, 2, "Emma")]);
    let only_ada = Filter::new(["lib:books:ada", "lib:shelves"]).expect("prefixes");
    let report = device.deserialize_under(&only_ada);
    assert_eq!((report.written, kinds(&report.failures)), (0, vec![WaitingKind::Constraint]));
    assert_eq!(device.titles(), ["Dune", "Emma"]);
    assert_eq!(device.deserialize().written, 2);
    assert_eq!(title_of(&mut device, &bobs), "Emma");
}

diesel::table! {
    use diesel::sql_types::*;
    use super::super::database::Key;

    places (id) { id -> Key, number -> Integer, code -> Binary, share -> Double, guest_id -> Key }
}

model! {
    Place in places:
    #[morango(profile = "library", model = "place", source_id = random, partition = "lib:places")]
    struct Place {
        id: SyncId,
        number: i32,
        code: Vec<u8>,
        share: f64,
        guest_id: SyncId,
    }
}

#[test]
fn numbers_bytes_and_ids_that_may_not_be_empty_change_places_too() {
    let registry = Registry::builder().model::<Place>().build().expect("a good model");
    let mut device = Device::with_models(
        "laptop",
        tables(
            "CREATE TABLE places (
                id TEXT PRIMARY KEY NOT NULL, number INTEGER NOT NULL UNIQUE CHECK (number >= 0),
                code BLOB NOT NULL UNIQUE, share DOUBLE PRECISION NOT NULL UNIQUE,
                guest_id TEXT NOT NULL UNIQUE)",
            || {
                vec![
                    ["number", "code", "share", "guest_id"]
                        .into_iter()
                        .fold(MemoryModel::of::<Place>(), |model, column| model.unique([column])),
                ]
            },
        ),
        registry,
    );
    let content = |number: i32| {
        let guest = SyncId::hash_of(&number.to_string());
        format!(r#"{{"number":{number},"code":"00{number:02}","share":{number}.5,"guest_id":"{guest}"}}"#)
    };
    let place =
        |number: i32| foreign("place", "lib:places", &number.to_string(), &content(number), &[stamp("other", 1)]);
    device.dequeue((0..5).map(place).collect());
    let report = device.deserialize();
    assert_eq!((report.written, report.failures_total), (5, 0), "{report:?}");
    let turned =
        (0..5).map(|number| changed(&place(number), 2, |record| record.serialized = content((number + 1) % 5)));
    device.dequeue(turned.collect());
    let report = device.deserialize();
    assert_eq!((report.written, report.failures_total), (5, 0), "{report:?}");
    assert_eq!(device.get::<Place>(place(4).id).map(|place| place.number), Some(0));
}
