//! The story that this software exists for, told by a program.
//!
//! A school without internet, a learner's tablet at home, a laptop that carries the school's data to the city, a server
//! in the cloud, and a second laptop in the city that has never seen the school. Each has a database file and an HTTP
//! port of its own; whenever two of them meet they exchange what the other lacks and may see. At the end the program
//! checks that nobody lost anything and that nobody holds what they may not see.
//!
//! ```text
//! cargo run --release --example journey
//! cargo run --release --example journey -- --cloud postgres
//! cargo run --release --example journey -- --folder somewhere
//! ```
//!
//! With `--cloud postgres` the server in the cloud keeps its data in a real PostgreSQL, which the program starts itself.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program speaks on its standard output")]

mod check;
mod cloud;
mod crowd;
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

/// What the program was asked for.
struct Options {
    folder: Option<PathBuf>,
    cloud: cloud::Kind,
}

fn main() -> ExitCode {
    match tell() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let report =
                error.downcast_ref::<morango::Error>().map_or_else(|| error.to_string(), morango::Error::report);
            eprintln!("the journey ended badly: {report}");
            ExitCode::FAILURE
        }
    }
}

fn tell() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let options = options(&arguments)?;
    story::tell(&folder(options.folder)?, options.cloud)
}

fn options(arguments: &[String]) -> Outcome<Options> {
    let mut options = Options { folder: None, cloud: cloud::Kind::Sqlite };
    let mut words = arguments.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match (word, words.next()) {
            ("--folder", Some(folder)) => options.folder = Some(PathBuf::from(folder)),
            ("--cloud", Some("sqlite")) => options.cloud = cloud::Kind::Sqlite,
            ("--cloud", Some("postgres")) => options.cloud = cloud::Kind::Postgres,
            _ => return Err(format!("`{word}` is not understood; `--folder FOLDER` and `--cloud postgres` are").into()),
        }
    }
    Ok(options)
}

/// The folder for the databases: the one that was asked for, or a new one for each run.
fn folder(wanted: Option<PathBuf>) -> Outcome<PathBuf> {
    let folder = wanted.map_or_else(new_folder, Ok)?;
    if folder.exists() && folder.read_dir()?.next().is_some() {
        return Err(format!("{} is not empty: the journey needs new databases", folder.display()).into());
    }
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn new_folder() -> Outcome<PathBuf> {
    let runs = PathBuf::from("target").join("journey");
    let mut folders = (1..RUNS_MAX).map(|number| runs.join(format!("run-{number}")));
    let free = folders.find(|folder| !folder.exists());
    free.ok_or_else(|| "there have been enough journeys: delete some of their folders".into())
}
