//! The stories on SQLite.

pub(crate) mod database;

#[path = "../kinds.rs"]
mod kinds;
