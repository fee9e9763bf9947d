//! What each verb of the [storage port](morango::port::Storage) means, in the simplest form: a storage in memory, slow and obvious.
//!
//! It is the law that the storages on real databases are held to. The same stories are told over all of them, and in random histories
//! all of them must agree after every step, record by record and counter by counter. So it is written from what the port and the
//! protocol say, and prefers the plain way to the fast one: it walks through all there is, and takes a copy of everything before it
//! tries what may have to be undone.
//!
//! What is a pure function of the engine is not said again here: how a received record stands to ours and what both become in a
//! conflict ([`morango::record`]), what counters cover and which lack ([`morango::counter`]), and what lies under a filter
//! ([`morango::scope`]). These are the law themselves, and have tests of their own.
//!
//! The application's rows are values in maps ([`Application`]), with the constraints that a table may have ([`MemoryModel`]), so that rows
//! can be refused as a database refuses them. Nothing is kept: it is for tests and simulations.

mod application;
mod certificates;
mod conflicts;
mod counters;
mod data;
mod deletion;
mod dequeue;
mod deserialize;
mod forgetting;
mod gave_way;
mod incoming;
mod model;
mod places;
mod renewal;
mod serialize;
mod sessions;
mod state;
mod storage;
mod transaction;
mod tree;
mod verdict;
mod waiting;
mod writing;

pub use application::Application;
pub use model::{MemoryModel, OnDelete};
pub use storage::MemoryStorage;
