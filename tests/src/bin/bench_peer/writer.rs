//! An application that goes on working while a sync runs: every few milliseconds somebody new is written down, a row that is
//! synced like any other, and each time it is noted how long that took.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use morango::prelude::*;
use morango_diesel::Syncable as _;
use morango_examples::school::User;
use serde_json::{Value, json};

use crate::Outcome;
use crate::home::{Home, over};

/// How long the application rests between two rows.
const REST: Duration = Duration::from_millis(5);

/// The application's writing thread.
pub(crate) struct Writer {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<morango::Result<Vec<Duration>>>,
}

impl Writer {
    /// Begins to write into a school that is there.
    pub(crate) fn start(home: &Home, dataset_id: SyncId) -> Outcome<Self> {
        let mut connection = home.connect()?;
        let is_over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_over);
        let thread = std::thread::spawn(move || {
            let mut waits = Vec::new();
            while !told.load(Ordering::Relaxed) {
                let number = waits.len();
                let somebody = User {
                    id: SyncId::unset(),
                    dataset_id,
                    username: format!("newcomer-{number}"),
                    full_name: format!("Newcomer number {number}"),
                    birth_year: None,
                };
                let started = Instant::now();
                over!(&mut connection, connection => somebody.create(connection))?;
                waits.push(started.elapsed());
                std::thread::sleep(REST);
            }
            Ok(waits)
        });
        Ok(Self { is_over, thread })
    }

    /// Ends it, and says how long its rows took.
    pub(crate) fn stop(self) -> Outcome<Value> {
        self.is_over.store(true, Ordering::Relaxed);
        let mut waits = self.thread.join().map_err(|_| "the writer panicked")??;
        waits.sort_unstable();
        let milliseconds = |wait: Option<&Duration>| wait.map_or(0.0, |wait| wait.as_secs_f64() * 1_000.0);
        Ok(json!({
            "writes": waits.len(),
            "longest_milliseconds": milliseconds(waits.last()),
            "median_milliseconds": milliseconds(waits.get(waits.len() / 2)),
        }))
    }
}
