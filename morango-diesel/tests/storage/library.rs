//! A small library on several devices: shelves within shelves, and books on them, which belong to somebody.
//!
//! [`Device::pull`] is what the engine does in a transfer, verb by verb and without a line between the two.

use std::ops::ControlFlow;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use morango::counter::{Instances, Lack, RecordMaxCounters, Stamp, difference};
use morango::id::{CertificateId, InstanceId, SyncId, SyncSessionId, TransferSessionId};
use morango::identity::{Instance, SystemFacts};
use morango::model::{Model as _, Registry};
use morango::port::{
    ApplyFailure, DequeueReport, DeserializeOrder, DeserializeReport, FailedBefore, Progress, ReceivedChunk, Rejection,
    Storage as _, WaitingKind,
};
use morango::record::{BufferRecord, Gate, StoreRecord, record_id};
use morango::scope::{Filter, Reach};
use morango::session::{Capabilities, Direction, Side, Stage, StageStatus, SyncSession, TransferSession};
use morango_diesel::Syncable;

use super::database::{Connection, Database, Storage, dialect, model};

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

const TABLES: &str = "
    CREATE TABLE shelves (id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, parent_id TEXT REFERENCES shelves (id));
    CREATE TABLE books (
        id TEXT PRIMARY KEY NOT NULL, shelf_id TEXT NOT NULL REFERENCES shelves (id), owner TEXT NOT NULL,
        title TEXT NOT NULL UNIQUE CHECK (title <> 'forbidden'), blurb TEXT
    );
    CREATE TABLE readings (
        id TEXT PRIMARY KEY NOT NULL, reader TEXT NOT NULL, pages INTEGER NOT NULL, tags JSON NOT NULL, motto TEXT NOT NULL,
        remark TEXT NOT NULL
    );
    CREATE TABLE loans (book_id TEXT NOT NULL REFERENCES books (id));";

model! {
    #[diesel(table_name = shelves)]
    #[morango(profile = "library", model = "shelf", source_id = random, partition = "lib:shelves")]
    pub(crate) struct Shelf {
        pub(crate) id: SyncId,
        pub(crate) name: String,
        #[morango(foreign_key = Self)]
        pub(crate) parent_id: Option<SyncId>,
    }
}

model! {
    /// How far a reader is: devices that count apart are never in conflict about that.
    #[diesel(table_name = readings)]
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
    #[diesel(table_name = books)]
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

/// What a transfer did.
#[derive(Debug)]
pub(crate) struct Pulled {
    pub(crate) records: u64,
    pub(crate) dequeued: DequeueReport,
    pub(crate) deserialized: DeserializeReport,
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
    pub(crate) fn with_tables(name: &str, tables: &str) -> Self {
        let registry = Registry::builder().model::<Shelf>().model::<Book>().build().expect("good models");
        Self::with_models(name, tables, registry)
    }

    /// A device of an application with other models.
    pub(crate) fn with_models(name: &str, tables: &str, registry: Registry) -> Self {
        let database = Database::new();
        let storage = database.open();
        let mut connection = storage.connect().expect("it connects");
        connection.batch_execute(&dialect(tables)).expect("the application's tables are made");
        storage.prepare(&Arc::new(registry)).expect("our tables are made");
        let facts = SystemFacts { node_id: name.to_owned(), ..SystemFacts::default() };
        let instance = Instance::derive(storage.database_id().expect("an id"), name, &facts);
        storage.adopt_instance(&instance).expect("the instance is adopted");
        Self { storage, connection, instance: instance.id, _database: database }
    }

    pub(crate) fn shelf(&mut self, name: &str, parent: Option<SyncId>) -> SyncId {
        let row = Shelf { id: SyncId::unset(), name: name.to_owned(), parent_id: parent };
        row.create(&mut self.connection).expect("a shelf").id
    }

    pub(crate) fn book(&mut self, shelf_id: SyncId, owner: &str, title: &str) -> SyncId {
        let (owner, title) = (owner.to_owned(), title.to_owned());
        let row = Book { id: SyncId::unset(), shelf_id, owner, title, blurb: None };
        row.create(&mut self.connection).expect("a book").id
    }

    pub(crate) fn rename(&mut self, book: SyncId, title: &str) {
        diesel::update(books::table.find(book))
            .set(books::title.eq(title))
            .execute(&mut self.connection)
            .expect("it is renamed");
    }

    pub(crate) fn run(&mut self, sql: &str) {
        self.connection.batch_execute(&dialect(sql)).expect("the application's statement");
    }

    /// The titles of all books, sorted.
    pub(crate) fn titles(&mut self) -> Vec<String> {
        books::table.order(books::title).select(books::title).load(&mut self.connection).expect("the titles")
    }

    /// The names of all shelves, sorted.
    pub(crate) fn shelves(&mut self) -> Vec<String> {
        shelves::table.order(shelves::name).select(shelves::name).load(&mut self.connection).expect("the names")
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

    /// A number that one row gives.
    pub(crate) fn number(&mut self, query: &str) -> i64 {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            number: i64,
        }
        diesel::sql_query(format!("SELECT ({query}) AS number"))
            .get_result::<Row>(&mut self.connection)
            .expect("a number")
            .number
    }

    /// A new transfer session, kept on this side.
    pub(crate) fn session(&self, side: Side, direction: Direction, filter: &Filter) -> TransferSession {
        let certificate = CertificateId::hash_of("certificate");
        let sync = SyncSession {
            id: SyncSessionId::random(),
            side,
            profile: PROFILE.to_owned(),
            client_certificate: certificate,
            server_certificate: certificate,
            client_instance: None,
            server_instance: None,
            client_instance_json: "{}".to_owned(),
            server_instance_json: "{}".to_owned(),
            connection_path: String::new(),
            client_ip: String::new(),
            server_ip: String::new(),
            capabilities: Capabilities::ours(),
            started_at: time(),
            last_activity_at: time(),
            is_active: true,
            plan: None,
            holder: None,
        };
        self.storage.create_sync_session(&sync).expect("a sync session");
        let transfer = TransferSession {
            id: TransferSessionId::random(),
            sync_session: sync.id,
            side,
            direction,
            profile: PROFILE.to_owned(),
            filter: filter.clone(),
            stage: Stage::Initializing,
            status: StageStatus::Completed,
            error: None,
            records_total: None,
            records_transferred: 0,
            bytes_sent: 0,
            bytes_received: 0,
            client_fsic: morango::counter::KeptFsic::default(),
            server_fsic: morango::counter::KeptFsic::default(),
            started_at: time(),
            last_activity_at: time(),
            is_active: true,
        };
        self.storage.create_transfer_session(&transfer).expect("a transfer session")
    }

    /// The session in which this device receives.
    pub(crate) fn receiving(&self, filter: &Filter) -> TransferSession {
        self.session(Side::Client, Direction::Pull, filter)
    }

    /// Pulls what the other has under a filter, and brings it into the tables.
    pub(crate) fn pull(&self, other: &Self, filter: &Filter) -> Pulled {
        let (session, records) = self.receive(other, filter);
        let dequeued = self.storage.dequeue(&session, &Reach::everything(), &go_on).expect("it dequeues");
        let deserialized = self.deserialize_under(filter);
        self.storage.clean_up(&session.id, time()).expect("it cleans up");
        Pulled { records, dequeued, deserialized }
    }

    /// Pulls what the other has as far as the buffer.
    pub(crate) fn receive(&self, other: &Self, filter: &Filter) -> (TransferSession, u64) {
        let mut session = self.receiving(filter);
        other.storage.serialize(PROFILE, filter, &go_on).expect("the other serializes");
        session.server_fsic =
            other.storage.fsic(PROFILE, filter, Instances::WithRecords).expect("the other's counters").into();
        session.client_fsic = self.storage.fsic(PROFILE, filter, Instances::All).expect("our counters").into();
        let sent =
            session.server_fsic.fsic().expect("good counters").expand_for_use(filter).expect("within the filter");
        let had = session.client_fsic.fsic().expect("good counters").expand_for_use(filter).expect("within the filter");
        let theirs = other.session(Side::Server, Direction::Pull, filter);
        let total = other.storage.queue(&theirs, &difference(&sent, &had)).expect("the other queues");
        let mut offset = 0;
        loop {
            let chunk = other.storage.queued_chunk(&theirs.id, offset, 500).expect("a chunk");
            assert_eq!(chunk.total, total);
            if chunk.records.is_empty() {
                break;
            }
            offset += chunk.records.len() as u64;
            self.take(&session, chunk.records);
        }
        assert_eq!(offset, total);
        other.storage.clean_up(&theirs.id, time()).expect("the other cleans up");
        (session, total)
    }

    /// Receives records in one chunk, through the gate.
    pub(crate) fn take(&self, session: &TransferSession, records: Vec<StoreRecord>) -> u64 {
        take(&self.storage, session, records)
    }

    /// Receives a chunk that has passed the gate, from a peer that does not say where it stands.
    pub(crate) fn take_chunk(
        &self,
        session: &TransferSessionId,
        digest: &[u8; 32],
        records: &[BufferRecord],
        rejections: &[Rejection],
    ) -> morango::Result<u64> {
        take_chunk(&self.storage, session, digest, records, rejections)
    }

    /// Merges records that somebody sent, without making rows of them.
    pub(crate) fn dequeue(&self, records: Vec<StoreRecord>) -> DequeueReport {
        let session = self.receiving(&everything());
        self.take(&session, records);
        self.storage.dequeue(&session, &Reach::everything(), &go_on).expect("it dequeues")
    }
}

/// Receives records in one chunk, through the gate.
pub(crate) fn take(storage: &Storage, session: &TransferSession, records: Vec<StoreRecord>) -> u64 {
    let gate = Gate { transfer_session_id: session.id, profile: PROFILE, filter: &session.filter };
    let checked = records.into_iter().map(|record| BufferRecord::check(&gate, None, record).expect("it passes"));
    let checked: Vec<BufferRecord> = checked.collect();
    let mut digest = [0; 32];
    digest[..16].copy_from_slice(SyncId::random().as_bytes());
    take_chunk(storage, &session.id, &digest, &checked, &[]).expect("the chunk is kept")
}

fn take_chunk(
    storage: &Storage,
    session: &TransferSessionId,
    digest: &[u8; 32],
    records: &[BufferRecord],
    rejections: &[Rejection],
) -> morango::Result<u64> {
    let received_at = time();
    storage.receive_chunk(&ReceivedChunk { session, offset: None, digest, records, rejections, received_at })
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

/// All that an instance saved after a count.
pub(crate) fn lack(partition: &str, instance: InstanceId, counter: i64) -> Lack {
    Lack { partition: partition.to_owned(), instance, counter }
}

#[test]
fn the_models_are_what_the_tests_take_them_for() {
    assert_eq!(Shelf::definition().self_reference().map(|key| key.wire_name), Some("parent_id"));
    assert_eq!(Book::definition().foreign_keys.len(), 1);
}
