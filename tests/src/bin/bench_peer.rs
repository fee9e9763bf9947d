//! One of the two processes that `cargo xtask bench` measures.
//!
//! ```text
//! bench_peer server DATABASE --records N    makes a school of N records, answers on loopback, prints where;
//!                                           ends with its standard input and prints its figures
//! bench_peer client DATABASE URL            asks for a certificate, pulls everything, prints the figures
//! ```
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program speaks on its standard output")]

use std::error::Error;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use chrono::{Duration, TimeZone, Utc};
use morango::client::HttpPeer;
use morango::port::Credentials;
use morango::prelude::*;
use morango::server::Server;
use morango_diesel::{SqliteStorage, Syncable};
use morango_examples::school::{self, ContentLog, Dataset, User};
use morango_tests::device::SchoolAccounts;
use serde_json::json;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Learners among whom the records are spread.
const LEARNERS: u64 = 100;
/// Rows that are made in one statement's transaction.
const ROWS_AT_ONCE: u64 = 10_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["server", database, "--records", records] => {
            records.parse().map_err(Into::into).and_then(|records| serve(Path::new(database), records))
        }
        ["client", database, url] => pull(Path::new(database), url),
        other => Err(format!("{other:?} is not understood").into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let report =
                error.downcast_ref::<morango::Error>().map_or_else(|| error.to_string(), morango::Error::report);
            eprintln!("bench_peer: {report}");
            ExitCode::FAILURE
        }
    }
}

fn open(database: &Path) -> Outcome<(SqliteStorage, Engine)> {
    let storage = SqliteStorage::open(database)?;
    school::create_tables(&mut storage.connect()?)?;
    morango_tests::sampler::create_table(&mut storage.connect()?)?;
    let engine = Engine::builder(storage.clone()).build()?;
    Ok((storage, engine))
}

fn serve(database: &Path, records: u64) -> Outcome {
    let (storage, engine) = open(database)?;
    let root = engine.create_root_certificate(school::PROFILE, school::FULL_FACILITY, &[])?;
    let started = Instant::now();
    fill(&storage, root.id().into(), records)?;
    eprintln!("made {records} rows in {:.2} s", started.elapsed().as_secs_f64());
    let idle = Memory::forget_the_peak();
    let server = Server::bind(engine.router(SchoolAccounts::admin()), "127.0.0.1:0")?;
    println!("{}", server.url());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    println!("server: {}", Memory::since(idle));
    Ok(())
}

/// Makes rows: a dataset, learners, and logs for all the rest.
fn fill(storage: &SqliteStorage, dataset_id: SyncId, records: u64) -> Outcome {
    let connection = &mut storage.connect()?;
    Dataset { id: dataset_id, description: "measured".to_owned(), allow_guests: false }.create(connection)?;
    let people = (0..LEARNERS).map(|number| User {
        id: SyncId::unset(),
        dataset_id,
        username: format!("learner-{number}"),
        full_name: format!("Learner number {number}"),
        birth_year: Some(2012),
    });
    let people = User::create_many(people, connection)?;
    let begun = Utc.with_ymd_and_hms(2026, 1, 5, 8, 0, 0).single().ok_or("a date that is none")?;
    let logs = records.saturating_sub(LEARNERS + 1);
    let mut made = 0;
    while made < logs {
        let until = (made + ROWS_AT_ONCE).min(logs);
        let rows = (made..until).zip(people.iter().cycle()).map(|(number, learner)| ContentLog {
            id: SyncId::unset(),
            dataset_id,
            user_id: learner.id,
            content: format!("a piece of content with number {number}"),
            progress: 0.5,
            seconds: i32::try_from(number % 3_600).unwrap_or_default(),
            started: begun + Duration::seconds(i64::try_from(number).unwrap_or_default()),
            extra: json!({"attempts": number % 7, "answers": ["a", "b", "c"], "note": "as long as such things are"}),
        });
        ContentLog::create_many(rows, connection)?;
        made = until;
    }
    Ok(())
}

fn pull(database: &Path, url: &str) -> Outcome {
    let (_, engine) = open(database)?;
    let peer = HttpPeer::new(url)?;
    let offered =
        peer.certificates(&morango::port::CertificateQuery::Owned { profile: Some(school::PROFILE.into()) })?;
    let root = offered.first().ok_or("the server has no certificate")?;
    let id: CertificateId = serde_json::from_str::<serde_json::Value>(&root.serialized)?["id"]
        .as_str()
        .ok_or("a certificate without an id")?
        .parse()?;
    let params = [("dataset_id", id.to_string())];
    let params: Vec<(&str, &str)> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let credentials = Credentials::new("admin", "secret");
    let certificate = engine.request_certificate(&peer, id, school::FULL_FACILITY, &params, &credentials)?;

    let idle = Memory::forget_the_peak();
    let started = Instant::now();
    let report = engine.sync(&peer, &certificate, SyncOptions::pull())?;
    let seconds = started.elapsed().as_secs_f64();
    let pulled = report.pull.as_ref().ok_or("a pull without a report")?;
    #[expect(clippy::cast_precision_loss, reason = "a count of records is far below 2^52")]
    let rate = pulled.records_transferred as f64 / seconds;
    println!("{} records in {seconds:.2} s: {rate:.0} records/s", pulled.records_transferred);
    for (stage, took) in &pulled.stages {
        println!("  {stage:<14} {:>8.2} s", took.as_secs_f64());
    }
    println!("{report}");
    println!("client: {}", Memory::since(idle));
    Ok(())
}

/// The memory of this process, in KiB.
#[derive(Clone, Copy)]
struct Memory {
    resident: u64,
}

impl Memory {
    /// Forgets the peak so far, so that only what comes counts; what is resident now is idle.
    fn forget_the_peak() -> Self {
        // Writing 5 resets the peak on Linux; elsewhere there is no such file, and no figure either.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        Self { resident: Self::read("VmRSS:").unwrap_or_default() }
    }

    /// The peak, and how far it is above what was idle.
    fn since(idle: Self) -> String {
        match Self::read("VmHWM:") {
            Some(peak) => {
                let above = peak.saturating_sub(idle.resident);
                format!("peak memory {} MiB, {} MiB above idle", peak / 1024, above / 1024)
            }
            None => "peak memory unknown on this system".to_owned(),
        }
    }

    fn read(name: &str) -> Option<u64> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }
}
