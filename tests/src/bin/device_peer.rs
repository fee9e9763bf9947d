//! A device in a process of its own, so that a story can end it by force.
//!
//! ```text
//! device_peer serve DATABASE ADDRESS [HELD]             answers, and prints where
//! device_peer sync DATABASE URL CERTIFICATE [HELD]      syncs both ways in small chunks
//! device_peer resume DATABASE URL ID [HELD]             goes on with a sync
//! ```
//!
//! DATABASE is a file, or the URL of a database on PostgreSQL. HELD names an event, for example `pull dequeuing in-progress`: when it
//! comes, `held` is printed, and the thread that told of it goes no further; with `dies` before it, the whole process ends there. A
//! sync prints `done` and how many records came and went, or `failed` and the code of its error; so does a device that does not even
//! come up.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program speaks on its standard output")]

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use morango::client::{HttpPeer, RetryPolicy};
use morango::prelude::*;
use morango::server::Server;
use morango_diesel::{PostgresStorage, SqliteStorage};
use morango_tests::device::SchoolAccounts;

type Outcome = Result<(), Box<dyn Error>>;

/// Small, so that there are several.
const CHUNK_RECORDS: usize = 3;

/// Short, so that a story need not wait until a sync gives up: after a third of a second where nobody is there.
const PAUSE_FIRST: Duration = Duration::from_millis(5);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["serve", database, address, held @ ..] => serve(database, address, held),
        ["sync", database, url, certificate, held @ ..] => sync(database, url, held, |engine, peer, options| {
            Ok(engine.sync(peer, certificate.parse::<CertificateId>()?, options))
        }),
        ["resume", database, url, id, held @ ..] => {
            sync(database, url, held, |engine, peer, options| Ok(engine.resume(peer, id.parse()?, options)))
        }
        other => Err(format!("{other:?} is not understood").into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(error) = error.downcast_ref::<morango::Error>() {
                println!("failed {}", error.kind().code());
            }
            eprintln!("device_peer: {error:?}");
            ExitCode::FAILURE
        }
    }
}

fn engine(database: &str, held: &[&str]) -> Result<Engine, Box<dyn Error>> {
    let held: Vec<String> = held.iter().map(|&word| word.to_owned()).collect();
    let builder = if database.starts_with("postgres://") {
        Engine::builder(PostgresStorage::open(database)?)
    } else {
        Engine::builder(SqliteStorage::open(database)?)
    };
    let builder = builder.on_event(move |event| {
        let (dies, at) = match held.split_first() {
            Some((first, at)) if first == "dies" => (true, at),
            _ => (false, held.as_slice()),
        };
        if name_of(event) == at {
            if dies {
                std::process::abort();
            }
            println!("held");
            loop {
                std::thread::park();
            }
        }
    });
    Ok(builder.build()?)
}

/// An event in the words of HELD.
fn name_of(event: &Event) -> Vec<String> {
    let Event::Stage { direction, stage, phase, .. } = event else { return vec!["another".to_owned()] };
    let phase = match phase {
        Phase::Started => "started",
        Phase::InProgress(_) => "in-progress",
        Phase::Completed => "completed",
        Phase::Errored(_) => "errored",
    };
    vec![direction.to_string(), stage.to_string(), phase.to_owned()]
}

fn serve(database: &str, address: &str, held: &[&str]) -> Outcome {
    let engine = engine(database, held)?;
    let server = Server::bind(engine.router(SchoolAccounts::admin()), address)?;
    println!("{}", server.url());
    loop {
        std::thread::park();
    }
}

fn sync(
    database: &str,
    url: &str,
    held: &[&str],
    work: impl FnOnce(&Engine, &HttpPeer, SyncOptions) -> Result<morango::Result<SyncReport>, Box<dyn Error>>,
) -> Outcome {
    let engine = engine(database, held)?;
    let options = SyncOptions::both_ways().chunk_size(CHUNK_RECORDS);
    let hurry = RetryPolicy { pause_first: PAUSE_FIRST, ..RetryPolicy::default() };
    match work(&engine, &HttpPeer::builder(url).retry(hurry).build()?, options)? {
        Ok(report) => {
            let moved = |transfer: Option<TransferReport>| transfer.map_or(0, |it| it.records_transferred);
            println!("done {} {}", moved(report.pull), moved(report.push));
        }
        Err(error) => println!("failed {}", error.kind().code()),
    }
    Ok(())
}
