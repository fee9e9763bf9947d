//! The measured peer of `cargo xtask bench` and `cargo xtask load`: a device in a process of its own, told what to do on its standard input.
//!
//! It speaks as the Python peer of the tests does: one JSON line says that it is ready and where it answers, then each line
//! on standard input is a command and gets one line as its answer, `{"ok": RESULT}` or `{"error": {"message": …}}`. It ends
//! with its standard input. What is measured from outside, time between two commands and memory, it knows nothing of.
//!
//! ```text
//! bench_peer --database DATABASE        a file, which is made if it is not there, or a postgres:// URL of what is there
//! bench_peer --create-database URL      makes an empty database of a PostgreSQL server, and ends
//! ```
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program speaks on its standard output")]

mod answers;
mod capture;
mod commands;
mod crowd;
mod data;
mod floor;
mod holdings;
mod home;
mod partitions;
mod watch;
mod writer;

use std::error::Error;
use std::io::BufRead;
use std::process::ExitCode;

use morango::server::Server;
use morango_tests::device::SchoolAccounts;
use serde_json::{Value, json};

use answers::Answers;
use commands::Peer;
use home::Home;

/// What everything here may fail with.
type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--database", database] => serve(database),
        ["--create-database", url] => home::create_database(url),
        other => Err(format!("{other:?} is not understood; `--database` and `--create-database` are").into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench_peer: {}", describe(&*error));
            ExitCode::FAILURE
        }
    }
}

/// Opens the database, answers on loopback, and obeys until standard input ends.
fn serve(database: &str) -> Outcome {
    let home = Home::open(database)?;
    let engine = home.engine()?;
    let answers = Answers::default();
    let server = Server::bind(answers.counted(engine.router(SchoolAccounts::admin())), "127.0.0.1:0")?;
    let mut peer = Peer::new(home, engine, answers);
    println!("{}", json!({"ready": true, "url": server.url()}));
    for line in std::io::stdin().lock().lines() {
        let answer = match obey(&mut peer, &line?) {
            Ok(result) => json!({"ok": result}),
            Err(error) => json!({"error": {"message": describe(&*error)}}),
        };
        println!("{answer}");
    }
    Ok(())
}

fn obey(peer: &mut Peer, line: &str) -> Outcome<Value> {
    let command: Value = serde_json::from_str(line)?;
    peer.obey(&command)
}

fn describe(error: &(dyn Error + 'static)) -> String {
    error.downcast_ref::<morango::Error>().map_or_else(|| error.to_string(), morango::Error::report)
}
