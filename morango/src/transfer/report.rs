//! What a transfer did, for the application and for people.

use std::fmt;
use std::time::Duration;

use super::context::Context;
use crate::hook::HookFailure;
use crate::id::TransferSessionId;
use crate::port::{DequeueReport, DeserializeReport, Rejection, Renewed, SerializeReport};
use crate::scope::Filter;
use crate::session::{Direction, Stage};

/// What one push or pull did on this side.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TransferReport {
    /// Push or pull.
    pub direction: Direction,
    /// The transfer session.
    pub transfer_session: TransferSessionId,
    /// What was synced.
    pub filter: Filter,
    /// How many records the receiver lacked.
    pub records_total: u64,
    /// How many were sent or received, those that were refused at the gate among them.
    pub records_transferred: u64,
    /// Received records that were refused at the gate. At most [`REPORTED_MAX`](crate::port::REPORTED_MAX) of them.
    pub rejections: Vec<Rejection>,
    /// How many were refused in all.
    pub rejections_total: u64,
    /// What serializing did: of a push.
    pub serialize: Option<SerializeReport>,
    /// What dequeuing did: of a pull.
    pub dequeue: Option<DequeueReport>,
    /// What deserializing did: of a pull.
    pub deserialize: Option<DeserializeReport>,
    /// How long each stage took, in their order.
    pub stages: Vec<(Stage, Duration)>,
    /// Whether this database became another instance: the peer knew more of the former one than it could have told, so it is a
    /// copy or was restored. Nothing is lost; what others changed meanwhile comes with the next pull at the latest.
    pub renewed: Option<Renewed>,
    /// What hooks did wrong before and after it, which stopped nothing.
    pub hook_failures: Vec<HookFailure>,
}

impl TransferReport {
    /// What a transfer did whose last stage is done.
    pub(super) fn of(context: Context<'_>, hook_failures: Vec<HookFailure>) -> Self {
        let Context { session, results, durations, .. } = context;
        Self {
            direction: session.direction,
            transfer_session: session.id,
            filter: session.filter,
            records_total: session.records_total.unwrap_or(0),
            records_transferred: session.records_transferred,
            rejections: results.rejections,
            rejections_total: results.rejections_total,
            serialize: results.serialize,
            dequeue: results.dequeue,
            deserialize: results.deserialize,
            stages: durations,
            renewed: results.renewed,
            hook_failures,
        }
    }

    /// Whether everything that was there to transfer arrived as it should: nothing refused, nothing set aside, no failures.
    pub fn is_clean(&self) -> bool {
        self.rejections_total == 0
            && self.serialize.as_ref().is_none_or(|report| report.set_aside_total == 0)
            && self.deserialize.as_ref().is_none_or(|report| report.failures_total == 0 && report.skipped == 0)
    }

    /// How many records both sides had changed: both contents are kept.
    pub fn conflicts(&self) -> u64 {
        let merged = self.dequeue.map_or(0, |report| report.conflicts);
        merged + self.deserialize.as_ref().map_or(0, |report| report.conflicts)
    }
}

impl fmt::Display for TransferReport {
    /// One line, for example `pull: 120 of 120 records (100 new, 15 updated, 4 known, 1 conflict), 119 rows written`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {} of {} records", self.direction, self.records_transferred, self.records_total)?;
        if let Some(dequeued) = &self.dequeue {
            write!(
                formatter,
                " ({} new, {} updated, {} known, {} in conflict)",
                dequeued.new, dequeued.fast_forwarded, dequeued.already_seen, dequeued.conflicts
            )?;
        }
        if let Some(deserialized) = &self.deserialize {
            write!(formatter, ", {} rows written, {} deleted", deserialized.written, deserialized.deleted)?;
            if deserialized.failures_total > 0 {
                write!(formatter, ", {} records wait for what they need", deserialized.failures_total)?;
            }
            if deserialized.skipped > 0 {
                write!(formatter, ", {} that failed before were passed by", deserialized.skipped)?;
            }
        }
        if let Some(serialized) = &self.serialize
            && serialized.set_aside_total > 0
        {
            write!(formatter, ", {} rows set aside", serialized.set_aside_total)?;
        }
        if self.rejections_total > 0 {
            write!(formatter, ", {} records refused", self.rejections_total)?;
        }
        if let Some(renewed) = &self.renewed {
            write!(formatter, ", as the new instance {}", renewed.current)?;
        }
        let took: Duration = self.stages.iter().map(|(_, took)| *took).sum();
        write!(formatter, ", in {took:.1?}")
    }
}
