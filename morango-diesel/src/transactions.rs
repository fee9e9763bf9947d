//! Where a verb's transactions run: each by itself, or all of them within one that is open.

use std::cell::RefCell;
use std::sync::Arc;

use morango::Result;

use crate::backend::Lock;
use crate::connection::Connection;
use crate::error::Fault;
use crate::models::InstalledModels;
use crate::pool::Beside;
use crate::statement::sql;
use crate::storage::DieselStorage;

/// Where a verb's transactions run. A verb that is cut into transactions works alike in both.
pub(crate) struct Transactions<'a> {
    storage: &'a DieselStorage,
    /// The connection of the transaction within which all of it happens.
    open: Option<RefCell<Connection<'a>>>,
}

impl<'a> Transactions<'a> {
    /// Each by itself.
    pub(crate) fn of(storage: &'a DieselStorage) -> Self {
        Self { storage, open: None }
    }

    /// All of them as savepoints of the transaction that is open on this connection.
    pub(crate) fn within(storage: &'a DieselStorage, connection: Connection<'a>) -> Self {
        Self { storage, open: Some(RefCell::new(connection)) }
    }

    /// Whether another transaction is around all of them, which is committed later.
    pub(crate) fn is_within_another(&self) -> bool {
        self.open.is_some()
    }

    /// A second connection for reading, where it sees, while a transaction of this one writes, all that there is but what that
    /// transaction itself has done: each runs by itself, and nobody else can write meanwhile. None where no connection is free.
    pub(crate) fn beside(&self) -> Option<Beside<'a>> {
        (self.open.is_none() && self.storage.target().has_one_writer()).then(|| self.storage.beside())?
    }

    /// As [`DieselStorage::models`].
    pub(crate) fn models(&self) -> Result<Arc<InstalledModels>> {
        self.storage.models()
    }

    /// As [`DieselStorage::read`].
    pub(crate) fn read<R>(
        &self,
        operation: &str,
        work: impl FnOnce(&mut Connection<'_>) -> Result<R, Fault>,
    ) -> Result<R> {
        match &self.open {
            None => self.storage.read(operation, work),
            Some(connection) => work(&mut connection.borrow_mut()).map_err(|fault| self.storage.told(operation, fault)),
        }
    }

    /// As [`DieselStorage::read_locked`]. Within another transaction that one's lock keeps others apart.
    pub(crate) fn read_locked<R>(
        &self,
        operation: &str,
        lock: Lock<'_>,
        work: impl FnOnce(&mut Connection<'_>) -> Result<R, Fault>,
    ) -> Result<R> {
        match &self.open {
            None => self.storage.read_locked(operation, lock, work),
            Some(_) => self.read(operation, work),
        }
    }

    /// As [`DieselStorage::write`].
    pub(crate) fn write<R>(
        &self,
        operation: &str,
        work: impl FnMut(&mut Connection<'_>) -> Result<R, Fault>,
    ) -> Result<R> {
        match &self.open {
            None => self.storage.write(operation, work),
            Some(connection) => {
                let done = connection.borrow_mut().savepoint(work);
                done.map_err(|fault| self.storage.told(operation, fault))
            }
        }
    }

    /// As [`DieselStorage::write_locked`]. Within another transaction that one's lock keeps others apart.
    pub(crate) fn write_locked<R>(
        &self,
        operation: &str,
        lock: Lock<'_>,
        work: impl FnMut(&mut Connection<'_>) -> Result<R, Fault>,
    ) -> Result<R> {
        match &self.open {
            None => self.storage.write_locked(operation, lock, work),
            Some(_) => self.write(operation, work),
        }
    }

    /// As [`DieselStorage::write_part`]. Within another transaction its commit decides.
    pub(crate) fn write_part<R>(
        &self,
        operation: &str,
        lock: Lock<'_>,
        work: impl FnMut(&mut Connection<'_>) -> Result<R, Fault>,
    ) -> Result<R> {
        match &self.open {
            None => self.storage.write_part(operation, lock, work),
            Some(_) => self.write(operation, work),
        }
    }

    /// Has on the disk what was committed in parts. Within another transaction its commit decides.
    ///
    /// A commit is on the disk with everything before it. One that changes nothing is not written at all, so this one counts.
    pub(crate) fn make_durable(&self, operation: &str) -> Result<()> {
        if self.open.is_some() {
            return Ok(());
        }
        self.storage.write(operation, |connection| {
            sql("INSERT INTO morango_fact (name, value) VALUES ('times_made_durable', '1') ON CONFLICT (name)
                 DO UPDATE SET value = CAST(CAST(morango_fact.value AS BIGINT) + 1 AS TEXT)")
            .execute(connection)?;
            Ok(())
        })
    }

    /// As [`DieselStorage::write_buffered`]. Within another transaction its commit decides.
    pub(crate) fn write_buffered<R>(
        &self,
        operation: &str,
        work: impl FnMut(&mut Connection<'_>) -> Result<R, Fault>,
    ) -> Result<R> {
        match &self.open {
            None => self.storage.write_buffered(operation, work),
            Some(_) => self.write(operation, work),
        }
    }
}
