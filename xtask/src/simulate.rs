//! `cargo xtask simulate`: many devices in one process, with everything that can go wrong between them, from a seed.

use std::process::Command;

use crate::run;

/// Minutes of the simulation in `cargo xtask test`, half of them with fixed seeds.
const TESTED_MINUTES: [(&str, &[&str]); 2] =
    [("fixed seeds", &["--seed", "1", "--minutes", "1"]), ("fresh seeds", &["--minutes", "2"])];

/// Runs it, quick ones and long ones, on a program that is made fast.
pub(crate) fn run(options: &[&str]) -> Result<(), String> {
    let mut command = run::cargo(&["run", "--quiet", "--release", "--package", "morango-simulation", "--"]);
    run::complete(command.args(options))
}

/// Runs some minutes of it, and says how many plans and steps that were.
pub(crate) fn test() -> Result<(u64, u64), String> {
    // With all features, as the tests were built: so nothing is built twice.
    run::complete(&mut run::cargo(&["build", "--workspace", "--all-features", "--bin", "simulate"]))?;
    let program = run::target().join("debug").join(format!("simulate{}", std::env::consts::EXE_SUFFIX));
    let (mut plans, mut steps) = (0, 0);
    for (name, options) in TESTED_MINUTES {
        println!("{name}");
        let mut command = Command::new(&program);
        run::complete_reading(command.args(options).current_dir(run::root()), |line| {
            if let Some((more_steps, more_plans)) = told(line) {
                steps += more_steps;
                plans += more_plans;
            }
        })?;
    }
    Ok((plans, steps))
}

/// Steps and plans, of the line `simulated 4000 steps in 2 plans …`.
fn told(line: &str) -> Option<(u64, u64)> {
    let mut words = line.strip_prefix("simulated ")?.split(' ');
    let steps = words.next()?.parse().ok()?;
    let plans = words.nth(2)?.parse().ok()?;
    Some((steps, plans))
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn the_end_of_a_simulation_is_understood() {
        assert_eq!(told("simulated 4000 steps in 2 plans from seed 7 on: 90 steps a second"), Some((4_000, 2)));
        assert_eq!(told("4000 steps, 90 a second"), None);
    }
}
