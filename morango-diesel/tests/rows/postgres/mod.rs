//! The stories on PostgreSQL.

pub(crate) mod database;

#[path = "../kinds.rs"]
mod kinds;
