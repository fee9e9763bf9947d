//! Deletions that take other rows with them, because the application's tables say so.
//!
//! Goal: no row goes without its record saying so, and no change made here goes with it. Method: tables whose foreign keys
//! cascade, and a deletion that comes from the other device.

use morango::counter::DatabaseMaxCounters;
use morango::id::SyncId;
use morango::port::{Storage as _, WaitingKind, WaitingRecords};
use morango::record::StoreRecord;
use morango::scope::Reach;
use morango_memory::{MemoryModel, OnDelete};

use super::database::{Tables, many, tables};
use super::giving_way::read_only;
use super::library::{
    Book, Device, PROFILE, Shelf, changed, deleted, everything, foreign, foreign_book, foreign_shelf, go_on, kinds,
    moved, retitled, stamp,
};

/// The library's tables, in which what stands on a shelf goes with it. Loans are no records.
const CASCADING: Tables = tables(
    "
    CREATE TABLE shelves (
        id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, parent_id TEXT REFERENCES shelves (id) ON DELETE CASCADE
    );
    CREATE TABLE books (
        id TEXT PRIMARY KEY NOT NULL, shelf_id TEXT NOT NULL REFERENCES shelves (id) ON DELETE CASCADE, owner TEXT NOT NULL,
        title TEXT NOT NULL UNIQUE, blurb TEXT
    );
    CREATE TABLE loans (book_id TEXT NOT NULL REFERENCES books (id) ON DELETE CASCADE);",
    || {
        vec![
            MemoryModel::of::<Shelf>().references("parent_id", OnDelete::Cascade),
            MemoryModel::of::<Book>().references("shelf_id", OnDelete::Cascade).unique(["title"]),
        ]
    },
);

/// The library's tables, in which a shelf that stood within another stands alone when that one is gone.
const EMPTYING: Tables = tables(
    "
    CREATE TABLE shelves (
        id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, parent_id TEXT REFERENCES shelves (id) ON DELETE SET NULL
    );
    CREATE TABLE books (
        id TEXT PRIMARY KEY NOT NULL, shelf_id TEXT NOT NULL REFERENCES shelves (id), owner TEXT NOT NULL,
        title TEXT NOT NULL, blurb TEXT
    );",
    || {
        vec![
            MemoryModel::of::<Shelf>().references("parent_id", OnDelete::SetNull),
            MemoryModel::of::<Book>().references("shelf_id", OnDelete::Refuse),
        ]
    },
);

/// A device that has a shelf with a book on it, which came from the other device.
pub(crate) fn shelved() -> (Device, StoreRecord, StoreRecord) {
    let device = Device::with_tables("laptop", CASCADING);
    let shelf = foreign_shelf("fiction", None);
    let book = foreign_book("Emma", shelf.id);
    device.dequeue(vec![shelf.clone(), book.clone()]);
    assert_eq!(device.deserialize().written, 2);
    (device, shelf, book)
}

/// How many shelves and books a device has rows of.
pub(crate) fn held(device: &mut Device) -> [usize; 2] {
    [device.all::<Shelf>().len(), device.all::<Book>().len()]
}

#[test]
fn what_goes_with_a_deleted_row_is_deleted_in_the_store_too_and_others_learn_of_it() {
    let (mut device, shelf, book) = shelved();
    let within = foreign_shelf("within", Some(shelf.id));
    let lower = foreign_book("Dune", within.id);
    device.dequeue(vec![within.clone(), lower.clone()]);
    device.deserialize();
    let here_only = device.book(within.id, "ada", "made here");

    device.dequeue(vec![deleted(&shelf, 2)]);
    let report = device.deserialize();

    assert_eq!((report.deleted, report.failures_total), (5, 0), "{report:?}");
    assert_eq!(held(&mut device), [0, 0]);
    for id in [within.id, book.id, lower.id, here_only] {
        let record = device.record(id);
        assert!(record.deleted && !record.hard_deleted, "{record:?}");
        assert_eq!(record.last_saved.instance, device.instance);
        assert!(!record.serialized.is_empty());
    }
    assert_eq!(device.record(shelf.id).last_saved.counter, 2, "what the other deleted is not stamped anew");
    assert_eq!(device.marks(), [""; 0]);

    let other = Device::new("other");
    other.pull(&device, &everything());
    assert!(other.records().iter().all(|record| record.deleted));
}

#[test]
fn what_goes_with_a_row_that_was_deleted_for_good_is_deleted_for_good() {
    let (device, shelf, book) = shelved();
    device.dequeue(vec![changed(&shelf, 2, |record| (record.deleted, record.hard_deleted) = (true, true))]);
    assert_eq!(device.deserialize().deleted, 2);
    let record = device.record(book.id);
    assert!(record.deleted && record.hard_deleted && record.serialized.is_empty(), "{record:?}");
}

#[test]
fn what_the_other_deleted_itself_keeps_its_stamp() {
    let (device, shelf, book) = shelved();
    device.dequeue(vec![deleted(&shelf, 2), deleted(&book, 2)]);
    assert_eq!(device.deserialize().deleted, 2);
    assert_eq!(device.record(book.id).last_saved.counter, 2);
    assert_ne!(device.record(book.id).last_saved.instance, device.instance);
    assert_eq!(device.record(shelf.id).last_saved.counter, 2);
}

#[test]
fn a_deletion_waits_where_it_would_take_a_row_that_never_became_a_record() {
    let (mut device, shelf, _) = shelved();
    // Its model draws source ids at random, so a row that was not made with `create` cannot be identified.
    let id = SyncId::random();
    let (owner, title) = ("ada".to_owned(), "by hand".to_owned());
    device.insert(&Book { id, shelf_id: shelf.id, owner, title, blurb: None });
    device.dequeue(vec![deleted(&shelf, 2)]);
    let report = device.deserialize();
    assert_eq!((report.deleted, kinds(&report.failures)), (0, vec![WaitingKind::LocalChangeWaits]));
    device.delete::<Book>(id);
    assert_eq!(device.deserialize().deleted, 2);
}

#[test]
fn a_book_that_moves_away_in_the_same_transfer_does_not_go_with_its_old_shelf() {
    let (mut device, shelf, book) = shelved();
    let new = foreign_shelf("new", None);
    let moved = changed(&book, 2, |record| record.serialized = foreign_book("Emma", new.id).serialized);
    device.dequeue(vec![deleted(&shelf, 2), new, moved]);
    let report = device.deserialize();
    assert_eq!((report.written, report.deleted, report.failures_total), (2, 1, 0), "{report:?}");
    assert_eq!(device.shelves(), ["new"]);
    assert_eq!(device.titles(), ["Emma"]);
    assert!(!device.record(book.id).deleted);
}

#[test]
fn a_change_that_came_for_a_row_that_goes_with_another_does_not_bring_it_back() {
    let (mut device, shelf, book) = shelved();
    let edited = changed(&book, 2, |record| record.serialized = record.serialized.replace("Emma", "Emma, again"));
    device.dequeue(vec![deleted(&shelf, 2), edited]);
    let report = device.deserialize();
    assert_eq!((report.written, report.failures_total), (0, 0), "{report:?}");
    assert_eq!(held(&mut device), [0, 0]);
    let record = device.record(book.id);
    assert!(record.deleted && record.serialized.contains("again"), "{record:?}");
}

#[test]
fn a_foreign_key_that_a_deletion_empties_is_noted_as_a_change_made_here() {
    let mut device = Device::with_tables("laptop", EMPTYING);
    let top = foreign_shelf("top", None);
    let within = foreign_shelf("within", Some(top.id));
    device.dequeue(vec![top.clone(), within.clone()]);
    device.deserialize();
    device.dequeue(vec![deleted(&top, 2)]);
    assert_eq!(device.deserialize().deleted, 1);
    assert_eq!(device.shelves(), ["within"]);
    device.serialize();
    let record = device.record(within.id);
    assert!(!record.deleted && record.self_ref_fk.is_empty(), "{record:?}");
    assert!(record.serialized.contains("\"parent_id\":null"), "{record:?}");
    assert_eq!(record.last_saved.instance, device.instance);
}

#[test]
fn a_whole_tree_goes_at_once_and_each_of_it_says_so() {
    let mut device = Device::with_tables("laptop", CASCADING);
    let top = foreign_shelf("top", None);
    let mut records = vec![top.clone()];
    let mut parent = top.id;
    for level in 0..many(100) {
        let shelf = foreign_shelf(&format!("level {level}"), Some(parent));
        parent = shelf.id;
        records.extend((0..10).map(|number| foreign_book(&format!("{level} {number}"), parent)));
        records.push(shelf);
    }
    let all = records.len() as u64;
    device.dequeue(records);
    device.deserialize();
    device.dequeue(vec![deleted(&top, 2)]);
    let report = device.deserialize();
    assert_eq!((report.deleted, report.failures_total), (all, 0));
    assert!(device.records().iter().all(|record| record.deleted));
    assert_eq!(held(&mut device), [0, 0]);
}

#[test]
fn a_deletion_goes_no_further_while_what_its_author_knew_beside_it_is_not_here() {
    let (mut device, shelf, book) = shelved();
    // The other took the book off the shelf, and deleted that. The deletion is here first.
    device.dequeue_part(vec![deleted(&shelf, 3)]);
    let report = device.deserialize();
    assert_eq!((report.deleted, kinds(&report.failures)), (0, vec![WaitingKind::ForeignKeyWaits]), "{report:?}");
    assert_eq!(held(&mut device), [1, 1]);
    assert!(!device.record(book.id).deleted);

    let new = foreign_shelf("new", None);
    let moved = changed(&book, 2, |record| record.serialized = foreign_book("Emma", new.id).serialized);
    device.dequeue(vec![new, moved, deleted(&shelf, 3)]);
    let report = device.deserialize();
    assert_eq!((report.written, report.deleted, report.failures_total), (2, 1, 0), "{report:?}");
    assert_eq!((device.shelves(), device.titles()), (vec!["new".to_owned()], vec!["Emma".to_owned()]));
}

#[test]
fn a_deletion_goes_no_further_than_to_what_is_here_with_all_that_its_author_knew() {
    let (mut device, shelf, _) = shelved();
    device.dequeue(vec![deleted(&shelf, 2)]);
    device.deserialize();
    // The other saw the deletion, made the shelf live again, and put a book on it. The book is here first.
    let revived = changed(&shelf, 3, |_| {});
    let later = StoreRecord { last_saved: stamp("other", 4), ..foreign_book("Dune", shelf.id) };
    let later = changed(&later, 4, |_| {});
    device.dequeue_part(vec![later.clone()]);
    let report = device.deserialize();
    assert_eq!((report.deleted, kinds(&report.failures)), (0, vec![WaitingKind::ForeignKeyWaits]), "{report:?}");
    assert!(!device.record(later.id).deleted);

    device.dequeue(vec![revived, later.clone()]);
    let report = device.deserialize();
    assert_eq!((report.written, report.failures_total), (2, 0), "{report:?}");
    assert_eq!(device.titles(), ["Dune"]);
}

#[test]
fn a_deletion_goes_on_to_what_is_known_to_be_saved_without_it() {
    let (mut device, shelf, _) = shelved();
    device.dequeue(vec![deleted(&shelf, 2)]);
    device.deserialize();
    device.dequeue(vec![foreign_book("Dune", shelf.id)]);
    let report = device.deserialize();
    assert_eq!((report.written, report.failures_total), (0, 0), "{report:?}");
    assert_eq!(held(&mut device), [0, 0]);
}

#[test]
fn what_two_were_merged_to_carries_a_deletion_no_further_before_the_rest_has_come() {
    let (mut device, shelf, book) = shelved();
    // A third one took the book off the shelf and deleted that, of which something else became here.
    device.change(shelf.id, |shelf: &mut Shelf| shelf.name.push_str(", here"));
    device.serialize();
    let new = foreign_shelf("new", None);
    let session = device.receiving(&everything());
    device.take(&session, vec![StoreRecord { deleted: true, ..by_third(&shelf, 7) }]);
    device.storage.dequeue(&session, &Reach::everything(), &go_on).expect("it dequeues");
    assert_eq!(device.record(shelf.id).last_saved.instance, device.instance);
    device.take(&session, vec![new.clone(), moved_by_third(&book, &new)]);

    assert_eq!(kinds(&device.deserialize().failures), [WaitingKind::ForeignKeyWaits]);
    assert_eq!(held(&mut device), [2, 1]);

    device.storage.dequeue(&session, &Reach::everything(), &go_on).expect("it dequeues");
    assert_eq!(device.deserialize().failures_total, 0);
    assert_eq!((device.shelves(), device.titles()), (vec!["new".to_owned()], vec!["Emma".to_owned()]));
}

/// A record as a third device saved it.
pub(crate) fn by_third(record: &StoreRecord, counter: i64) -> StoreRecord {
    saved_by("third", record, counter)
}

fn saved_by(name: &str, record: &StoreRecord, counter: i64) -> StoreRecord {
    let mut record = record.clone();
    record.last_saved = stamp(name, counter);
    record.counters.raise(record.last_saved);
    record
}

/// The book that a third device put on another shelf, before it saved anything at 7.
pub(crate) fn moved_by_third(book: &StoreRecord, shelf: &StoreRecord) -> StoreRecord {
    StoreRecord { serialized: foreign_book("Emma", shelf.id).serialized, ..by_third(book, 6) }
}

#[test]
fn a_deletion_empties_no_key_of_others_while_what_its_author_knew_beside_it_is_not_here() {
    let mut device = Device::with_tables("laptop", EMPTYING);
    let (outer, inner) = (foreign_shelf("outer", None), foreign_shelf("inner", None));
    device.dequeue(vec![outer.clone(), moved(&inner, 1, Some(outer.id))]);
    device.deserialize();
    // The other put the inner one elsewhere, and deleted the outer one.
    device.dequeue_part(vec![deleted(&outer, 3)]);
    assert_eq!(kinds(&device.deserialize().failures), [WaitingKind::ForeignKeyWaits]);
    device.dequeue(vec![
        foreign_shelf("new", None),
        moved(&inner, 2, Some(foreign_shelf("new", None).id)),
        deleted(&outer, 3),
    ]);
    let report = device.deserialize();
    assert_eq!((report.conflicts, report.failures_total), (0, 0), "{report:?}");
    assert_eq!(device.get::<Shelf>(inner.id).expect("it stands").parent_id, Some(foreign_shelf("new", None).id));
}

#[test]
fn a_deletion_that_waits_is_of_no_row_any_more_once_that_went_with_another() {
    let (mut device, shelf, book) = shelved();
    device.dequeue(vec![deleted(&book, 2)]);
    let which = WaitingRecords::of(PROFILE).ids([book.id]);
    assert_eq!(device.storage.drop_waiting(&which).expect("it is dropped"), 1);
    device.dequeue(vec![deleted(&shelf, 3)]);
    device.deserialize();
    assert_eq!(held(&mut device), [0, 0]);
    // The very same book is made here again, on the very same shelf.
    device.insert(&Shelf { id: shelf.id, name: "fiction".to_owned(), parent_id: None });
    let (owner, title) = ("ada".to_owned(), "Emma".to_owned());
    device.insert(&Book { id: book.id, shelf_id: shelf.id, owner, title, blurb: None });
    device.serialize();
    assert!(!device.record(book.id).deleted);
}

/// A peer that has no record of an instance any more tells no counter of it.
#[test]
fn an_old_entry_of_somebody_of_whom_no_record_is_left_denies_nothing() {
    let (mut device, shelf, _) = shelved();
    let mut claimed = DatabaseMaxCounters::new();
    claimed.raise("lib:shelves", stamp("third", 3));
    claimed.raise("lib:shelves", stamp("other", 9));
    claimed.raise("lib:books", stamp("third", 6));
    let new =
        foreign("book", "lib:books:ada", "Dune", &foreign_book("Dune", shelf.id).serialized, &[stamp("third", 6)]);
    device.dequeue_claimed(&claimed, vec![deleted(&shelf, 9), new.clone()]);
    claimed.raise("lib:books", stamp("other", 9));
    device.dequeue_claimed(&claimed, Vec::new());
    let report = device.deserialize();
    assert_eq!(report.failures_total, 0, "{report:?}");
    assert_eq!(held(&mut device), [0, 0]);
    assert!(device.record(new.id).deleted);
}

/// Two merged the same shelf, one after the other: what the first sent is not all here, what the second sent is.
#[test]
fn what_was_merged_twice_waits_for_both() {
    let (mut device, shelf, book) = shelved();
    device.change(shelf.id, |shelf: &mut Shelf| shelf.name.push_str(", here"));
    device.serialize();
    device.dequeue_part(vec![StoreRecord { deleted: true, ..by_third(&shelf, 7) }]);
    device.dequeue(vec![saved_by("fourth", &shelf, 2)]);
    let record = device.record(shelf.id);
    assert!(record.deleted && record.last_saved.instance == device.instance, "{record:?}");
    assert_eq!(kinds(&device.deserialize().failures), [WaitingKind::ForeignKeyWaits]);
    assert_eq!(held(&mut device), [1, 1]);
    let new = foreign_shelf("new", None);
    device.dequeue(vec![new.clone(), moved_by_third(&book, &new), by_third(&shelf, 7)]);
    assert_eq!(device.deserialize().failures_total, 0);
    assert_eq!((device.shelves(), device.titles()), (vec!["new".to_owned()], vec!["Emma".to_owned()]));
}

/// What came with the deletion stands in the place of ours first, and is merged with what another one sent then.
#[test]
fn what_came_in_part_and_was_merged_since_waits_as_before() {
    let (mut device, shelf, book) = shelved();
    device.dequeue_part(vec![StoreRecord { deleted: true, ..by_third(&shelf, 7) }]);
    device.dequeue(vec![saved_by("fourth", &shelf, 2)]);
    assert_eq!(device.record(shelf.id).last_saved.instance, device.instance);
    assert_eq!(kinds(&device.deserialize().failures), [WaitingKind::ForeignKeyWaits]);
    assert_eq!(held(&mut device), [1, 1]);
    let new = foreign_shelf("new", None);
    device.dequeue(vec![new.clone(), moved_by_third(&book, &new), by_third(&shelf, 7)]);
    assert_eq!(device.deserialize().failures_total, 0);
    assert_eq!(device.titles(), ["Emma"]);
}

/// A third one made the shelf live again before it named the book anew. The name is here first, and that the shelf was deleted next.
#[test]
fn what_came_in_part_and_was_changed_here_since_waits_as_before() {
    let (mut device, shelf, book) = shelved();
    device.dequeue_part(vec![by_third(&retitled(&book, 1, "Emma, anew"), 7)]);
    assert_eq!(device.deserialize().failures_total, 0);
    device.rename(book.id, "Emma, here");
    device.serialize();
    assert_eq!(device.record(book.id).last_saved.instance, device.instance);
    device.dequeue(vec![deleted(&shelf, 2)]);
    assert_eq!(kinds(&device.deserialize().failures), [WaitingKind::ForeignKeyWaits]);
    assert_eq!(held(&mut device), [1, 1]);
    let revived = by_third(&StoreRecord { deleted: false, ..deleted(&shelf, 2) }, 6);
    device.dequeue(vec![revived, by_third(&retitled(&book, 1, "Emma, anew"), 7)]);
    assert_eq!(device.deserialize().failures_total, 0);
    assert_eq!((device.shelves(), device.titles()), (vec!["fiction".to_owned()], vec!["Emma, here".to_owned()]));
}

/// A third one took the book off the shelf and deleted that, of which something else became at some other's. The deletion is here first.
#[test]
fn what_came_in_part_and_was_decided_about_since_waits_as_before() {
    let (device, shelf, book) = shelved();
    let conflicting_serialized_data = format!("{}\n", shelf.serialized);
    let deletion = StoreRecord { deleted: true, conflicting_serialized_data, ..by_third(&shelf, 7) };
    device.dequeue_part(vec![deletion.clone()]);
    device.storage.resolve_conflict(&shelf.id, &deletion.last_saved, None).expect("it is decided");
    assert_eq!(device.record(shelf.id).last_saved.instance, device.instance);
    waits_until_the_book_was_moved(device, &shelf, &book);
}

#[test]
fn what_came_in_part_and_gave_way_before_it_was_saved_anew_waits_as_before() {
    let (device, shelf, book) = shelved();
    device.dequeue(vec![saved_by("fourth", &shelf, 2)]);
    read_only(&device, vec![StoreRecord { deleted: true, ..by_third(&shelf, 7) }]);
    assert_eq!(device.storage.save_what_gave_way(PROFILE, &everything()).expect("it is saved"), 1);
    assert_eq!(device.record(shelf.id).last_saved.instance, device.instance);
    waits_until_the_book_was_moved(device, &shelf, &book);
}

/// The same where what gave way had come in part, and the one for whom it did has sent all.
#[test]
fn what_came_in_part_and_gave_way_to_what_is_whole_waits_as_before() {
    let (device, shelf, book) = shelved();
    device.dequeue_part(vec![StoreRecord { deleted: true, ..by_third(&shelf, 7) }]);
    let theirs = StoreRecord { deleted: true, ..saved_by("fourth", &shelf, 2) };
    read_only(&device, vec![theirs.clone()]);
    device.dequeue(vec![theirs]);
    assert_eq!(device.storage.save_what_gave_way(PROFILE, &everything()).expect("it is saved"), 1);
    assert_eq!(device.record(shelf.id).last_saved.instance, device.instance);
    waits_until_the_book_was_moved(device, &shelf, &book);
}

/// A third one took a book off the shelf before it saved that, which the application deletes here. The book comes from another first.
#[test]
fn what_came_in_part_and_was_deleted_here_since_waits_as_before() {
    let (mut device, shelf, book) = shelved();
    device.dequeue_part(vec![by_third(&shelf, 7)]);
    assert_eq!(device.deserialize().failures_total, 0);
    device.delete::<Book>(book.id);
    device.delete::<Shelf>(shelf.id);
    device.serialize();
    let record = device.record(shelf.id);
    assert!(record.deleted && record.last_saved.instance == device.instance, "{record:?}");
    let later = foreign_book("Dune", shelf.id);
    device.dequeue(vec![later.clone()]);
    assert_eq!(kinds(&device.deserialize().failures), [WaitingKind::ForeignKeyWaits]);
    let new = foreign_shelf("new", None);
    let moved = StoreRecord { serialized: foreign_book("Dune", new.id).serialized, ..by_third(&later, 6) };
    device.dequeue(vec![new, moved, by_third(&shelf, 7)]);
    assert_eq!(device.deserialize().failures_total, 0);
    assert_eq!((device.shelves(), device.titles()), (vec!["new".to_owned()], vec!["Dune".to_owned()]));
}

/// The shelf is deleted and saved by the device itself; what the third one, who deleted it at 7, did before comes now.
fn waits_until_the_book_was_moved(mut device: Device, shelf: &StoreRecord, book: &StoreRecord) {
    assert_eq!(kinds(&device.deserialize().failures), [WaitingKind::ForeignKeyWaits]);
    assert_eq!(held(&mut device), [1, 1]);
    let new = foreign_shelf("new", None);
    device.dequeue(vec![new.clone(), moved_by_third(book, &new), by_third(shelf, 7)]);
    assert_eq!(device.deserialize().failures_total, 0);
    assert_eq!((device.shelves(), device.titles()), (vec!["new".to_owned()], vec!["Emma".to_owned()]));
}
