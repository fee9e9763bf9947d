//! A sync session: two peers that have shown each other a certificate.

use chrono::{DateTime, Utc};

use super::capability::Capabilities;
use super::transfer::Direction;
use crate::id::{CertificateId, InstanceId, SyncSessionId};
use crate::scope::Filter;

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
    /// What the client set out to do: of a session in which we are the client.
    pub plan: Option<SyncPlan>,
    /// Who is at work in it: of a session in which we are the client.
    pub holder: Option<SyncHolder>,
}

impl SyncSession {
    /// A session that begins between two certificates, the client's and the server's. Of both sides nothing else is known: no instance, no
    /// address; and both can do what we can.
    pub fn begin(
        id: SyncSessionId,
        side: Side,
        profile: &str,
        (client_certificate, server_certificate): (CertificateId, CertificateId),
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            side,
            profile: profile.to_owned(),
            client_certificate,
            server_certificate,
            client_instance: None,
            server_instance: None,
            client_instance_json: "{}".to_owned(),
            server_instance_json: "{}".to_owned(),
            connection_path: String::new(),
            client_ip: String::new(),
            server_ip: String::new(),
            capabilities: Capabilities::ours(),
            started_at: now,
            last_activity_at: now,
            is_active: true,
            plan: None,
            holder: None,
        }
    }
}

/// What a client set out to do in a sync session, so that whoever takes it up again does the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncPlan {
    /// The directions whose transfers are not done yet, in their order.
    pub left: Vec<Direction>,
    /// What is synced; without one, all that both certificates allow.
    pub filter: Option<Filter>,
    /// How many records go over at a time; without a number, as many as the line is good for.
    pub chunk_records: Option<usize>,
}

/// Who is at work in a sync session, and until when that is believed without a further sign of life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncHolder {
    /// Names a process on a machine and one of its syncs, for whoever wants to know whether it still lives.
    pub name: String,
    /// When the hold ends unless it is renewed.
    pub until: DateTime<Utc>,
}

/// In which order sync sessions are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SyncSessionOrder {
    /// Those that were used last first.
    #[default]
    UsedLastFirst,
    /// Those that were used longest ago first, so that all can be listed a page at a time though they are used or closed meanwhile.
    UsedLongestAgoFirst {
        /// When the last one of the page before was last used, and which it is.
        after: Option<(DateTime<Utc>, SyncSessionId)>,
    },
}

/// Which sync sessions are meant. Without any condition, all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyncSessionQuery {
    /// Only these.
    pub ids: Option<Vec<SyncSessionId>>,
    /// Only those that are open, or only those that are closed.
    pub is_active: Option<bool>,
    /// Only those in which we are this end.
    pub side: Option<Side>,
    /// Only those of this profile.
    pub profile: Option<String>,
    /// Only those whose client is this instance.
    pub client_instance: Option<InstanceId>,
    /// Only those whose server is this instance.
    pub server_instance: Option<InstanceId>,
    /// Only those in which the client speaks in the name of this certificate.
    pub client_certificate: Option<CertificateId>,
    /// Only those that were last used before this time.
    pub idle_since: Option<DateTime<Utc>>,
    /// Which of them come first.
    pub order: SyncSessionOrder,
}
