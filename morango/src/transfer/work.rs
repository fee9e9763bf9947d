//! Where a stage's own work is done: in transactions of its own, or within one that is open.

use chrono::{DateTime, Utc};

use crate::Result;
use crate::counter::{ExpandedFsic, Fsic, Instances};
use crate::id::TransferSessionId;
use crate::port::{
    DequeueReport, DeserializeOrder, DeserializeReport, OwnCounters, Renewal, Renewed, SerializeReport, Storage,
    Transaction, Watch,
};
use crate::scope::{Filter, Reach};
use crate::session::TransferSession;

/// Where a stage's own work is done.
pub(super) enum Work<'t> {
    /// Cut into transactions, of which each leaves a true state behind.
    Apart(&'t dyn Storage),
    /// In one transaction, together with what else is done in it.
    Within(&'t mut dyn Transaction),
}

/// Hands a call on to whichever it is.
macro_rules! either {
    ($work:expr, $transaction:ident => $call:expr) => {
        match $work {
            Work::Apart($transaction) => $call,
            Work::Within($transaction) => $call,
        }
    };
}

impl Work<'_> {
    pub(super) fn update_transfer_session(
        &mut self,
        id: &TransferSessionId,
        change: &mut dyn FnMut(&mut TransferSession),
    ) -> Result<Option<TransferSession>> {
        either!(self, at => at.update_transfer_session(id, change))
    }

    pub(super) fn own_counters(&mut self) -> Result<OwnCounters> {
        either!(self, at => at.own_counters())
    }

    pub(super) fn note_told(&mut self) -> Result<()> {
        either!(self, at => at.note_told())
    }

    pub(super) fn renew_instance(&mut self, renewal: &Renewal<'_>) -> Result<Option<Renewed>> {
        either!(self, at => at.renew_instance(renewal))
    }

    pub(super) fn serialize(&mut self, profile: &str, filter: &Filter, watch: Watch<'_>) -> Result<SerializeReport> {
        either!(self, at => at.serialize(profile, filter, watch))
    }

    pub(super) fn save_what_gave_way(&mut self, profile: &str, filter: &Filter) -> Result<u64> {
        either!(self, at => at.save_what_gave_way(profile, filter))
    }

    pub(super) fn fsic(&mut self, profile: &str, filter: &Filter, instances: Instances) -> Result<Fsic> {
        either!(self, at => at.fsic(profile, filter, instances))
    }

    pub(super) fn queue(&mut self, session: &TransferSession, receiver: &ExpandedFsic) -> Result<u64> {
        either!(self, at => at.queue(session, receiver))
    }

    pub(super) fn dequeue(
        &mut self,
        session: &TransferSession,
        writable: &Reach,
        watch: Watch<'_>,
    ) -> Result<DequeueReport> {
        either!(self, at => at.dequeue(session, writable, watch))
    }

    pub(super) fn deserialize(&mut self, order: &DeserializeOrder<'_>, watch: Watch<'_>) -> Result<DeserializeReport> {
        either!(self, at => at.deserialize(order, watch))
    }

    pub(super) fn clean_up(&mut self, session: &TransferSessionId, now: DateTime<Utc>) -> Result<()> {
        either!(self, at => at.clean_up(session, now))
    }
}
