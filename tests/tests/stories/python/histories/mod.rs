//! Random histories of two devices of ours and the Python peer.
//!
//! Goal: whatever three applications do in whatever order, ours and the Python package hold the same, field by field, and either does with
//! what it receives what the law of the protocol says. Method: a seed gives a history of edits, deletions, moves and syncs, in each of
//! which both hold changes of the same records. After each sync the stores and counters of both are compared with what the law makes
//! of what they held before. At the end all sync until nothing moves; then all stores must be equal, and rows what records say.
//!
//! A history that fails prints its seed and its steps. `MORANGO_HISTORY_SEED` tells one again, and `MORANGO_HISTORIES` says how many
//! fresh ones are told, for long runs.

mod allowed;
mod edits;
mod judge;
mod plan;
mod rest;
mod world;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use morango::prelude::Filter;
use morango_tests::database::Database;
use morango_tests::python::{Kind, Refused};

use judge::{Conflicts, Judge, Pair};
use plan::{ALL, Calls, Step, Sync, drawn};
use world::World;

use super::meeting::{Caller, Cast};

/// Histories that are told each time.
const SEEDS: [u64; 2] = [1, 2];

pub(super) fn random_histories_are_lived_alike(cast: Cast) {
    let calls = match cast.caller {
        Caller::Rust => Calls::Rust,
        Caller::Python => Calls::Python,
    };
    tell(calls, cast.ours, cast.theirs);
}

/// Where now one calls and now the other. Its names are read by `cargo xtask test`, as those of the other casts.
mod both_are_clients {
    macro_rules! tell_on {
        ($($ours:ident: $database:ident,)+) => {$(
            mod $ours {
                mod python_0_8_15_on_sqlite {
                    use morango_tests::database::Database;
                    use morango_tests::python::Kind;

                    use crate::python::histories::{plan::Calls, tell};

                    #[test]
                    fn random_histories_are_lived_alike() {
                        tell(Calls::Either, Database::$database, Kind::on(Database::Sqlite));
                    }
                }
            }
        )+};
    }

    tell_on! {
        on_sqlite: Sqlite,
        on_postgres: Postgres,
    }
}

/// Tells the histories of the seeds that are asked for.
fn tell(calls: Calls, ours: Database, theirs: Kind) {
    let number = |variable: &str| std::env::var(variable).ok().and_then(|number| number.parse::<u64>().ok());
    if let Some(seed) = number("MORANGO_HISTORY_SEED") {
        History::of(seed, calls).live(ours, theirs);
        return;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970").as_nanos();
    // The seconds of a long run are alike; what changes is in the lower digits.
    let fresh = u64::try_from(now & u128::from(u64::MAX >> 1)).expect("63 bits");
    let fresh = (0..number("MORANGO_HISTORIES").unwrap_or(0)).map(|number| fresh.wrapping_add(number));
    let of_fixed = SEEDS.map(|seed| History::of(seed, calls).live(ours, theirs)).into_iter();
    let of_fixed = of_fixed.reduce(Conflicts::and).expect("there are fixed seeds");
    assert!(of_fixed.ours > 0 && of_fixed.of_python > 0, "little is shown without conflicts on both: {of_fixed:?}");
    for seed in fresh {
        History::of(seed, calls).live(ours, theirs);
    }
}

/// A history that is being told. Where that ends in a panic, it says what happened.
struct History {
    seed: u64,
    calls: Calls,
    steps: Vec<Step>,
    told: String,
}

impl History {
    fn of(seed: u64, calls: Calls) -> Self {
        Self { seed, calls, steps: drawn(seed, calls), told: String::new() }
    }

    /// Tells it to its end; how many conflicts there were.
    fn live(mut self, ours: Database, theirs: Kind) -> Conflicts {
        let mut world = World::begin(ours, theirs);
        let instances = ALL.map(|who| (who, world.instance(who)));
        let mut judge = Judge::new(theirs.database(), BTreeMap::from(instances));
        for who in ALL {
            judge.see(who, &world.look(who));
        }
        for (number, step) in self.steps.clone().iter().enumerate() {
            let _ = write!(self.told, "{number:>3} {step:?}");
            match step {
                Step::Edit { on, edit } => {
                    let happened = world.edit(*on, edit);
                    self.told.push_str(if happened { "" } else { ": nothing to do it with" });
                }
                Step::Serialize { on } => world.serialize(*on, &Filter::everything()),
                Step::Deserialize { on } => world.deserialize(*on),
                Step::Sync(sync) => {
                    let moved = meet(&mut world, &mut judge, sync);
                    let _ = write!(self.told, ": {moved} records");
                }
            }
            self.told.push('\n');
            check(&judge);
        }
        self.told.push_str("at rest\n");
        rest::come_to_rest(&mut world, &mut judge, self.calls);
        check(&judge);
        judge.conflicts
    }
}

fn check(judge: &Judge) {
    assert!(judge.found.is_empty(), "{}", judge.found.join("\n"));
}

impl Drop for History {
    #[expect(clippy::print_stderr, reason = "a test that fails says why")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("a history failed: MORANGO_HISTORY_SEED={}\n{}", self.seed, self.told);
        }
    }
}

/// Two devices sync, and what came of it is judged; how many records moved.
fn meet(world: &mut World, judge: &mut Judge, sync: &Sync) -> u64 {
    let filter = world.filter(sync.under);
    let before = sync.is_settled.then(|| {
        let everything = world.everything();
        for who in [sync.client, sync.server] {
            world.serialize(who, &everything);
        }
        Pair { client: world.look(sync.client), server: world.look(sync.server) }
    });
    let moved: Vec<u64> =
        world.sync(sync, &filter).unwrap_or_else(|Refused(error)| panic!("Python could not sync: {error:#}"));
    let after = Pair { client: world.look(sync.client), server: world.look(sync.server) };
    judge.see(sync.client, &after.client);
    judge.see(sync.server, &after.server);
    judge.judge_knowledge(sync, &filter, &after);
    if moved.last().is_some_and(|moved| *moved > 0) {
        judge.judge_claims(sync, &filter, &after);
    }
    if let Some(before) = before {
        judge.judge_outcome(sync, &filter, &before, &after);
    }
    moved.iter().sum()
}
