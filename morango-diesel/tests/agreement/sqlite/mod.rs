//! Devices on SQLite.

mod database;
#[path = "../diesel.rs"]
mod over_diesel;

pub(crate) use over_diesel::device;
