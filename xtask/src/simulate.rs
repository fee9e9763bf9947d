//! `cargo xtask simulate`: many devices in one process, with everything that can go wrong between them, from a seed.

use crate::run;

/// Runs it, quick ones and long ones, on a program that is made fast.
pub(crate) fn run(options: &[&str]) -> Result<(), String> {
    let mut command = run::cargo(&["run", "--quiet", "--release", "--package", "morango-simulation", "--"]);
    run::complete(command.args(options))
}
