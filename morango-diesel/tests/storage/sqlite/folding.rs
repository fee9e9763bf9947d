//! Changes that are noted one after another, and the marks that become of them.
//!
//! Goal: it is as if each change had written the mark of its row, and nothing is lost between the two. Method: rows change in every
//! way and order, with folds in between; whoever looks for displaced rows folds, and does nothing else where there are none.

use diesel::connection::SimpleConnection as _;
use morango::id::SyncId;
use morango::port::Storage as _;
use morango::record::record_id;
use morango::scope::Filter;
use morango_diesel::Syncable as _;

use super::database::{Connection, IS_CAPTURED, NO_DOGS, TRIGGERS, TRIGGERS_OF_MODEL, VERSIONS};
use super::notebook::{CREATE_TABLES, Device, Photo, go_on, registry};

const CHANGES: &str = "SELECT count(*) FROM morango_change";

/// Marks that are written with each change, as triggers of earlier versions did.
const ONE_AFTER_ANOTHER: &str = "
    CREATE TABLE law (row_id BLOB NOT NULL PRIMARY KEY, is_hard INTEGER NOT NULL, reason TEXT);
    CREATE TRIGGER law_insert AFTER INSERT ON photos BEGIN
        INSERT INTO law (row_id, is_hard) VALUES (NEW.id, 0) ON CONFLICT (row_id) DO UPDATE SET reason = NULL;
    END;
    CREATE TRIGGER law_update AFTER UPDATE ON photos BEGIN
        INSERT INTO law (row_id, is_hard) VALUES (NEW.id, 0) ON CONFLICT (row_id) DO UPDATE SET reason = NULL;
        INSERT INTO law (row_id, is_hard) SELECT OLD.id, mode > 1 FROM morango_capture_mode WHERE OLD.id <> NEW.id
        ON CONFLICT (row_id) DO UPDATE SET is_hard = max(is_hard, excluded.is_hard), reason = NULL;
    END;
    CREATE TRIGGER law_delete AFTER DELETE ON photos BEGIN
        INSERT INTO law (row_id, is_hard) SELECT OLD.id, mode > 1 FROM morango_capture_mode WHERE true
        ON CONFLICT (row_id) DO UPDATE SET is_hard = max(is_hard, excluded.is_hard), reason = NULL;
    END;";

/// Numbers that follow from a seed.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

fn fold(device: &mut Device) {
    assert_eq!(device.storage.find_displaced().expect("it looks"), 0);
    assert_eq!(device.number(CHANGES), 0, "all of them are marks");
}

/// The marks and why they were set aside, as `law` has them or our own table has.
fn described(device: &mut Device, table: &str) -> Vec<String> {
    let aside = format!("SELECT count(*) FROM {table} WHERE reason IS NOT NULL");
    let hard = format!("SELECT count(*) FROM {table} WHERE is_hard = 1");
    let ids = (0..5)
        .map(|number| format!("SELECT coalesce(sum(is_hard + 1), 0) FROM {table} WHERE row_id = X'{}'", id(number)));
    [aside, hard].into_iter().chain(ids).map(|query| device.number(&query).to_string()).collect()
}

fn id(number: u64) -> SyncId {
    SyncId::hash_of(&number.to_string())
}

fn change(connection: &mut Connection, numbers: &mut Numbers) {
    let (one, other) = (id(numbers.below(5)), id(numbers.below(5)));
    let statement = match numbers.below(7) {
        0 | 1 => format!("INSERT OR IGNORE INTO photos (id, name) VALUES (X'{one}', 'new')"),
        2 => format!("INSERT OR REPLACE INTO photos (id, name) VALUES (X'{one}', 'newer')"),
        3 => format!("UPDATE photos SET name = name || '!' WHERE id = X'{one}'"),
        4 => format!("UPDATE OR REPLACE photos SET id = X'{other}' WHERE id = X'{one}'"),
        5 => format!("DELETE FROM photos WHERE id = X'{one}'"),
        _ => {
            Photo::hard_delete_by_id(one, connection).expect("it is deleted for good");
            return;
        }
    };
    connection.batch_execute(&statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
}

#[test]
fn folded_changes_leave_the_marks_that_each_change_would_have_written() {
    for seed in 0..30 {
        let mut device = Device::new();
        device.run(ONE_AFTER_ANOTHER);
        let mut numbers = Numbers(seed);
        for step in 0..12 {
            let (changes, is_kept) = (numbers.below(6), numbers.below(6) > 0);
            let done = device.connection.immediate_transaction(|connection| {
                (0..=changes).for_each(|_| change(connection, &mut numbers));
                if is_kept { Ok(()) } else { Err(diesel::result::Error::RollbackTransaction) }
            });
            assert_eq!(done.is_ok(), is_kept, "seed {seed}, step {step}: {done:?}");
            if numbers.below(3) > 0 {
                continue;
            }
            let before = device.marks();
            fold(&mut device);
            assert_eq!(device.marks(), before, "seed {seed}, step {step}: what was to be expected came");
            let law = described(&mut device, "law");
            assert_eq!(described(&mut device, "morango_mark"), law, "seed {seed}, step {step}");
            let aside = id(numbers.below(5));
            for table in ["law", "morango_mark"] {
                device.run(&format!("UPDATE {table} SET reason = 'no reason' WHERE row_id = X'{aside}'"));
            }
        }
    }
}

#[test]
fn that_a_row_was_deleted_for_good_is_known_through_folds_until_it_is_serialized() {
    let mut device = Device::new();
    let cat = device.photo("cat");
    device.serialize();
    let (insert, delete) = (
        format!("INSERT INTO photos (id, name) VALUES (X'{}', 'cat')", cat.id),
        format!("DELETE FROM photos WHERE id = X'{}'", cat.id),
    );
    let hard = format!("photo:{}:1", cat.id);

    cat.hard_delete(&mut device.connection).expect("delete for good");
    fold(&mut device);
    assert_eq!(device.marks(), [hard.as_str()]);
    device.run(&format!("BEGIN; {insert}; {delete}; COMMIT"));
    fold(&mut device);
    assert_eq!(device.marks(), [hard.as_str()], "it was there again, and had been gone for good");

    assert_eq!(device.serialize().deleted, 1);
    assert!(device.record(cat.id).hard_deleted);
    assert!(device.marks().is_empty());
}

#[test]
fn more_changes_than_are_folded_at_one_time_are_folded_in_their_order() {
    let mut device = Device::new();
    let (cat, dog) = (device.photo("cat"), device.photo("dog"));
    device.serialize();
    let changes = "UPDATE photos SET name = name;".repeat(10_500);
    device.run(&format!("BEGIN; {changes} COMMIT"));
    cat.hard_delete(&mut device.connection).expect("delete for good");
    assert_eq!(device.number(CHANGES), 21_001);

    let report = device.serialize();

    assert_eq!((report.deleted, report.updated), (1, 0), "the other is as it was");
    assert!(device.record(cat.id).hard_deleted && !device.record(dog.id).deleted);
    assert_eq!(device.number(CHANGES), 0);
}

#[test]
fn what_create_fixed_stays_with_the_row_through_changes_and_folds() {
    let mut device = Device::new();
    let photos = ["cat", "dog", "cow"].map(|name| Photo { id: SyncId::unset(), name: name.to_owned() });
    let photos = Photo::create_many(photos, &mut device.connection).expect("create many");
    // By what the rows say now they would be others.
    device.run("UPDATE photos SET name = name || '!'");
    fold(&mut device);
    device.run("UPDATE photos SET name = name || '!'");

    let report = device.serialize();

    assert_eq!((report.new, report.set_aside_total), (3, 0), "{report:?}");
    for (photo, name) in photos.iter().zip(["cat", "dog", "cow"]) {
        assert_eq!(device.record(photo.id).source_id, name);
    }
}

#[test]
fn what_was_folded_before_a_failure_is_serialized_after_it() {
    let mut device = Device::new();
    device.photo("cat");
    device.photo("dog");
    device.run(NO_DOGS[0]);
    device.storage.serialize("notebook", &Filter::everything(), &go_on).expect_err("no dogs");
    assert_eq!((device.number(CHANGES), device.marks().len(), device.counter()), (0, 2, 0));
    device.run(NO_DOGS[1]);
    // Another process comes up.
    device.storage = device.database.open();
    device.build_engine();
    assert_eq!(device.serialize().new, 2);
}

#[test]
fn a_fold_that_fails_leaves_the_changes_where_they_are() {
    let mut device = Device::new();
    device.run("INSERT INTO photos (id, name) VALUES (X'00112233445566778899aabbccddeeff', 'cat')");
    device.run("CREATE TRIGGER meddler BEFORE INSERT ON morango_mark BEGIN SELECT RAISE(ABORT, 'no marks'); END");
    device.storage.serialize("notebook", &Filter::everything(), &go_on).expect_err("no marks");
    assert_eq!((device.number(CHANGES), device.marks().len()), (1, 1));
    device.run("DROP TRIGGER meddler");
    fold(&mut device);
    assert_eq!(device.marks().len(), 1);
}

#[test]
fn what_changed_while_no_engine_was_at_work_is_folded_when_one_begins() {
    let mut device = Device::new();
    device.photo("cat");
    let before = device.marks();
    assert_eq!(device.number(CHANGES), 1);
    device.build_engine();
    assert_eq!((device.number(CHANGES), device.marks()), (0, before));
}

/// The triggers of earlier versions, for one model.
fn earlier_triggers(number: i64, table: &str) -> String {
    let mark = format!("CASE mode WHEN 3 THEN -{number} ELSE {number} END");
    let there = format!(
        "INSERT INTO morango_mark (model, row_id) SELECT {mark}, coalesce(NEW.id, '') FROM morango_capture WHERE true
         ON CONFLICT (model, row_id) DO UPDATE SET is_hard = 0, reason = NULL;"
    );
    let gone = format!(
        "INSERT INTO morango_mark (model, row_id, is_hard) SELECT {mark}, coalesce(OLD.id, ''), mode > 1 FROM morango_capture
         WHERE true ON CONFLICT (model, row_id) DO UPDATE SET is_hard = max(is_hard, excluded.is_hard), reason = NULL;"
    );
    [("insert", &there), ("update", &there), ("delete", &gone)]
        .map(|(change, statement)| {
            format!(
                "CREATE TRIGGER morango_capture_{number}_{change} AFTER {change} ON {table}
                 WHEN (SELECT mode FROM morango_capture) <> 0 BEGIN {statement} END;"
            )
        })
        .concat()
}

#[test]
fn rows_whose_ids_got_another_type_are_one_record_each_however_many_they_are() {
    const ROWS: u64 = 250;
    let mut device = Device::new();
    for number in 0..ROWS {
        let name = format!("photo {number}");
        device.run(&format!(
            "INSERT INTO photos (id, name) VALUES ('{}', '{name}')",
            record_id("photos", &name, "photo")
        ));
    }
    device.run("UPDATE photos SET id = unhex(id)");
    let report = device.serialize();
    assert_eq!((report.new, report.updated, report.set_aside_total), (ROWS, 0, 0), "each was marked twice: {report:?}");
    assert_eq!((device.marks(), device.number(CHANGES)), (Vec::<String>::new(), 0));
}

/// The version that first notes changes by appending them.
const APPENDED_SINCE: usize = 8;

#[test]
fn marks_of_an_earlier_version_are_kept_and_its_programs_write_over_nothing() {
    let mut device = Device::without_engine();
    device.run(CREATE_TABLES);
    let earlier = APPENDED_SINCE - 1;
    for [released, _] in &VERSIONS[..earlier] {
        device.connection.batch_execute(released).expect("the tables of that version");
    }
    device.run(&format!("INSERT INTO morango_fact (name, value) VALUES ('schema_version', '{earlier}')"));
    for (number, name, table) in [(1, "owner", "owners"), (2, "note", "notes"), (3, "photo", "photos")] {
        let model = format!("INSERT INTO morango_model VALUES ({number}, 'notebook', '{name}', '{table}')");
        device.run(&model);
        device.run(&earlier_triggers(number, table));
    }
    // A model that only another program has, which does not run.
    device.run("CREATE TABLE drafts (id TEXT NOT NULL PRIMARY KEY)");
    device.run("INSERT INTO morango_model VALUES (4, 'notebook', 'draft', 'drafts')");
    device.run(&earlier_triggers(4, "drafts"));
    let photo = |name: &str| record_id("photos", name, "photo");
    for name in ["cat", "dog", "cow"] {
        device.run(&format!("INSERT INTO photos (id, name) VALUES (X'{}', '{name}')", photo(name)));
    }
    device.run(&format!("DELETE FROM morango_mark WHERE row_id = X'{}'", photo("cow")));

    device.build_engine();

    let mut expected = vec![format!("photo:{}:0", photo("cat")), format!("photo:{}:0", photo("dog"))];
    expected.sort();
    assert_eq!(device.marks(), expected, "those and no others: nothing was missed");
    assert_eq!((device.number(TRIGGERS), device.number(IS_CAPTURED)), (3 * TRIGGERS_OF_MODEL, 1));
    let switch = device.connection.batch_execute("UPDATE morango_capture SET mode = mode");
    assert!(switch.is_err(), "an engine of that version that still runs is refused");
    device.run("INSERT INTO drafts (id) VALUES ('a draft')");
    device.run(&format!("UPDATE photos SET name = 'calf' WHERE id = X'{}'", photo("dog")));
    device.run(&format!("DELETE FROM photos WHERE id = X'{}'", photo("cow")));
    expected.push(format!("photo:{}:0", photo("cow")));
    expected.sort();
    assert_eq!(device.marks(), expected);
    device.storage.prepare(&registry()).expect("a second start");
    assert_eq!(device.marks(), expected);
    let report = device.serialize();
    assert_eq!((report.new, report.deleted, report.set_aside_total), (1, 0, 1), "a dog is no calf: {report:?}");
}
