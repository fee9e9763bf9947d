//! A Python peer that lacks one capability or several, as older versions do, or as settings have it.
//!
//! Goal: rows, changes, deletions and conflicts travel as they do between peers of today. Method: the same life of a school,
//! with each set of capabilities taken from the Python peer; both databases are compared whole.

use morango::session::Capability::{self, AsyncOperations, FsicV2Format, GzipBufferPost};

use super::meeting::{Caller, Cast, Meeting};
use super::school::{FURNITURE, furnish};

pub(super) fn a_peer_without_counters_per_partition_is_synced_with(cast: Cast) {
    a_school_lives(cast, &[FsicV2Format]);
}

pub(super) fn a_peer_without_asynchronous_operations_is_synced_with(cast: Cast) {
    a_school_lives(cast, &[AsyncOperations]);
}

pub(super) fn a_peer_without_gzip_is_synced_with(cast: Cast) {
    a_school_lives(cast, &[GzipBufferPost]);
}

pub(super) fn a_peer_of_the_first_version_is_synced_with(cast: Cast) {
    a_school_lives(cast, &[FsicV2Format, AsyncOperations]);
}

pub(super) fn a_peer_with_no_capability_is_synced_with(cast: Cast) {
    a_school_lives(cast, &[FsicV2Format, AsyncOperations, GzipBufferPost]);
}

fn a_school_lives(cast: Cast, lacking: &[Capability]) {
    let mut meeting = Meeting::begin_without(cast, lacking);
    let dataset = meeting.dataset.clone();
    let school = furnish(&mut meeting.server(), &dataset);
    assert_eq!(meeting.pull_all(), FURNITURE + 1);
    meeting.assert_equal();

    meeting.client().update("user", &school.ada, "full_name", "Ada, by the client");
    meeting.server().update("user", &school.bert, "full_name", "Bert, by the server");
    meeting.client().delete("contentlog", &school.log_of_ada);
    meeting.both_ways();
    meeting.assert_equal();

    meeting.client().update("user", &school.ada, "full_name", "again by the client");
    meeting.server().update("user", &school.ada, "full_name", "meanwhile by the server");
    meeting.server().hard_delete("membership", &school.membership_of_ada);
    meeting.both_ways();
    meeting.assert_equal();
    let merged = meeting.server().record(&school.ada);
    assert_eq!(merged["serialized"][0]["full_name"], "again by the client", "who merges keeps its own");
    assert_eq!(merged["conflicting_serialized_data"][0]["full_name"], "meanwhile by the server");

    if cast.caller == Caller::Rust {
        assert_eq!(meeting.pull_all(), 0, "we say what we have, in whatever form");
        assert_eq!(meeting.push_all(), 0, "and are told what the peer has");
    }
}
