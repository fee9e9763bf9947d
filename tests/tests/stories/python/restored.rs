//! A backup of either side is put back, or a school is taken off our device, and the Python package is the other side.

use morango::port::{Papers, Unsent};
use morango::prelude::*;
use morango_tests::compare::assert_none_fell;
use morango_tests::device::{Device, Restoring};

use super::meeting::{Cast, Meeting};
use super::school::{FURNITURE, furnish, user};

/// Our device, with a backup put in the place of its database while it was switched off.
fn put_back(meeting: &mut Meeting, backup: &morango_tests::device::Backup) {
    let placeholder = Device::new("elsewhere");
    let device = std::mem::replace(&mut meeting.rust, placeholder);
    meeting.rust = device.restored(backup, Restoring::Unseen);
}

pub(super) fn a_backup_that_overwrote_ours_is_found_out_by_what_python_knows(cast: Cast) {
    let mut meeting = Meeting::begin(cast);
    let dataset = meeting.dataset.clone();
    let school = furnish(&mut meeting.server(), &dataset);
    meeting.pull();
    meeting.rust().update("user", &school.bert, "full_name", "Bert, before");
    meeting.bring_to_python();
    let backup = meeting.rust.back_up();
    meeting.rust().update("user", &school.ada, "full_name", "Ada, after the backup");
    meeting.bring_to_python();
    let former = meeting.rust().instance();
    put_back(&mut meeting, &backup);
    meeting.rust().update("user", &school.ada, "full_name", "Ada, after the restore");
    meeting.rust().update("user", &school.bert, "full_name", "Bert, after the restore");

    meeting.both_ways();

    assert_ne!(meeting.rust().instance(), former, "Python knows more of it than it does");
    meeting.both_ways();
    meeting.assert_equal();
    let ada = meeting.python().record(&school.ada);
    let both = format!("{}{}", ada["serialized"], ada["conflicting_serialized_data"]);
    assert!(both.contains("Ada, after the backup") && both.contains("Ada, after the restore"), "{both}");
    assert_eq!(meeting.python().rows()[&school.bert]["full_name"], "Bert, after the restore");
}

pub(super) fn a_school_that_is_forgotten_here_is_not_deleted_in_python_and_comes_back(cast: Cast) {
    let mut meeting = Meeting::begin(cast);
    let dataset = meeting.dataset.clone();
    let school = furnish(&mut meeting.server(), &dataset);
    meeting.pull();
    meeting.rust().update("user", &school.ada, "full_name", "Ada, by us");
    meeting.bring_to_python();

    let root: CertificateId = dataset.parse().expect("an id");
    let forgotten = meeting.rust.engine.forget(root, Papers::Kept, Unsent::Refused).expect("Python has all of it");

    assert_eq!(forgotten.records, FURNITURE + 1);
    assert!(meeting.rust.store().is_empty());
    assert_eq!(meeting.push_all(), 0, "Python learns nothing of it");
    assert_eq!(meeting.python().records(&[]).len() as u64, FURNITURE + 1);
    assert_eq!(meeting.pull_all(), FURNITURE + 1);
    meeting.assert_equal();
    assert_eq!(meeting.rust().rows()[&school.ada]["full_name"], "Ada, by us");
}

/// The package counts on from where its backup was, as the same instance. What it saves under numbers that others know already it
/// takes for known, and offers to nobody; only what changes once it has counted past them travels. To tell it lower counters, so that
/// it sends more, would keep a restored peer of ours from finding out what happened to it, and the two cannot be told apart.
pub(super) fn what_a_restored_python_peer_saves_under_numbers_that_are_known_comes_with_its_next_change(cast: Cast) {
    let mut meeting = Meeting::begin(cast);
    let dataset = meeting.dataset.clone();
    let school = furnish(&mut meeting.server(), &dataset);
    meeting.both_ways();
    let backup = meeting.python.back_up("backup");
    for round in 0..4 {
        meeting.python().update("user", &school.ada, "full_name", &format!("Ada, round {round}"));
        meeting.both_ways();
    }
    let instance = meeting.python().instance();
    let before = meeting.rust.counters();
    meeting.put_python_back(&backup);
    assert_eq!(meeting.python().instance(), instance, "it does not notice that it was restored");
    let carl = meeting.python().create("user", &user(&dataset, "carl", None));

    for _ in 0..8 {
        meeting.both_ways();
    }

    let is_here = |meeting: &Meeting| meeting.rust.store().contains_key(&carl.parse().expect("an id"));
    assert!(!is_here(&meeting), "it never comes by itself");
    assert_none_fell(&before, &meeting.rust.counters());
    assert_eq!(meeting.python().rows()[&school.ada]["full_name"], "Ada, round 3", "what was lost is given back");
    meeting.python().update("user", &carl, "full_name", "Carl");
    meeting.both_ways();
    assert!(is_here(&meeting));
    meeting.assert_equal();
}
