//! What is taken off: a school, sessions that are long over, and certificates that nothing here hangs on.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use morango::counter::DatabaseMaxCounters;
use morango::id::{CertificateId, SyncId, SyncSessionId};
use morango::identity::Certificate;
use morango::port::{Forgetting, Forgotten, Papers, Unsent};
use morango::session::SyncSession;
use morango::{Error, ErrorKind, Result};

use crate::application::{Mark, Place};
use crate::data::{Data, RowState};
use crate::serialize::Which;
use crate::state::State;

impl State {
    /// Closed sessions, those first that were used longest ago, but for those in which a record came that waits.
    pub(crate) fn forget_sessions(&mut self, unused_since: DateTime<Utc>, limit: usize) -> u64 {
        let awaited = self.data.store.values().filter(|held| held.row != RowState::Settled);
        let awaited: BTreeSet<_> = awaited.filter_map(|held| held.transfer).collect();
        let is_awaited = |id: &SyncSessionId| {
            let mut within = self.transfers.values().filter(|transfer| transfer.sync_session == *id);
            within.any(|transfer| awaited.contains(&transfer.id))
        };
        let is_old = |session: &&SyncSession| {
            !session.is_active && session.last_activity_at < unused_since && !is_awaited(&session.id)
        };
        let mut old: Vec<_> = self.syncs.values().filter(is_old).map(|it| (it.last_activity_at, it.id)).collect();
        old.sort_unstable();
        old.truncate(limit);
        for (_, id) in &old {
            self.forget_session(id);
        }
        self.forget_strangers();
        old.len() as u64
    }

    fn forget_session(&mut self, id: &SyncSessionId) {
        let within: Vec<_> = self
            .transfers
            .values()
            .filter(|transfer| transfer.sync_session == *id)
            .map(|transfer| transfer.id)
            .collect();
        for transfer in within {
            self.delete_buffers(&transfer);
            self.forget_memories(transfer.as_bytes());
            self.rejections.retain(|(of, _)| *of != transfer);
            self.transfers.remove(&transfer);
        }
        self.forget_memories(id.as_bytes());
        self.syncs.remove(id);
    }

    /// The certificates below one of these, and they themselves.
    fn below(&self, above: BTreeSet<CertificateId>) -> BTreeSet<CertificateId> {
        let mut family = above;
        loop {
            let is_new = |it: &&Certificate| {
                !family.contains(&it.id()) && it.parent_id().is_some_and(|parent| family.contains(&parent))
            };
            let new: Vec<CertificateId> = self.certificates.values().filter(is_new).map(Certificate::id).collect();
            if new.is_empty() {
                return family;
            }
            family.extend(new);
        }
    }

    /// The certificates above these, and they themselves.
    fn above(&self, below: impl IntoIterator<Item = CertificateId>) -> BTreeSet<CertificateId> {
        let mut line = BTreeSet::new();
        let mut next: Vec<CertificateId> = below.into_iter().collect();
        while let Some(id) = next.pop() {
            if line.insert(id) {
                next.extend(self.certificates.get(&id).and_then(Certificate::parent_id));
            }
        }
        line
    }

    fn forget_strangers(&mut self) {
        let family = self.below(self.above(self.keys.keys().copied()));
        let named = self.syncs.values().flat_map(|session| [session.client_certificate, session.server_certificate]);
        let named = self.above(named);
        self.certificates.retain(|id, _| family.contains(id) || named.contains(id));
    }

    /// Takes everything under a root off. Whoever calls this takes all of it back where it fails.
    pub(crate) fn forget(&mut self, order: &Forgetting<'_>) -> Result<Forgotten> {
        let operation = format!("take everything under {} off", order.root);
        let here = self.certificates.contains_key(&order.root).then_some(order.root);
        let family = self.below(here.into_iter().collect());
        let is_of_root = |session: &&SyncSession| {
            family.contains(&session.client_certificate) || family.contains(&session.server_certificate)
        };
        let sessions: Vec<SyncSession> = self.syncs.values().filter(is_of_root).cloned().collect();
        if sessions.iter().any(|session| session.is_active) {
            return Err(Error::new(ErrorKind::SessionConflict, format!("{operation}: a sync session of it is open")));
        }
        let root = order.root.to_string();
        self.data.serialize_changes(order.profile, Which::Untried)?;
        let ids =
            self.data.in_order(|held| held.record.profile == order.profile && held.record.partition.starts_with(&root));
        let strays = self.data.strays(order.profile, &root);
        let is_unsent = |id: &&SyncId| self.data.is_unsent(&self.data.store[*id].record) || self.data.is_marked(id);
        let unsent = ids.iter().filter(is_unsent).count() + strays.len();
        check_unsent(order, &operation, unsent)?;
        let (rows, unserialized) = self.data.forget_rows(&operation, &ids, &strays)?;
        let unsent = unsent + unserialized;
        check_unsent(order, &operation, unsent)?;
        for id in &ids {
            self.data.store.remove(id);
        }
        for session in &sessions {
            self.forget_session(&session.id);
        }
        let certificates = match order.papers {
            Papers::Kept => 0,
            Papers::Forgotten => {
                self.certificates.retain(|id, _| !family.contains(id));
                self.keys.retain(|id, _| !family.contains(id));
                family.len() as u64
            }
        };
        let renewed = self.renew_instance(&order.renewal)?.expect("nothing is said of when");
        // The instance that follows has taken up the claims of the former, which are as untrue of what is gone.
        self.data.forget_claims(&root);
        Ok(Forgotten::new([rows as u64, ids.len() as u64, unsent as u64, certificates], renewed))
    }
}

/// Refuses to go on where changes would be lost that may not be.
fn check_unsent(order: &Forgetting<'_>, operation: &str, unsent: usize) -> Result<()> {
    if unsent == 0 || order.unsent == Unsent::Lost {
        return Ok(());
    }
    let message = format!("{operation}: {unsent} records or rows hold changes that nobody else is known to have");
    Err(Error::new(ErrorKind::InvalidInput, message))
}

impl Data {
    fn place(&self, id: &SyncId) -> Option<Place> {
        let record = &self.store[id].record;
        let number = self.application.number_of_name(&record.profile, &record.model_name);
        number.map(|number| (number, *id))
    }

    /// Whether the row of a record was changed and could not be serialized.
    fn is_marked(&self, id: &SyncId) -> bool {
        self.place(id).is_some_and(|place| self.application.marks.contains_key(&place))
    }

    /// The rows that could not be serialized, have no record, and would belong under the root.
    fn strays(&self, profile: &str, root: &str) -> Vec<Place> {
        let marks = self.application.marks.iter().filter(|((_, id), _)| !self.store.contains_key(id));
        let is_stray = |(place, mark): &(&Place, &Mark)| {
            let Some(row) = self.application.rows.get(*place) else { return false };
            let fixed = mark.origin.clone().map(|(_, partition)| partition);
            let partition = fixed.or_else(|| row.identify().ok().map(|origin| origin.partition));
            self.application.models[place.0].definition.profile == profile
                && partition.is_some_and(|partition| partition.starts_with(root))
        };
        marks.filter(is_stray).map(|(place, _)| *place).collect()
    }

    /// Deletes the rows of these records and those without one, until none is left. What goes with them and is none of them is a
    /// change made here. Says how many they are, and how many of what went with them held what is in no record.
    fn forget_rows(&mut self, operation: &str, ids: &[SyncId], strays: &[Place]) -> Result<(usize, usize)> {
        let mut left: Vec<Place> = ids.iter().filter_map(|id| self.place(id)).chain(strays.iter().copied()).collect();
        let places = left.clone();
        let (rows_before, marks_before) = (self.application.rows.clone(), self.application.marks.clone());
        let rows = left.iter().filter(|place| rows_before.contains_key(place)).count();
        loop {
            let before = left.len();
            left.retain(|place| self.application.remove(*place).is_err());
            if left.is_empty() {
                break;
            }
            if left.len() == before {
                let message = format!("{operation}: {before} rows are held by others");
                return Err(Error::new(ErrorKind::Storage, message));
            }
        }
        self.application.marks.retain(|place, _| !places.contains(place));
        let gone = rows_before.keys().filter(|place| !self.application.rows.contains_key(place));
        let with_them = gone.filter(|place| !places.contains(place));
        let is_lost = |place: &&Place| marks_before.contains_key(place) || !self.store.contains_key(&place.1);
        Ok((rows, with_them.filter(is_lost).count()))
    }

    /// Takes back every claim under the root and above it. What is claimed above is claimed beside the root where it lies.
    fn forget_claims(&mut self, root: &str) {
        for (prefix, claim) in self.counters.clone().iter().filter(|(prefix, _)| root.starts_with(prefix)) {
            for record in self.store.values().map(|held| &held.record) {
                if record.last_saved.instance == claim.instance && record.partition.starts_with(prefix) {
                    self.counters.raise(&record.partition, claim);
                }
            }
        }
        for claims in [&mut self.counters, &mut self.unclaimed] {
            let mut left = DatabaseMaxCounters::new();
            for (partition, claim) in claims.iter() {
                if !partition.starts_with(root) && !root.starts_with(partition) {
                    left.raise(partition, claim);
                }
            }
            *claims = left;
        }
        // What was handed over above the root was so under it too, and stays true.
        let mut left = DatabaseMaxCounters::new();
        for (partition, note) in self.handed_over.iter().filter(|(partition, _)| !partition.starts_with(root)) {
            left.raise(partition, note);
        }
        self.handed_over = left;
    }
}
