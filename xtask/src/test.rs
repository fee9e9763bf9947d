//! `cargo xtask test`: everything that must hold before a change lands, and a count of what ran.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crate::matrix::Matrix;
use crate::memory::Scratch;
use crate::postgres;
use crate::{python, run};

/// How long the steps take that try by chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// As long as is good for every change.
    Usual,
    /// Long enough to be believed for good.
    Long,
}

/// One of the things that must hold.
struct Step {
    name: &'static str,
    run: fn(&mut Count) -> Result<(), String>,
}

const STEPS: [Step; 10] = [
    Step { name: "formatting", run: formatting },
    Step { name: "lints", run: lints },
    Step { name: "features", run: features },
    Step { name: "documentation", run: documentation },
    Step { name: "python environment", run: python_environment },
    Step { name: "tests", run: tests },
    Step { name: "kills", run: kills },
    Step { name: "simulation", run: simulation },
    Step { name: "examples in the documentation", run: documentation_examples },
    Step { name: "example programs", run: example_programs },
];

/// The variable by which the tests know a PostgreSQL server: the URL of a superuser, who creates and drops databases.
const POSTGRES_URL: &str = "MORANGO_POSTGRES_URL";

/// The stories in which processes are killed by the hundred: part of their names, the variable that says how many are killed in all of them,
/// and how many that are.
const KILLS: &str = "_is_killed_at_any_moment_";
const KILLS_VARIABLE: &str = "MORANGO_KILLS";
const KILLS_USUAL: u32 = 200;
const KILLS_LONG: u32 = 1_000;

/// The simulations of many plans: part of their names, the variable that says how many minutes the one with fresh seeds goes on, and how
/// many that are.
const PLANS: &str = "plans_of_";
const PLANS_VARIABLE: &str = "MORANGO_SIMULATION_MINUTES";
const PLANS_USUAL_MINUTES: u32 = 1;
const PLANS_LONG_MINUTES: u32 = 60;

/// How many tests of each kind passed and failed, and who met whom in them.
struct Count {
    length: Length,
    kinds: BTreeMap<&'static str, (u64, u64)>,
    matrix: Matrix,
    /// The virtual environments in the making, where that was begun.
    environments: Option<JoinHandle<Result<(), String>>>,
}

/// Runs the steps whose name contains `only`, or all of them.
pub(crate) fn run(only: Option<&str>, length: Length) -> Result<(), String> {
    // They wait for the network, meanwhile others compile.
    let environments = only.is_none().then(|| thread::spawn(make_environments));
    let mut count = Count { length, kinds: BTreeMap::new(), matrix: Matrix::default(), environments };
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
    run::complete(&mut run::cargo(&["fmt", "--all", "--check"]))?;
    run::complete(&mut run::cargo(&["fmt", "--check", "--manifest-path", "fuzz/Cargo.toml"]))
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

/// Features are additive: each crate also stands with the fewest. Warnings are read and not made errors by the compiler's flags: those hold
/// for everything, and all that is depended on would be checked once more with them.
fn features(_: &mut Count) -> Result<(), String> {
    for arguments in [
        ["-p", "morango", "--no-default-features"].as_slice(),
        &["-p", "morango", "--no-default-features", "--features", "client"],
        &["-p", "morango", "--no-default-features", "--features", "server"],
        &["-p", "morango-diesel", "--no-default-features"],
        &["-p", "morango-diesel"],
        &["-p", "morango-diesel", "--no-default-features", "--features", "postgres-bundled"],
    ] {
        let mut warned = None;
        run::complete_reading(run::cargo(&["check"]).args(arguments), |line| {
            // Cargo counts them for each crate of ours: warning: `morango` (lib) generated 1 warning
            if line.starts_with("warning: `") && line.contains(" generated ") {
                warned = Some(line.to_owned());
            }
        })?;
        if let Some(warned) = warned {
            return Err(format!("cargo check {}: {warned}", arguments.join(" ")));
        }
    }
    Ok(())
}

fn documentation(_: &mut Count) -> Result<(), String> {
    run::complete(run::cargo(&["doc", "--workspace", "--no-deps", "--all-features"]).env("RUSTDOCFLAGS", "-D warnings"))
}

fn python_environment(count: &mut Count) -> Result<(), String> {
    match count.environments.take() {
        Some(made) => made.join().expect("environments are made or refused"),
        None => make_environments(),
    }
}

/// That PostgreSQL cannot be had is told where it is needed: there may be another one.
fn make_environments() -> Result<(), String> {
    let programs = thread::spawn(python::postgres_programs);
    let made = python::print();
    drop(programs.join());
    made
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
    // They are steps of their own.
    command.args(["--skip", KILLS, "--skip", PLANS]);
    let _surroundings = surround(&mut command)?;
    run::complete_reading(&mut command, |line| count.read(line, kind_of))?;
    count.matrix.check(&older_peers.into_iter().map(|peer| peer.version).collect::<Vec<_>>())
}

/// What the tests' programs find around them. It goes with them.
struct Surroundings {
    _server: Option<postgres::Server>,
    _scratch: Option<Scratch>,
}

/// Tests that run at one time, at least: while one waits, for the other side or for its turn, another has work to do.
const TESTS_AT_ONCE_MIN: usize = 4;

/// Has tests find a PostgreSQL server, and keep their files in memory: they kill processes, but nobody pulls the plug of this machine,
/// and a disk takes milliseconds for each commit that is to outlast that.
fn surround(command: &mut Command) -> Result<Surroundings, String> {
    let scratch = Scratch::make();
    if let Some(scratch) = &scratch {
        command.env("TMPDIR", scratch.path());
    }
    if std::env::var_os("RUST_TEST_THREADS").is_none() {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        command.env("RUST_TEST_THREADS", cores.max(TESTS_AT_ONCE_MIN).to_string());
    }
    Ok(Surroundings { _server: give_postgres(command)?, _scratch: scratch })
}

/// Has a command find a PostgreSQL server: one that is started for it, unless somebody named one.
pub(crate) fn give_postgres(command: &mut Command) -> Result<Option<postgres::Server>, String> {
    if std::env::var_os(POSTGRES_URL).is_some() {
        return Ok(None);
    }
    let server = postgres::Server::start(postgres::Durability::OfTests)?;
    println!("PostgreSQL answers at {}", server.url());
    command.env(POSTGRES_URL, server.url());
    Ok(Some(server))
}

/// Real processes, really killed.
fn kills(count: &mut Count) -> Result<(), String> {
    // All of the workspace is named so that nothing is built in another way than for the other tests.
    let mut command = run::cargo(&["test", "--workspace", "--all-features", "--test", "faults", "--no-fail-fast"]);
    command.args(["--", KILLS, "--show-output"]);
    let kills = match count.length {
        Length::Usual => KILLS_USUAL,
        Length::Long => KILLS_LONG,
    };
    command.env(KILLS_VARIABLE, kills.to_string());
    let _surroundings = surround(&mut command)?;
    let mut killed = 0;
    let outcome = run::complete_reading(&mut command, |line| {
        count.read(line, |_| "stories of killed processes");
        killed += killed_in(line).unwrap_or(0);
    });
    println!("{killed} processes were killed");
    outcome?;
    if killed < u64::from(kills) {
        return Err(format!("{kills} were to be killed"));
    }
    Ok(())
}

/// Many devices, and everything that can go wrong between them: plans of fixed seeds, and of fresh ones.
fn simulation(count: &mut Count) -> Result<(), String> {
    let mut command = run::cargo(&["test", "--workspace", "--all-features", "--test", "simulation", "--no-fail-fast"]);
    let minutes = match count.length {
        Length::Usual => PLANS_USUAL_MINUTES,
        Length::Long => PLANS_LONG_MINUTES,
    };
    // Each of them takes every core.
    command.args(["--", PLANS, "--show-output", "--test-threads", "1"]);
    command.env(PLANS_VARIABLE, minutes.to_string());
    let _surroundings = surround(&mut command)?;
    let mut runs = Vec::new();
    run::complete_reading(&mut command, |line| {
        runs.extend(plans_in(line));
        for _ in 0..plans_in(line).unwrap_or(0) {
            count.add("simulation: plans", true);
        }
        // The plan that fails ends its test, which alone is counted as failed.
        if line.starts_with("test ") && line.ends_with(" ... FAILED") {
            count.add("simulation: plans", false);
        }
    })?;
    match runs.as_slice() {
        [fixed, fresh] if *fixed > 0 && *fresh > 0 => Ok(()),
        _ => Err(format!("plans of fixed and of fresh seeds were to be run, and these were: {runs:?}")),
    }
}

/// How many plans of the simulation passed, in the line in which it says so: `simulated 4000 steps in 2 plans from ...`.
fn plans_in(line: &str) -> Option<u64> {
    line.strip_prefix("simulated ")?.split_once(" in ")?.1.split_once(" plans")?.0.parse().ok()
}

/// How many processes a story killed, in the line in which it says so: `killed 25: ...`.
fn killed_in(line: &str) -> Option<u64> {
    line.strip_prefix("killed ")?.split_once(':')?.0.parse().ok()
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

/// What kind of test this is, by its name: stories with the Python peer say who calls, but where histories are random.
fn kind_of(name: &str) -> &'static str {
    if name.starts_with("tests/ui/") {
        "compile-fail programs"
    } else if name.contains("random_histories_") {
        "random histories with Python"
    } else if name.contains("python_is_client") {
        "Python stories, Python as client"
    } else if name.contains("rust_is_client") {
        "Python stories, Rust as client"
    } else if name.starts_with("stories::") {
        "stories between peers of ours"
    } else if name.starts_with("bad_input::") {
        "hostile peers and bad input"
    } else if name.starts_with("agree::") {
        "agreement: histories under the law"
    } else if ["memory::", "sqlite::", "postgres::", "postgres_uuid::"].iter().any(|kind| name.starts_with(kind)) {
        "contract: storage on each database"
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
