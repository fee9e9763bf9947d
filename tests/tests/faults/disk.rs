//! Disks that do not work beneath SQLite: at one call of a sync, all through it, or at all calls from there on until they are healed.
//!
//! Goal: it is said that the disk does not work, or that it is full; right after, the file is whole and no record is half of something;
//! and when the disk works again the next sync goes on. Method: a VFS of ours between SQLite and the file of one side
//! (`tests/faulty-disk`), which counts the calls of a sync that goes well, and then refuses some of them in turn.

use std::collections::BTreeMap;
use std::time::Duration;

use morango::prelude::*;
use morango_faulty_disk::{Call, Disk, Failing, Lasting, Says};
use morango_tests::clock::HurriedClock;
use morango_tests::device::{Device, SchoolAccounts};
use morango_tests::given::Between;

use super::going_on::Pair;

/// How many calls of each kind fail, one in each sync.
const CALLS_OF_A_KIND: u64 = 4;

/// From how many places on all calls fail, one in each sync.
const CALLS_OF_ANY_KIND: u64 = 10;

/// Whose disk does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Client,
    Server,
}

/// A pair, one of which is on a disk that can be told to fail.
struct Story {
    pair: Pair,
    whose: Whose,
    disk: Disk,
    /// The client's: one whose peer does not answer asks for long.
    clock: HurriedClock,
    failed_calls: u64,
    failed_syncs: usize,
}

impl Story {
    fn begin(on: Between, whose: Whose) -> Self {
        morango_faulty_disk::install();
        let pair = Pair::new(on);
        let database = match whose {
            Whose::Client => pair.client.database(),
            Whose::Server => pair.server.database(),
        };
        let disk = Disk::beneath(&database);
        Self { pair, whose, disk, clock: HurriedClock::default(), failed_calls: 0, failed_syncs: 0 }
    }

    fn device(&self) -> &Device {
        match self.whose {
            Whose::Client => &self.pair.client,
            Whose::Server => &self.pair.server,
        }
    }

    /// What is asked of the disk in a sync that goes well.
    fn asked_in_a_sync(&mut self) -> BTreeMap<Call, u64> {
        self.pair.write();
        self.open_anew();
        let before = self.disk.asked();
        self.pair.attempt(SyncOptions::both_ways()).expect("the disk works");
        let after = self.disk.asked();
        after.into_iter().map(|(call, count)| (call, count - before.get(&call).unwrap_or(&0))).collect()
    }

    /// Goes on without connections that were made before, so that some are made in the sync.
    fn open_anew(&mut self) {
        match self.whose {
            Whose::Client => self.pair.client.be_patient_for(Duration::from_secs(5)),
            Whose::Server => {
                self.pair.server.be_patient_for(Duration::from_secs(5));
                self.pair.url = self.pair.server.serve(SchoolAccounts::admin());
                let clock = self.clock.clone();
                self.pair.client.rebuild(|builder| builder.clock(clock));
            }
        }
    }

    /// Syncs while the disk fails, and sees to it that all is well once it does not.
    fn tell(&mut self, failing: Failing) {
        let case = format!("{:?}: {failing:?}", self.whose);
        let (names, before) = (self.pair.write(), self.pair.counters());
        self.open_anew();
        self.disk.fail(failing);
        self.clock.hurry();
        let outcome = self.pair.attempt_in_a_hurry(SyncOptions::both_ways());
        self.clock.take_time();
        let failed = self.disk.heal();
        self.failed_calls += failed;
        assert_is_whole(self.device(), &case);
        if let Err(error) = outcome {
            self.failed_syncs += 1;
            assert!(failed > 0, "{case}: the disk works: {error:?}");
            match self.whose {
                Whose::Client => assert_is_told(&error, failing.says, &case),
                Whose::Server => assert_is_told_of_a_peer(&error, failing.says, &case),
            }
            self.pair.go_on_after(&error);
        }
        self.pair.assert_healed(&before, &names, &case);
        assert_is_whole(self.device(), &case);
    }
}

/// Some of the numbers from 1 to this one, the first and the last among them.
fn some_of(count: u64, places: u64) -> impl Iterator<Item = u64> {
    let places = places.min(count);
    (0..places).map(move |place| 1 + place * (count - 1) / (places - 1).max(1))
}

#[track_caller]
fn assert_is_told(error: &morango::Error, says: Says, case: &str) {
    let kind = match says {
        Says::Broken => ErrorKind::StorageUnavailable,
        Says::Full => ErrorKind::StorageFull,
    };
    assert_eq!(error.kind(), kind, "{case}: {error:?}");
    assert!(error.hint().is_some() && error.report().contains("school.db"), "{case}: {error:?}");
}

#[track_caller]
fn assert_is_told_of_a_peer(error: &morango::Error, says: Says, case: &str) {
    assert!(matches!(error.kind(), ErrorKind::PeerRefused | ErrorKind::PeerStageFailed), "{case}: {error:?}");
    // What is full stays so; what did not work may work again. After a stage that failed a sync begins afresh.
    let is_final = says == Says::Full || error.kind() == ErrorKind::PeerStageFailed;
    assert!(error.is_retryable() || is_final, "{case}: {error:?}");
    let report = error.report();
    assert!(
        !report.contains("I/O") && !report.contains("school.db") && !report.contains("morango_"),
        "{case}: {report}"
    );
}

/// Asserts that the file is sound, that foreign keys hold, and that each record that waits for nothing is a row.
#[track_caller]
fn assert_is_whole(device: &Device, case: &str) {
    for (what, query) in [
        ("the file is whole", "FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
        ("foreign keys hold", "FROM pragma_foreign_key_check"),
        (
            "what waits for nothing is a row",
            "FROM morango_store WHERE model_name = 'contentlog' AND is_dirty = 0 AND is_deleted = 0
             AND lower(hex(record_id)) NOT IN (SELECT id FROM contentlog)",
        ),
    ] {
        assert_eq!(device.number(&format!("SELECT count(*) AS number {query}")), 0, "{case}: {what}");
    }
}

/// One call of each kind fails, at several places of a sync; the disk is full at one time, too.
fn fail_once(on: Between, whose: Whose) {
    let mut story = Story::begin(on, whose);
    for (call, count) in story.asked_in_a_sync() {
        let says = if call == Call::Write { [Says::Broken, Says::Full].as_slice() } else { &[Says::Broken] };
        for (from, says) in says.iter().flat_map(|says| some_of(count, CALLS_OF_A_KIND).map(move |from| (from, *says)))
        {
            story.tell(Failing { call: Some(call), from, lasting: Lasting::Once, says });
        }
    }
    story.end();
}

/// All calls fail from several places of a sync on, and all that write where the disk is full.
fn fail_until_healed(on: Between, whose: Whose) {
    let mut story = Story::begin(on, whose);
    let asked = story.asked_in_a_sync();
    let lasting = Lasting::UntilHealed;
    for from in some_of(asked.values().sum(), CALLS_OF_ANY_KIND) {
        story.tell(Failing { call: None, from, lasting, says: Says::Broken });
    }
    for from in some_of(asked[&Call::Write], CALLS_OF_ANY_KIND) {
        story.tell(Failing { call: Some(Call::Write), from, lasting, says: Says::Full });
    }
    story.end();
}

impl Story {
    fn end(self) {
        println!("{:?}: {} calls and {} syncs failed", self.whose, self.failed_calls, self.failed_syncs);
        // A client asks again where the server failed once; a stage that failed there has failed.
        assert!(self.failed_syncs >= 3, "few calls of a sync may fail unnoticed: {}", self.failed_syncs);
    }
}

pub(super) fn a_client_whose_disk_fails_at_any_call_says_so_and_loses_nothing(on: Between) {
    fail_once(on, Whose::Client);
}

pub(super) fn a_client_whose_disk_fails_from_any_call_on_says_so_and_goes_on_when_it_works(on: Between) {
    fail_until_healed(on, Whose::Client);
}

pub(super) fn a_server_whose_disk_fails_at_any_call_says_that_it_failed_and_loses_nothing(on: Between) {
    fail_once(on, Whose::Server);
}

pub(super) fn a_server_whose_disk_fails_from_any_call_on_says_that_it_failed_and_goes_on_when_it_works(on: Between) {
    fail_until_healed(on, Whose::Server);
}
