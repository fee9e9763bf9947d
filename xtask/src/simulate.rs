//! `cargo xtask simulate`: many devices in one process, with everything that can go wrong between them, from a seed.

use crate::{run, test};

/// Runs it, quick ones and long ones, on a program that is made fast. Some of the devices keep their data on a PostgreSQL server.
pub(crate) fn run(options: &[&str]) -> Result<(), String> {
    let mut command = run::cargo(&["run", "--quiet", "--release", "--package", "morango-simulation", "--"]);
    let _server = test::give_postgres(&mut command)?;
    run::complete(command.args(options))
}
