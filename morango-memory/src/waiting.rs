//! What waits, for whoever runs the device: listed, tried again, or done without.

use morango::id::{SyncId, TransferSessionId};
use morango::limits;
use morango::port::{
    TouchedRecord, Waiting, WaitingCursor, WaitingKind, WaitingPage, WaitingRecords, WaitingSource, WaitingState,
};
use morango::session::Side;

use crate::data::{Data, Held, RowState};
use crate::state::State;

impl State {
    pub(crate) fn waiting(&self, which: &WaitingRecords, after: Option<&WaitingCursor>, limit: usize) -> WaitingPage {
        let limit = limit.clamp(1, limits::WAITING_PAGE_MAX);
        let mut page = WaitingPage { records: Vec::new(), next: None };
        let mut bytes = 0;
        for held in self.data.meant(which).into_iter().filter(|held| is_after(held, after)) {
            if page.records.len() == limit || bytes >= limits::WAITING_PAGE_BYTES_TARGET {
                return page;
            }
            bytes += held.record.serialized.len();
            page.records.push(self.waiting_record(held));
            page.next = Some(cursor(held));
        }
        page.next = None;
        page
    }

    fn waiting_record(&self, held: &Held) -> Waiting {
        let record = &held.record;
        Waiting {
            model: record.model_name.clone(),
            id: record.id,
            partition: record.partition.clone(),
            kind: self.data.kind_of(held),
            reason: held.failure.as_ref().map(|(_, reason)| reason.clone()).unwrap_or_default(),
            since: held.since,
            last_saved: record.last_saved,
            source: held.transfer.map(|transfer| self.source(transfer)),
            is_deleted: record.deleted,
            is_hard_deleted: record.hard_deleted,
            serialized: record.serialized.clone(),
        }
    }

    fn source(&self, transfer_session: TransferSessionId) -> WaitingSource {
        let sync = self.transfers.get(&transfer_session).and_then(|transfer| self.syncs.get(&transfer.sync_session));
        WaitingSource {
            transfer_session,
            peer: sync.and_then(|sync| match sync.side {
                Side::Client => sync.server_instance,
                Side::Server => sync.client_instance,
            }),
            connection_path: sync.map(|sync| sync.connection_path.clone()).unwrap_or_default(),
        }
    }
}

impl Data {
    /// The records that are meant: by model, in each the live ones first, in the order in which they came.
    fn meant(&self, which: &WaitingRecords) -> Vec<&Held> {
        let wanted = match which.state() {
            WaitingState::Waits => RowState::Waits,
            WaitingState::Dropped => RowState::Dropped,
        };
        let is_meant = |held: &&Held| {
            let record = &held.record;
            held.row == wanted
                && record.profile == which.profile()
                && which.model_name().is_none_or(|name| record.model_name == name)
                && which.only_ids().is_none_or(|ids| ids.contains(&record.id))
                && which.filter().contains(&record.partition)
                && which.is_of_kind(self.kind_of(held))
        };
        let mut found: Vec<&Held> = self.store.values().filter(is_meant).collect();
        found.sort_by_key(|held| place(held));
        found
    }

    fn kind_of(&self, held: &Held) -> WaitingKind {
        match &held.failure {
            Some((kind, _)) => *kind,
            None if self.definition(&held.record).is_none() => WaitingKind::UnknownModel,
            None => WaitingKind::NotTried,
        }
    }

    /// Has the next deserializing try these records, also where it skips those that failed; says how many there are.
    pub(crate) fn wait_again(&mut self, which: &WaitingRecords) -> u64 {
        self.change_each(which, |held| {
            held.row = RowState::Waits;
            held.failure = None;
        })
    }

    /// Has these records wait no longer. The reason stays with them.
    pub(crate) fn drop_waiting(&mut self, which: &WaitingRecords) -> u64 {
        match which.state() {
            WaitingState::Dropped => 0,
            WaitingState::Waits => self.change_each(which, |held| held.row = RowState::Dropped),
        }
    }

    fn change_each(&mut self, which: &WaitingRecords, change: impl Fn(&mut Held)) -> u64 {
        let ids: Vec<SyncId> = self.meant(which).into_iter().map(|held| held.record.id).collect();
        for id in &ids {
            change(self.store.get_mut(id).expect("it was just there"));
        }
        ids.len() as u64
    }

    /// What a transfer changed and nobody since, of a model, in the order of the ids.
    pub(crate) fn touched(
        &self,
        session: &TransferSessionId,
        model: &str,
        after: Option<&SyncId>,
        limit: usize,
    ) -> Vec<TouchedRecord> {
        let is_meant = |held: &&Held| {
            held.transfer.as_ref() == Some(session)
                && held.record.model_name == model
                && after.is_none_or(|after| held.record.id > *after)
        };
        let touched = |held: &Held| TouchedRecord {
            id: held.record.id,
            deleted: held.record.deleted,
            hard_deleted: held.record.hard_deleted,
            waiting: (held.row != RowState::Settled)
                .then(|| held.failure.as_ref().map_or(WaitingKind::NotTried, |(kind, _)| *kind)),
        };
        self.store.values().filter(is_meant).take(limit).map(touched).collect()
    }
}

fn place(held: &Held) -> (String, bool, i64) {
    (held.record.model_name.clone(), held.record.deleted, held.sequence)
}

fn cursor(held: &Held) -> WaitingCursor {
    let (model, is_deleted, sequence) = place(held);
    WaitingCursor { model, is_deleted, sequence }
}

fn is_after(held: &Held, cursor: Option<&WaitingCursor>) -> bool {
    cursor.is_none_or(|after| place(held) > (after.model.clone(), after.is_deleted, after.sequence))
}
