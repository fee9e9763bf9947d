//! Rows of real tables become stored JSON and rows again: each story is told over each database.
#![expect(clippy::duplicate_mod, reason = "the same stories are told over both databases")]

mod postgres;
mod sqlite;
