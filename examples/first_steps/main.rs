//! The first steps: a notebook, and the same notebook on a second device.
//!
//! ```text
//! cargo run --example first_steps
//! ```
#![expect(clippy::print_stdout, reason = "a command line program speaks on its standard output")]
#![expect(missing_docs, reason = "the columns in `table!` are the fields of the models")]

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use morango::port::Credentials;
use morango::prelude::*;
use morango::server::Server;
use morango_diesel::{SqliteStorage, Syncable};

diesel::table! {
    owners (id) { id -> Text, name -> Text }
}
diesel::table! {
    use diesel::sql_types::{Nullable, Text};
    use morango_diesel::sql_types::Instant;

    notes (id) { id -> Text, owner_id -> Text, title -> Text, body -> Nullable<Text>, edited_at -> Instant }
}

/// Whose notebook it is. Its id is that of the root certificate made for it.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Syncable)]
#[diesel(table_name = owners)]
#[morango(profile = "notebook", model = "owner", record_id = source_id, partition = "${id}:profile")]
struct Owner {
    id: SyncId,
    name: String,
}

/// A note in it.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Syncable)]
#[diesel(table_name = notes)]
#[morango(profile = "notebook", model = "note", source_id = random, partition = "${owner_id}:notes")]
struct Note {
    id: SyncId,
    #[morango(foreign_key = Owner)]
    owner_id: SyncId,
    title: String,
    body: Option<String>,
    edited_at: DateTime<Utc>,
}

scope_definitions! {
    profile = "notebook";
    /// Everything that belongs to owner ${owner_id}.
    "whole-notebook" (version = 1, primary = owner_id) { read_write: ["${owner_id}"] }
    /// The notes of ${owner_id}, and whose they are, to read.
    "reader" (version = 1) { read: ["${owner_id}:profile", "${owner_id}:notes"] }
}

/// A device: its database with the application's tables, and an engine on it.
fn device(folder: &std::path::Path, name: &str) -> Result<(SqliteConnection, Engine), Box<dyn std::error::Error>> {
    let storage = SqliteStorage::open(folder.join(name))?;
    let mut connection = storage.connect()?;
    connection.batch_execute(
        "CREATE TABLE owners (id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL);
         CREATE TABLE notes (id TEXT NOT NULL PRIMARY KEY, owner_id TEXT NOT NULL REFERENCES owners (id),
                             title TEXT NOT NULL, body TEXT, edited_at TIMESTAMP NOT NULL);",
    )?;
    Ok((connection, Engine::builder(storage).build()?))
}

/// Whoever knows the word may have a certificate of any scope.
struct Doorkeeper;

impl Accounts for Doorkeeper {
    fn authorize(&self, credentials: &Credentials, _: &GrantRequest<'_>) -> morango::Result<()> {
        match credentials.password.as_str() {
            "open sesame" => Ok(()),
            _ => Err(morango::Error::unauthenticated("log in: this is not the word")),
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let (mut laptop_tables, laptop) = device(folder.path(), "laptop.db")?;
    let (mut phone_tables, phone) = device(folder.path(), "phone.db")?;

    // The laptop holds the notebook, and answers to others.
    let root = laptop.create_root_certificate("notebook", "whole-notebook", &[])?;
    let owner = Owner { id: root.id().into(), name: "Ada".into() }.create(&mut laptop_tables)?;
    let note = |title: &str| Note {
        id: SyncId::unset(),
        owner_id: owner.id,
        title: title.into(),
        body: None,
        edited_at: Utc::now(),
    };
    let milk = note("milk").create(&mut laptop_tables)?;
    let server = Server::bind(laptop.router(Doorkeeper), "127.0.0.1:0")?;

    // The phone asks for a certificate of its own, and meets the laptop.
    let peer = HttpPeer::new(&server.url())?;
    let credentials = Credentials::new("phone", "open sesame");
    let owner_id = owner.id.to_string();
    let own = phone.request_certificate(&peer, &root, "whole-notebook", &[("owner_id", &owner_id)], &credentials)?;
    println!("{}", phone.sync(&peer, &own, SyncOptions::both_ways())?);

    // Both go on writing, in plain Diesel, and meet again.
    diesel::update(notes::table.find(milk.id)).set(notes::title.eq("bread")).execute(&mut laptop_tables)?;
    note("call the library").create(&mut phone_tables)?;
    println!("{}", phone.sync(&peer, &own, SyncOptions::both_ways())?);

    let titles = |connection: &mut SqliteConnection| {
        notes::table.order(notes::title).select(notes::title).load::<String>(connection)
    };
    let (on_laptop, on_phone) = (titles(&mut laptop_tables)?, titles(&mut phone_tables)?);
    println!("laptop: {on_laptop:?}\nphone:  {on_phone:?}");
    assert_eq!(on_laptop, ["bread", "call the library"]);
    assert_eq!(on_laptop, on_phone);
    Ok(())
}
