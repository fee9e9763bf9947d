//! The storages, verb by verb, as the engine calls them: each story is told in memory, where the law is in its simplest form, over each
//! database, and on PostgreSQL once more with ids of the type that the database has for them.
#![expect(clippy::duplicate_mod, reason = "the same stories are told over all storages")]

mod memory;
mod postgres;
mod postgres_uuid;
mod sqlite;
mod statements;
