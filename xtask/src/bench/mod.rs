//! `cargo xtask bench`: how fast and how small a sync is, beside the Python package and beside the floor, in one run.
//!
//! What is compared is measured in the same run on the same machine; figures of other days are told only with their machine
//! and date. `plan` says what is measured in which order; everything goes into one list, which is printed as tables, held
//! against the goals, written as JSON after each figure, and drawn. What fails is told at the end and takes nothing else with it.

pub(crate) mod figure;
mod goals;
mod line;
pub(crate) mod machine;
mod micro;
mod pair;
pub(crate) mod peer;
mod picture;
mod plan;
mod scenarios;
mod table;
mod transfers;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::Value;

use crate::{postgres, python, run};
use figure::{Database, Figure};
use peer::Seat;

/// How much is measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Extent {
    /// Up to 10,000 records: a first look.
    Small,
    /// Up to 100,000 records.
    #[default]
    Usual,
    /// A million records too, between two peers of ours, and 100,000 with the package as it ships.
    Full,
}

/// What is to be measured.
#[derive(Debug, Clone, Default)]
struct Options {
    /// Only scenarios whose name contains this.
    only: Option<String>,
    /// Only pairs of peers of this name, for example `rust-rust`.
    engine: Option<String>,
    extent: Extent,
    /// Where tables and pictures are kept beside the JSON, for the documentation.
    documentation: Option<PathBuf>,
}

/// What the words on the command line ask for.
enum Asked {
    Syncs(Options),
    /// What the run before measured, told again.
    Again(Options),
    /// The pure parts alone: seconds.
    Micro,
    /// The pure parts alone: instructions.
    Instructions,
}

impl Asked {
    fn read(words: &[&str]) -> Result<Self, String> {
        let mut options = Options::default();
        let mut is_again = false;
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().map(|value| (*value).to_owned()).ok_or(format!("{word} wants a value"));
            match *word {
                "--only" => options.only = Some(value()?),
                "--engine" => options.engine = Some(value()?),
                "--writer" => options.only = Some("writer".to_owned()),
                "--small" => options.extent = Extent::Small,
                "--full" => options.extent = Extent::Full,
                "--documentation" => options.documentation = Some(run::root().join("docs")),
                "--again" => is_again = true,
                "--micro" => return Ok(Self::Micro),
                "--instructions" => return Ok(Self::Instructions),
                other => {
                    return Err(format!(
                        "unknown option {other:?}; --only NAME, --engine NAME, --writer, --small, --full, --documentation, \
                         --again, --micro and --instructions are known"
                    ));
                }
            }
        }
        Ok(if is_again { Self::Again(options) } else { Self::Syncs(options) })
    }
}

impl Options {
    fn wants(&self, scenario: &str, engine: &str) -> bool {
        self.only.as_ref().is_none_or(|only| scenario.contains(only.as_str()))
            && self.engine.as_ref().is_none_or(|only| engine == only || (engine == "floor" && only == "rust-rust"))
    }
}

/// The figures so far, and where databases may lie.
struct Bench {
    options: Options,
    folder: PathBuf,
    figures: Vec<Figure>,
    begun: Instant,
    postgres: Option<postgres::Server>,
    databases: u32,
}

/// The seats of two peers.
struct Place {
    folder: PathBuf,
    client: Seat,
    server: Seat,
}

/// Builds the measured peers, measures, and tells.
pub(crate) fn run(words: &[&str]) -> Result<(), String> {
    let folder = run::target().join("bench");
    let new = |options| {
        let figures = Vec::new();
        Bench { options, folder, figures, begun: Instant::now(), postgres: None, databases: 0 }
    };
    let mut bench = match Asked::read(words)? {
        Asked::Syncs(options) => new(options),
        Asked::Again(options) => return new(options).read_again()?.tell(),
        Asked::Micro => return micro::time(),
        Asked::Instructions => return micro::count(),
    };
    peer::build_our_program()?;
    // Made now, so that its making falls into no step; who measures ours alone needs no Python.
    if bench.options.engine.as_deref() != Some("rust-rust") {
        python::interpreter()?;
    }
    write(&bench.machine(), &machine::describe())?;
    let failures = plan::measure(&mut bench);
    bench.tell()?;
    if failures.is_empty() {
        // What the peers said last is of use only where something failed.
        let _ = fs::remove_dir_all(bench.folder.join("databases"));
        return Ok(());
    }
    Err(format!("{} of the steps failed; the other figures are kept:\n{}", failures.len(), failures.join("\n")))
}

impl Bench {
    /// Empty seats for one scenario's peers.
    fn place(&mut self, name: &str, database: Database) -> Result<Place, String> {
        let folder = self.folder.join("databases").join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(|error| format!("failed to empty {}: {error}", folder.display()))?;
        }
        fs::create_dir_all(&folder).map_err(|error| format!("failed to make {}: {error}", folder.display()))?;
        let (client, mut server) = (Seat::with_file(&folder.join("client")), Seat::with_file(&folder.join("server")));
        if database == Database::Postgres {
            server.database = self.new_postgres_database()?;
        }
        Ok(Place { folder, client, server })
    }

    /// The URL of an empty database, of a server that is started when it is first needed.
    fn new_postgres_database(&mut self) -> Result<String, String> {
        let server = match self.postgres.take() {
            Some(server) => server,
            None => postgres::Server::start(postgres::Durability::AsItShips)?,
        };
        let server = self.postgres.insert(server);
        self.databases += 1;
        peer::create_database(server, &format!("measured_{}", self.databases))
    }

    /// Keeps a figure, says it at once, and writes down all there are: a benchmark is long, and somebody may be waiting.
    fn keep(&mut self, figure: Figure) -> Result<(), String> {
        let pauses = if figure.has_pauses { "as it ships" } else { "" };
        println!(
            "{:>6.0} s  {:<24} {:<14} {:<11} {:<11} {:>9} records  {:>10.3} s",
            self.begun.elapsed().as_secs_f64(),
            figure.scenario,
            figure.engine,
            figure.database.name(),
            pauses,
            figure.size,
            figure.seconds
        );
        self.figures.push(figure);
        let list: Vec<Value> = self.figures.iter().map(Figure::to_json).collect();
        write(&self.latest(), &format!("{:#}\n", Value::Array(list)))
    }

    fn latest(&self) -> PathBuf {
        self.folder.join("latest.json")
    }

    /// What machine it was, and which day.
    fn machine(&self) -> PathBuf {
        self.folder.join("machine.txt")
    }

    /// The figures of the run before.
    fn read_again(mut self) -> Result<Self, String> {
        let written: Value = serde_json::from_str(&read(&self.latest())?)
            .map_err(|error| format!("failed to read {}: {error}", self.latest().display()))?;
        let figures = written.as_array().map(|list| list.iter().map(Figure::from_json).collect::<Option<Vec<_>>>());
        let figures = figures.flatten().ok_or("the run before wrote something else than this program reads")?;
        self.figures = figures;
        Ok(self)
    }

    /// Prints the tables, and puts them with the pictures where the documentation is, if that was asked for.
    fn tell(&self) -> Result<(), String> {
        let figures = &self.figures;
        println!("\n{}\n{}", table::tables(figures), table::goals(figures));
        let seconds = self.begun.elapsed().as_secs_f64();
        println!("{} figures in {seconds:.0} s: {}", figures.len(), self.latest().display());
        if let Some(documentation) = &self.options.documentation {
            let report = table::report(figures, &read(&self.machine())?);
            write(&documentation.join("benchmarks.md"), &report)?;
            for (name, picture) in picture::pictures(figures) {
                write(&documentation.join(name), &picture)?;
            }
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("failed to read {}: {error}", path.display()))
}

/// Writes a file, and makes the folder that it lies in.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), String> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(|error| format!("failed to make {}: {error}", folder.display()))?;
    fs::write(path, text).map_err(|error| format!("failed to write {}: {error}", path.display()))
}
