//! What two devices changed apart: merged by the application's policies, listed, and ended as the application decides.

use morango::ErrorKind;
use morango::id::SyncId;
use morango::model::Model as _;
use morango::port::{Storage as _, Waiting};
use morango::record::{Conflict, Resolution, StoreRecord};
use morango::scope::Filter;
use serde_json::json;

use super::library::{Book, Device, PROFILE, Reading, Shelf, everything, foreign, foreign_book, foreign_shelf, stamp};

impl Device {
    fn reading(&mut self, pages: i32, tags: &serde_json::Value, remark: &str) -> SyncId {
        let (reader, motto, remark) = ("ada".to_owned(), "slowly".to_owned(), remark.to_owned());
        self.create(Reading { id: SyncId::unset(), reader, pages, tags: tags.clone(), motto, remark }).id
    }

    fn row(&mut self, id: SyncId) -> Reading {
        self.get(id).expect("a reading")
    }

    fn conflicts(&self) -> Vec<Conflict> {
        let records = self.storage.conflicts(PROFILE, &everything(), None, 100).expect("the conflicts");
        records.into_iter().map(|record| Conflict::of(record).expect("a text lost")).collect()
    }

    fn resolve(&self, conflict: &Conflict, resolution: &Resolution) -> morango::Result<()> {
        let content = conflict.content_of(resolution)?;
        self.storage.resolve_conflict(&conflict.id, &conflict.last_saved, content.as_deref())
    }

    /// A book of another device that this one has too, and that both then changed; with the shelf on which it stands.
    fn book_in_conflict(&mut self, ours: &str, theirs: &str) -> (SyncId, Conflict) {
        let novels = self.shelf("novels", None);
        self.serialize();
        let before = foreign_book("before", novels);
        self.dequeue(vec![before.clone()]);
        self.deserialize();
        self.rename(before.id, ours);
        self.serialize();
        let mut changed = before;
        changed.serialized = changed.serialized.replace("before", theirs);
        changed.last_saved = stamp("other", 2);
        changed.counters.raise(changed.last_saved);
        self.dequeue(vec![changed]);
        self.deserialize();
        assert_eq!(self.titles(), [ours]);
        (novels, self.conflicts().remove(0))
    }

    /// All that tells whether anything was changed.
    fn state(&mut self) -> (Vec<StoreRecord>, Vec<String>, i64, Vec<Waiting>) {
        (self.records(), self.titles(), self.counter(), self.waiting())
    }
}

#[test]
fn policies_merge_what_two_devices_did_and_leave_nothing_to_decide() {
    let (mut laptop, mut phone) = (Device::new("laptop"), Device::new("phone"));
    let id = laptop.reading(10, &json!(["exciting"]), "so far");
    assert_eq!(phone.reading(20, &json!(["long", "exciting"]), "so far"), id, "the same reader makes the same record");
    phone.serialize();
    let pulled = phone.pull(&laptop, &everything());
    assert_eq!((pulled.dequeued.conflicts, pulled.deserialized.written), (1, 1));
    let row = phone.row(id);
    assert_eq!((row.pages, row.tags), (20, json!(["long", "exciting"])));
    assert_eq!((phone.conflicts(), phone.record(id).last_saved.instance), (vec![], phone.instance));

    let pulled = laptop.pull(&phone, &everything());
    assert_eq!((pulled.dequeued.fast_forwarded, pulled.dequeued.conflicts), (1, 0));
    assert_eq!(laptop.row(id), phone.row(id));
    assert_eq!(laptop.records(), phone.records());
    assert_eq!((laptop.pull(&phone, &everything()).records, phone.pull(&laptop, &everything()).records), (0, 0));
}

#[test]
fn what_no_policy_takes_in_is_kept_beside_the_merged_content() {
    let (mut laptop, mut phone) = (Device::new("laptop"), Device::new("phone"));
    let id = laptop.reading(10, &json!(["a"]), "of the laptop");
    phone.reading(5, &json!(["b"]), "of the phone");
    phone.serialize();
    phone.pull(&laptop, &everything());
    let row = phone.row(id);
    assert_eq!((row.pages, row.tags, row.remark.as_str()), (10, json!(["b", "a"]), "of the phone"));
    let [conflict] = &*phone.conflicts() else { panic!("one conflict") };
    let lost: Reading = conflict.theirs[0].read().expect("it is a reading");
    assert_eq!((lost.pages, lost.remark.as_str()), (10, "of the laptop"));
    assert_eq!(conflict.theirs[0].read::<Book>().expect_err("it is no book").kind(), ErrorKind::InvalidInput);
}

#[test]
fn three_devices_in_a_ring_end_with_the_same() {
    let mut ring = ["laptop", "phone", "tablet"].map(Device::new);
    let mut id = SyncId::unset();
    for (device, pages) in ring.iter_mut().zip([30, 10, 20]) {
        id = device.reading(pages, &json!([pages]), "the same");
        device.serialize();
    }
    // Each meets the next one only; the first two rounds merge, and what was merged goes round.
    let mut moved = Vec::new();
    for round in 0..12 {
        let (from, to) = (round % 3, (round + 1) % 3);
        moved.push(ring[to].pull(&ring[from], &everything()).records);
    }
    assert_eq!(moved[9..], [0, 0, 0], "it comes to rest: {moved:?}");
    let rows: Vec<Reading> = ring.iter_mut().map(|device| device.row(id)).collect();
    assert_eq!(rows[0].pages, 30);
    let mut tags: Vec<i64> =
        rows[0].tags.as_array().expect("a list").iter().filter_map(serde_json::Value::as_i64).collect();
    tags.sort_unstable();
    assert_eq!(tags, [10, 20, 30]);
    assert!(rows.iter().all(|row| *row == rows[0]), "{rows:?}");
    assert!(ring.iter().all(|device| device.records() == ring[0].records()));
    assert!(ring.iter().all(|device| device.conflicts().is_empty()));
}

fn foreign_reading(pages: i32, tags: &str, remark: &str) -> StoreRecord {
    let text = format!(r#"{{"reader":"ada","pages":{pages},"tags":{tags},"motto":"slowly","remark":"{remark}"}}"#);
    foreign("reading", "lib:readings", "ada", &text, &[stamp("other", 1)])
}

#[test]
fn a_row_that_was_changed_while_its_record_waited_is_merged_with_it() {
    let mut device = Device::new("laptop");
    let id = device.reading(1, &json!([]), "same");
    device.serialize();
    device.storage.note_told().expect("it is told");
    let mut newer = foreign_reading(8, "[\"theirs\"]", "same");
    newer.counters.raise(device.record(id).last_saved);
    assert_eq!(device.dequeue(vec![newer]).fast_forwarded, 1);
    let change = |device: &mut Device, pages: i32| {
        device.change(id, |row: &mut Reading| (row.pages, row.tags) = (pages, json!(["ours"])));
    };
    change(&mut device, 5);
    device.serialize();
    assert_eq!(device.row(id).pages, 5, "it is not written before it is deserialized");
    change(&mut device, 6);
    let report = device.deserialize();
    assert_eq!((report.conflicts, report.written), (1, 1));
    let row = device.row(id);
    assert_eq!((row.pages, row.tags), (8, json!(["ours", "theirs"])));
    let record = device.record(id);
    assert_eq!((record.last_saved.instance, device.conflicts()), (device.instance, vec![]));
    assert!(record.counters.covers(&stamp("other", 1)));
    let at_rest = device.state();
    device.serialize();
    assert_eq!(device.state().0, at_rest.0, "the row and its record say the same");
    assert_eq!(device.marks(), [""; 0]);
}

#[test]
fn a_row_that_says_more_than_what_waited_leaves_nothing_waiting() {
    let mut device = Device::new("laptop");
    let id = device.reading(9, &json!(["a"]), "same");
    device.serialize();
    let mut newer = foreign_reading(8, "[\"a\"]", "theirs");
    newer.counters.raise(device.record(id).last_saved);
    device.dequeue(vec![newer]);
    device.change(id, |row: &mut Reading| row.pages = 10);
    device.serialize();
    assert_eq!(device.waiting(), []);
    let [conflict] = &*device.conflicts() else { panic!("one conflict") };
    assert_eq!(conflict.theirs[0].json().expect("an object")["remark"], "theirs");
    assert_eq!((device.row(id).pages, device.row(id).remark.as_str()), (10, "same"));
}

#[test]
fn a_function_of_the_application_merges_and_may_decline() {
    for (motto, merged) in [("steadily", "slowly and steadily"), ("none", "slowly")] {
        let mut device = Device::new("laptop");
        let id = device.reading(1, &json!([]), "same");
        device.serialize();
        let mut theirs = foreign_reading(1, "[]", "same");
        theirs.serialized = theirs.serialized.replace("slowly", motto);
        device.dequeue(vec![theirs.clone()]);
        device.deserialize();
        assert_eq!(device.row(id).motto, merged);
        assert_eq!(device.conflicts().is_empty(), motto != "none", "what was declined is kept");
    }
}

#[test]
fn what_a_policy_cannot_read_and_deletions_follow_the_rule_of_morango() {
    for odd in ["\"no list\"", "{}"] {
        let mut device = Device::new("laptop");
        let id = device.reading(1, &json!([]), "ours");
        device.serialize();
        let ours = device.record(id).serialized;
        let theirs = foreign_reading(2, odd, "theirs");
        assert_eq!(device.dequeue(vec![theirs.clone()]).conflicts, 1);
        let record = device.record(id);
        assert_eq!(record.serialized, ours);
        assert_eq!(record.conflicting_serialized_data, format!("{}\n", theirs.serialized));
    }
    let mut device = Device::new("laptop");
    let id = device.reading(1, &json!([]), "ours");
    device.serialize();
    let mut theirs = foreign_reading(2, "[]", "theirs");
    theirs.deleted = true;
    device.dequeue(vec![theirs.clone()]);
    let record = device.record(id);
    assert!(record.deleted);
    assert_eq!(record.conflicting_serialized_data, format!("{}\n", theirs.serialized));
}

#[test]
fn a_decision_is_a_change_that_ends_the_conflict_everywhere() {
    for (resolution, title) in [
        (Resolution::KeepOurs, "ours"),
        (Resolution::TakeTheirs(0), "theirs"),
        (Resolution::Content(r#"{"title":"both"}"#.to_owned()), "both"),
    ] {
        let (mut device, mut other) = (Device::new("laptop"), Device::new("phone"));
        let (_, conflict) = device.book_in_conflict("ours", "theirs");
        other.pull(&device, &everything());
        assert_eq!(other.conflicts(), std::slice::from_ref(&conflict));
        device.resolve(&conflict, &resolution).expect("it is decided");
        assert_eq!(device.titles(), [title]);
        assert_eq!(device.conflicts(), []);
        let record = device.record(conflict.id);
        assert_eq!(record.last_saved.instance, device.instance);
        assert!(record.last_saved.counter > conflict.last_saved.counter);
        assert!(record.counters.covers(&stamp("other", 2)), "it knows what it decided about");
        assert_eq!(device.marks(), [""; 0], "the row's change is no other change");
        assert_eq!(device.waiting(), []);

        let pulled = other.pull(&device, &everything());
        assert_eq!((pulled.records, pulled.dequeued.fast_forwarded), (1, 1));
        assert_eq!((other.titles(), other.conflicts()), (vec![title.to_owned()], vec![]));
        assert_eq!(other.records(), device.records());
    }
}

#[test]
fn a_row_of_the_application_can_be_the_decision() {
    let mut device = Device::new("laptop");
    let (_, conflict) = device.book_in_conflict("ours", "theirs");
    let [ours, theirs] = [&conflict.ours, &conflict.theirs[0]].map(|version| version.read::<Book>().expect("a book"));
    let both = Book { title: format!("{} and {}", ours.title, theirs.title), ..ours };
    device.resolve(&conflict, &Resolution::row(&both)).expect("it is decided");
    assert_eq!(device.titles(), ["ours and theirs"]);
    let another = Book { id: SyncId::random(), ..both };
    let error = device.resolve(&conflict, &Resolution::row(&another)).expect_err("it is another book");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_decision_about_what_changed_since_is_refused_and_changes_nothing() {
    let mut device = Device::new("laptop");
    let (_, conflict) = device.book_in_conflict("ours", "theirs");
    device.rename(conflict.id, "later");
    let before = device.state();
    for resolution in [Resolution::KeepOurs, Resolution::TakeTheirs(0)] {
        let error = device.resolve(&conflict, &resolution).expect_err("its row was changed");
        assert_eq!(error.kind(), ErrorKind::RecordChanged);
    }
    assert_eq!(device.state(), before);
    device.serialize();
    let error = device.resolve(&conflict, &Resolution::KeepOurs).expect_err("it was changed");
    assert_eq!(error.kind(), ErrorKind::RecordChanged);
    let anew = device.conflicts().remove(0);
    assert_eq!(anew.ours.read::<Book>().expect("a book").title, "later");
    device.resolve(&anew, &Resolution::TakeTheirs(0)).expect("it is as it was listed");
    assert_eq!(device.titles(), ["theirs"]);
    let decided = device.record(conflict.id);
    let error = device.storage.resolve_conflict(&decided.id, &decided.last_saved, None).expect_err("it is decided");
    assert_eq!(error.kind(), ErrorKind::RecordChanged);
    let error = device.storage.resolve_conflict(&SyncId::random(), &decided.last_saved, None).expect_err("no record");
    assert_eq!(error.kind(), ErrorKind::RecordChanged);
}

#[test]
fn a_decision_that_cannot_be_the_row_is_refused_and_changes_nothing() {
    let mut device = Device::new("laptop");
    let (shelf, conflict) = device.book_in_conflict("ours", "theirs");
    device.book(shelf, "ada", "taken");
    device.serialize();
    let gone = device.shelf("gone", None);
    device.serialize();
    device.delete::<Shelf>(gone);
    device.serialize();
    let before = device.state();
    for fields in [
        json!({"title": "forbidden"}),
        json!({"title": "taken"}),
        json!({"title": 5}),
        json!({"title": "x".repeat(41)}),
        json!({"shelf_id": SyncId::random()}),
        json!({"shelf_id": gone}),
    ] {
        let resolution = Resolution::fields(fields.as_object().expect("an object"));
        let error = device.resolve(&conflict, &resolution).expect_err("it cannot be the row");
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{fields}: {}", error.report());
        assert_eq!(device.state(), before, "{fields}");
    }
}

#[test]
fn a_deleted_record_stays_deleted_or_lives_again_as_it_is_decided() {
    for (resolution, titles) in [(Resolution::KeepOurs, vec![]), (Resolution::TakeTheirs(0), vec!["theirs"])] {
        let mut device = Device::new("laptop");
        let shelf = device.shelf("novels", None);
        device.serialize();
        let book = foreign_book("before", shelf);
        device.dequeue(vec![book.clone()]);
        device.deserialize();
        device.delete::<Book>(book.id);
        device.serialize();
        let mut changed = foreign_book("before", shelf);
        changed.serialized = changed.serialized.replace("before", "theirs");
        changed.last_saved = stamp("other", 2);
        changed.counters.raise(changed.last_saved);
        device.dequeue(vec![changed]);
        device.deserialize();
        let conflict = device.conflicts().remove(0);
        assert!(conflict.deleted && device.titles().is_empty(), "the deletion holds");
        device.resolve(&conflict, &resolution).expect("it is decided");
        assert_eq!(device.titles(), titles);
        assert_eq!(device.record(book.id).deleted, titles.is_empty());
        assert_eq!(device.conflicts(), []);
    }
}

#[test]
fn a_record_that_waits_or_whose_model_is_unknown_can_be_decided_about() {
    let device = Device::new("laptop");
    // Its shelf is not here, so it waits.
    let mut book = foreign_book("first", SyncId::random());
    book.conflicting_serialized_data = format!("{}\n", book.serialized.replace("first", "second"));
    let mut letter = foreign("letter", "lib:letters", "1", r#"{"text":"first"}"#, &[stamp("other", 1)]);
    letter.conflicting_serialized_data = "{\"text\":\"second\"}\n".to_owned();
    device.dequeue(vec![book.clone(), letter.clone()]);
    device.deserialize();
    assert_eq!(device.waiting().len(), 2);
    for conflict in device.conflicts() {
        let is_book = conflict.model == Book::definition().name;
        match device.resolve(&conflict, &Resolution::TakeTheirs(0)) {
            Ok(()) => assert!(!is_book, "what has no shelf can be no row"),
            Err(error) => assert!(is_book && error.kind() == ErrorKind::InvalidInput, "{}", error.report()),
        }
    }
    let [conflict] = &*device.conflicts() else { panic!("the book's is left") };
    device.resolve(conflict, &Resolution::KeepOurs).expect("that can be decided without a row");
    assert_eq!((device.conflicts(), device.waiting().len()), (vec![], 2));
    assert_eq!(device.record(book.id).serialized, book.serialized);
    assert_eq!(device.record(letter.id).serialized, r#"{"text":"second"}"#);
}

#[test]
fn a_parent_that_was_decided_on_is_the_records_parent_too() {
    let mut device = Device::new("laptop");
    let (upper, lower) = (device.shelf("upper", None), device.shelf("lower", None));
    device.serialize();
    let mut shelf = foreign_shelf("new", Some(upper));
    shelf.conflicting_serialized_data =
        format!("{}\n", shelf.serialized.replace(&upper.to_string(), &lower.to_string()));
    device.dequeue(vec![shelf.clone()]);
    device.deserialize();
    let conflict = device.conflicts().remove(0);
    device.resolve(&conflict, &Resolution::TakeTheirs(0)).expect("it is decided");
    assert_eq!(device.record(shelf.id).self_ref_fk, lower.to_string());
}

#[test]
fn conflicts_are_listed_page_by_page_under_a_filter() {
    let device = Device::new("laptop");
    let letters = (0..250).map(|number: u32| {
        let partition = if number.is_multiple_of(5) { "lib:others" } else { "lib:letters" };
        let mut letter = foreign("letter", partition, &number.to_string(), "{}", &[stamp("other", 1)]);
        if number.is_multiple_of(2) {
            letter.conflicting_serialized_data = "{}\n".to_owned();
        }
        letter
    });
    device.dequeue(letters.collect());
    let filter = Filter::new(["lib:letters"]).expect("a prefix");
    let mut found = Vec::new();
    loop {
        let page = device.storage.conflicts(PROFILE, &filter, found.last(), 30).expect("a page");
        assert!(page.len() <= 30);
        if page.is_empty() {
            break;
        }
        found.extend(page.into_iter().map(|record| record.id));
    }
    assert_eq!(found.len(), 100);
    assert!(found.is_sorted());
    assert_eq!(device.storage.conflicts("other", &everything(), None, 30).expect("a page"), []);
}

/// Random edits on three devices and random meetings of two: no count falls, no tag is lost, and in the end all are the same.
#[test]
fn whoever_meets_whom_after_whatever_edits_all_end_with_all_that_was_counted() {
    const SEED: u64 = 0x0005_eed0_f1ab;
    let mut state = SEED;
    let mut below = |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((state >> 33) % bound).expect("a small number")
    };
    let mut devices = ["laptop", "phone", "tablet"].map(Device::new);
    let mut id = SyncId::unset();
    for device in &mut devices {
        id = device.reading(0, &json!([]), "the same");
    }
    let mut most = 0;
    let mut tags = Vec::new();
    let (mut merged_records, mut merged_rows) = (0, 0);
    for round in 0..120 {
        let (one, other) = (below(3), below(3));
        if one == other || below(3) == 0 {
            let row = devices[one].row(id);
            let pages = row.pages + i32::try_from(below(5)).expect("few pages");
            let mut list = row.tags.as_array().expect("a list").clone();
            list.push(json!(round));
            devices[one].change(id, |row: &mut Reading| (row.pages, row.tags) = (pages, json!(list)));
            most = most.max(pages);
            tags.push(round);
        } else {
            let pulled = devices[one].pull(&devices[other], &everything());
            merged_records += pulled.dequeued.conflicts;
            merged_rows += pulled.deserialized.conflicts;
        }
    }
    assert!(merged_records > 5 && merged_rows > 5, "{merged_records} records and {merged_rows} rows were merged");
    for _ in 0..3 {
        for (from, to) in [(0, 1), (1, 2), (2, 0)] {
            devices[to].pull(&devices[from], &everything());
        }
    }
    for device in &mut devices {
        let row = device.row(id);
        let mut found: Vec<i64> =
            row.tags.as_array().expect("a list").iter().filter_map(serde_json::Value::as_i64).collect();
        found.sort_unstable();
        assert_eq!((row.pages, &found), (most, &tags), "seed {SEED:#x}");
        assert_eq!(device.conflicts(), [], "seed {SEED:#x}");
    }
    assert!(devices.iter().all(|device| device.records() == devices[0].records()), "seed {SEED:#x}");
}
