//! The application that the stories are about: owners, their notes, and photos, whose ids are bytes.

use std::ops::ControlFlow;
use std::sync::Arc;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use morango::counter::Stamp;
use morango::id::{DatabaseId, SyncId};
use morango::identity::{Instance, SystemFacts};
use morango::model::Registry;
use morango::port::{Progress, SerializeReport, Storage as _};
use morango::record::StoreRecord;
use morango::scope::Filter;
use morango_diesel::Syncable;

use super::database::{Connection, Database, MARKS, Storage, dialect, model};

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
    #[diesel(table_name = owners)]
    #[morango(profile = "notebook", model = "owner", source_id = random, partition = "${id}:profile")]
    pub(crate) struct Owner {
        pub(crate) id: SyncId,
        pub(crate) name: String,
    }
}

model! {
    #[diesel(table_name = notes)]
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
    #[diesel(table_name = photos)]
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
        let mut device = Self::without_engine();
        device.run(CREATE_TABLES);
        device.build_engine();
        device
    }

    /// A device whose database is open and empty.
    pub(crate) fn without_engine() -> Self {
        let database = Database::new();
        let storage = database.open();
        let connection = storage.connect().expect("connect to it");
        Self { storage, connection, database }
    }

    /// What `Engine::build` does with a storage.
    pub(crate) fn build_engine(&self) {
        self.storage.prepare(&registry()).expect("prepare the storage");
        self.storage.adopt_instance(&instance("this device")).expect("adopt an instance");
    }

    pub(crate) fn owner(&mut self, name: &str) -> Owner {
        let owner = Owner { id: SyncId::unset(), name: name.to_owned() };
        owner.create(&mut self.connection).expect("create an owner")
    }

    pub(crate) fn note(&mut self, owner: &Owner, title: &str) -> Note {
        let note = Note { id: SyncId::unset(), owner_id: owner.id, title: title.to_owned(), slug: None, opened: 0 };
        note.create(&mut self.connection).expect("create a note")
    }

    pub(crate) fn photo(&mut self, name: &str) -> Photo {
        let photo = Photo { id: SyncId::unset(), name: name.to_owned() };
        photo.create(&mut self.connection).expect("create a photo")
    }

    pub(crate) fn run(&mut self, statement: &str) {
        self.connection.batch_execute(&dialect(statement)).unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    pub(crate) fn number(&mut self, query: &str) -> i64 {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = BigInt)]
            value: i64,
        }
        let query = format!("SELECT ({query}) AS value");
        diesel::sql_query(query).get_result::<Row>(&mut self.connection).expect("a number").value
    }

    /// The marks, as `model:id:is_hard`, in order.
    pub(crate) fn marks(&mut self) -> Vec<String> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = Text)]
            mark: String,
        }
        let rows: Vec<Row> = diesel::sql_query(MARKS).load(&mut self.connection).expect("read the marks");
        rows.into_iter().map(|row| row.mark).collect()
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

    pub(crate) fn counter(&mut self) -> i64 {
        self.number("SELECT counter FROM morango_instance WHERE is_current = 1")
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
