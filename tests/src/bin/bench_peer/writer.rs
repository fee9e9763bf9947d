//! An application that goes on working while a sync runs: it writes a row every few milliseconds, and notes how long each took.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel::sql_query;
use morango_diesel::SqliteStorage;
use serde_json::{Value, json};

use crate::Outcome;

/// How long the application rests between two rows.
const REST: Duration = Duration::from_millis(5);

/// The application's writing thread.
pub(crate) struct Writer {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<QueryResult<Vec<Duration>>>,
}

impl Writer {
    /// Begins to write into a table of the application that is not synced.
    pub(crate) fn start(storage: &SqliteStorage) -> Outcome<Self> {
        let mut connection = storage.connect()?;
        sql_query("CREATE TABLE IF NOT EXISTS diary (id INTEGER PRIMARY KEY, line TEXT NOT NULL)")
            .execute(&mut connection)?;
        let is_over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_over);
        let thread = std::thread::spawn(move || {
            let mut waits = Vec::new();
            while !told.load(Ordering::Relaxed) {
                let started = Instant::now();
                sql_query("INSERT INTO diary (line) VALUES ('another line')").execute(&mut connection)?;
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
