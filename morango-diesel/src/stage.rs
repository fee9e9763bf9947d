//! One write transaction of a stage, as the engine holds it: its own verbs and the application's connection side by side.

use std::any::Any;

use chrono::{DateTime, Utc};
use morango::Result;
use morango::counter::{ExpandedFsic, Fsic, Instances};
use morango::id::{SyncId, TransferSessionId};
use morango::port::{
    DequeueReport, DeserializeOrder, DeserializeReport, Isolation, OwnCounters, Renewal, Renewed, SerializeReport,
    SessionMemory, TouchedRecord, Transaction, Watch,
};
use morango::record::StoreRecord;
use morango::scope::{Filter, Reach};
use morango::session::TransferSession;

use crate::backend::Lock;
use crate::connection::{AsConnection as _, Connection};
use crate::error::Fault;
use crate::storage::DieselStorage;
use crate::transaction::without_capture;
use crate::transactions::Transactions;
use crate::{counters, dequeue, deserialize, gave_way, queue, receive, records, renewal, serialize, sessions};

/// Runs work in one write transaction.
pub(crate) fn transaction(
    storage: &DieselStorage,
    operation: &str,
    isolation: Isolation<'_>,
    work: &mut dyn FnMut(&mut dyn Transaction) -> Result<()>,
) -> Result<()> {
    let lock = match isolation {
        Isolation::Plain => Lock::None,
        Isolation::Stage { profile } => Lock::ProfileAndRows { profile },
    };
    storage.write_locked(operation, lock, |connection| {
        let mut open = Open { storage, connection: connection.as_connection() };
        work(&mut open).map_err(Fault::from)
    })
}

/// A transaction that is open.
struct Open<'a> {
    storage: &'a DieselStorage,
    connection: Connection<'a>,
}

impl Open<'_> {
    fn transactions(&mut self) -> Transactions<'_> {
        Transactions::within(self.storage, self.connection.as_connection())
    }

    fn told<R>(&self, operation: &str, done: std::result::Result<R, Fault>) -> Result<R> {
        done.map_err(|fault| self.storage.told(operation, fault))
    }
}

impl Transaction for Open<'_> {
    fn connection(&mut self) -> &mut dyn Any {
        self.connection.as_any()
    }

    fn create_transfer_session(&mut self, session: &TransferSession) -> Result<TransferSession> {
        sessions::create_transfer_session(&self.transactions(), session)
    }

    fn update_transfer_session(
        &mut self,
        id: &TransferSessionId,
        change: &mut dyn FnMut(&mut TransferSession),
    ) -> Result<Option<TransferSession>> {
        sessions::update_transfer_session(&self.transactions(), id, change)
    }

    fn own_counters(&mut self) -> Result<OwnCounters> {
        renewal::own_counters(&self.transactions())
    }

    fn note_told(&mut self) -> Result<()> {
        renewal::note_told(&self.transactions())
    }

    fn renew_instance(&mut self, order: &Renewal<'_>) -> Result<Option<Renewed>> {
        renewal::renew_instance(&self.transactions(), order)
    }

    fn serialize(&mut self, profile: &str, filter: &Filter, watch: Watch<'_>) -> Result<SerializeReport> {
        serialize::serialize(&self.transactions(), profile, filter, watch)
    }

    fn save_what_gave_way(&mut self, profile: &str, filter: &Filter) -> Result<u64> {
        gave_way::save_anew(&self.transactions(), profile, filter)
    }

    fn fsic(&mut self, profile: &str, filter: &Filter, instances: Instances) -> Result<Fsic> {
        counters::fsic(&self.transactions(), profile, filter, instances)
    }

    fn queue(&mut self, session: &TransferSession, receiver: &ExpandedFsic) -> Result<u64> {
        queue::queue(&self.transactions(), session, receiver)
    }

    fn dequeue(&mut self, session: &TransferSession, writable: &Reach, watch: Watch<'_>) -> Result<DequeueReport> {
        dequeue::dequeue(&self.transactions(), session, writable, watch)
    }

    fn deserialize(&mut self, order: &DeserializeOrder<'_>, watch: Watch<'_>) -> Result<DeserializeReport> {
        deserialize::deserialize(&self.transactions(), order, watch)
    }

    fn clean_up(&mut self, session: &TransferSessionId, now: DateTime<Utc>) -> Result<()> {
        receive::clean_up(&self.transactions(), session, now)
    }

    fn recall(&mut self, memory: SessionMemory, owner: &str, name: &str) -> Result<Option<String>> {
        let recalled = sessions::recall(&mut self.connection, memory, owner, name);
        self.told("read what a session remembers", recalled)
    }

    fn remember(&mut self, memory: SessionMemory, owner: &str, name: &str, value: Option<&str>) -> Result<()> {
        let remembered = sessions::remember(&mut self.connection, memory, owner, name, value);
        self.told("remember with a session", remembered)
    }

    fn without_capture(&mut self, work: &mut dyn FnMut(&mut dyn Transaction) -> Result<()>) -> Result<()> {
        let storage = self.storage;
        let done = without_capture(&mut self.connection, |connection| {
            let mut open = Open { storage, connection: connection.as_connection() };
            work(&mut open).map_err(Fault::from)
        });
        self.told("switch change capture off", done)
    }

    fn forget_change(&mut self, profile: &str, model: &str, id: &SyncId) -> Result<bool> {
        let models = self.storage.models()?;
        let forgotten = serialize::forget_change(&mut self.connection, &models, (profile, model), id);
        self.told("forget a change", forgotten)
    }

    fn record(&mut self, id: &SyncId) -> Result<Option<StoreRecord>> {
        let found = records::record(&mut self.connection, id);
        self.told("read a record", found)
    }

    fn touched(
        &mut self,
        session: &TransferSessionId,
        model: &str,
        after: Option<&SyncId>,
        limit: usize,
    ) -> Result<Vec<TouchedRecord>> {
        let found = records::touched(&mut self.connection, session, model, after, limit);
        self.told("list what a transfer changed", found)
    }
}
