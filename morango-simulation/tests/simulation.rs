//! Plans of fixed seeds, and those that once failed.
//!
//! Goal: what the simulation says can be relied on. Method: the same seed is lived through twice, in the same words; every plan that
//! was kept after a failure passes.

use std::path::Path;

use morango_simulation::Plan;

const STEPS: u32 = 260;
const NODES: usize = 5;

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
