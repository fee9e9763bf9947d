//! A small library on several devices: shelves within shelves, and books on them, which belong to somebody.

use std::ops::ControlFlow;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use morango::counter::{ExpandedFsic, Fsic, Instances, PartitionCounters, RecordMaxCounters, Stamp};
use morango::id::{InstanceId, SyncId};
use morango::identity::{Instance, SystemFacts};
use morango::limits::WAITING_PAGE_MAX;
use morango::model::{Model as _, Registry};
use morango::port::{
    ApplyFailure, DeserializeOrder, DeserializeReport, FailedBefore, Progress, SerializeReport, Storage as _, Waiting,
    WaitingKind, WaitingRecords,
};
use morango::record::{StoreRecord, record_id};
use morango::scope::Filter;
use morango_diesel::Syncable;
use morango_memory::{MemoryModel, OnDelete};

use super::database::{Connection, Database, Storage, Tables, model, tables};
use super::rows::{self, Kept};

pub(crate) const PROFILE: &str = "library";

diesel::table! {
    use diesel::sql_types::*;
    use super::super::database::Key;

    shelves (id) { id -> Key, name -> Text, parent_id -> Nullable<Key> }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::super::database::Key;

    books (id) { id -> Key, shelf_id -> Key, owner -> Text, title -> Text, blurb -> Nullable<Text> }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::super::database::Key;

    readings (id) { id -> Key, reader -> Text, pages -> Integer, tags -> Json, motto -> Text, remark -> Text }
}

const TABLES: Tables = tables(
    "
    CREATE TABLE shelves (id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, parent_id TEXT REFERENCES shelves (id));
    CREATE TABLE books (
        id TEXT PRIMARY KEY NOT NULL, shelf_id TEXT NOT NULL REFERENCES shelves (id), owner TEXT NOT NULL,
        title TEXT NOT NULL UNIQUE CHECK (title <> 'forbidden'), blurb TEXT
    );
    CREATE TABLE readings (
        id TEXT PRIMARY KEY NOT NULL, reader TEXT NOT NULL, pages INTEGER NOT NULL, tags JSON NOT NULL, motto TEXT NOT NULL,
        remark TEXT NOT NULL
    );
    CREATE TABLE loans (book_id TEXT NOT NULL REFERENCES books (id));",
    || {
        vec![
            MemoryModel::of::<Shelf>().references("parent_id", OnDelete::Refuse),
            MemoryModel::of::<Book>()
                .references("shelf_id", OnDelete::Refuse)
                .unique(["title"])
                .check("title", |title| title != "forbidden"),
            MemoryModel::of::<Reading>(),
        ]
    },
);

model! {
    Shelf in shelves:
    #[morango(profile = "library", model = "shelf", source_id = random, partition = "lib:shelves")]
    pub(crate) struct Shelf {
        pub(crate) id: SyncId,
        pub(crate) name: String,
        #[morango(foreign_key = Self)]
        pub(crate) parent_id: Option<SyncId>,
    }
}

model! {
    Reading in readings:
    /// How far a reader is: devices that count apart are never in conflict about that.
    #[morango(profile = "library", model = "reading", source_id = "${reader}", partition = "lib:readings")]
    pub(crate) struct Reading {
        pub(crate) id: SyncId,
        pub(crate) reader: String,
        #[morango(merge = max)]
        pub(crate) pages: i32,
        #[morango(merge = union)]
        pub(crate) tags: serde_json::Value,
        #[morango(merge(with = both_mottos))]
        pub(crate) motto: String,
        pub(crate) remark: String,
    }
}

model! {
    Book in books:
    #[morango(profile = "library", model = "book", source_id = random, partition = "lib:books:${owner}")]
    pub(crate) struct Book {
        pub(crate) id: SyncId,
        #[morango(foreign_key = Shelf)]
        pub(crate) shelf_id: SyncId,
        pub(crate) owner: String,
        #[morango(max_length = 40)]
        pub(crate) title: String,
        pub(crate) blurb: Option<String>,
    }
}

/// Both mottos in the order of their letters. Where one is `none` the reader is to be asked.
fn both_mottos(ours: &str, theirs: &str) -> Result<String, &'static str> {
    match (ours, theirs) {
        ("none", _) | (_, "none") => Err("somebody has no motto"),
        (ours, theirs) if ours == theirs => Ok(ours.to_owned()),
        (ours, theirs) => Ok(format!("{} and {}", ours.min(theirs), ours.max(theirs))),
    }
}

/// One device: its database, and a connection such as the application has.
pub(crate) struct Device {
    pub(crate) storage: Storage,
    pub(crate) connection: Connection,
    pub(crate) instance: InstanceId,
    // The last to go.
    _database: Database,
}

pub(crate) fn go_on(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

pub(crate) fn time() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_700_000_000_000).expect("a time")
}

/// Everything under a filter is to be deserialized.
pub(crate) fn order(filter: &Filter) -> DeserializeOrder<'_> {
    DeserializeOrder { profile: PROFILE, filter, failed_before: FailedBefore::TryAgain, now: time() }
}

pub(crate) fn kinds(failures: &[ApplyFailure]) -> Vec<WaitingKind> {
    failures.iter().map(|failure| failure.kind).collect()
}

/// The same record, saved once more by the other.
pub(crate) fn changed(record: &StoreRecord, counter: i64, change: impl FnOnce(&mut StoreRecord)) -> StoreRecord {
    let mut record = record.clone();
    record.last_saved = stamp("other", counter);
    record.counters.raise(record.last_saved);
    change(&mut record);
    record
}

/// The same book, which the other gave another title.
pub(crate) fn retitled(book: &StoreRecord, counter: i64, title: &str) -> StoreRecord {
    changed(book, counter, |record| {
        let fields: serde_json::Value = serde_json::from_str(&record.serialized).expect("fields");
        let mut fields = fields.as_object().expect("an object").clone();
        fields.insert("title".to_owned(), title.into());
        record.serialized = serde_json::Value::Object(fields).to_string();
    })
}

/// The same shelf, which the other put within another.
pub(crate) fn moved(shelf: &StoreRecord, counter: i64, parent: Option<SyncId>) -> StoreRecord {
    changed(shelf, counter, |record| {
        let there = foreign_shelf(&record.source_id, parent);
        (record.serialized, record.self_ref_fk) = (there.serialized, there.self_ref_fk);
    })
}

/// The same record, which the other deleted.
pub(crate) fn deleted(record: &StoreRecord, counter: i64) -> StoreRecord {
    changed(record, counter, |record| record.deleted = true)
}

pub(crate) fn everything() -> Filter {
    Filter::everything()
}

impl Device {
    pub(crate) fn new(name: &str) -> Self {
        let registry =
            Registry::builder().model::<Shelf>().model::<Book>().model::<Reading>().build().expect("good models");
        Self::with_models(name, TABLES, registry)
    }

    /// A device whose application made its tables in another way.
    pub(crate) fn with_tables(name: &str, tables: Tables) -> Self {
        let registry = Registry::builder().model::<Shelf>().model::<Book>().build().expect("good models");
        Self::with_models(name, tables, registry)
    }

    /// A device of an application with other models.
    pub(crate) fn with_models(name: &str, tables: Tables, registry: Registry) -> Self {
        let (database, storage, connection) = rows::with_tables(tables);
        storage.prepare(&Arc::new(registry)).expect("our tables are made");
        let facts = SystemFacts { node_id: name.to_owned(), ..SystemFacts::default() };
        let instance = Instance::derive(storage.database_id().expect("an id"), name, &facts);
        storage.adopt_instance(&instance).expect("the instance is adopted");
        Self { storage, connection, instance: instance.id, _database: database }
    }

    pub(crate) fn shelf(&mut self, name: &str, parent: Option<SyncId>) -> SyncId {
        self.create(Shelf { id: SyncId::unset(), name: name.to_owned(), parent_id: parent }).id
    }

    pub(crate) fn book(&mut self, shelf_id: SyncId, owner: &str, title: &str) -> SyncId {
        let (owner, title) = (owner.to_owned(), title.to_owned());
        self.create(Book { id: SyncId::unset(), shelf_id, owner, title, blurb: None }).id
    }

    pub(crate) fn rename(&mut self, book: SyncId, title: &str) {
        self.change(book, |book: &mut Book| title.clone_into(&mut book.title));
    }

    pub(crate) fn create<M: Kept>(&mut self, row: M) -> M {
        rows::create(&mut self.connection, row).expect("the row is created")
    }

    /// A row that nobody gave a source id.
    pub(crate) fn insert<M: Kept>(&mut self, row: &M) {
        rows::insert(&mut self.connection, row);
    }

    pub(crate) fn get<M: Kept>(&mut self, id: SyncId) -> Option<M> {
        rows::get(&mut self.connection, id)
    }

    /// All rows of a model, in the order of their ids.
    pub(crate) fn all<M: Kept>(&mut self) -> Vec<M> {
        rows::all(&mut self.connection)
    }

    pub(crate) fn change<M: Kept>(&mut self, id: SyncId, change: impl FnOnce(&mut M)) {
        rows::change(&mut self.connection, id, change);
    }

    pub(crate) fn delete<M: Kept>(&mut self, id: SyncId) {
        rows::delete::<M>(&mut self.connection, id);
    }

    /// What changed since it was last serialized, as `model:id:is_hard`, in order.
    pub(crate) fn marks(&mut self) -> Vec<String> {
        rows::marks(&mut self.connection)
    }

    /// The titles of all books, sorted.
    pub(crate) fn titles(&mut self) -> Vec<String> {
        let mut titles: Vec<String> = self.all::<Book>().into_iter().map(|book| book.title).collect();
        titles.sort();
        titles
    }

    /// The names of all shelves, sorted.
    pub(crate) fn shelves(&mut self) -> Vec<String> {
        let mut names: Vec<String> = self.all::<Shelf>().into_iter().map(|shelf| shelf.name).collect();
        names.sort();
        names
    }

    pub(crate) fn serialize(&self) -> SerializeReport {
        self.storage.serialize(PROFILE, &everything(), &go_on).expect("it serializes")
    }

    pub(crate) fn deserialize(&self) -> DeserializeReport {
        self.deserialize_under(&everything())
    }

    pub(crate) fn deserialize_under(&self, filter: &Filter) -> DeserializeReport {
        self.storage.deserialize(&order(filter), &go_on).expect("it deserializes")
    }

    /// Every record of the store, in the order of the ids.
    pub(crate) fn records(&self) -> Vec<StoreRecord> {
        let mut records = Vec::new();
        let mut keep = |record| {
            records.push(record);
            Ok(())
        };
        self.storage.for_each_record(PROFILE, &everything(), &mut keep).expect("the records");
        records
    }

    pub(crate) fn record(&self, id: SyncId) -> StoreRecord {
        self.records().into_iter().find(|record| record.id == id).expect("the store has it")
    }

    /// All that waits.
    pub(crate) fn waiting(&self) -> Vec<Waiting> {
        let mut waiting = Vec::new();
        let mut after = None;
        loop {
            let all = WaitingRecords::of(PROFILE);
            let page = self.storage.waiting(&all, after.as_ref(), WAITING_PAGE_MAX).expect("a page");
            waiting.extend(page.records);
            let Some(next) = page.next else { return waiting };
            after = Some(next);
        }
    }

    /// How far this instance has counted.
    pub(crate) fn counter(&self) -> i64 {
        self.storage.own_counters().expect("the counters").counter
    }

    /// What this database claims to have.
    pub(crate) fn claims(&self) -> PartitionCounters {
        self.storage.fsic(PROFILE, &everything(), Instances::All).expect("the counters").sub
    }
}

/// The stamp of another device.
pub(crate) fn stamp(name: &str, counter: i64) -> Stamp {
    Stamp::new(InstanceId::hash_of(name), counter)
}

/// A record that another device made, last saved at the first of these stamps.
pub(crate) fn foreign(
    model: &str,
    partition: &str,
    source_id: &str,
    serialized: &str,
    stamps: &[Stamp],
) -> StoreRecord {
    StoreRecord {
        id: record_id(partition, source_id, model),
        profile: PROFILE.to_owned(),
        model_name: model.to_owned(),
        partition: partition.to_owned(),
        source_id: source_id.to_owned(),
        serialized: serialized.to_owned(),
        conflicting_serialized_data: String::new(),
        deleted: false,
        hard_deleted: false,
        last_saved: stamps[0],
        self_ref_fk: String::new(),
        counters: RecordMaxCounters::from_stamps(stamps.iter().copied()).expect("good counters"),
    }
}

/// A shelf that another device made.
pub(crate) fn foreign_shelf(source_id: &str, parent: Option<SyncId>) -> StoreRecord {
    let parent_json = parent.map_or("null".to_owned(), |parent| format!("\"{parent}\""));
    let text = format!(r#"{{"name":"{source_id}","parent_id":{parent_json}}}"#);
    let mut record = foreign("shelf", "lib:shelves", source_id, &text, &[stamp("other", 1)]);
    record.self_ref_fk = parent.map(|parent| parent.to_string()).unwrap_or_default();
    record
}

/// A book that another device made.
pub(crate) fn foreign_book(title: &str, shelf: SyncId) -> StoreRecord {
    let text = format!(r#"{{"shelf_id":"{shelf}","owner":"ada","title":"{title}","blurb":null}}"#);
    foreign("book", "lib:books:ada", title, &text, &[stamp("other", 1)])
}

/// A receiver that has what instances saved under partitions up to these counters.
pub(crate) fn has(entries: &[(&str, &str, i64)]) -> ExpandedFsic {
    let mut sub = PartitionCounters::new();
    for (partition, name, counter) in entries {
        sub.entry((*partition).to_owned()).or_default().insert(stamp(name, 0).instance, *counter);
    }
    Fsic { sub, ..Fsic::default() }.of_receiver(&everything()).expect("everything holds them")
}

#[test]
fn the_models_are_what_the_tests_take_them_for() {
    assert_eq!(Shelf::definition().self_reference().map(|key| key.wire_name), Some("parent_id"));
    assert_eq!(Book::definition().foreign_keys.len(), 1);
}
