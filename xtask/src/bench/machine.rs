//! What machine this is and which day: no figure is worth anything without.

use std::fs;
use std::process::Command;

/// One line: date, processor, memory, system, and the compiler.
pub(crate) fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let processor = line_of("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown make".to_owned());
    let memory = line_of("/proc/meminfo", "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    let memory =
        memory.map(|kib| format!(", {} GiB of memory", (kib + 512 * 1_024) / (1_024 * 1_024))).unwrap_or_default();
    let system = said("uname", &["-sr"]).unwrap_or_else(|| std::env::consts::OS.to_owned());
    let compiler = said("rustc", &["--version"]).unwrap_or_default();
    let day = said("date", &["+%Y-%m-%d"]).unwrap_or_default();
    format!("{day}, {cores} cores of {processor}{memory}, {system}, {compiler}")
}

/// What stands behind a name and a colon in a file.
fn line_of(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// What a program says, where there is one.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (!text.is_empty()).then_some(text)
}
