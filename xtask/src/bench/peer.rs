//! A measured peer: a process of ours or the Python package's, told what to do in JSON lines, and watched from outside.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use crate::{postgres, python, run};

/// Whose program it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Make {
    /// Ours.
    Rust,
    /// The Python package, without the pauses that it makes between chunks and while it waits.
    Python,
    /// The Python package as it ships.
    PythonAsShipped,
}

/// The most recent words of a peer on its standard error go to this file beside its database.
const LOG: &str = "log.txt";

/// Where a peer is at home.
#[derive(Debug, Clone)]
pub(crate) struct Seat {
    /// The path of a file, or the URL of a database.
    pub(crate) database: String,
    /// Where it may put what it says.
    pub(crate) folder: PathBuf,
}

impl Seat {
    /// A seat with a file in this folder.
    pub(crate) fn with_file(folder: &Path) -> Self {
        Self { database: folder.join("school.db").display().to_string(), folder: folder.to_owned() }
    }
}

/// A running peer. It ends when this is dropped.
pub(crate) struct Peer {
    pub(crate) make: Make,
    pub(crate) url: String,
    seat: Seat,
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// KiB that were resident when it had started and nobody had asked it for anything: what it needs to be there.
    idle_kib: u64,
}

/// Parts of a second in which Linux tells how long a process kept a core busy.
const TICKS_PER_SECOND: f64 = 100.0;

/// The program of our own measured peers.
pub(crate) fn our_program() -> PathBuf {
    run::target().join("release").join("bench_peer")
}

/// Builds it.
pub(crate) fn build_our_program() -> Result<(), String> {
    run::complete(&mut run::cargo(&["build", "--release", "--package", "morango-tests", "--bin", "bench_peer"]))
}

/// Makes an empty database of a PostgreSQL server, and says by which URL it is reached.
pub(crate) fn create_database(server: &postgres::Server, name: &str) -> Result<String, String> {
    let (address, _) = server.url().rsplit_once('/').ok_or("the URL of the server names no database")?;
    let url = format!("{address}/{name}");
    run::complete(Command::new(our_program()).args(["--create-database", &url]))?;
    Ok(url)
}

impl Peer {
    /// Starts a peer here, whose folder is made.
    pub(crate) fn start(make: Make, seat: &Seat) -> Result<Self, String> {
        let folder = &seat.folder;
        std::fs::create_dir_all(folder).map_err(|error| format!("failed to make {}: {error}", folder.display()))?;
        let mut command = match make {
            Make::Rust => Command::new(our_program()),
            Make::Python | Make::PythonAsShipped => {
                let mut command = Command::new(python::interpreter()?);
                command.arg(run::root().join("tests/python_peer/peer.py"));
                command
            }
        };
        if make == Make::PythonAsShipped {
            command.arg("--unhurried");
        }
        let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join(LOG));
        let log = log.map_err(|error| format!("failed to make a log: {error}"))?;
        command.arg("--database").arg(&seat.database).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().map_err(|error| format!("failed to start {command:?}: {error}"))?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("standard output is piped"));
        let mut peer = Self { make, url: String::new(), seat: seat.clone(), child, input, output, idle_kib: 0 };
        let ready = peer.answer()?;
        let url = ready["url"].as_str().ok_or("a measured peer does not say where it answers")?;
        url.clone_into(&mut peer.url);
        peer.idle_kib = peer.memory_kib("VmRSS:").unwrap_or(0);
        Ok(peer)
    }

    /// Ends the peer and starts it anew on its database: what it did before is neither in its memory nor at hand.
    pub(crate) fn restart(&mut self) -> Result<(), String> {
        self.end();
        *self = Self::start(self.make, &self.seat)?;
        Ok(())
    }

    fn end(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }

    /// Tells the peer to do something, and waits until it is done.
    pub(crate) fn ask(&mut self, command: &Value) -> Result<Value, String> {
        self.tell(command)?;
        self.hear(command)
    }

    /// Tells the peer to do something, and does not wait.
    pub(crate) fn tell(&mut self, command: &Value) -> Result<(), String> {
        let input = self.input.as_mut().expect("it is open until the peer is dropped");
        writeln!(input, "{command}")
            .and_then(|()| input.flush())
            .map_err(|error| format!("failed to tell a measured peer {}: {error}", command["do"]))
    }

    /// Waits until what the peer was told is done, and says what came of it.
    pub(crate) fn hear(&mut self, told: &Value) -> Result<Value, String> {
        let mut answer = self.answer()?;
        match answer.get("error") {
            None => Ok(answer["ok"].take()),
            Some(error) => Err(format!("a measured peer failed to {}: {}", told["do"], error["message"])),
        }
    }

    /// The same, with the seconds that it took.
    pub(crate) fn time(&mut self, command: &Value) -> Result<(Value, f64), String> {
        let started = Instant::now();
        let answer = self.ask(command)?;
        Ok((answer, started.elapsed().as_secs_f64()))
    }

    /// Makes so many records of a school: learners with a partition each, and logs of theirs.
    pub(crate) fn fill(&mut self, dataset: &str, records: u64, learners: u64) -> Result<(), String> {
        if self.make == Make::Rust {
            let command = json!({"do": "fill", "dataset": dataset, "records": records, "learners": learners});
            return self.ask(&command).map(drop);
        }
        let people = self.ask(&json!({
            "do": "create_many", "model": "user", "count": learners,
            "fields": {"dataset_id": dataset, "username": "learner-{n}", "full_name": "Learner number {n}", "birth_year": 2012},
        }))?;
        let people = people.as_array().ok_or("the Python peer names no rows")?.clone();
        let logs = records.saturating_sub(learners);
        for (number, learner) in (0_u64..).zip(&people) {
            let count = logs / learners + u64::from(number < logs % learners);
            self.ask(&json!({
                "do": "create_many", "model": "contentlog", "count": count,
                "fields": {
                    "dataset_id": dataset, "user_id": learner, "content": "a piece of content with number {n}",
                    "progress": 0.5, "seconds": 7, "started": "2026-01-05T08:00:00Z",
                    "extra": {"attempts": 3, "answers": ["a", "b", "c"], "note": "as long as such things are"},
                },
            }))?;
        }
        Ok(())
    }

    /// Changes so many logs after so many others, in the order of their ids.
    pub(crate) fn change(&mut self, records: u64, after: u64, mark: &str) -> Result<(), String> {
        if self.make == Make::Rust {
            let command = json!({"do": "change", "records": records, "after": after, "mark": mark});
            return self.ask(&command).map(drop);
        }
        let sql = format!("SELECT id FROM school_contentlog ORDER BY id LIMIT {records} OFFSET {after}");
        let rows = self.ask(&json!({"do": "stored_sql", "sql": sql}))?;
        for row in rows.as_array().ok_or("the Python peer shows no rows")? {
            let command = json!({"do": "update", "model": "contentlog", "id": row["id"], "fields": {"content": mark}});
            self.ask(&command)?;
        }
        Ok(())
    }

    /// Forgets the peak of its memory so far, so that only what comes counts.
    pub(crate) fn forget_the_peak(&self) {
        // Writing 5 resets the peak on Linux; elsewhere there is no such file, and no figure either.
        let _ = std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5");
    }

    /// How far its peak since then lies above what it needed when it had just started, in MiB.
    #[expect(clippy::cast_precision_loss, reason = "a process has far less than 2^52 KiB")]
    pub(crate) fn peak_mib(&self) -> Option<f64> {
        self.memory_kib("VmHWM:").map(|peak| peak.saturating_sub(self.idle_kib) as f64 / 1024.0)
    }

    /// For how many seconds it has kept a core busy so far, in its own code and in the system's for it.
    pub(crate) fn cpu_seconds(&self) -> Option<f64> {
        let said = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
        // The name of the program stands in brackets and may hold anything; the 14th and 15th field are the two times.
        let mut fields = said.rsplit_once(')')?.1.split_whitespace().skip(11);
        let mut ticks = || fields.next()?.parse::<f64>().ok();
        Some((ticks()? + ticks()?) / TICKS_PER_SECOND)
    }

    fn memory_kib(&self, name: &str) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }

    fn answer(&mut self) -> Result<Value, String> {
        let mut line = String::new();
        match self.output.read_line(&mut line) {
            Ok(0) => Err(format!(
                "a measured peer ended early; {} holds what it said last",
                self.seat.folder.join(LOG).display()
            )),
            Ok(_) => serde_json::from_str(&line).map_err(|error| format!("a measured peer says {line:?}: {error}")),
            Err(error) => Err(format!("failed to read what a measured peer says: {error}")),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.end();
    }
}
