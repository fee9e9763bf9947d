//! A real Python peer in a process of its own, and how a story speaks to it.
//!
//! The peer is `tests/python_peer/peer.py`, forked off `stem.py`; its README lists the commands. The interpreter is named in the environment
//! variable `MORANGO_PYTHON`, and for older versions of the package in such as `MORANGO_PYTHON_0_7_1`; `cargo xtask test`
//! sets them after it has made the virtual environments.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read as _, Write};
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use morango::session::Capability;
use serde_json::{Value, json};

use crate::database::{Database, quoted};
use crate::postgres::TestDatabase;
use crate::stem::{self, Variety, Wanted};

/// The version of the package that `MORANGO_PYTHON` runs.
const CURRENT: &str = "0.8.15";

/// How many lines of what a peer said are shown where a story fails.
const LAST_WORDS: usize = 40;

/// A Python Morango peer that runs until it is dropped.
#[derive(Debug)]
pub struct PythonPeer {
    /// Where it is told what to do, and answers.
    line: BufReader<TcpStream>,
    /// The file of what it says on standard error: tracebacks, also of what a story means to be refused.
    log: PathBuf,
    /// Where it answers, for example `http://127.0.0.1:40123/`.
    pub url: String,
    /// Its instance id.
    pub instance_id: String,
    /// What kind of peer it is.
    kind: Kind,
    /// Its database, where that is not a file. It goes after the peer.
    database: Option<TestDatabase>,
}

/// What kind of Python peer a story meets.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    version: &'static str,
    database: Database,
    without: &'static [Capability],
}

impl Kind {
    /// The current version with all that it can do, on this database.
    pub const fn on(database: Database) -> Self {
        Self { version: CURRENT, database, without: &[] }
    }

    /// The same, but this version of the package.
    #[must_use]
    pub const fn of_version(self, version: &'static str) -> Self {
        Self { version, ..self }
    }

    /// The same, with these capabilities switched off.
    #[must_use]
    pub const fn without(self, capabilities: &'static [Capability]) -> Self {
        Self { without: capabilities, ..self }
    }

    /// The kind of database that it is on.
    pub const fn database(self) -> Database {
        self.database
    }

    /// The capabilities that are switched off.
    pub const fn lacking(self) -> &'static [Capability] {
        self.without
    }

    /// Whether peers of this kind have a capability.
    pub fn has(self, capability: Capability) -> bool {
        let never_had_it = match capability {
            Capability::AsyncOperations => self.version == "0.5.6",
            Capability::FsicV2Format => matches!(self.version, "0.5.6" | "0.6.7"),
            _ => false,
        };
        !never_had_it && !self.without.contains(&capability)
    }

    /// Whether peers of this kind say what they have when they call. A newer version that is made to call as if without
    /// asynchronous operations says nothing: it pulls everything, and after its pushes the server claims nothing.
    pub fn tells_counters_when_calling(self) -> bool {
        !self.without.contains(&Capability::AsyncOperations)
    }

    /// Whether peers of this kind note a deletion that came from another as one of their own, and so send it back with a stamp
    /// of theirs.
    pub fn notes_deletions_that_came(self) -> bool {
        matches!(self.version, "0.5.6" | "0.6.7")
    }

    fn variety(&self, flags: &[&str]) -> Variety {
        Variety::new(self.interpreter(), flags, self.database)
    }

    fn interpreter(&self) -> OsString {
        let variable = match self.version {
            CURRENT => "MORANGO_PYTHON".to_owned(),
            older => format!("MORANGO_PYTHON_{}", older.replace('.', "_")),
        };
        std::env::var_os(&variable).unwrap_or_else(|| {
            panic!(
                "the stories with the Python peer need its virtual environment: run `cargo xtask test`, \
                 or set {variable} to what `cargo xtask python` prints"
            )
        })
    }
}

/// The peer answered a command with an error.
#[derive(Debug)]
pub struct Refused(pub Value);

impl PythonPeer {
    /// Starts a peer of the current version on a SQLite file, which is made if it is not there.
    pub fn start(database: &Path, flags: &[&str]) -> Self {
        Self::launch(Kind::on(Database::Sqlite), database.as_os_str(), database.with_extension("log"), flags)
    }

    /// Starts a peer of this kind on a new database. What it needs of files has this name and lies in this folder.
    pub fn of_kind(kind: Kind, folder: &Path, name: &str, flags: &[&str]) -> Self {
        let log = folder.join(name).with_extension("log");
        match kind.database {
            Database::Sqlite => Self::launch(kind, log.with_extension("db").as_os_str(), log, flags),
            Database::Postgres => {
                let database = kind.variety(flags).new_database();
                let url = database.url().to_owned();
                Self::launch_on(kind, url.as_ref(), Some(database), log, flags)
            }
        }
    }

    fn launch(kind: Kind, database: &OsStr, log: PathBuf, flags: &[&str]) -> Self {
        Self::launch_on(kind, database, None, log, flags)
    }

    /// Starts a peer at this place, which is that of `copy` if it is a new database of the server.
    fn launch_on(kind: Kind, place: &OsStr, copy: Option<TestDatabase>, log: PathBuf, flags: &[&str]) -> Self {
        let without = kind.without.iter().map(|capability| capability.as_str()).collect();
        let (variety, is_copy) = (kind.variety(flags), copy.is_some());
        let line = stem::fork(&Wanted { variety, database: place, is_copy, without, log: &log });
        let (url, instance_id) = (String::new(), String::new());
        let mut peer = Self { line: BufReader::new(line), log, url, instance_id, kind, database: copy };
        let ready = peer.answer();
        peer.url = text(&ready, "url");
        peer.instance_id = text(&ready, "instance_id");
        peer
    }

    /// A copy of the file as it is now, under another name beside it.
    pub fn back_up(&self, name: &str) -> PathBuf {
        let backup = self.log.with_file_name(name).with_extension("db");
        let file = self.log.with_extension("db").display().to_string();
        let mut connection = SqliteConnection::establish(&file).expect("the peer is on a file");
        let copy = format!("VACUUM INTO {}", quoted(&backup.display().to_string()));
        connection.batch_execute(&copy).expect("a backup");
        backup
    }

    /// Another peer of this kind, on a backup.
    #[must_use]
    pub fn restored(&self, backup: &Path) -> Self {
        Self::launch(self.kind, backup.as_os_str(), backup.with_extension("log"), &[])
    }

    /// Gives a command; the arguments are a JSON object.
    ///
    /// # Errors
    /// The peer refused it.
    pub fn attempt(&mut self, command: &str, mut arguments: Value) -> Result<Value, Refused> {
        arguments["do"] = json!(command);
        self.line.get_mut().write_all(format!("{arguments}\n").as_bytes()).expect("the peer listens");
        let mut answer = self.answer();
        match answer.get_mut("error") {
            Some(error) => Err(Refused(error.take())),
            None => Ok(answer["ok"].take()),
        }
    }

    /// Gives a command that has to go well.
    pub fn run(&mut self, command: &str, arguments: Value) -> Value {
        self.attempt(command, arguments).unwrap_or_else(|Refused(error)| {
            panic!(
                "the Python peer refused {command:?}: {}: {}\n{}",
                error["class"],
                error["message"],
                error["traceback"].as_str().unwrap_or_default()
            )
        })
    }

    /// Makes a row; the answer is the row's id.
    pub fn create(&mut self, model: &str, fields: &Value) -> String {
        text(&self.run("create", json!({"model": model, "fields": fields})), "id")
    }

    /// Changes fields of a row.
    pub fn update(&mut self, model: &str, id: &str, fields: &Value) {
        self.run("update", json!({"model": model, "id": id, "fields": fields}));
    }

    /// A row as it travels, or `null`.
    pub fn row(&mut self, model: &str, id: &str) -> Value {
        self.run("get", json!({"model": model, "id": id}))
    }

    /// All rows of a model, ordered by id.
    pub fn rows(&mut self, model: &str) -> Vec<Value> {
        list(self.run("dump_rows", json!({"model": model})))
    }

    /// All store records of a profile, ordered by id.
    pub fn store(&mut self, profile: &str) -> Vec<Value> {
        list(self.run("dump_store", json!({"profile": profile})))
    }

    fn answer(&mut self) -> Value {
        let mut line = String::new();
        self.line.read_line(&mut line).expect("the peer's answer can be read");
        assert!(!line.is_empty(), "the Python peer ended");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("the Python peer said {line:?}: {error}"))
    }
}

impl Drop for PythonPeer {
    #[expect(clippy::print_stderr, reason = "a test that fails says why")]
    fn drop(&mut self) {
        // The end of what it is told is its sign to go; that of what it says shows that it is gone.
        let _ = self.line.get_mut().shutdown(Shutdown::Write);
        let _ = self.line.read_to_end(&mut Vec::new());
        drop(self.database.take());
        if std::thread::panicking() {
            let said = std::fs::read_to_string(&self.log).unwrap_or_default();
            let last: Vec<&str> = said.lines().rev().take(LAST_WORDS).collect();
            eprintln!("the last words of the Python peer:");
            last.iter().rev().for_each(|line| eprintln!("  {line}"));
        }
    }
}

/// A member that holds a text.
pub fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("{name:?} is no text in {value}")).to_owned()
}

fn list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        other => panic!("the Python peer answered {other} where a list was expected"),
    }
}
