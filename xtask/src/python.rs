//! The virtual environment in which the Python peer of the tests runs.
//!
//! It is made below the target folder from the pinned requirements, once, and again when they change.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::run;

/// The interpreter of the virtual environment, which is made if it is not there.
pub(crate) fn interpreter() -> Result<PathBuf, String> {
    let requirements = run::root().join("tests/python_peer/requirements.txt");
    let wanted = fs::read_to_string(&requirements)
        .map_err(|error| format!("failed to read {}: {error}", requirements.display()))?;
    let folder = run::target().join("python-peer");
    let interpreter = folder.join("bin").join("python");
    // The copy of the requirements is written last: where it is, everything else is too.
    let made_from = folder.join("made-from.txt");
    if fs::read_to_string(&made_from).is_ok_and(|made| made == wanted) && interpreter.exists() {
        return Ok(interpreter);
    }
    println!("making the Python peer's virtual environment in {}", folder.display());
    let system = std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    run::complete(Command::new(&system).args(["-m", "venv", "--clear"]).arg(&folder)).map_err(|error| {
        format!(
            "{error}\nPython 3 with its venv module is needed; name the interpreter in PYTHON if it is not `python3`"
        )
    })?;
    run::complete(
        Command::new(&interpreter)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"])
            .arg(&requirements),
    )?;
    fs::write(&made_from, wanted).map_err(|error| format!("failed to write {}: {error}", made_from.display()))?;
    Ok(interpreter)
}
