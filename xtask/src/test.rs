//! `cargo xtask test`: everything that must hold before a change lands, and a count of what ran.

use std::collections::BTreeMap;
use std::fs;
use std::time::Instant;

use crate::matrix::Matrix;
use crate::postgres;
use crate::{python, run, simulate};

/// One of the things that must hold.
struct Step {
    name: &'static str,
    run: fn(&mut Count) -> Result<(), String>,
}

const STEPS: [Step; 9] = [
    Step { name: "formatting", run: formatting },
    Step { name: "lints", run: lints },
    Step { name: "features", run: features },
    Step { name: "documentation", run: documentation },
    Step { name: "python environment", run: python_environment },
    Step { name: "tests", run: tests },
    Step { name: "simulation", run: simulation },
    Step { name: "examples in the documentation", run: documentation_examples },
    Step { name: "example programs", run: example_programs },
];

/// The variable by which the tests know a PostgreSQL server: the URL of a superuser, who creates and drops databases.
const POSTGRES_URL: &str = "MORANGO_POSTGRES_URL";

/// How many tests of each kind passed and failed, and who met whom in them.
#[derive(Default)]
struct Count {
    kinds: BTreeMap<&'static str, (u64, u64)>,
    matrix: Matrix,
}

/// Runs the steps whose name contains `only`, or all of them.
pub(crate) fn run(only: Option<&str>) -> Result<(), String> {
    let mut count = Count::default();
    let mut times = Vec::new();
    for Step { name, run } in STEPS.iter().filter(|step| only.is_none_or(|part| step.name.contains(part))) {
        println!("\n=== {name}");
        let started = Instant::now();
        let outcome = run(&mut count);
        times.push((*name, started.elapsed()));
        if let Err(message) = outcome {
            count.print();
            return Err(format!("{name}: {message}"));
        }
    }
    if times.is_empty() {
        return Err(format!("no step is named {:?}", only.unwrap_or_default()));
    }
    println!("\n=== what ran");
    for (name, time) in times {
        println!("{name:<32} {:>7.1} s", time.as_secs_f64());
    }
    count.print();
    Ok(())
}

fn formatting(_: &mut Count) -> Result<(), String> {
    run::complete(&mut run::cargo(&["fmt", "--all", "--check"]))
}

fn lints(_: &mut Count) -> Result<(), String> {
    run::complete(&mut run::cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--",
        "-D",
        "warnings",
    ]))
}

/// Features are additive: each crate also stands with the fewest.
fn features(_: &mut Count) -> Result<(), String> {
    for arguments in [
        ["-p", "morango", "--no-default-features"].as_slice(),
        &["-p", "morango", "--no-default-features", "--features", "client"],
        &["-p", "morango", "--no-default-features", "--features", "server"],
        &["-p", "morango-diesel", "--no-default-features"],
        &["-p", "morango-diesel"],
        &["-p", "morango-diesel", "--no-default-features", "--features", "postgres-bundled"],
    ] {
        run::complete(run::cargo(&["check"]).args(arguments).env("RUSTFLAGS", "-D warnings"))?;
    }
    Ok(())
}

fn documentation(_: &mut Count) -> Result<(), String> {
    run::complete(run::cargo(&["doc", "--workspace", "--no-deps", "--all-features"]).env("RUSTDOCFLAGS", "-D warnings"))
}

fn python_environment(_: &mut Count) -> Result<(), String> {
    python::print()
}

fn tests(count: &mut Count) -> Result<(), String> {
    let mut command = run::cargo(&[
        "test",
        "--workspace",
        "--all-features",
        "--lib",
        "--bins",
        "--tests",
        "--examples",
        "--no-fail-fast",
    ]);
    command.env("MORANGO_PYTHON", python::interpreter()?);
    // The runners' own arguments stand behind the others.
    command.arg("--");
    let older_peers = python::older_peers()?;
    for peer in &older_peers {
        match &peer.interpreter {
            Ok(interpreter) => {
                command.env(peer.variable(), interpreter);
            }
            Err(reason) => {
                command.arg("--skip").arg(format!("python_{}_", peer.word()));
                count.matrix.miss(&peer.version, reason);
            }
        }
    }
    let server = if std::env::var_os(POSTGRES_URL).is_none() {
        Some(postgres::Server::start(postgres::Durability::OfTests)?)
    } else {
        None
    };
    if let Some(server) = &server {
        println!("PostgreSQL answers at {}", server.url());
        command.env(POSTGRES_URL, server.url());
    }
    run::complete_reading(&mut command, |line| count.read(line, kind_of))?;
    count.matrix.check(&older_peers.into_iter().map(|peer| peer.version).collect::<Vec<_>>())
}

/// Some minutes of the simulation, with fixed and with fresh seeds.
fn simulation(count: &mut Count) -> Result<(), String> {
    let simulated = simulate::test();
    match &simulated {
        Ok((plans, steps)) => {
            count.add_many("plans of the simulation", *plans);
            println!("the simulation lived through {steps} steps");
        }
        Err(_) => count.add("plans of the simulation", false),
    }
    simulated.map(drop)
}

fn documentation_examples(count: &mut Count) -> Result<(), String> {
    let mut command = run::cargo(&["test", "--workspace", "--all-features", "--doc", "--no-fail-fast"]);
    run::complete_reading(&mut command, |line| count.read(line, |_| "examples in the documentation"))
}

/// The examples check their own ends.
fn example_programs(count: &mut Count) -> Result<(), String> {
    let mut examples = vec![run::cargo(&["run", "--quiet", "--example", "first_steps"])];
    for cloud in ["sqlite", "postgres"] {
        let folder = run::target().join("journey").join(format!("tested-{cloud}"));
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(|error| format!("failed to delete {}: {error}", folder.display()))?;
        }
        let mut journey = run::cargo(&["run", "--quiet", "--example", "journey", "--", "--cloud", cloud, "--folder"]);
        journey.arg(&folder);
        examples.push(journey);
    }
    for mut example in examples {
        let outcome = run::complete(&mut example);
        count.add("example programs", outcome.is_ok());
        outcome?;
    }
    Ok(())
}

/// What kind of test this is, by its name: stories with the Python peer say who calls.
fn kind_of(name: &str) -> &'static str {
    if name.starts_with("tests/ui/") {
        "compile-fail programs"
    } else if name.contains("python_is_client") {
        "Python stories, Python as client"
    } else if name.contains("rust_is_client") {
        "Python stories, Rust as client"
    } else if name.starts_with("stories::") {
        "stories between peers of ours"
    } else if name.starts_with("bad_input::") {
        "bad input"
    } else if name.starts_with("agree::") {
        "random histories against the law"
    } else if name.starts_with("faults::") {
        "faults beneath and between peers"
    } else {
        "tests of one crate"
    }
}

impl Count {
    /// Reads one line of a test runner: `test NAME ... ok`.
    fn read(&mut self, line: &str, kind_of: fn(&str) -> &'static str) {
        let Some((name, outcome)) = line.strip_prefix("test ").and_then(|rest| rest.rsplit_once(" ... ")) else {
            return;
        };
        // An example of the documentation that is only to be read says `ignored`: it did not run.
        if outcome.trim() == "ignored" {
            return;
        }
        let has_passed = outcome.trim() == "ok";
        self.add(kind_of(name), has_passed);
        self.matrix.add(name, has_passed);
    }

    fn add(&mut self, kind: &'static str, has_passed: bool) {
        let (passed, failed) = self.kinds.entry(kind).or_default();
        *(if has_passed { passed } else { failed }) += 1;
    }

    fn add_many(&mut self, kind: &'static str, passed: u64) {
        self.kinds.entry(kind).or_default().0 += passed;
    }

    fn print(&self) {
        let (mut passed, mut failed) = (0, 0);
        for (kind, (kind_passed, kind_failed)) in &self.kinds {
            println!("{kind:<36} {kind_passed:>5} passed {kind_failed:>3} failed");
            passed += kind_passed;
            failed += kind_failed;
        }
        println!("\n{passed} passed, {failed} failed");
        self.matrix.print();
    }
}
