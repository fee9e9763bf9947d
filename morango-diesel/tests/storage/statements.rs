//! How many statements a verb runs, counted for each thread: what Diesel tells of connections is heard by one listener for all.

use std::cell::Cell;

use diesel::connection::{Instrumentation, InstrumentationEvent, set_default_instrumentation};

thread_local! {
    /// Statements that this thread has run.
    static STATEMENTS: Cell<u64> = const { Cell::new(0) };
}

#[expect(clippy::unnecessary_wraps, reason = "Diesel asks for a function of this form")]
fn counting() -> Option<Box<dyn Instrumentation>> {
    Some(Box::new(|event: InstrumentationEvent<'_>| {
        if matches!(event, InstrumentationEvent::StartQuery { .. }) {
            STATEMENTS.set(STATEMENTS.get() + 1);
        }
    }))
}

/// From now on the statements of connections that are made count.
pub(crate) fn count_from_now_on() {
    set_default_instrumentation(counting).expect("nobody panics while they set it");
}

/// What a verb gives, and how many statements it took.
pub(crate) fn counted<T>(verb: impl FnOnce() -> morango::Result<T>) -> (T, u64) {
    let before = STATEMENTS.get();
    let done = verb().expect("the verb goes well");
    (done, STATEMENTS.get() - before)
}
