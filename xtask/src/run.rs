//! Starting other programs: where the workspace is, and what a failed program is called.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").to_owned()
}

/// The folder for what is built.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// Cargo, in the workspace.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    // What cargo told this program about its own package is not for other builds: ring's build script asks for some of it, and
    // everything above it would be built again whenever cargo is called now from here and now by hand.
    let is_of_package = |name: &OsString| {
        name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
    };
    for name in std::env::vars_os().map(|(name, _)| name).filter(is_of_package) {
        command.env_remove(name);
    }
    command
}

/// Runs a program to its end.
pub(crate) fn complete(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|error| format!("failed to start {command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} ended with {status}")) }
}

/// Runs a program to its end; where it fails, the error ends with the last line that it said.
pub(crate) fn complete_quoting(command: &mut Command) -> Result<(), String> {
    let mut last = None;
    complete_reading(command, |line| {
        if !line.trim().is_empty() {
            last = Some(line.to_owned());
        }
    })
    .map_err(|error| last.map_or_else(|| error.clone(), |said| format!("{error}\n{said}")))
}

/// Runs a program to its end, shows each line that it says, and hands it to `each`.
///
/// Both outputs are read: test runners speak on the one, compile-fail programs on the other.
pub(crate) fn complete_reading(command: &mut Command, mut each: impl FnMut(&str)) -> Result<(), String> {
    let started = command.env("NO_COLOR", "1").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = started.map_err(|error| format!("failed to start {command:?}: {error}"))?;
    let output = child.stdout.take().expect("standard output is piped");
    let errors = child.stderr.take().expect("standard error is piped");
    let (sender, lines) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let other = sender.clone();
        scope.spawn(move || send_lines(output, &sender));
        scope.spawn(move || send_lines(errors, &other));
        for line in lines {
            println!("{line}");
            each(&line);
        }
    });
    let status = child.wait().map_err(|error| format!("failed to wait for {command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} ended with {status}")) }
}

/// Sends what a program says line by line, whatever bytes it says.
fn send_lines(output: impl std::io::Read, lines: &std::sync::mpsc::Sender<String>) {
    for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
        if lines.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
            break;
        }
    }
}
