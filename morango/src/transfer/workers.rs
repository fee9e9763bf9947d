//! Who is at work in the background: at most one thread for each transfer, and not too many in all.
//!
//! Which stage is at work is known here alone. The database knows only that this process is at work in a sync session
//! (`lease.rs`), and that ends with the process: a server that was restarted does a stage again that was under way, since every
//! stage may be done twice.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::cancel::CancelToken;
use crate::id::{SyncSessionId, TransferSessionId};
use crate::limits;
use crate::session::Stage;

/// The transfers that are being worked on. All copies are one.
#[derive(Clone, Default)]
pub(crate) struct Workers(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    claims: HashMap<TransferSessionId, Held>,
    /// Sync sessions that are being closed: nobody begins anything in them.
    closing: HashSet<SyncSessionId>,
}

struct Held {
    sync_session: SyncSessionId,
    /// The stage that is at work; none while a session is only kept from others.
    stage: Option<Stage>,
    cancel: CancelToken,
}

/// The right to work on one transfer. It ends when this is dropped.
pub(super) struct Claim {
    workers: Workers,
    id: TransferSessionId,
    pub(super) cancel: CancelToken,
}

/// The right to close a sync session, in which nobody works any more. It ends when this is dropped.
pub(super) struct Closing {
    workers: Workers,
    id: SyncSessionId,
}

/// How long somebody waits for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// Not at all.
    Now,
    /// As long as a server holds back an answer.
    OneAnswer,
    /// Until it is done.
    Unlimited,
}

impl Patience {
    fn until(self) -> Option<Instant> {
        match self {
            Self::Now => Some(Instant::now()),
            Self::OneAnswer => Some(Instant::now() + Duration::from_millis(limits::STAGE_ANSWER_WAIT_MILLISECONDS)),
            Self::Unlimited => None,
        }
    }
}

impl Workers {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the table as it was: every change to it is one call.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `look` finds something, or patience ends.
    fn wait_for<T>(&self, patience: Patience, mut look: impl FnMut(&mut State) -> Option<T>) -> Option<T> {
        let until = patience.until();
        let mut state = self.state();
        loop {
            if let Some(found) = look(&mut state) {
                return Some(found);
            }
            state = match until {
                None => self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return None;
                    }
                    self.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Claims a transfer once nobody else works on it and there is room for one more. None where patience ended before.
    pub(super) fn claim(
        &self,
        id: TransferSessionId,
        sync_session: SyncSessionId,
        patience: Patience,
    ) -> Option<Claim> {
        let cancel = CancelToken::new();
        self.wait_for(patience, |state| {
            let is_free = !state.claims.contains_key(&id)
                && !state.closing.contains(&sync_session)
                && state.claims.len() < limits::STAGE_WORKERS_MAX;
            is_free.then(|| {
                let held = Held { sync_session, stage: None, cancel: cancel.clone() };
                state.claims.insert(id, held);
            })
        })?;
        Some(Claim { workers: self.clone(), id, cancel })
    }

    /// Stops whoever works in a sync session, waits until they have stopped, and keeps others from beginning.
    pub(super) fn close(&self, id: SyncSessionId) -> Closing {
        self.wait_for(Patience::Unlimited, |state| state.closing.insert(id).then_some(()));
        self.wait_for(Patience::Unlimited, |state| {
            let mut is_still = true;
            for held in state.claims.values().filter(|held| held.sync_session == id) {
                held.cancel.cancel();
                is_still = false;
            }
            is_still.then_some(())
        });
        Closing { workers: self.clone(), id }
    }

    /// The stage that is at work in a transfer.
    pub(super) fn at_work(&self, id: &TransferSessionId) -> Option<Stage> {
        self.state().claims.get(id).and_then(|held| held.stage)
    }

    /// Waits until nobody works on a transfer.
    pub(super) fn wait(&self, id: &TransferSessionId, patience: Patience) {
        self.wait_for(patience, |state| (!state.claims.contains_key(id)).then_some(()));
    }
}

impl Claim {
    /// Says which stage is at work now.
    pub(super) fn enter(&self, stage: Stage) {
        if let Some(held) = self.workers.state().claims.get_mut(&self.id) {
            held.stage = Some(stage);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.workers.state().claims.remove(&self.id);
        self.workers.0.changed.notify_all();
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        self.workers.state().closing.remove(&self.id);
        self.workers.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(name: &str) -> (TransferSessionId, SyncSessionId) {
        (TransferSessionId::hash_of(name), SyncSessionId::hash_of(name))
    }

    #[test]
    fn one_transfer_is_worked_on_by_one_thread() {
        let workers = Workers::default();
        let (id, sync) = ids("a");
        let claim = workers.claim(id, sync, Patience::OneAnswer).expect("nobody else works");
        claim.enter(Stage::Dequeuing);
        assert_eq!(workers.at_work(&id), Some(Stage::Dequeuing));
        assert!(workers.claim(id, sync, Patience::OneAnswer).is_none());
        drop(claim);
        assert_eq!(workers.at_work(&id), None);
        assert!(workers.claim(id, sync, Patience::OneAnswer).is_some());
    }

    #[test]
    fn there_is_room_for_some_and_no_more() {
        let workers = Workers::default();
        let claims: Vec<_> = (0..limits::STAGE_WORKERS_MAX)
            .map(|number| {
                let (id, sync) = ids(&number.to_string());
                workers.claim(id, sync, Patience::OneAnswer).expect("there is room")
            })
            .collect();
        let (id, sync) = ids("one more");
        assert!(workers.claim(id, sync, Patience::OneAnswer).is_none());
        drop(claims);
        assert!(workers.claim(id, sync, Patience::OneAnswer).is_some());
    }

    #[test]
    fn closing_stops_whoever_works_and_waits_for_them() {
        let workers = Workers::default();
        let (id, sync) = ids("a");
        let claim = workers.claim(id, sync, Patience::OneAnswer).expect("nobody else works");
        std::thread::scope(|scope| {
            let closer = scope.spawn(|| drop(workers.close(sync)));
            while !claim.cancel.is_cancelled() {
                std::thread::yield_now();
            }
            assert!(!closer.is_finished());
            drop(claim);
        });
        let closing = workers.close(sync);
        assert!(workers.claim(id, sync, Patience::OneAnswer).is_none());
        drop(closing);
        assert!(workers.claim(id, sync, Patience::OneAnswer).is_some());
    }
}
