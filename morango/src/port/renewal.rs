//! A new id for a database that was copied or restored, so that no counter is used a second time for another change.
//!
//! A copy counts on where the original does. Whatever one of them saves then has the numbers of what the other saves, and
//! peers that know the one would take the other's changes for known.

use chrono::{DateTime, Utc};

use crate::counter::Stamp;
use crate::id::{DatabaseId, InstanceId};
use crate::identity::Instance;

/// How far this instance has counted, and how far others may know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnCounters {
    /// The current instance.
    pub instance: InstanceId,
    /// The counter at which it saved or claimed something last.
    pub counter: i64,
    /// Up to which counter others may have heard of it from this database. Whoever knows of more knows another database that
    /// counts as the same instance.
    pub told: i64,
}

impl OwnCounters {
    /// The last that others may have heard of the current instance.
    pub fn told_stamp(&self) -> Stamp {
        Stamp::new(self.instance, self.told)
    }
}

/// What became of an instance that was to be the current one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adoption {
    /// It is the current one.
    Adopted,
    /// The database knows more of it than it would count on from: another database counts as the same instance, or this one did before
    /// it was restored. Nothing has changed.
    KnownBeyond,
}

/// An order to become another instance.
pub struct Renewal<'a> {
    /// Which instance this is once the database has another id.
    pub successor: &'a dyn Fn(DatabaseId) -> Instance,
    /// When it is.
    pub now: DateTime<Utc>,
    /// Where [`limits::RENEWALS_MAX`](crate::limits::RENEWALS_MAX) renewals were later than this, nothing is done.
    pub unless_since: Option<DateTime<Utc>>,
}

/// A database became another instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewed {
    /// What it was.
    pub former: InstanceId,
    /// What it is.
    pub current: InstanceId,
    /// How many records that had never left this database are now saved by the new instance.
    pub restamped: u64,
}
