//! A sync session: two peers that have shown each other a certificate.

use chrono::{DateTime, Utc};

use super::capability::Capabilities;
use crate::id::{CertificateId, InstanceId, SyncSessionId};

/// Which end of the connection this peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// We called.
    Client,
    /// We were called.
    Server,
}

/// A sync session as each of the two peers keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncSession {
    /// Its id, drawn by the client.
    pub id: SyncSessionId,
    /// Which end we are.
    pub side: Side,
    /// The profile of both certificates.
    pub profile: String,
    /// The certificate in whose name the client speaks.
    pub client_certificate: CertificateId,
    /// The certificate in whose name the server speaks.
    pub server_certificate: CertificateId,
    /// The client's instance, where it said so.
    pub client_instance: Option<InstanceId>,
    /// The server's instance, where it said so.
    pub server_instance: Option<InstanceId>,
    /// What the client said of itself, as JSON text.
    pub client_instance_json: String,
    /// What the server said of itself, as JSON text.
    pub server_instance_json: String,
    /// Where the client found the server, for example `http://192.0.2.7:8080/`.
    pub connection_path: String,
    /// The client's address as the server saw it, or as the client knows it.
    pub client_ip: String,
    /// The server's address as the client knows it.
    pub server_ip: String,
    /// What both sides can do.
    pub capabilities: Capabilities,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it was last used.
    pub last_activity_at: DateTime<Utc>,
    /// Whether it is open.
    pub is_active: bool,
}
