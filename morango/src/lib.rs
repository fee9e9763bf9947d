//! Peer-to-peer, permission-scoped database synchronization: the engine and the protocol.
//!
//! # The words
//!
//! - A *row* is the application's; a *record* is the same thing as peers exchange it. Records are in the *store*, beside the
//!   application's tables, and on their way in a *buffer*.
//! - A *partition* is the path that says where a record belongs, for example `5c2e…:notes`. A *filter* is several prefixes of
//!   partitions; a *scope* is two filters, one to read and one to write; a *certificate* says who has which scope.
//! - An *instance* is one database on one machine. It owns a *counter* that only grows; a *stamp* is an instance with a
//!   counter. *Record max counters* say which stamps a record includes, *database max counters* up to which stamp a database
//!   has everything.
//!
//! # The way of one record
//!
//! The application saves a row, and a trigger marks it. *Serialize* brings it into the store with a stamp; *queue* notes what
//! the other side lacks; chunks are *transferred*; the other side checks each record and keeps it in its buffer; *dequeue*
//! merges it into the store; *deserialize* makes it a row there; *cleanup* closes the transfer. The same seven words name
//! files, events, log spans and chapters; [`session::Stage`] lists them.
//!
//! # Two peers converge
//!
//! Here the other peer lives in the same program; [`client`] reaches one over HTTP, and [`server`] lets others reach us.
//!
#![cfg_attr(not(feature = "diesel-sqlite"), doc = "```ignore")]
#![cfg_attr(feature = "diesel-sqlite", doc = "```")]
//! use diesel::connection::SimpleConnection;
//! use diesel::prelude::*;
//! use morango::prelude::*;
//! use morango::transfer::LocalPeer;
//! use morango_diesel::{SqliteStorage, Syncable};
//!
//! diesel::table! { books (id) { id -> Text, library_id -> Text, title -> Text } }
//!
//! #[derive(Queryable, Selectable, Syncable)]
//! #[diesel(table_name = books)]
//! #[morango(profile = "library", model = "book", source_id = random, partition = "${library_id}:books")]
//! struct Book {
//!     id: SyncId,
//!     library_id: SyncId,
//!     title: String,
//! }
//!
//! scope_definitions! {
//!     profile = "library";
//!     /// Everything of the library ${library_id}.
//!     "all-books" (version = 1, primary = library_id) { read_write: ["${library_id}"] }
//! }
//!
//! /// Gives a certificate to everybody who asks.
//! struct Generous;
//! impl Accounts for Generous {
//!     fn authorize(&self, _: &Credentials, _: &GrantRequest<'_>) -> morango::Result<()> {
//!         Ok(())
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! let device = |name: &str| -> Result<(SqliteConnection, Engine), Box<dyn std::error::Error>> {
//!     let storage = SqliteStorage::open(folder.path().join(name))?;
//!     let mut tables = storage.connect()?;
//!     tables.batch_execute("CREATE TABLE books (id TEXT PRIMARY KEY NOT NULL, library_id TEXT NOT NULL, title TEXT NOT NULL)")?;
//!     Ok((tables, Engine::builder(storage).build()?))
//! };
//! let (mut library_tables, library) = device("library.db")?;
//! let (mut branch_tables, branch) = device("branch.db")?;
//!
//! // The library founds itself, and the branch asks it for a certificate.
//! let root = library.create_root_certificate("library", "all-books", &[])?;
//! let library_id = SyncId::from(root.id());
//! let peer = LocalPeer::new(library.responder(Generous));
//! let params = [("library_id", &*library_id.to_string())];
//! let own = branch.request_certificate(&peer, &root, "all-books", &params, &Credentials::new("branch", ""))?;
//!
//! // Each has a book that the other lacks; then they meet.
//! let book = |title: &str| Book { id: SyncId::unset(), library_id, title: title.to_owned() };
//! book("Emma").create(&mut library_tables)?;
//! book("Middlemarch").create(&mut branch_tables)?;
//! branch.sync(&peer, &own, SyncOptions::both_ways())?;
//!
//! for tables in [&mut library_tables, &mut branch_tables] {
//!     let titles: Vec<String> = books::table.order(books::title).select(books::title).load(tables)?;
//!     assert_eq!(titles, ["Emma", "Middlemarch"]);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Where to go on
//!
//! [`engine`] is what an application holds. [`port`] says what the engine needs from outside. `morango-diesel` is the storage
//! on SQLite, with the derive for models.

#[cfg(feature = "client")]
pub mod client;
pub mod counter;
pub mod engine;
pub mod error;
pub mod hook;
pub mod id;
pub mod identity;
pub mod limits;
pub mod model;
pub mod port;
pub mod prelude;
pub mod record;
pub mod scope;
#[cfg(feature = "server")]
pub mod server;
pub mod session;
pub mod transfer;
pub mod wire;

pub use error::{Error, ErrorKind, Result};
pub use morango_derive::scope_definitions;

/// Registers an operation for every engine of the program that is built without a registry of its own, from whatever crate
/// it is written in: `register_operation!(CleanUp);`, where the expression makes the [`Operation`](transfer::Operation).
#[macro_export]
macro_rules! register_operation {
    ($operation:expr) => {
        $crate::__private::inventory::submit! {
            $crate::transfer::LinkedGuest::Operation(|| ::std::sync::Arc::new($operation))
        }
    };
}

/// Registers a hook like an operation: `register_hook!(Notifications);`, where the expression makes the
/// [`Hook`](hook::Hook).
#[macro_export]
macro_rules! register_hook {
    ($hook:expr) => {
        $crate::__private::inventory::submit! {
            $crate::transfer::LinkedGuest::Hook(|| ::std::sync::Arc::new($hook))
        }
    };
}

/// What `scope_definitions!` names. It may change in any version.
#[doc(hidden)]
pub mod __private {
    pub use inventory;
}
