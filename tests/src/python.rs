//! A real Python peer in a process of its own, and how a story speaks to it.
//!
//! The peer is `tests/python_peer/peer.py`; its README lists the commands. The interpreter is named in the environment
//! variable `MORANGO_PYTHON`, which `cargo xtask test` sets after it has made the virtual environment.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// How many lines of what a peer said are shown where a story fails.
const LAST_WORDS: usize = 40;

/// A Python Morango peer that runs until it is dropped.
#[derive(Debug)]
pub struct PythonPeer {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// The file of what it says on standard error: tracebacks, also of what a story means to be refused.
    log: PathBuf,
    /// Where it answers, for example `http://127.0.0.1:40123/`.
    pub url: String,
    /// Its instance id.
    pub instance_id: String,
}

/// The peer answered a command with an error.
#[derive(Debug)]
pub struct Refused(pub Value);

impl PythonPeer {
    /// Starts a peer on a database file, which is made if it is not there.
    pub fn start(database: &Path, flags: &[&str]) -> Self {
        let interpreter = std::env::var_os("MORANGO_PYTHON").expect(
            "the stories with the Python peer need its virtual environment: run `cargo xtask test`, \
             or set MORANGO_PYTHON to what `cargo xtask python` prints",
        );
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("python_peer").join("peer.py");
        let log = database.with_extension("log");
        let errors = File::create(&log).expect("a file beside the database");
        let mut child = Command::new(interpreter)
            .arg(program)
            .arg("--database")
            .arg(database)
            .args(flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .expect("the Python interpreter starts");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("standard output is piped"));
        let mut peer = Self { child, input, output, log, url: String::new(), instance_id: String::new() };
        let ready = peer.answer();
        peer.url = text(&ready, "url");
        peer.instance_id = text(&ready, "instance_id");
        peer
    }

    /// Gives a command; the arguments are a JSON object.
    ///
    /// # Errors
    /// The peer refused it.
    pub fn attempt(&mut self, command: &str, mut arguments: Value) -> Result<Value, Refused> {
        arguments["do"] = json!(command);
        let input = self.input.as_mut().expect("the peer listens until it is dropped");
        writeln!(input, "{arguments}").expect("the peer listens");
        input.flush().expect("the peer listens");
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
        self.output.read_line(&mut line).expect("the peer's answer can be read");
        assert!(!line.is_empty(), "the Python peer ended");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("the Python peer said {line:?}: {error}"))
    }
}

impl Drop for PythonPeer {
    #[expect(clippy::print_stderr, reason = "a test that fails says why")]
    fn drop(&mut self) {
        // The end of its input is its sign to go.
        drop(self.input.take());
        let _ = self.child.wait();
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
