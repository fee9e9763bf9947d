//! What a target's run came to, as the fuzzer says it in its log.

use std::fs;
use std::path::{Path, PathBuf};

/// A target and what it has tried.
#[derive(Clone)]
pub(super) struct Found {
    pub(super) target: String,
    pub(super) runs: u64,
    pub(super) runs_per_second: u64,
    /// Inputs that each reach something that no other one does.
    pub(super) corpus: usize,
    crash: Option<Crash>,
}

/// The end of a run that found something.
#[derive(Clone)]
struct Crash {
    /// The input, where the fuzzer could write it.
    input: Option<String>,
    /// What was said about it.
    message: String,
    log: PathBuf,
}

impl Found {
    /// Reads the log. `folders` hold the inputs that are kept.
    pub(super) fn read(target: &str, log: &Path, folders: [&Path; 2], succeeded: bool) -> Result<Self, String> {
        let bytes = fs::read(log).map_err(|error| format!("failed to read {}: {error}", log.display()))?;
        let text = String::from_utf8_lossy(&bytes);
        let number = |name: &str| {
            let line = text.lines().rev().find_map(|line| line.strip_prefix(name));
            line.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
        };
        let files = |folder: &Path| fs::read_dir(folder).map_or(0, Iterator::count);
        Ok(Self {
            target: target.to_owned(),
            runs: number("stat::number_of_executed_units:"),
            runs_per_second: number("stat::average_exec_per_sec:"),
            corpus: folders.into_iter().map(files).sum(),
            crash: (!succeeded).then(|| Crash::read(&text, log)),
        })
    }

    /// What was found, and how to see it again.
    pub(super) fn failure(&self) -> Option<String> {
        let Crash { input, message, log } = self.crash.as_ref()?;
        let again = match input {
            Some(input) => format!("see it again with: cargo xtask fuzz --only {} --input {input}", self.target),
            None => "the fuzzer wrote no input".to_owned(),
        };
        Some(format!("{}: {message}\n    {again}\n    its log: {}", self.target, log.display()))
    }
}

impl Crash {
    fn read(text: &str, log: &Path) -> Self {
        let written = text.lines().rev().find_map(|line| line.split_once("Test unit written to "));
        let mut lines = text.lines();
        // A panic says in the line after its own what it is about; other ends say it in theirs.
        let panicked = lines.find(|line| line.contains("panicked at")).map(|place| {
            let what = lines.next().unwrap_or_default();
            format!("{what} ({})", place.split_once("panicked at ").map_or(place, |(_, place)| place))
        });
        let ended = text.lines().find(|line| line.contains("ERROR: libFuzzer")).map(str::to_owned);
        Self {
            input: written.map(|(_, path)| path.to_owned()),
            message: panicked.or(ended).unwrap_or_else(|| "it ended with an error".to_owned()),
            log: log.to_owned(),
        }
    }
}
