//! Sync sessions, transfer sessions, and what they remember.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use morango::id::{SyncSessionId, TransferSessionId};
use morango::port::SessionMemory;
use morango::session::{SyncSession, SyncSessionOrder, SyncSessionQuery, TransferSession};
use morango::{Error, ErrorKind, Result, limits};

use crate::state::State;

impl State {
    pub(crate) fn create_sync_session(&mut self, session: &SyncSession) -> Result<()> {
        if self.syncs.contains_key(&session.id) {
            let message = format!("create the sync session {}: there is one with this id", session.id);
            return Err(Error::new(ErrorKind::SessionConflict, message));
        }
        self.syncs.insert(session.id, session.clone());
        Ok(())
    }

    /// Only the plan, the holder and the last activity change.
    pub(crate) fn update_sync_session(
        &mut self,
        id: &SyncSessionId,
        change: &mut dyn FnMut(&mut SyncSession),
    ) -> Option<SyncSession> {
        let kept = self.syncs.get_mut(id)?;
        let mut session = kept.clone();
        change(&mut session);
        let SyncSession { plan, holder, last_activity_at, .. } = session;
        *kept = SyncSession { plan, holder, last_activity_at, ..kept.clone() };
        Some(kept.clone())
    }

    pub(crate) fn sync_sessions(&self, query: &SyncSessionQuery, limit: usize) -> Vec<SyncSession> {
        let SyncSessionQuery {
            ids,
            is_active,
            side,
            profile,
            client_instance,
            server_instance,
            client_certificate,
            idle_since,
            order,
        } = query;
        let is_meant = |session: &&SyncSession| {
            ids.as_ref().is_none_or(|ids| ids.contains(&session.id))
                && is_active.is_none_or(|is_active| session.is_active == is_active)
                && side.is_none_or(|side| session.side == side)
                && profile.as_ref().is_none_or(|profile| session.profile == *profile)
                && client_instance.is_none_or(|id| session.client_instance == Some(id))
                && server_instance.is_none_or(|id| session.server_instance == Some(id))
                && client_certificate.is_none_or(|id| session.client_certificate == id)
                && idle_since.is_none_or(|time| session.last_activity_at < time)
        };
        let mut found: Vec<SyncSession> = self.syncs.values().filter(is_meant).cloned().collect();
        match order {
            SyncSessionOrder::UsedLastFirst => {
                found.sort_by_key(|session| (Reverse(session.last_activity_at), session.id));
            }
            SyncSessionOrder::UsedLongestAgoFirst { after } => {
                found.retain(|session| after.is_none_or(|after| (session.last_activity_at, session.id) > after));
                found.sort_by_key(|session| (session.last_activity_at, session.id));
            }
        }
        found.truncate(limit);
        found
    }

    pub(crate) fn transfer_sessions(&self, sync_session: &SyncSessionId, limit: usize) -> Vec<TransferSession> {
        let of_session = self.transfers.values().filter(|session| session.sync_session == *sync_session);
        let mut found: Vec<TransferSession> = of_session.cloned().collect();
        found.sort_by_key(|session| (!session.is_active, Reverse(session.started_at), session.id));
        found.truncate(limit);
        found
    }

    pub(crate) fn close_sync_session(&mut self, id: &SyncSessionId, now: DateTime<Utc>) {
        let within: Vec<TransferSession> =
            self.transfers.values().filter(|session| session.sync_session == *id).cloned().collect();
        for transfer in within {
            self.delete_buffers(&transfer.id);
            self.forget_memories(transfer.id.as_bytes());
            if let Some(transfer) = self.transfers.get_mut(&transfer.id).filter(|transfer| transfer.is_active) {
                transfer.is_active = false;
                transfer.last_activity_at = now;
            }
        }
        self.forget_memories(id.as_bytes());
        if let Some(session) = self.syncs.get_mut(id).filter(|session| session.is_active) {
            session.is_active = false;
            session.holder = None;
            session.last_activity_at = now;
        }
    }

    /// The open one of the same sync session and direction is taken up.
    pub(crate) fn create_transfer_session(&mut self, session: &TransferSession) -> Result<TransferSession> {
        let is_same = |other: &&TransferSession| {
            other.is_active && (other.sync_session, other.direction) == (session.sync_session, session.direction)
        };
        if let Some(open) = self.transfers.values().find(is_same) {
            return Ok(open.clone());
        }
        let refused =
            |kind, why: &str| Err(Error::new(kind, format!("create the transfer session {}: {why}", session.id)));
        if self.transfers.contains_key(&session.id) {
            return refused(ErrorKind::SessionConflict, "there is one with this id");
        }
        match self.syncs.get_mut(&session.sync_session).filter(|sync| sync.is_active) {
            None => refused(ErrorKind::SessionUnknown, "its sync session is unknown or closed"),
            Some(sync) => {
                sync.last_activity_at = session.last_activity_at;
                self.transfers.insert(session.id, session.clone());
                Ok(session.clone())
            }
        }
    }

    /// Id, sync session, side, direction and profile stay what they are.
    pub(crate) fn update_transfer_session(
        &mut self,
        id: &TransferSessionId,
        change: &mut dyn FnMut(&mut TransferSession),
    ) -> Option<TransferSession> {
        let kept = self.transfers.get_mut(id)?;
        let before = kept.clone();
        change(kept);
        kept.id = before.id;
        kept.sync_session = before.sync_session;
        kept.side = before.side;
        kept.direction = before.direction;
        kept.profile = before.profile;
        Some(kept.clone())
    }

    pub(crate) fn clean_up(&mut self, id: &TransferSessionId, now: DateTime<Utc>) {
        self.delete_buffers(id);
        self.forget_memories(id.as_bytes());
        if let Some(session) = self.transfers.get_mut(id) {
            session.is_active = false;
            session.last_activity_at = now;
        }
    }

    pub(crate) fn remember(
        &mut self,
        memory: SessionMemory,
        owner: &str,
        name: &str,
        value: Option<&str>,
    ) -> Result<()> {
        let session = session_of(memory);
        let key = (session, owner.to_owned(), name.to_owned());
        let Some(value) = value else {
            self.memories.remove(&key);
            return Ok(());
        };
        let of_session = self.memories.keys().filter(|(of, ..)| *of == session).count();
        let most = usize::try_from(limits::SESSION_MEMORY_VALUES_MAX).unwrap_or(usize::MAX);
        if of_session >= most && !self.memories.contains_key(&key) {
            let message = format!("remember {name:?} with a session: it remembers {most}");
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        self.memories.insert(key, value.to_owned());
        Ok(())
    }

    pub(crate) fn recall(&self, memory: SessionMemory, owner: &str, name: &str) -> Option<String> {
        self.memories.get(&(session_of(memory), owner.to_owned(), name.to_owned())).cloned()
    }

    pub(crate) fn forget_memories(&mut self, session: &[u8; 16]) {
        self.memories.retain(|(of, ..), _| of != session);
    }
}

fn session_of(memory: SessionMemory) -> [u8; 16] {
    match memory {
        SessionMemory::Sync(id) => *id.as_bytes(),
        SessionMemory::Transfer(id) => *id.as_bytes(),
    }
}
