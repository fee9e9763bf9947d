//! The storage over SQLite, verb by verb, as the engine calls it.

mod capture;
mod certificates;
mod conflicts;
mod dequeue;
mod deserialize;
mod library;
mod notebook;
mod opening;
mod queue;
mod serializing;
mod sessions;
mod upkeep;
