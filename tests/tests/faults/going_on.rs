//! What the stories share: a pair that has something to do at every stage, and how it is seen that all is well in the end.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use morango::client::{HttpPeer, RetryPolicy};
use morango::hook::{Event, Phase};
use morango::prelude::*;
use morango::session::Stage;
use morango_tests::compare::{assert_equal, assert_none_fell};
use morango_tests::device::Device;
use morango_tests::given::{Between, School, moved, rename, root, two_equal_devices};

/// A client and a server that have synced before.
pub(super) struct Pair {
    pub(super) server: Device,
    pub(super) client: Device,
    pub(super) school: School,
    pub(super) url: String,
    round: usize,
}

/// Which of the two.
pub(super) type Whose = fn(&Pair) -> &Device;

/// The names that both sides gave one person.
pub(super) struct Names([String; 2]);

impl Names {
    pub(super) fn of(names: [&str; 2]) -> Self {
        Self(names.map(str::to_owned))
    }
}

impl Pair {
    pub(super) fn new(on: Between) -> Self {
        Self::of(two_equal_devices(on))
    }

    /// The same of devices that a story has made.
    pub(super) fn of((server, client, school, url): (Device, Device, School, String)) -> Self {
        Self { server, client, school, url, round: 0 }
    }

    /// Gives every stage of a sync both ways something to do: each side makes rows, and both rename the same person.
    pub(super) fn write(&mut self) -> Names {
        self.round += 1;
        let names = [&self.server, &self.client].map(|device| {
            let name = format!("Ada of {} {}", device.name, self.round);
            self.school.logs(device, self.school.bert, 3);
            rename(device, self.school.ada, &name);
            name
        });
        Names(names)
    }

    /// Syncs both ways in small chunks.
    pub(super) fn attempt(&self, options: SyncOptions) -> morango::Result<SyncReport> {
        self.client.attempt_sync(&self.url, root(), options.chunk_size(2))
    }

    /// The same with pauses before a call is made again that are over at once.
    pub(super) fn attempt_in_a_hurry(&self, options: SyncOptions) -> morango::Result<SyncReport> {
        let hurry = RetryPolicy { pause_first: Duration::from_millis(1), ..RetryPolicy::default() };
        let peer = HttpPeer::builder(&self.url).retry(hurry).build().expect("the server's address");
        self.client.engine.sync(&peer, root(), options.chunk_size(2))
    }

    /// Goes on with a sync that failed, or begins anew, which has to go well.
    #[track_caller]
    pub(super) fn go_on_after(&self, error: &morango::Error) {
        let peer = HttpPeer::new(&self.url).expect("the server's address");
        let again = match error.sync_session() {
            Some(id) => self.client.engine.resume(&peer, id, SyncOptions::both_ways()),
            None => self.client.engine.sync(&peer, root(), SyncOptions::both_ways()),
        };
        again.unwrap_or_else(|again| panic!("after {error:?}: {}", again.report()));
    }

    /// The database max counters of both sides.
    pub(super) fn counters(&self) -> [BTreeSet<(String, String, i64)>; 2] {
        [self.client.counters(), self.server.counters()]
    }

    /// Asserts that both sides have the same, that nothing is left to be done, that neither of the names is lost, and that no counter
    /// fell.
    #[track_caller]
    pub(super) fn assert_healed(&self, before: &[BTreeSet<(String, String, i64)>; 2], names: &Names, case: &str) {
        self.client.sync(&self.url, root(), SyncOptions::both_ways());
        let after = self.client.sync(&self.url, root(), SyncOptions::both_ways());
        assert_eq!(moved(&after), (0, 0), "{case}: nothing is left");
        assert_equal(&self.server, &self.client, &[]);
        let record = self.server.record(&self.school.ada);
        let texts = format!("{}\n{}", record.serialized, record.conflicting_serialized_data);
        for name in &names.0 {
            assert!(texts.contains(name.as_str()), "{case}: {name} is lost: {texts}");
        }
        for (before, after) in before.iter().zip(self.counters()) {
            assert_none_fell(before, &after);
        }
        assert!(self.client.waiting().is_empty() && self.server.waiting().is_empty(), "{case}");
        assert_eq!(self.client.engine.unfinished().expect("the list"), [], "{case}");
    }
}

/// Whether this is the beginning of a stage in this direction.
pub(super) fn begins(event: &Event, of: Direction, at: Stage) -> bool {
    matches!(event, Event::Stage { direction, stage, phase: Phase::Started, .. } if (*direction, *stage) == (of, at))
}

/// Options of a sync during which something happens once, as a stage begins.
pub(super) fn once(at: (Direction, Stage), happens: impl Fn() + Send + Sync + 'static) -> SyncOptions {
    let has_happened = Arc::new(Mutex::new(false));
    SyncOptions::both_ways().on_event(move |event| {
        if begins(event, at.0, at.1) && !std::mem::replace(&mut *has_happened.lock().expect("nobody panicked"), true) {
            happens();
        }
    })
}

/// What both sides of a sync both ways do, one after another. On a pull the client receives.
pub(super) const STAGES: [(Direction, Stage); 10] = [
    (Direction::Pull, Stage::Serializing),
    (Direction::Pull, Stage::Queuing),
    (Direction::Pull, Stage::Transferring),
    (Direction::Pull, Stage::Dequeuing),
    (Direction::Pull, Stage::Deserializing),
    (Direction::Push, Stage::Serializing),
    (Direction::Push, Stage::Queuing),
    (Direction::Push, Stage::Transferring),
    (Direction::Push, Stage::Dequeuing),
    (Direction::Push, Stage::Deserializing),
];
