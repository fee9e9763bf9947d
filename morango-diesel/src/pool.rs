//! The storage's own connections: a bounded number of them, and one turn at a time for those that write.
//!
//! SQLite lets one connection write. Our own threads queue for that [`Turn`], so that none of them meets a locked database;
//! against other programs there is the time to wait. This room knows nothing of what is written.

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use morango::{Error, ErrorKind};

use crate::backend::{self, Lock, Occupant, Target, Transaction};
use crate::connection::{AsConnection as _, Connection, OwnedConnection};
use crate::error::Fault;
#[cfg(feature = "sqlite")]
use crate::turn::Callers;
use crate::turn::{Seen, Turn};

/// The connections to one database.
pub(crate) struct Pool {
    target: Target,
    connections: Mutex<Connections>,
    returned: Condvar,
    /// What was there when the first connection was made.
    occupant: OnceLock<Option<Occupant>>,
    turn: Turn,
    /// The threads that are in a write transaction.
    writers: Mutex<HashSet<ThreadId>>,
}

#[derive(Default)]
struct Connections {
    idle: Vec<Pooled>,
    open: usize,
}

/// A connection of the pool.
struct Pooled {
    connection: OwnedConnection,
    /// What it saw when it last had the turn to write.
    seen: Option<Seen>,
}

impl Pool {
    /// The pool of this database; the first connection is opened when it is needed.
    pub(crate) fn new(target: Target) -> Self {
        Self {
            target,
            connections: Mutex::default(),
            returned: Condvar::new(),
            occupant: OnceLock::new(),
            turn: Turn::new(),
            writers: Mutex::default(),
        }
    }

    /// The database.
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// Runs work that only reads, and sees one state throughout.
    pub(crate) fn read<R>(
        &self,
        lock: Lock<'_>,
        work: impl FnOnce(&mut Connection<'_>) -> Result<R, Fault>,
    ) -> Result<R, Fault> {
        let mut lease = self.lease()?;
        let outcome = backend::read_transaction(&mut lease.connection(), lock, work);
        lease.give_back_after(outcome)
    }

    /// Runs work that writes, in one transaction.
    pub(crate) fn write<R>(
        &self,
        transaction: Transaction<'_>,
        work: impl FnOnce(&mut Connection<'_>) -> Result<R, Fault>,
    ) -> Result<R, Fault> {
        let _writer = Writer::enter(self)?;
        if !self.target.has_one_writer() {
            let mut lease = self.lease()?;
            let outcome = backend::write_transaction(&mut lease.connection(), transaction, work);
            return lease.give_back_after(outcome);
        }
        let mut turn = self.turn.take();
        let mut lease = self.lease()?;
        let outcome = backend::version_seen(&mut lease.connection()).and_then(|version| {
            turn.look(version, lease.pooled().seen);
            let outcome = backend::write_transaction(&mut lease.connection(), transaction, work);
            lease.pooled().seen = Some(turn.end(version));
            outcome
        });
        lease.give_back_after(outcome)
    }

    /// A connection for reading, on another thread, while this one writes: only where one is free, since whoever waited would keep
    /// everybody who writes waiting.
    pub(crate) fn beside(&self) -> Option<Beside<'_>> {
        self.lease_within(Duration::ZERO).ok().map(Beside)
    }

    /// The connections that the application was given.
    #[cfg(feature = "sqlite")]
    pub(crate) fn callers(&self) -> &Callers {
        self.turn.callers()
    }

    /// Checks that the database is still the one that was opened.
    ///
    /// A connection to a file that was deleted goes on as if nothing had happened, and what it writes is lost with it; a new one would
    /// make an empty file in its place, or join another's write-ahead log to it.
    ///
    /// # Errors
    /// [`ErrorKind::StorageUnavailable`] where it is not.
    pub(crate) fn check_occupant(&self) -> Result<(), Error> {
        let Some(Some(opened)) = self.occupant.get() else { return Ok(()) };
        if self.target.occupant().as_ref() == Some(opened) {
            return Ok(());
        }
        let message = format!(
            "use the database {}: since it was opened the file was deleted, or another one was put in its place",
            self.target.location()
        );
        Err(Error::new(ErrorKind::StorageUnavailable, message)
            .with_hint("put the file back, or build a new engine over the one that is there now"))
    }

    fn lease(&self) -> Result<Lease<'_>, Fault> {
        self.lease_within(self.target.patience())
    }

    fn lease_within(&self, patience: Duration) -> Result<Lease<'_>, Fault> {
        self.check_occupant()?;
        let asked = Instant::now();
        let mut connections = self.lock();
        loop {
            if let Some(connection) = connections.idle.pop() {
                return Ok(Lease { pool: self, connection: Some(connection) });
            }
            if connections.open < self.target.connections_max() {
                break;
            }
            let patience = patience.saturating_sub(asked.elapsed());
            if patience.is_zero() {
                let message = format!("use the database {}: all of our connections are busy", self.target.location());
                return Err(Error::new(ErrorKind::StorageBusy, message).into());
            }
            connections = self.returned.wait_timeout(connections, patience).unwrap_or_else(PoisonError::into_inner).0;
        }
        connections.open += 1;
        drop(connections);
        let mut lease = Lease { pool: self, connection: None };
        // A failure to open gives the place back when the lease is dropped.
        lease.connection = Some(Pooled { connection: self.target.connect()?, seen: None });
        self.occupant.get_or_init(|| self.target.occupant());
        Ok(lease)
    }

    fn writers(&self) -> MutexGuard<'_, HashSet<ThreadId>> {
        self.writers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Pool").field("target", &self.target).finish_non_exhaustive()
    }
}

/// That this thread is in a write transaction. A second one within the first would wait for the first, and so for ever.
struct Writer<'a>(&'a Pool);

impl<'a> Writer<'a> {
    fn enter(pool: &'a Pool) -> Result<Self, Fault> {
        if pool.writers().insert(std::thread::current().id()) {
            return Ok(Self(pool));
        }
        let message = format!("write to the database {} from within another transaction of it", pool.target.location());
        Err(Error::new(ErrorKind::InvalidInput, message)
            .with_hint("an operation works through its context: the engine's other methods are for before and after")
            .into())
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        self.0.writers().remove(&std::thread::current().id());
    }
}

/// A connection for reading beside a thread that writes.
pub(crate) struct Beside<'a>(Lease<'a>);

impl Beside<'_> {
    /// Runs work that only reads. The thread counts as one that writes: what it calls must not wait for the turn, which is given back
    /// only after this.
    pub(crate) fn read<R>(mut self, work: impl FnOnce(&mut Connection<'_>) -> Result<R, Fault>) -> Result<R, Fault> {
        let _writer = Writer::enter(self.0.pool)?;
        let outcome = backend::read_transaction(&mut self.0.connection(), Lock::None, work);
        self.0.give_back_after(outcome)
    }
}

/// A connection on loan. One that is given back in the middle of a transaction, as after a panic, is closed instead,
/// which undoes what it began.
struct Lease<'a> {
    pool: &'a Pool,
    connection: Option<Pooled>,
}

impl Lease<'_> {
    /// Gives the connection back, unless it is of no use any more: then others that were made before it are of none either, and new
    /// ones are made. A server that was away has cut all of them, and one that was made read-only tells that to new ones only.
    fn give_back_after<R>(mut self, outcome: Result<R, Fault>) -> Result<R, Fault> {
        if outcome.as_ref().is_err_and(Fault::is_unavailable) {
            let mut connections = self.pool.lock();
            let idle = std::mem::take(&mut connections.idle);
            connections.open -= idle.len();
            drop(connections);
            drop(idle);
            self.connection = None;
        }
        outcome
    }

    fn pooled(&mut self) -> &mut Pooled {
        self.connection.as_mut().expect("a lease holds its connection until it is dropped")
    }

    fn connection(&mut self) -> Connection<'_> {
        self.pooled().connection.as_connection()
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let is_idle = |pooled: &mut Pooled| !pooled.connection.as_connection().is_in_transaction();
        let sound = self.connection.take().and_then(|mut pooled| is_idle(&mut pooled).then_some(pooled));
        let mut connections = self.pool.lock();
        match sound {
            Some(pooled) => connections.idle.push(pooled),
            None => connections.open -= 1,
        }
        drop(connections);
        self.pool.returned.notify_one();
    }
}
