//! What the database max counters say is true, whatever happens, and nothing is ever lost.
//!
//! Goal: no device claims a change that it lacks, no claim is ever taken back, and at rest all have the same. Method: devices
//! write, and meet in random pairs, directions and dialects, under random filters; some meetings break off. After each step every
//! claim of every device is held against every change that was ever made.

use std::collections::{BTreeMap, BTreeSet};

use morango::counter::DatabaseMaxCounters;
use morango::id::InstanceId;

use super::dialects::every_set;
use super::*;

const DEVICES: usize = 4;
const STEPS: usize = 60;

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % bound
    }

    fn of<'a, T>(&mut self, things: &'a [T]) -> &'a T {
        &things[self.below(things.len())]
    }
}

/// Devices that all own one notebook, and every change that was ever made.
struct World {
    devices: Vec<Memory>,
    root: Certificate,
    /// Record and partition of each stamp that somebody saved.
    history: BTreeMap<(InstanceId, i64), BTreeSet<(SyncId, String)>>,
    claimed: Vec<DatabaseMaxCounters>,
}

impl World {
    fn new() -> Self {
        let (laptop, _, certificates) = PREPARED.get_or_init(prepare);
        let root = certificates[0].parent_id().expect("it is below the root");
        let root = laptop.certificate(&root).expect("it can be read").expect("it is the laptop's").certificate;
        let devices = (0..DEVICES).map(|_| Memory::with_certificates_of(laptop)).collect();
        let claimed = vec![DatabaseMaxCounters::new(); DEVICES];
        Self { devices, root, history: BTreeMap::new(), claimed }
    }

    fn filter(&self, dice: &mut Dice) -> Filter {
        let choices: &[&[&str]] =
            &[&[""], &[":a"], &[":b"], &[":a", ":b"], &[":a:1", ":b"], &[":a:1", ":a:2", ":c"], &[":b", ":c:2"]];
        let owner = self.root.id();
        Filter::new(dice.of(choices).iter().map(|end| format!("{owner}{end}"))).expect("good prefixes")
    }

    fn save(&self, dice: &mut Dice, step: usize) {
        let device = &self.devices[dice.below(DEVICES)];
        let partition = format!("{}:{}:{}", self.root.id(), dice.of(&["a", "b", "c"]), dice.of(&["1", "2"]));
        let source_id = *dice.of(&["x", "y", "z"]);
        device.save(&partition, source_id, &format!("step {step}"));
    }

    fn meet(&self, [client, server]: [usize; 2], can: [Capabilities; 2], options: SyncOptions) -> Result<SyncReport> {
        let [client_can, server_can] = can;
        let engine = |device: usize, can| builder(&self.devices[device]).capabilities(can).build().expect("an engine");
        let peer = LocalPeer::new(engine(server, server_can).responder(Ada));
        engine(client, client_can).sync(&peer, &self.root, options)
    }

    fn meet_at_random(&self, dice: &mut Dice) {
        let client = dice.below(DEVICES);
        let server = (client + 1 + dice.below(DEVICES - 1)) % DEVICES;
        let can = [dice.of(&every_set()).clone(), dice.of(&every_set()).clone()];
        let mut options = match dice.below(3) {
            0 => SyncOptions::pull(),
            1 => SyncOptions::push(),
            _ => SyncOptions::both_ways(),
        };
        options = options.filter(self.filter(dice)).chunk_size(1 + dice.below(3));
        if dice.below(4) == 0 {
            let token = CancelToken::new();
            let cancel = token.clone();
            options = options.cancel_on(token).on_event(move |event| {
                if let Event::Stage { phase: Phase::InProgress(_), .. } = event {
                    cancel.cancel();
                }
            });
        }
        match self.meet([client, server], can, options) {
            Ok(report) => assert!(report.is_clean() && report.renewed().is_none(), "{report}"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Cancelled, "{error:?}"),
        }
    }

    /// Holds every claim against every change.
    fn check(&mut self, told: &str) {
        for device in &self.devices {
            for record in device.store().into_values() {
                let key = (record.last_saved.instance, record.last_saved.counter);
                self.history.entry(key).or_default().insert((record.id, record.partition));
            }
        }
        for (number, device) in self.devices.iter().enumerate() {
            let (store, counters) = (device.store(), device.counters());
            for (partition, claim) in counters.iter() {
                let before = self.claimed[number].get(partition, &claim.instance);
                assert!(before <= Some(claim.counter), "{told}: device {number} took back a claim");
                let made = self.history.range((claim.instance, 0)..=(claim.instance, claim.counter));
                for ((_, counter), changes) in made {
                    for (id, _) in changes.iter().filter(|(_, where_)| where_.starts_with(partition)) {
                        let has = store.get(id).and_then(|record| record.counters.get(&claim.instance));
                        assert!(has >= Some(*counter), "{told}: device {number} claims {claim} under {partition:?}");
                    }
                }
            }
            for (partition, claim) in self.claimed[number].iter() {
                assert!(counters.get(partition, &claim.instance).is_some(), "{told}: device {number} lost a claim");
            }
            self.claimed[number] = counters;
        }
    }
}

#[test]
fn no_device_claims_what_it_lacks_and_at_rest_all_have_the_same() {
    for seed in [0x10_ad, 0xbead, 0xf00d, 0x5eed, 0xd1ce] {
        let (mut dice, mut world) = (Dice(seed), World::new());
        for step in 0..STEPS {
            for _ in 0..=dice.below(3) {
                world.save(&mut dice, step);
            }
            world.meet_at_random(&mut dice);
            world.check(&format!("seed {seed:#x}, step {step}"));
        }
        let all = || [Capabilities::ours(), Capabilities::ours()];
        let is_quiet = (0..10).any(|_| {
            let moved = |one| world.meet([one, (one + 1) % DEVICES], all(), SyncOptions::both_ways());
            let moved: Vec<u64> =
                (0..DEVICES).map(|one| moved(one).expect("a good sync").records_transferred()).collect();
            moved.iter().all(|moved| *moved == 0)
        });
        assert!(is_quiet, "seed {seed:#x}: they go on for ever");
        world.check(&format!("seed {seed:#x}, at rest"));
        for pair in world.devices.windows(2) {
            assert_eq!(pair[0].rows(), pair[1].rows(), "seed {seed:#x}");
        }
    }
}
