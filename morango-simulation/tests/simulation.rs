//! Plans of fixed seeds, and those that once failed.
//!
//! Goal: what the simulation says can be relied on. Method: the same seed is lived through twice, in the same words; every plan that
//! was kept after a failure passes; so do plans of fixed seeds, and for as many minutes as `MORANGO_SIMULATION_MINUTES` says those of
//! fresh ones, on as many processes as there are cores.
#![expect(clippy::print_stdout, reason = "a run of many plans says how many they were, and with which seeds")]

use std::path::Path;
use std::process::Command;

use morango_simulation::Plan;

const STEPS: u32 = 260;
const NODES: usize = 5;

/// What the plans of fixed seeds have together.
const FIXED_STEPS: &str = "12000";

#[test]
fn the_same_seed_gives_the_same_run_byte_for_byte() {
    let [first, again] = [(); 2].map(|()| Plan::draw(11, STEPS, NODES).run());
    assert_eq!(first.log, again.log);
    assert_eq!(first.report, again.report);
    assert_eq!(first.failure, None);
    assert!(first.log.lines().count() >= STEPS as usize);
}

#[test]
fn another_seed_gives_another_run() {
    assert_ne!(Plan::draw(11, STEPS, NODES), Plan::draw(12, STEPS, NODES));
}

#[test]
fn every_plan_that_once_failed_passes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/regressions");
    for entry in std::fs::read_dir(folder).expect("the kept plans") {
        let path = entry.expect("a kept plan").path();
        if path.extension().is_none_or(|ending| ending != "json") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a kept plan can be read");
        let plan: Plan = serde_json::from_str(&text).expect("a kept plan is one");
        let failure = plan.run().failure;
        assert_eq!(failure, None, "{}", path.display());
    }
}

#[test]
fn plans_of_fixed_seeds_pass() {
    simulate(&["--seed", "1", "--steps", FIXED_STEPS]);
}

#[test]
fn plans_of_fresh_seeds_pass() {
    match std::env::var("MORANGO_SIMULATION_MINUTES") {
        Ok(minutes) => simulate(&["--minutes", &minutes]),
        Err(_) => simulate(&["--steps", "1000"]),
    }
}

/// Has the program run plans, and says what it said.
fn simulate(options: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_simulate"));
    // A plan that fails is kept among those that are run from then on.
    command.args(["--keep", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/regressions")]).args(options);
    let run = command.output().expect("the simulation is started");
    println!("{}", String::from_utf8_lossy(&run.stdout));
    assert!(run.status.success(), "{}: {}", run.status, String::from_utf8_lossy(&run.stderr));
}
