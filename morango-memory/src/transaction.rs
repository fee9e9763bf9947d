//! One write transaction of a stage: the verbs on the state that is changed, which is put back where the work fails.

use std::any::Any;

use chrono::{DateTime, Utc};
use morango::counter::{ExpandedFsic, Fsic, Instances};
use morango::id::{SyncId, TransferSessionId};
use morango::port::{
    DequeueReport, DeserializeOrder, DeserializeReport, OwnCounters, Renewal, Renewed, SerializeReport, SessionMemory,
    TouchedRecord, Transaction, Watch,
};
use morango::record::StoreRecord;
use morango::scope::{Filter, Reach};
use morango::session::TransferSession;
use morango::{Error, ErrorKind, Result};

use crate::application::Capture;
use crate::state::State;
use crate::storage::told;

/// A transaction that is open. Its connection is the [`Application`](crate::Application).
pub(crate) struct Open<'a>(pub(crate) &'a mut State);

impl Transaction for Open<'_> {
    fn connection(&mut self) -> &mut dyn Any {
        &mut self.0.data.application
    }

    fn create_transfer_session(&mut self, session: &TransferSession) -> Result<TransferSession> {
        self.0.create_transfer_session(session)
    }

    fn update_transfer_session(
        &mut self,
        id: &TransferSessionId,
        change: &mut dyn FnMut(&mut TransferSession),
    ) -> Result<Option<TransferSession>> {
        Ok(self.0.update_transfer_session(id, change))
    }

    fn own_counters(&mut self) -> Result<OwnCounters> {
        self.0.data.own_counters()
    }

    fn note_told(&mut self) -> Result<()> {
        self.0.data.note_told()
    }

    fn renew_instance(&mut self, renewal: &Renewal<'_>) -> Result<Option<Renewed>> {
        self.0.renew_instance(renewal)
    }

    fn serialize(&mut self, profile: &str, filter: &Filter, watch: Watch<'_>) -> Result<SerializeReport> {
        let report = self.0.data.serialize(profile, filter)?;
        told(watch, report.new + report.updated + report.deleted, "serialize")?;
        Ok(report)
    }

    fn save_what_gave_way(&mut self, profile: &str, filter: &Filter) -> Result<u64> {
        self.0.data.save_what_gave_way(profile, filter)
    }

    fn fsic(&mut self, profile: &str, filter: &Filter, instances: Instances) -> Result<Fsic> {
        Ok(self.0.data.fsic(profile, filter, instances))
    }

    fn queue(&mut self, session: &TransferSession, receiver: &ExpandedFsic) -> Result<u64> {
        self.0.queue(session, receiver)
    }

    fn dequeue(&mut self, session: &TransferSession, writable: &Reach, watch: Watch<'_>) -> Result<DequeueReport> {
        let report = self.0.dequeue(session, writable)?;
        told(watch, report.new, "dequeue")?;
        Ok(report)
    }

    fn deserialize(&mut self, order: &DeserializeOrder<'_>, watch: Watch<'_>) -> Result<DeserializeReport> {
        let report = self.0.data.deserialize(order)?;
        told(watch, report.written + report.deleted, "deserialize")?;
        Ok(report)
    }

    fn clean_up(&mut self, session: &TransferSessionId, now: DateTime<Utc>) -> Result<()> {
        self.0.clean_up(session, now);
        Ok(())
    }

    fn recall(&mut self, memory: SessionMemory, owner: &str, name: &str) -> Result<Option<String>> {
        Ok(self.0.recall(memory, owner, name))
    }

    fn remember(&mut self, memory: SessionMemory, owner: &str, name: &str, value: Option<&str>) -> Result<()> {
        self.0.remember(memory, owner, name, value)
    }

    fn without_capture(&mut self, work: &mut dyn FnMut(&mut dyn Transaction) -> Result<()>) -> Result<()> {
        let before = std::mem::replace(&mut self.0.data.application.capture, Capture::Off);
        let done = work(&mut Open(self.0));
        self.0.data.application.capture = before;
        done
    }

    fn forget_change(&mut self, profile: &str, model: &str, id: &SyncId) -> Result<bool> {
        let data = &mut self.0.data;
        let number = data.application.number_of_name(profile, model).ok_or_else(|| {
            let message = format!("forget a change of {profile}/{model} {id}: there is no such model");
            Error::new(ErrorKind::InvalidInput, message)
        })?;
        // Without its mark a row that has no record yet would never travel.
        Ok(data.store.contains_key(id) && data.application.marks.remove(&(number, *id)).is_some())
    }

    fn record(&mut self, id: &SyncId) -> Result<Option<StoreRecord>> {
        Ok(self.0.data.store.get(id).map(|held| held.record.clone()))
    }

    fn touched(
        &mut self,
        session: &TransferSessionId,
        model: &str,
        after: Option<&SyncId>,
        limit: usize,
    ) -> Result<Vec<TouchedRecord>> {
        Ok(self.0.data.touched(session, model, after, limit))
    }
}
