//! The pure parts alone: how long each takes, and how many instructions, which no busy machine changes.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::run;

const PACKAGE: [&str; 4] = ["--package", "morango-tests", "--bench", "pure"];

/// How often a case is done under the counter, few and more: the difference holds none of what is done once.
const FEW: u64 = 1;
const MORE: u64 = 4;

/// Times each case.
pub(super) fn time() -> Result<(), String> {
    run::complete(run::cargo(&["bench"]).args(PACKAGE))
}

/// Counts the instructions of each case with valgrind, where that is installed.
pub(super) fn count() -> Result<(), String> {
    let version = Command::new("valgrind").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !version.is_ok_and(|status| status.success()) {
        return Err(
            "instructions are counted by valgrind, which is not installed here; --micro measures the time".to_owned()
        );
    }
    let program = build()?;
    let listed = Command::new(&program).arg("--cases").output();
    let listed = listed.map_err(|error| format!("failed to start {}: {error}", program.display()))?;
    println!("{:<44} {:>16}", "case", "instructions");
    for case in String::from_utf8_lossy(&listed.stdout).lines() {
        let (few, more) = (counted(&program, case, FEW)?, counted(&program, case, MORE)?);
        println!("{case:<44} {:>16}", more.saturating_sub(few) / (MORE - FEW));
    }
    Ok(())
}

/// Builds the program of the cases, and finds where it lies.
fn build() -> Result<PathBuf, String> {
    let mut command = run::cargo(&["bench", "--no-run", "--message-format", "json-render-diagnostics"]);
    let output = command.args(PACKAGE).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("failed to start {command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command:?} ended with {}", output.status));
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let program = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find_map(|message| {
        let is_ours = message["target"]["name"] == "pure";
        message["executable"].as_str().filter(|_| is_ours).map(PathBuf::from)
    });
    program.ok_or_else(|| "cargo does not say where it put the program of the cases".to_owned())
}

/// How many instructions the program takes that does a case so often.
fn counted(program: &PathBuf, case: &str, times: u64) -> Result<u64, String> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program);
    let output = command.args(["--once", case, &times.to_string()]).output();
    let output = output.map_err(|error| format!("failed to start {command:?}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{command:?} ended with {}: {said}", output.status));
    }
    let total = said.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    total.ok_or_else(|| format!("valgrind does not say how many instructions {case:?} took: {said}"))
}
