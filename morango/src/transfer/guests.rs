//! Whom an application brings along: to the whole engine, or to one sync.

use std::sync::Arc;

use crate::hook::{Event, Hook, Watcher};

/// Whoever watches, and whoever is told before and after a transfer.
#[derive(Clone, Default)]
pub(crate) struct Guests {
    pub(crate) watchers: Vec<Watcher>,
    pub(crate) hooks: Vec<Arc<dyn Hook>>,
}

impl Guests {
    /// Nobody.
    pub(crate) const NONE: &'static Self = &Self { watchers: Vec::new(), hooks: Vec::new() };

    pub(crate) fn tell(&self, event: &Event) {
        self.watchers.iter().for_each(|watcher| watcher(event));
    }
}
