//! The statements that go to a database of a server, counted, and something that happens before one of them.
//!
//! Diesel tells of every statement of every connection that is made after the first [`Statements::of`] in this process.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, Once, PoisonError, Weak};

use diesel::connection::{Instrumentation, InstrumentationEvent, set_default_instrumentation};

/// The statements to one database.
#[derive(Clone)]
pub struct Statements(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    seen: usize,
    next: Option<Next>,
}

/// Something that is to happen.
struct Next {
    /// Before which statement, counted from the first of all.
    at: usize,
    happens: Box<dyn FnOnce() + Send>,
}

/// The databases that somebody is connected to or asks for, by URL.
static DATABASES: LazyLock<Mutex<HashMap<String, Weak<Mutex<State>>>>> = LazyLock::new(Mutex::default);

impl Statements {
    /// Has Diesel tell of the statements of all connections that are made from now on.
    pub fn listen() {
        static LISTENS: Once = Once::new();
        LISTENS.call_once(|| {
            set_default_instrumentation(|| Some(Box::new(Listener(None)))).expect("nobody panicked with its lock");
        });
    }

    /// Those to the database at this URL.
    pub fn of(url: &str) -> Self {
        let mut databases = DATABASES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = databases.get(url).and_then(Weak::upgrade) {
            return Self(known);
        }
        databases.retain(|_, database| database.strong_count() > 0);
        let statements = Arc::default();
        databases.insert(url.to_owned(), Arc::downgrade(&statements));
        Self(statements)
    }

    /// How many there were so far.
    pub fn seen(&self) -> usize {
        self.state().seen
    }

    /// Has something happen before the statement that comes after so many others, the next one after none. It happens once, on the
    /// thread that is about to send it.
    pub fn before(&self, others: usize, happens: impl FnOnce() + Send + 'static) {
        let mut state = self.state();
        state.next = Some(Next { at: state.seen + others + 1, happens: Box::new(happens) });
    }

    /// Nothing is to happen any more. Whether it did.
    pub fn has_happened(&self) -> bool {
        self.state().next.take().is_none()
    }

    fn note(&self) {
        let mut state = self.state();
        state.seen += 1;
        let seen = state.seen;
        let due = state.next.take_if(|next| next.at <= seen);
        drop(state);
        if let Some(due) = due {
            (due.happens)();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Listens to one connection.
struct Listener(Option<Statements>);

impl Instrumentation for Listener {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        match event {
            InstrumentationEvent::StartEstablishConnection { url, .. } => self.0 = Some(Statements::of(url)),
            InstrumentationEvent::StartQuery { .. } => {
                if let Some(statements) = &self.0 {
                    statements.note();
                }
            }
            _ => {}
        }
    }
}
