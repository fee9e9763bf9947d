//! A crowd of devices that sync at one moment, and the server processes that it calls.

use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use crate::bench::figure::Database;
use crate::bench::peer::{Make, Peer, Seat, create_database};
use crate::postgres;

/// Devices that share a process. More processes would only take more memory.
const DEVICES_OF_A_PROCESS: u64 = 20;

/// How often all sync. After the first time the server has everything, after the second everybody has.
const ROUNDS: usize = 2;

/// Who calls whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trial {
    /// The servers' database; that of each device is a file.
    pub(super) database: Database,
    pub(super) devices: u64,
    /// Server processes on one database.
    pub(super) servers: usize,
    /// Records that each device has made and nobody else has.
    pub(super) records: u64,
}

/// What one sync was like for the device that began it.
#[derive(Debug, Clone, Default)]
pub(super) struct Sync {
    pub(super) seconds: f64,
    /// Records that came and went.
    pub(super) moved: u64,
    /// Calls that were made again.
    pub(super) retries: u64,
    pub(super) failure: Option<String>,
}

/// All syncs that began at one moment.
#[derive(Debug, Clone)]
pub(super) struct Round {
    pub(super) trial: Trial,
    pub(super) number: usize,
    /// Until the last of them was done.
    pub(super) seconds: f64,
    pub(super) syncs: Vec<Sync>,
    /// Answers of the servers by which somebody was told to come again.
    pub(super) busy_answers: u64,
    /// How far the memory of each server process rose above what it had when it was started, in MiB, where that is known.
    pub(super) peaks_mib: Vec<f64>,
    /// Connections of all server processes to their database when they were most, where that is known.
    pub(super) connections: Option<u64>,
}

impl Round {
    /// How many of the syncs failed.
    pub(super) fn failures(&self) -> usize {
        self.syncs.iter().filter(|sync| sync.failure.is_some()).count()
    }

    /// What is wrong with it, if anything is.
    pub(super) fn problem(&self) -> Option<String> {
        let first = self.syncs.iter().find_map(|sync| sync.failure.as_ref())?;
        let (trial, of) = (self.trial, self.syncs.len());
        Some(format!("{}, sync {}: {} of {of} failed: {first}", trial.database.name(), self.number, self.failures()))
    }
}

/// The processes of a trial.
struct Crowd {
    servers: Vec<Peer>,
    processes: Vec<Peer>,
    urls: Vec<String>,
    /// It runs for as long as the servers need it.
    _postgres: Option<postgres::Server>,
}

/// Has everybody sync as often as it takes, and keeps what each round was like. It ends early where a sync fails.
///
/// # Errors
/// Something else than a sync failed, or not all hold the same in the end.
pub(super) fn try_it(trial: &Trial, folder: &Path, rounds: &mut Vec<Round>) -> Result<(), String> {
    let name = trial.database.name();
    println!("{name}: {} devices make their keys and their records", trial.devices);
    let mut crowd = Crowd::gather(trial, folder)?;
    for number in 1..=ROUNDS {
        println!("{name}: {} devices sync at once", trial.devices);
        let round = crowd.sync(*trial, number)?;
        let has_failed = round.failures() > 0;
        rounds.push(round);
        if has_failed {
            return Ok(());
        }
    }
    crowd.check(trial)
}

impl Crowd {
    /// Starts the servers, and devices that each have records of their own.
    fn gather(trial: &Trial, folder: &Path) -> Result<Self, String> {
        let (database, postgres) = match trial.database {
            Database::Sqlite => (Seat::with_file(&folder.join("server-0")).database, None),
            Database::Postgres => {
                let server = postgres::Server::start(postgres::Durability::AsItShips)?;
                (create_database(&server, "load")?, Some(server))
            }
        };
        let seat = |number| Seat { database: database.clone(), folder: folder.join(format!("server-{number}")) };
        let mut servers =
            (0..trial.servers).map(|number| Peer::start(Make::Rust, &seat(number))).collect::<Result<Vec<_>, _>>()?;
        let urls: Vec<String> = servers.iter().map(|server| server.url.clone()).collect();
        let root = servers[0].ask(&json!({"do": "create_root"}))?;
        let mut processes = Vec::new();
        for number in 0..trial.devices.div_ceil(DEVICES_OF_A_PROCESS) {
            let folder = folder.join(format!("devices-{number}"));
            let devices = DEVICES_OF_A_PROCESS.min(trial.devices - number * DEVICES_OF_A_PROCESS);
            let mut process = Peer::start(Make::Rust, &Seat::with_file(&folder))?;
            process.tell(&json!({
                "do": "gather", "folder": folder.display().to_string(), "urls": urls, "dataset": root["certificate"]["id"],
                "devices": devices, "records": trial.records,
            }))?;
            processes.push(process);
        }
        for process in &mut processes {
            process.hear(&json!({"do": "gather"}))?;
        }
        Ok(Self { servers, processes, urls, _postgres: postgres })
    }

    /// Has everybody sync at one moment.
    fn sync(&mut self, trial: Trial, number: usize) -> Result<Round, String> {
        let busy_before = self.busy_answers()?;
        self.servers.iter().for_each(Peer::forget_the_peak);
        self.servers[0].ask(&json!({"do": "start_watch"}))?;
        let command = json!({"do": "sync_all", "urls": self.urls, "round": number});
        let started = Instant::now();
        for process in &mut self.processes {
            process.tell(&command)?;
        }
        let mut syncs = Vec::new();
        for process in &mut self.processes {
            let told = process.hear(&command)?;
            syncs.extend(told.as_array().ok_or("a process does not tell of its syncs")?.iter().map(sync_of));
        }
        let seconds = started.elapsed().as_secs_f64();
        let connections = self.servers[0].ask(&json!({"do": "stop_watch"}))?.as_u64();
        let peaks_mib = self.servers.iter().filter_map(Peer::peak_mib).collect();
        let busy_answers = self.busy_answers()? - busy_before;
        Ok(Round { trial, number, seconds, syncs, busy_answers, peaks_mib, connections })
    }

    fn busy_answers(&mut self) -> Result<u64, String> {
        let told = |server: &mut Peer| server.ask(&json!({"do": "answers"}));
        self.servers.iter_mut().map(|server| Ok(told(server)?["busy"].as_u64().unwrap_or_default())).sum()
    }

    /// Checks that all hold what everybody made, and say the same of it.
    fn check(&mut self, trial: &Trial) -> Result<(), String> {
        let expected = self.servers[0].ask(&json!({"do": "holdings"}))?;
        // The school itself, and of each device a learner and the learner's logs.
        let (records, logs) = (1 + trial.devices * trial.records, trial.devices * (trial.records - 1));
        if expected["records"] != records || expected["logs"] != logs {
            return Err(format!("the server holds {expected}, and not {records} records and {logs} logs"));
        }
        for process in &mut self.processes {
            let held = process.ask(&json!({"do": "holdings_of_all"}))?;
            let held = held.as_array().ok_or("a process does not tell what it holds")?;
            if let Some(other) = held.iter().find(|held| **held != expected) {
                return Err(format!("the server holds {expected}, and a device {other}"));
            }
        }
        println!("{}: all hold the same {records} records", trial.database.name());
        Ok(())
    }
}

fn sync_of(told: &Value) -> Sync {
    Sync {
        seconds: told["seconds"].as_f64().unwrap_or_default(),
        moved: told["moved"].as_u64().unwrap_or_default(),
        retries: told["retries"].as_u64().unwrap_or_default(),
        failure: told["failure"].as_str().map(str::to_owned),
    }
}
