//! The responder: what this peer answers to those who call it, whatever the line is that they call on.
//!
//! It checks everything that a caller claims before it does anything, and leaves nothing behind of what it refuses. Its
//! methods block: a server calls them where blocking is allowed. It does not know what its answers look like on the wire.

mod buffers;
mod certificates;
mod guesses;
mod proceed;
mod pushing;
mod sync_sessions;
mod telling;
mod transfer_sessions;

use std::fmt;
use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::{Map, Value};

use self::guesses::Guesses;
use super::context::Home;
use crate::Result;
use crate::id::NonceId;
use crate::identity::{Nonce, proquint};
use crate::limits;
use crate::port::{Accounts, PeerInfo};
use crate::session::Capabilities;

/// Who calls, as far as the line tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// What the caller says that it can do.
    pub capabilities: Capabilities,
    /// The caller's address; empty where that is not known.
    pub ip: String,
}

/// The answering side of an [`Engine`](crate::engine::Engine). Copies are cheap, and all of them are one.
#[derive(Clone)]
pub struct Responder {
    home: Arc<Home>,
    accounts: Arc<dyn Accounts>,
    guesses: Arc<Guesses>,
}

impl Responder {
    pub(crate) fn new(home: Arc<Home>, accounts: Arc<dyn Accounts>) -> Self {
        Self { home, accounts, guesses: Arc::default() }
    }

    /// What this peer can do.
    pub fn capabilities(&self) -> &Capabilities {
        &self.home.capabilities
    }

    /// What this peer says of itself.
    pub fn info(&self, _caller: &Caller) -> PeerInfo {
        let instance = self.home.instance();
        PeerInfo {
            instance_id: instance.id.to_string(),
            instance_hash: proquint(&instance.id),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            system_os: std::env::consts::OS.to_owned(),
            capabilities: self.home.capabilities.clone(),
        }
    }

    /// What the application says of this instance, which stands beside [`info`](Self::info) and never in place of it.
    pub fn instance_info(&self) -> &Map<String, Value> {
        &self.home.instance_info
    }

    /// Hands out a nonce, which is good for one use within [`limits::NONCE_AGE_SECONDS_MAX`].
    ///
    /// # Errors
    /// The storage fails.
    pub fn issue_nonce(&self, caller: &Caller) -> Result<Nonce> {
        let now = self.home.clock.now();
        let ip = caller.ip.chars().take(limits::IP_CHARS_MAX).collect();
        let nonce = Nonce { id: NonceId::random(), issued_at: now, ip };
        self.home.storage.issue_nonce(&nonce, now - TimeDelta::seconds(limits::NONCE_AGE_SECONDS_MAX))?;
        Ok(nonce)
    }
}

impl fmt::Debug for Responder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Responder").field("home", &self.home).finish_non_exhaustive()
    }
}
