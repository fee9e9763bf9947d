//! A backup of ours is put back, or a school is taken off our device, and the Python package is the other side.

use morango::port::{Papers, Unsent};
use morango::prelude::*;
use morango_tests::device::{Device, Restoring};

use super::meeting::{Cast, Meeting};
use super::school::{FURNITURE, furnish};

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
