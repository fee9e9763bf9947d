//! `cargo xtask bench`: how fast and how small a sync is, beside the Python package and beside the floor, in one run.
//!
//! What is compared is measured in the same run on the same machine; figures of other days are told only with their machine
//! and date. Each scenario is in `plan`; everything that is measured goes into one list, which is printed as tables, written
//! as JSON, and drawn.

mod figure;
mod line;
mod pair;
mod peer;
mod picture;
mod plan;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::Value;

use crate::{python, run};
use figure::Figure;

/// What is to be measured.
#[derive(Debug, Clone, Default)]
struct Options {
    /// Only scenarios whose name contains this.
    only: Option<String>,
    /// Only pairs of peers of this name, for example `rust-rust`.
    engine: Option<String>,
    /// A million records too, between two peers of ours.
    is_full: bool,
    /// Where tables and pictures are kept beside the JSON, for the documentation.
    documentation: Option<PathBuf>,
}

impl Options {
    fn read(words: &[&str]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().map(|value| (*value).to_owned()).ok_or(format!("{word} wants a value"));
            match *word {
                "--only" => options.only = Some(value()?),
                "--engine" => options.engine = Some(value()?),
                "--writer" => options.only = Some("writer".to_owned()),
                "--full" => options.is_full = true,
                "--documentation" => options.documentation = Some(run::root().join("docs")),
                other => {
                    return Err(format!(
                        "unknown option {other:?}; --only NAME, --engine NAME, --writer, --full and --documentation are known"
                    ));
                }
            }
        }
        Ok(options)
    }

    fn wants(&self, scenario: &str, engine: &str) -> bool {
        self.only.as_ref().is_none_or(|only| scenario.contains(only.as_str()))
            && self.engine.as_ref().is_none_or(|only| engine == only)
    }
}

/// The figures so far, and where databases may lie.
struct Bench {
    options: Options,
    folder: PathBuf,
    figures: Vec<Figure>,
    begun: Instant,
}

/// Builds the measured peers, measures, and tells.
pub(crate) fn run(words: &[&str]) -> Result<(), String> {
    let options = Options::read(words)?;
    run::complete(&mut run::cargo(&["build", "--release", "--package", "morango-tests", "--bin", "bench_peer"]))?;
    python::interpreter()?;
    let folder = run::target().join("bench");
    let mut bench = Bench { options, folder, figures: Vec::new(), begun: Instant::now() };
    plan::measure(&mut bench)?;
    let json = bench.folder.join("latest.json");
    let list: Vec<Value> = bench.figures.iter().map(Figure::to_json).collect();
    write(&json, &format!("{:#}\n", Value::Array(list)))?;
    let report = table::report(&bench.figures, &machine());
    println!("\n{report}\n{} figures in {}", bench.figures.len(), json.display());
    if let Some(documentation) = &bench.options.documentation {
        write(&documentation.join("benchmarks.md"), &report)?;
        for (name, picture) in picture::pictures(&bench.figures) {
            write(&documentation.join(name), &picture)?;
        }
    }
    Ok(())
}

impl Bench {
    /// An empty folder for one scenario's databases.
    fn place(&self, name: &str) -> Result<PathBuf, String> {
        let place = self.folder.join("databases").join(name);
        if place.exists() {
            fs::remove_dir_all(&place).map_err(|error| format!("failed to empty {}: {error}", place.display()))?;
        }
        fs::create_dir_all(&place).map_err(|error| format!("failed to make {}: {error}", place.display()))?;
        Ok(place)
    }

    /// Keeps a figure and says it at once: a benchmark is long, and somebody may be waiting.
    fn keep(&mut self, figure: Figure) {
        println!(
            "{:>6.0} s  {:<24} {:<14} {:>9} records  {:>10.3} s",
            self.begun.elapsed().as_secs_f64(),
            figure.scenario,
            figure.engine,
            figure.size,
            figure.seconds
        );
        self.figures.push(figure);
    }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(|error| format!("failed to make {}: {error}", folder.display()))?;
    fs::write(path, text).map_err(|error| format!("failed to write {}: {error}", path.display()))
}

/// What machine this is, and which day.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let model = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    let day = std::process::Command::new("date").arg("+%Y-%m-%d").output().ok();
    let day = day.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    format!("{day}, {cores} cores of {}, {}", model.unwrap_or_else(|| "unknown make".to_owned()), std::env::consts::OS)
}
