//! The storages, verb by verb, as the engine calls them: each story is told over each database, and on PostgreSQL once more
//! with ids of the type that the database has for them.
#![expect(clippy::duplicate_mod, reason = "the same stories are told over both databases")]

mod postgres;
mod postgres_uuid;
mod sqlite;
mod statements;
