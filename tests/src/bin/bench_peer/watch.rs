//! How many connections to its database a server has while it works, with all other processes on the same database.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::BigInt;
use serde_json::{Value, json};

use crate::Outcome;
use crate::home::{Connection, Home};

/// How long it rests between two looks.
const REST: Duration = Duration::from_millis(50);

/// The looking thread.
pub(crate) struct Watch {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<QueryResult<Option<i64>>>,
}

/// Where one looks.
enum Watched {
    /// At the files that this process has open.
    File(PathBuf),
    /// At what the server tells of its connections.
    Server(PgConnection),
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    connections: i64,
}

impl Watch {
    /// Begins to look.
    pub(crate) fn start(home: &Home) -> Outcome<Self> {
        let mut watched = match (home, home.connect()?) {
            (_, Connection::Postgres(connection)) => Watched::Server(connection),
            (home, Connection::Sqlite(_)) => Watched::File(std::fs::canonicalize(home.location())?),
        };
        let is_over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_over);
        let thread = std::thread::spawn(move || {
            let mut most = None;
            while !told.load(Ordering::Relaxed) {
                most = most.max(watched.count()?);
                std::thread::sleep(REST);
            }
            Ok(most)
        });
        Ok(Self { is_over, thread })
    }

    /// Ends it, and says how many there were when they were most; null where this system does not tell.
    pub(crate) fn stop(self) -> Outcome<Value> {
        self.is_over.store(true, Ordering::Relaxed);
        let most = self.thread.join().map_err(|_| "whoever watches the connections panicked")??;
        Ok(json!(most))
    }
}

impl Watched {
    fn count(&mut self) -> QueryResult<Option<i64>> {
        match self {
            Self::File(path) => Ok(times_open(path)),
            Self::Server(connection) => {
                let others = "SELECT count(*) AS connections FROM pg_stat_activity
                     WHERE datname = current_database() AND pid <> pg_backend_pid()";
                sql_query(others).get_result(connection).map(|count: Count| Some(count.connections))
            }
        }
    }
}

/// How often this process has a file open, where the system tells: each connection of SQLite opens it once.
fn times_open(path: &Path) -> Option<i64> {
    let open = std::fs::read_dir("/proc/self/fd").ok()?.filter_map(Result::ok);
    let is_it = |file: &std::fs::DirEntry| std::fs::read_link(file.path()).is_ok_and(|target| target == path);
    i64::try_from(open.filter(is_it).count()).ok()
}
