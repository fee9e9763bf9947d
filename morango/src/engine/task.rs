//! A sync on a thread of its own, for callers that may not block: joined or awaited, without a runtime of ours.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;

use super::report::SyncReport;
use crate::transfer::CancelToken;
use crate::{Error, ErrorKind, Result};

/// A sync that runs in the background. Dropping it lets the sync go on; [`cancel`](Self::cancel) stops it.
#[must_use = "a sync in the background tells its outcome only to one who joins or awaits it"]
pub struct SyncTask {
    shared: Arc<Shared>,
    cancel: CancelToken,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    done: Condvar,
}

#[derive(Default)]
struct State {
    outcome: Option<Result<SyncReport>>,
    waker: Option<Waker>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(&self, outcome: Result<SyncReport>) {
        let mut state = self.state();
        state.outcome.get_or_insert(outcome);
        let waker = state.waker.take();
        drop(state);
        self.done.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Says that the thread is gone, should it end without an outcome: whoever waits must not wait for ever.
struct Farewell(Arc<Shared>);

impl Drop for Farewell {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.finish(Err(Error::new(ErrorKind::Internal, "sync in the background: it panicked")));
        }
    }
}

impl SyncTask {
    pub(super) fn spawn(cancel: CancelToken, work: impl FnOnce() -> Result<SyncReport> + Send + 'static) -> Self {
        let shared = Arc::<Shared>::default();
        let farewell = Farewell(Arc::clone(&shared));
        let span = tracing::Span::current();
        let spawned = thread::Builder::new().name("morango-sync".to_owned()).spawn(move || {
            let outcome = span.in_scope(work);
            farewell.0.finish(outcome);
        });
        if let Err(error) = spawned {
            let outcome = Error::new(ErrorKind::Internal, "start a thread for a sync").with_source(error);
            shared.finish(Err(outcome));
        }
        Self { shared, cancel }
    }

    /// Asks the sync to stop. It then ends with [`ErrorKind::Cancelled`].
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Whether the sync has ended.
    pub fn is_finished(&self) -> bool {
        self.shared.state().outcome.is_some()
    }

    /// Waits for the end of the sync.
    ///
    /// # Errors
    /// As [`Engine::sync`](super::Engine::sync).
    pub fn join(self) -> Result<SyncReport> {
        let mut state = self.shared.state();
        loop {
            if let Some(outcome) = state.outcome.take() {
                return outcome;
            }
            state = self.shared.done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Future for SyncTask {
    type Output = Result<SyncReport>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.shared.state();
        if let Some(outcome) = state.outcome.take() {
            return Poll::Ready(outcome);
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl fmt::Debug for SyncTask {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SyncTask").field("is_finished", &self.is_finished()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing() -> Result<SyncReport> {
        Err(Error::new(ErrorKind::Connection, "sync with a peer that is not there"))
    }

    #[test]
    fn a_task_is_joined_by_blocking_code() {
        let error = SyncTask::spawn(CancelToken::new(), failing).join().expect_err("the peer is not there");
        assert_eq!(error.kind(), ErrorKind::Connection);
    }

    #[test]
    fn a_task_is_awaited_and_wakes_whoever_awaits_it() {
        struct Unpark(thread::Thread);
        impl std::task::Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        let (go, gate) = std::sync::mpsc::channel::<()>();
        let mut task = Box::pin(SyncTask::spawn(CancelToken::new(), move || {
            gate.recv().expect("it is told to go on");
            failing()
        }));
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        assert!(task.as_mut().poll(&mut context).is_pending());
        go.send(()).expect("the task waits");
        let outcome = loop {
            match task.as_mut().poll(&mut context) {
                Poll::Ready(outcome) => break outcome,
                Poll::Pending => thread::park(),
            }
        };
        assert_eq!(outcome.expect_err("the peer is not there").kind(), ErrorKind::Connection);
    }

    #[test]
    fn a_task_that_panics_ends_with_an_error() {
        let task = SyncTask::spawn(CancelToken::new(), || panic!("a fault for this test"));
        assert_eq!(task.join().expect_err("it panicked").kind(), ErrorKind::Internal);
    }
}
