//! Whom an application brings along: to the whole engine, or to one sync.

use std::collections::HashSet;
use std::sync::Arc;

use super::operation::Operation;
use crate::hook::{Event, Hook, Watcher};
use crate::{Error, ErrorKind, Result};

/// Whoever watches, whoever is told before and after a transfer, and whoever takes part in its stages.
#[derive(Clone, Default)]
pub(crate) struct Guests {
    pub(crate) watchers: Vec<Watcher>,
    pub(crate) hooks: Vec<Arc<dyn Hook>>,
    pub(crate) operations: Vec<Arc<dyn Operation>>,
}

/// A hook or an operation as [`register_hook!`](crate::register_hook) and
/// [`register_operation!`](crate::register_operation) leave it. It may change in any version.
#[doc(hidden)]
#[derive(Debug)]
pub enum LinkedGuest {
    /// A hook.
    Hook(fn() -> Arc<dyn Hook>),
    /// An operation.
    Operation(fn() -> Arc<dyn Operation>),
}

inventory::collect!(LinkedGuest);

impl Guests {
    /// Nobody.
    pub(crate) const NONE: &'static Self = &Self { watchers: Vec::new(), hooks: Vec::new(), operations: Vec::new() };

    /// Those that are linked into the program, in the order of their names, and then these.
    pub(crate) fn after_those_linked(mut self) -> Self {
        let mut linked = Self::default();
        for guest in inventory::iter::<LinkedGuest> {
            match guest {
                LinkedGuest::Hook(make) => linked.hooks.push(make()),
                LinkedGuest::Operation(make) => linked.operations.push(make()),
            }
        }
        linked.hooks.sort_by(|one, other| one.name().cmp(other.name()));
        linked.operations.sort_by(|one, other| one.name().cmp(other.name()));
        linked.hooks.append(&mut self.hooks);
        linked.operations.append(&mut self.operations);
        Self { watchers: self.watchers, ..linked }
    }

    /// Whether operations can be told apart by what they remember, together with those of the engine.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] for two of one name in one part of a stage.
    pub(crate) fn check_beside(&self, engine: &Self) -> Result<()> {
        let mut seen = HashSet::new();
        for operation in engine.operations.iter().chain(&self.operations) {
            let (name, stage, part) = (operation.name(), operation.stage(), operation.part());
            if !seen.insert((name, stage, part)) {
                let message = format!("register the operation {name:?} at {stage}: there is one of this name");
                return Err(Error::new(ErrorKind::Configuration, message)
                    .with_hint("what is to be done once is remembered by the name: give it another"));
            }
        }
        Ok(())
    }

    pub(crate) fn tell(&self, event: &Event) {
        self.watchers.iter().for_each(|watcher| watcher(event));
    }
}
