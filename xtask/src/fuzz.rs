//! `cargo xtask fuzz`: every fuzz target for some minutes, several at once, and a table of what was tried.
//!
//! What is found on the way is kept below the target folder and tried first the next time. The seeds in `fuzz/corpus` are read and
//! never written. Nothing here needs a nightly toolchain: the crates hold no unsafe code, so that no sanitizer has anything to find.

mod found;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;

use crate::run;
use found::Found;

/// The version of cargo-fuzz that is installed below the target folder where it is not there yet.
const CARGO_FUZZ_VERSION: &str = "0.13.2";

/// Minutes for each target where nothing else is said.
const MINUTES_DEFAULT: u64 = 1;

/// An input that takes longer has found something, and so has one that takes more memory.
const INPUT_SECONDS_MAX: u32 = 30;
const INPUT_MEGABYTES_MAX: u32 = 2_048;

/// What was asked for.
#[derive(Default)]
struct Options<'a> {
    minutes: Option<u64>,
    only: Option<&'a str>,
    jobs: Option<usize>,
    input: Option<&'a str>,
}

impl<'a> Options<'a> {
    fn read(mut words: &[&'a str]) -> Result<Self, String> {
        let mut options = Self::default();
        while let [name, value, rest @ ..] = words {
            let number = || value.parse().ok().filter(|number| *number > 0);
            let not_a_number = || format!("{name} takes a number from 1, and not {value:?}");
            match *name {
                "--minutes" => options.minutes = Some(number().ok_or_else(not_a_number)?),
                "--jobs" => {
                    let jobs = number().and_then(|jobs| usize::try_from(jobs).ok());
                    options.jobs = Some(jobs.ok_or_else(not_a_number)?);
                }
                "--only" => options.only = Some(*value),
                "--input" => options.input = Some(*value),
                _ => return Err(format!("`fuzz` has no option {name:?}")),
            }
            words = rest;
        }
        match words {
            [] => Ok(options),
            [name, ..] => Err(format!("{name} needs a value behind it")),
        }
    }
}

/// Runs the targets, or one of them on the input that is named.
pub(crate) fn run(words: &[&str]) -> Result<(), String> {
    let options = Options::read(words)?;
    let targets = targets(options.only)?;
    build(&targets)?;
    let programs = programs()?;
    if let Some(input) = options.input {
        let [target] = targets.as_slice() else {
            return Err("an input is one target's: name that with --only".to_owned());
        };
        return run::complete(limited(&programs.join(target)).arg(input));
    }
    let seconds = 60 * options.minutes.unwrap_or(MINUTES_DEFAULT);
    let jobs = options.jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
    let found = run_all(&targets, &programs, seconds, jobs)?;
    tell(&found)
}

/// The targets of that name, or of which it is a part; all of them where none is said.
fn targets(only: Option<&str>) -> Result<Vec<String>, String> {
    let folder = run::root().join("fuzz").join("targets");
    let entries = fs::read_dir(&folder).map_err(|error| format!("failed to list {}: {error}", folder.display()))?;
    let name = |entry: fs::DirEntry| Some(entry.file_name().to_str()?.strip_suffix(".rs")?.to_owned());
    let mut targets: Vec<String> = entries.filter_map(|entry| name(entry.ok()?)).collect();
    targets.sort();
    let is_named = targets.iter().any(|target| Some(target.as_str()) == only);
    targets.retain(|target| only.is_none_or(|only| if is_named { target == only } else { target.contains(only) }));
    if targets.is_empty() { Err(format!("no target is named {:?}", only.unwrap_or_default())) } else { Ok(targets) }
}

/// The folder for all that fuzzing builds and finds.
fn folder() -> PathBuf {
    run::target().join("fuzz")
}

fn build(targets: &[String]) -> Result<(), String> {
    let tools = run::target().join("tools");
    if !tools.join("bin").join("cargo-fuzz").exists() {
        println!("installing cargo-fuzz in {}", tools.display());
        let install = ["install", "cargo-fuzz", "--locked", "--version", CARGO_FUZZ_VERSION, "--root"];
        run::complete(run::cargo(&install).arg(&tools))?;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::iter::once(tools.join("bin")).chain(std::env::split_paths(&path));
    let path = std::env::join_paths(path).map_err(|error| format!("failed to name {}: {error}", tools.display()))?;
    let mut command = run::cargo(&["fuzz", "build", "--sanitizer", "none", "--target-dir"]);
    command.arg(folder()).env("PATH", path).current_dir(run::root().join("fuzz"));
    // It builds one or all.
    if let [target] = targets {
        command.arg(target);
    }
    run::complete(&mut command)
}

/// Where cargo-fuzz puts what it builds: it always names the platform.
fn programs() -> Result<PathBuf, String> {
    let output = Command::new("rustc").arg("-vV").output().map_err(|error| format!("failed to ask rustc: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = said.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc does not say its host")?;
    Ok(folder().join(host).join("release"))
}

fn limited(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg(format!("-timeout={INPUT_SECONDS_MAX}")).arg(format!("-rss_limit_mb={INPUT_MEGABYTES_MAX}"));
    command
}

/// Runs so many targets at once until all have had their time.
fn run_all(targets: &[String], programs: &Path, seconds: u64, jobs: usize) -> Result<Vec<Found>, String> {
    let left = Mutex::new(targets.iter());
    let work = || -> Result<Vec<Found>, String> {
        let mut found = Vec::new();
        loop {
            let next = left.lock().expect("nobody panics while taking one").next();
            let Some(target) = next else { return Ok(found) };
            found.push(run_one(target, &programs.join(target), seconds)?);
        }
    };
    let mut found = thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs.min(targets.len())).map(|_| scope.spawn(work)).collect();
        let outcomes = workers.into_iter().map(|worker| worker.join().expect("a worker returns its errors"));
        outcomes.collect::<Result<Vec<_>, String>>()
    })?
    .concat();
    found.sort_by(|one, other| one.target.cmp(&other.target));
    Ok(found)
}

fn run_one(target: &str, program: &Path, seconds: u64) -> Result<Found, String> {
    let (corpus, crashes, logs) =
        (folder().join("corpus").join(target), folder().join("crashes"), folder().join("logs"));
    for folder in [&corpus, &crashes, &logs] {
        fs::create_dir_all(folder).map_err(|error| format!("failed to make {}: {error}", folder.display()))?;
    }
    let log = logs.join(format!("{target}.log"));
    let file = fs::File::create(&log).map_err(|error| format!("failed to write {}: {error}", log.display()))?;
    let seeds = run::root().join("fuzz").join("corpus").join(target);
    println!("{target} runs for {seconds} s");
    let mut command = limited(program);
    command
        .arg(format!("-max_total_time={seconds}"))
        .arg("-print_final_stats=1")
        .arg(format!("-artifact_prefix={}", crashes.join(format!("{target}-")).display()))
        .arg(&corpus)
        .args(seeds.exists().then_some(&seeds))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(file);
    let status = command.status().map_err(|error| format!("failed to start {command:?}: {error}"))?;
    let found = Found::read(target, &log, [&corpus, &seeds], status.success())?;
    println!("{target} {}", if status.success() { "found nothing" } else { "FOUND SOMETHING" });
    Ok(found)
}

/// Prints the table, and of each target that found something how to see it again.
fn tell(found: &[Found]) -> Result<(), String> {
    println!("\n{:<18} {:>14} {:>10} {:>8}", "target", "runs", "runs/s", "corpus");
    for Found { target, runs, runs_per_second, corpus, .. } in found {
        println!("{target:<18} {runs:>14} {runs_per_second:>10} {corpus:>8}");
    }
    let failed: Vec<String> = found.iter().filter_map(Found::failure).collect();
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n")) }
}
