//! `cargo xtask load`: whether everybody is served where many call at the same time, and how long that takes.
//!
//! Real processes and real HTTP on loopback: devices with a file each, who begin to sync at one moment, and one server process on a
//! SQLite file or several on a PostgreSQL server. It fails if a sync does, or if not all hold the same in the end.

mod crowd;
mod table;

use std::fs;

use crate::bench::figure::Database;
use crate::bench::{machine, peer, write};
use crate::run;
use crowd::{Round, Trial};

/// What is tried.
const TRIALS: [Trial; 2] = [
    Trial { database: Database::Sqlite, devices: 20, servers: 1, records: 100 },
    Trial { database: Database::Postgres, devices: 200, servers: 4, records: 20 },
];

/// What is to be tried, and whether the documentation is to have it.
#[derive(Debug, Default)]
struct Options {
    /// Only trials on databases whose name contains this.
    only: Option<String>,
    is_for_documentation: bool,
}

impl Options {
    fn read(words: &[&str]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--only" => options.only = Some((*words.next().ok_or("--only wants a value")?).to_owned()),
                "--documentation" => options.is_for_documentation = true,
                other => {
                    return Err(format!("unknown option {other:?}; --only DATABASE and --documentation are known"));
                }
            }
        }
        Ok(options)
    }

    fn wants(&self, trial: &Trial) -> bool {
        self.only.as_ref().is_none_or(|only| trial.database.name().contains(only.as_str()))
    }
}

/// Tries everything that was asked for, and tells.
pub(crate) fn run(words: &[&str]) -> Result<(), String> {
    let options = Options::read(words)?;
    peer::build_our_program()?;
    let folder = run::target().join("load");
    let mut rounds: Vec<Round> = Vec::new();
    let mut problems = Vec::new();
    for trial in TRIALS.iter().filter(|trial| options.wants(trial)) {
        let place = folder.join(trial.database.name());
        let _ = fs::remove_dir_all(&place);
        if let Err(problem) = crowd::try_it(trial, &place, &mut rounds) {
            problems.push(format!("{}: {problem}", trial.database.name()));
        }
    }
    println!("\n{}", table::table(&rounds));
    problems.extend(rounds.iter().filter_map(Round::problem));
    if !problems.is_empty() {
        return Err(format!("not everybody was served:\n{}", problems.join("\n")));
    }
    // What the processes said last is of use only where something failed.
    let _ = fs::remove_dir_all(&folder);
    if options.is_for_documentation {
        let report = table::report(&rounds, &machine::describe());
        write(&run::root().join("docs").join("load.md"), &report)?;
    }
    Ok(())
}
