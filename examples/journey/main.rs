//! The story that this software exists for, told by a program.
//!
//! A school without internet, a learner's tablet at home, a laptop that carries the school's data to the city, a server
//! in the cloud, and a second laptop in the city that has never seen the school. Each has a database file and an HTTP
//! port of its own; whenever two of them meet they exchange what the other lacks and may see. At the end the program
//! checks that nobody lost anything and that nobody holds what they may not see.
//!
//! ```text
//! cargo run --release --example journey
//! cargo run --release --example journey -- --folder somewhere
//! ```
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program speaks on its standard output")]

mod check;
mod device;
mod life;
mod show;
mod story;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

/// What a step of the journey gives back.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// How many runs are kept beside each other.
const RUNS_MAX: u32 = 10_000;

fn main() -> ExitCode {
    match folder().and_then(|folder| story::tell(&folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let report =
                error.downcast_ref::<morango::Error>().map_or_else(|| error.to_string(), morango::Error::report);
            eprintln!("the journey ended badly: {report}");
            ExitCode::FAILURE
        }
    }
}

/// The folder for the databases: the one that was asked for, or a new one for each run.
fn folder() -> Outcome<PathBuf> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => {
            let runs = PathBuf::from("target").join("journey");
            (1..RUNS_MAX)
                .map(|number| runs.join(format!("run-{number}")))
                .find(|folder| !folder.exists())
                .ok_or("there have been enough journeys: delete some of their folders")?
        }
        ["--folder", folder] => PathBuf::from(folder),
        other => return Err(format!("{other:?} is not understood; `--folder FOLDER` is").into()),
    };
    if folder.exists() && folder.read_dir()?.next().is_some() {
        return Err(format!("{} is not empty: the journey needs new databases", folder.display()).into());
    }
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}
