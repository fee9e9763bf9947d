//! Who is watching: what the engine tells while it works.

mod event;

pub use event::{Event, Phase, Watcher};
