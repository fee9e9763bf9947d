//! What keeps the two threads of a transfer in step, so that a run never depends on which of them is faster.
//!
//! The engine fetches the next chunk while it keeps one, and reads the next while it sends one. Here the one that is ahead waits until
//! the other is done with the chunk before, or has failed. An engine that works in a smaller overlap does nothing that it could not
//! do anyway.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use morango::id::TransferSessionId;

/// How long somebody waits where the other thread has ended in a way that nobody was told of.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
pub(crate) struct Turnstile {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Whether a sync runs in which this device is the client.
    is_client: bool,
    /// Whether something failed, so that nobody waits any more.
    is_released: bool,
    /// How many records of a transfer both threads are done with.
    done: HashMap<TransferSessionId, u64>,
}

impl Turnstile {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A sync begins in which this device is the client, or ends.
    pub(crate) fn set_client(&self, is_client: bool) {
        *self.state() = State { is_client, ..State::default() };
    }

    /// A transfer begins.
    pub(crate) fn begin(&self) {
        self.state().is_released = false;
    }

    /// Something failed.
    pub(crate) fn release(&self) {
        self.state().is_released = true;
        self.changed.notify_all();
    }

    /// Both threads are done with so many records.
    pub(crate) fn is_done(&self, id: TransferSessionId, records: u64) {
        self.state().done.insert(id, records);
        self.changed.notify_all();
    }

    /// Waits until both threads are done with all before `offset`. Says whether nothing has failed.
    pub(crate) fn wait(&self, id: TransferSessionId, offset: u64) -> bool {
        let mut state = self.state();
        if !state.is_client {
            return true;
        }
        loop {
            if state.is_released {
                return false;
            }
            if state.done.get(&id).is_none_or(|done| *done >= offset) {
                state.done.entry(id).or_insert(offset);
                return true;
            }
            let (after, waited) = self.changed.wait_timeout(state, PATIENCE).unwrap_or_else(PoisonError::into_inner);
            state = after;
            if waited.timed_out() {
                return false;
            }
        }
    }
}
