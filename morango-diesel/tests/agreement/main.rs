//! The storage in memory, SQLite and PostgreSQL agree after every step of random histories.
//!
//! Goal: what a verb of the port does is the same on every database, and is what the storage in memory says, which is the law in its
//! simplest form. Method: proptest makes up what applications do on three devices, how these exchange records verb by verb, and where
//! that breaks off. The same history is lived through by three devices of each kind. After every step the two kinds must have answered
//! alike, and hold the same: records, counters, what waits and why, and rows.
//!
//! A failing history is shrunk, printed, and kept in `regressions`. `MORANGO_HISTORIES` says how many are tried, for long runs.
#![expect(clippy::duplicate_mod, reason = "what a device is over Diesel is told for both databases")]

mod agree;
mod device;
mod library;
mod memory;
mod postgres;
mod sqlite;
mod steps;
