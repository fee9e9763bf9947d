//! The storage over SQLite, verb by verb, as the engine calls it.

mod dequeue;
mod deserialize;
mod library;
mod queue;
