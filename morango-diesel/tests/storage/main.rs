//! The storages, verb by verb, as the engine calls them: each story is told over each database.
#![expect(clippy::duplicate_mod, reason = "the same stories are told over both databases")]

mod postgres;
mod sqlite;
