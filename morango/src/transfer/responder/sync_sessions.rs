//! Sync sessions: two peers show each other their certificates.
//!
//! Whatever a caller claims is checked before anything is kept; the nonce is taken last, so that only one who has signed it
//! can use it up.

use serde_json::{Map, Value};

use super::{Caller, Responder};
use crate::hook::Event;
use crate::id::{CertificateId, NonceId, SyncSessionId};
use crate::identity::{Certificate, PrivateKey, session_challenge};
use crate::port::{SyncSessionAnswer, SyncSessionRequest};
use crate::session::{Side, SyncSession};
use crate::transfer::context::unknown_sync;
use crate::transfer::{Guests, certificates, closing, look_after};
use crate::{Error, ErrorKind, Result, limits};

impl Responder {
    /// Opens a sync session.
    ///
    /// # Errors
    /// [`ErrorKind::CertificateUnknown`] or [`ErrorKind::PrivateKeyMissing`] for our certificate,
    /// [`ErrorKind::CertificateInvalid`] and its like for the caller's chain, another root or other profiles,
    /// [`ErrorKind::SignatureInvalid`], [`ErrorKind::NonceInvalid`], [`ErrorKind::MessageMalformed`] for an instance that
    /// is none, and [`ErrorKind::SessionConflict`] for an id that was used before.
    pub fn create_sync_session(&self, caller: &Caller, request: &SyncSessionRequest) -> Result<SyncSessionAnswer> {
        let (server, key) = self.own_certificate(&request.server_certificate)?;
        let shown = request.certificate_chain.clone();
        let (client, chain) = certificates::verify_end(&self.home, shown, request.client_certificate)?;
        check_profiles(&client, &server, &request.profile)?;
        self.check_same_root(chain.first().unwrap_or(&client), &server)?;
        let instance = read_instance(&request.instance)?;
        let challenge = session_challenge(&request.nonce, request.id);
        if !client.verify(&challenge, &request.signature) {
            let message =
                format!("open a sync session for the certificate {}: the signature is not its owner's", client.id());
            return Err(Error::new(ErrorKind::SignatureInvalid, message));
        }
        let signature = key.sign(&challenge)?;
        self.take_nonce(&request.nonce)?;
        look_after(&self.home);

        let home = &self.home;
        let now = home.clock.now();
        home.take_up_instance()?;
        let server_instance = home.instance_json();
        home.storage.create_sync_session(&SyncSession {
            id: request.id,
            side: Side::Server,
            profile: server.profile().to_owned(),
            client_certificate: client.id(),
            server_certificate: server.id(),
            client_instance: instance.get("id").and_then(Value::as_str).and_then(|id| id.parse().ok()),
            server_instance: Some(home.instance().id),
            client_instance_json: request.instance.clone(),
            server_instance_json: server_instance.clone(),
            connection_path: start_of(&request.connection_path, limits::CONNECTION_PATH_CHARS_MAX),
            client_ip: start_of(&caller.ip, limits::IP_CHARS_MAX),
            server_ip: start_of(&request.server_ip, limits::IP_CHARS_MAX),
            capabilities: home.capabilities.shared_with(&caller.capabilities),
            started_at: now,
            last_activity_at: now,
            is_active: true,
            plan: None,
            holder: None,
        })?;
        // The session comes first: certificates that no session names may be forgotten at any time.
        if let Err(error) = certificates::keep(home, &chain) {
            home.storage.close_sync_session(&request.id, now)?;
            return Err(error);
        }
        tracing::info!(sync_session = %request.id, client = %client.id(), "opened a sync session");
        home.tell(&Event::SessionOpened { sync_session: request.id, side: Side::Server });
        Ok(SyncSessionAnswer { signature, server_instance })
    }

    /// An open sync session that a caller opened here.
    ///
    /// # Errors
    /// [`ErrorKind::SessionUnknown`] where there is none, or it is closed.
    pub fn sync_session(&self, id: &SyncSessionId) -> Result<SyncSession> {
        let session = self.home.storage.sync_session(id)?;
        session.filter(|session| session.is_active && session.side == Side::Server).ok_or_else(|| unknown_sync(id))
    }

    /// Closes a sync session. What works in it is stopped first, and waited for.
    ///
    /// # Errors
    /// [`ErrorKind::SessionUnknown`] where there is none, or it is closed.
    pub fn close_sync_session(&self, id: &SyncSessionId) -> Result<()> {
        let session = self.sync_session(id)?;
        let claim = self.home.workers.close(*id);
        let close = || self.home.storage.close_sync_session(id, self.home.clock.now());
        closing(&self.home, Guests::NONE, &session, close)?;
        drop(claim);
        self.home.tell(&Event::SessionClosed { sync_session: *id, side: Side::Server });
        Ok(())
    }

    /// Our certificate with its key.
    fn own_certificate(&self, id: &CertificateId) -> Result<(Certificate, PrivateKey)> {
        let storage = &self.home.storage;
        let stored = storage.certificate(id)?.ok_or_else(|| {
            Error::new(ErrorKind::CertificateUnknown, format!("speak as the certificate {id}: it is not here"))
        })?;
        let key = storage.private_key(id)?.ok_or_else(|| {
            let message = format!("speak as the certificate {id}: its private key is not here");
            Error::new(ErrorKind::PrivateKeyMissing, message)
        })?;
        Ok((stored.certificate, key))
    }

    /// Checks that the caller's chain begins where ours does. `top` is the first of its certificates that is new here, or its last.
    ///
    /// All that a certificate allows begins with the id of its root, so under two roots there is nothing that both sides allow. Anybody
    /// can make a root; of those that are none of ours nothing is kept.
    fn check_same_root(&self, top: &Certificate, server: &Certificate) -> Result<()> {
        let root = certificates::root_of(&self.home, top)?;
        if root.is_some() && root == certificates::root_of(&self.home, server)? {
            return Ok(());
        }
        let message =
            format!("open a sync session: the client's chain does not begin where that of {} does", server.id());
        Err(Error::new(ErrorKind::CertificateInvalid, message)
            .with_hint("ask this peer for its certificates below the client's own root, and choose one of those"))
    }

    /// Takes the nonce out for good.
    pub(super) fn take_nonce(&self, nonce: &str) -> Result<()> {
        let invalid = |problem: &str| Error::new(ErrorKind::NonceInvalid, format!("take the nonce: {problem}"));
        let id: NonceId = nonce.parse().map_err(|_| invalid("it is not one that this peer hands out"))?;
        let taken = self.home.storage.take_nonce(&id)?;
        let taken = taken.ok_or_else(|| invalid("it was never handed out, or was used before"))?;
        let now = self.home.clock.now();
        if taken.is_fresh(now) {
            return Ok(());
        }
        // The caller's clock has no part in this: only this peer's own is read, when a nonce is handed out and when it comes back.
        let age = now.signed_duration_since(taken.issued_at);
        let seconds = age.num_seconds().unsigned_abs();
        let (problem, advice) = if age.num_milliseconds().is_negative() {
            (
                format!("it was handed out {seconds} seconds after this moment"),
                "ask for a new one; if that is refused too, the clocks of the servers of this peer differ",
            )
        } else {
            (
                format!("it is too old: it was handed out {seconds} seconds ago"),
                "ask for a new one, and use it within a minute; if that is refused too, the clocks of the servers of this peer differ",
            )
        };
        Err(invalid(&problem).with_hint(advice))
    }
}

/// What is noted for people only is cut where it is too long.
fn start_of(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).collect()
}

fn check_profiles(client: &Certificate, server: &Certificate, asked: &str) -> Result<()> {
    if client.profile() == server.profile() && client.profile() == asked {
        return Ok(());
    }
    let message = format!(
        "open a sync session of the profile {:?}: the client's certificate is of {:?}, the server's of {:?}",
        crate::id::excerpt(asked),
        client.profile(),
        server.profile()
    );
    Err(Error::new(ErrorKind::CertificateInvalid, message))
}

/// What the caller says of itself. Only its id is read here; an application may read its own keys.
fn read_instance(text: &str) -> Result<Map<String, Value>> {
    if text.len() > limits::INSTANCE_BYTES_MAX {
        let message = format!("open a sync session: what the client says of its instance has {} bytes", text.len());
        return Err(Error::new(ErrorKind::LimitExceeded, message));
    }
    serde_json::from_str(text).map_err(|error| {
        let message = "open a sync session: what the client says of its instance is no JSON object";
        Error::new(ErrorKind::MessageMalformed, message).with_source(error)
    })
}
