//! The application that the stories are about: owners, their notes, and photos, whose ids are bytes.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use diesel::prelude::*;
use morango::counter::{Instances, PartitionCounters, Stamp};
use morango::id::{DatabaseId, InstanceId, SyncId};
use morango::identity::{Instance, SystemFacts};
use morango::model::Registry;
use morango::port::{DeserializeOrder, DeserializeReport, FailedBefore, Progress, SerializeReport, Storage as _};
use morango::record::{BufferRecord, StoreRecord};
use morango::scope::{Filter, Reach};
use morango::session::{Direction, Side};
use morango_diesel::Syncable;
use morango_memory::{MemoryModel, OnDelete};

use super::database::{Connection, Database, Storage, Tables, model, tables};
use super::library::time;
use super::rows::{self, Kept};
use super::transfers::{new_session, take_chunk};

diesel::table! {
    use diesel::sql_types::*;
    use super::super::database::Key;

    owners (id) { id -> Key, name -> Text }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::super::database::Key;

    notes (id) { id -> Key, owner_id -> Key, title -> Text, slug -> Nullable<Text>, opened -> Integer }
}

diesel::table! {
    photos (id) { id -> Binary, name -> Text }
}

model! {
    Owner in owners:
    #[morango(profile = "notebook", model = "owner", source_id = random, partition = "${id}:profile")]
    pub(crate) struct Owner {
        pub(crate) id: SyncId,
        pub(crate) name: String,
    }
}

model! {
    Note in notes:
    #[morango(profile = "notebook", model = "note", source_id = random, partition = "${owner_id}:notes")]
    pub(crate) struct Note {
        pub(crate) id: SyncId,
        #[morango(foreign_key = Owner)]
        pub(crate) owner_id: SyncId,
        pub(crate) title: String,
        pub(crate) slug: Option<String>,
        #[morango(skip)]
        pub(crate) opened: i32,
    }
}

model! {
    Photo in photos:
    #[morango(profile = "notebook", model = "photo", source_id = "${name}", partition = "photos")]
    pub(crate) struct Photo {
        pub(crate) id: SyncId,
        pub(crate) name: String,
    }
}

pub(crate) const CREATE_TABLES: &str = "
    CREATE TABLE owners (id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL);
    CREATE TABLE notes (
        id TEXT NOT NULL PRIMARY KEY, owner_id TEXT NOT NULL REFERENCES owners (id) ON DELETE CASCADE,
        title TEXT NOT NULL, slug TEXT UNIQUE, opened INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE photos (id BLOB NOT NULL PRIMARY KEY, name TEXT NOT NULL);
";

const TABLES: Tables = tables(CREATE_TABLES, || {
    vec![
        MemoryModel::of::<Owner>(),
        MemoryModel::of::<Note>()
            .references("owner_id", OnDelete::Cascade)
            .unique(["slug"])
            .stays_at_home(|note: &mut Note, before: &Note| note.opened = before.opened),
        MemoryModel::of::<Photo>(),
    ]
});

/// One device with the application on it.
pub(crate) struct Device {
    pub(crate) storage: Storage,
    pub(crate) connection: Connection,
    // The last to go.
    pub(crate) database: Database,
}

impl Device {
    /// A device whose engine was built once.
    pub(crate) fn new() -> Self {
        let device = Self::without_instance();
        device.build_engine();
        device
    }

    /// A device whose engine was never built, but knows the models.
    pub(crate) fn without_instance() -> Self {
        let (database, storage, connection) = rows::with_tables(TABLES);
        storage.prepare(&registry()).expect("prepare the storage");
        Self { storage, connection, database }
    }

    /// What `Engine::build` does with a storage.
    pub(crate) fn build_engine(&self) {
        self.storage.prepare(&registry()).expect("prepare the storage");
        self.storage.adopt_instance(&instance("this device")).expect("adopt an instance");
    }

    pub(crate) fn owner(&mut self, name: &str) -> Owner {
        self.create(Owner { id: SyncId::unset(), name: name.to_owned() })
    }

    pub(crate) fn note(&mut self, owner: &Owner, title: &str) -> Note {
        self.create(Note { id: SyncId::unset(), owner_id: owner.id, title: title.to_owned(), slug: None, opened: 0 })
    }

    pub(crate) fn photo(&mut self, name: &str) -> Photo {
        self.create(Photo { id: SyncId::unset(), name: name.to_owned() })
    }

    pub(crate) fn create<M: Kept>(&mut self, row: M) -> M {
        rows::create(&mut self.connection, row).expect("create a row")
    }

    /// A row that nobody gave a source id.
    pub(crate) fn insert<M: Kept>(&mut self, row: &M) {
        rows::insert(&mut self.connection, row);
    }

    pub(crate) fn all<M: Kept>(&mut self) -> Vec<M> {
        rows::all(&mut self.connection)
    }

    pub(crate) fn change<M: Kept>(&mut self, id: SyncId, change: impl FnOnce(&mut M)) {
        rows::change(&mut self.connection, id, change);
    }

    pub(crate) fn delete<M: Kept>(&mut self, id: SyncId) {
        rows::delete::<M>(&mut self.connection, id);
    }

    pub(crate) fn hard_delete<M: Kept>(&mut self, id: SyncId) {
        rows::hard_delete::<M>(&mut self.connection, id);
    }

    /// What changed since it was last serialized, as `model:id:is_hard`, in order.
    pub(crate) fn marks(&mut self) -> Vec<String> {
        rows::marks(&mut self.connection)
    }

    pub(crate) fn serialize(&self) -> SerializeReport {
        self.serialize_under(&Filter::everything())
    }

    pub(crate) fn serialize_under(&self, filter: &Filter) -> SerializeReport {
        self.storage.serialize("notebook", filter, &go_on).expect("serialize")
    }

    pub(crate) fn records(&self) -> Vec<StoreRecord> {
        let mut records = Vec::new();
        self.storage
            .for_each_record("notebook", &Filter::everything(), &mut |record| {
                records.push(record);
                Ok(())
            })
            .expect("read the store");
        records
    }

    pub(crate) fn record(&self, id: SyncId) -> StoreRecord {
        self.records().into_iter().find(|record| record.id == id).expect("a record of this id")
    }

    pub(crate) fn counter(&self) -> i64 {
        self.storage.own_counters().expect("the counters").counter
    }

    /// Up to which counter this database claims to have what it saved itself, under each partition.
    pub(crate) fn claims(&self) -> BTreeMap<String, i64> {
        let fsic = self.storage.fsic("notebook", &Filter::everything(), Instances::All).expect("the counters");
        let own = stamp(0).instance;
        let claimed = |(partition, counters): (String, BTreeMap<InstanceId, i64>)| {
            counters.get(&own).map(|counter| (partition, *counter))
        };
        fsic.sub.into_iter().filter_map(claimed).collect()
    }

    /// Merges records that somebody sent, without making rows of them.
    pub(crate) fn dequeue(&self, records: Vec<StoreRecord>) {
        self.dequeue_within(&Reach::everything(), records);
    }

    /// The same where this device may write no more than this.
    pub(crate) fn dequeue_within(&self, writable: &Reach, records: Vec<StoreRecord>) {
        self.dequeue_claimed(&PartitionCounters::new(), writable, records);
    }

    /// The same of somebody who claims to have this.
    pub(crate) fn dequeue_claimed(&self, claimed: &PartitionCounters, writable: &Reach, records: Vec<StoreRecord>) {
        let mut session = new_session(&self.storage, "notebook", Side::Client, Direction::Pull, &Filter::everything());
        session.server_fsic.change(|fsic| fsic.sub.clone_from(claimed)).expect("good counters");
        let records = records.into_iter().map(|record| BufferRecord::from_store(session.id, record));
        let records: Vec<BufferRecord> = records.collect();
        take_chunk(&self.storage, &session.id, &[0; 32], &records, &[]).expect("the chunk is kept");
        self.storage.dequeue(&session, writable, &go_on).expect("it dequeues");
    }

    /// Makes rows of what waits.
    pub(crate) fn deserialize(&self) -> DeserializeReport {
        let everything = Filter::everything();
        let order = DeserializeOrder {
            profile: "notebook",
            filter: &everything,
            failed_before: FailedBefore::TryAgain,
            now: time(),
        };
        self.storage.deserialize(&order, &go_on).expect("it deserializes")
    }
}

pub(crate) fn registry() -> Arc<Registry> {
    let registry = Registry::builder().model::<Owner>().model::<Note>().model::<Photo>().build();
    Arc::new(registry.expect("a sound registry"))
}

pub(crate) fn instance(name: &str) -> Instance {
    Instance::derive(DatabaseId::hash_of(name), name, &SystemFacts::default())
}

pub(crate) fn stamp(counter: i64) -> Stamp {
    Stamp::new(instance("this device").id, counter)
}

pub(crate) fn go_on(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}
