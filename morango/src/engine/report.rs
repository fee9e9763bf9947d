//! What a sync did, for the application and for people.

use std::fmt;
use std::time::Duration;

use crate::id::{CertificateId, SyncSessionId};
use crate::port::{Renewed, Traffic};
use crate::transfer::TransferReport;

/// What one sync did.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SyncReport {
    /// The sync session.
    pub sync_session: SyncSessionId,
    /// Where the peer is.
    pub peer: String,
    /// The certificate in whose name the peer spoke.
    pub server_certificate: CertificateId,
    /// What the pull did, where there was one.
    pub pull: Option<TransferReport>,
    /// What the push did, where there was one.
    pub push: Option<TransferReport>,
    /// What went over the line.
    pub traffic: Traffic,
    /// How long it took.
    pub duration: Duration,
}

impl SyncReport {
    /// Whether nothing was refused, set aside or left waiting.
    pub fn is_clean(&self) -> bool {
        self.pull.iter().chain(&self.push).all(TransferReport::is_clean)
    }

    /// How many records both sides had changed: both contents are kept.
    pub fn conflicts(&self) -> u64 {
        self.pull.iter().chain(&self.push).map(TransferReport::conflicts).sum()
    }

    /// Whether this database became another instance because it is a copy or was restored; see [`TransferReport::renewed`].
    pub fn renewed(&self) -> Option<&Renewed> {
        self.pull.iter().chain(&self.push).find_map(|transfer| transfer.renewed.as_ref())
    }

    /// How many records went over, both ways.
    pub fn records_transferred(&self) -> u64 {
        self.pull.iter().chain(&self.push).map(|transfer| transfer.records_transferred).sum()
    }
}

impl fmt::Display for SyncReport {
    /// A few lines for a person: what came, what went, what was left, how long it took.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "synced with {} in {:.1?}: {} requests, {} bytes sent, {} received",
            self.peer, self.duration, self.traffic.requests, self.traffic.bytes_sent, self.traffic.bytes_received
        )?;
        for transfer in self.pull.iter().chain(&self.push) {
            write!(formatter, "\n  {transfer}")?;
            for rejection in transfer.rejections.iter().take(SHOWN_MAX) {
                write!(formatter, "\n    refused {:?}: {}", rejection.claimed_id, rejection.reason)?;
            }
            for row in transfer.serialize.iter().flat_map(|report| &report.set_aside).take(SHOWN_MAX) {
                write!(formatter, "\n    set aside {} {:?}: {}", row.model, row.id, row.reason)?;
            }
            for failure in transfer.deserialize.iter().flat_map(|report| &report.failures).take(SHOWN_MAX) {
                write!(formatter, "\n    waiting: {} {}: {}", failure.model, failure.id, failure.reason)?;
            }
        }
        Ok(())
    }
}

/// How many single records of a kind are shown to a person.
const SHOWN_MAX: usize = 5;
