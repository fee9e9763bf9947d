//! The measured peer of `cargo xtask bench`: a device in a process of its own, told what to do on its standard input.
//!
//! It speaks as the Python peer of the tests does: one JSON line says that it is ready and where it answers, then each line
//! on standard input is a command and gets one line as its answer, `{"ok": RESULT}` or `{"error": {"message": …}}`. It ends
//! with its standard input. What is measured from outside, time between two commands and memory, it knows nothing of.
//!
//! ```text
//! bench_peer --database PATH
//! ```
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program speaks on its standard output")]

mod capture;
mod commands;
mod data;
mod floor;
mod partitions;
mod writer;

use std::error::Error;
use std::io::BufRead;
use std::path::Path;
use std::process::ExitCode;

use morango::prelude::*;
use morango::server::Server;
use morango_diesel::SqliteStorage;
use morango_examples::school;
use morango_tests::device::SchoolAccounts;
use serde_json::{Value, json};

use commands::Peer;

/// What everything here may fail with.
type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--database", database] => serve(Path::new(database)),
        other => Err(format!("{other:?} is not understood; `--database PATH` is").into()),
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
fn serve(database: &Path) -> Outcome {
    let storage = SqliteStorage::open(database)?;
    school::create_tables(&mut storage.connect()?)?;
    morango_tests::sampler::create_table(&mut storage.connect()?)?;
    let engine = Engine::builder(storage.clone()).build()?;
    let server = Server::bind(engine.router(SchoolAccounts::admin()), "127.0.0.1:0")?;
    let mut peer = Peer::new(storage, engine);
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
