//! `cargo xtask bench`: how fast a first pull is, between two processes of ours on loopback.
//!
//! The figures come from the two programs themselves; this file builds them, starts them, and prints what they say.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use crate::run;

/// Builds the measured peer, starts two of them, and prints the figures.
pub(crate) fn run(options: &[&str]) -> Result<(), String> {
    let records = match options {
        [] => 100_000,
        ["--records", number] => number.parse::<u64>().map_err(|error| format!("--records {number:?}: {error}"))?,
        _ => return Err(format!("unknown options {options:?}; `--records N` is known")),
    };
    run::complete(&mut run::cargo(&["build", "--release", "--package", "morango-tests", "--bin", "bench_peer"]))?;
    let program = run::target().join("release").join("bench_peer");
    let folder = run::target().join("bench");
    let _ = std::fs::remove_dir_all(folder.join("databases"));
    std::fs::create_dir_all(folder.join("databases")).map_err(|error| format!("failed to make a folder: {error}"))?;

    println!("a first pull of {records} records, SQLite on both sides, two processes on loopback");
    let server_database = folder.join("databases/server.db");
    let mut server = Peer::start(
        Command::new(&program).arg("server").arg(&server_database).args(["--records", &records.to_string()]),
    )?;
    let url = server.line()?;
    let mut client =
        Peer::start(Command::new(&program).arg("client").arg(folder.join("databases/client.db")).arg(&url))?;
    let client_said = client.rest()?;
    server.stop()?;
    let server_said = server.rest()?;
    print!("{client_said}{server_said}");
    Ok(())
}

/// A running program that speaks in lines.
struct Peer {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Peer {
    fn start(command: &mut Command) -> Result<Self, String> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("failed to start {command:?}: {error}"))?;
        let output = BufReader::new(child.stdout.take().expect("standard output is piped"));
        Ok(Self { child, output })
    }

    fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        match self.output.read_line(&mut line) {
            Ok(0) => Err("a measured peer ended early".to_owned()),
            Ok(_) => Ok(line.trim().to_owned()),
            Err(error) => Err(format!("failed to read what a measured peer says: {error}")),
        }
    }

    /// Asks the program to end: its standard input is closed.
    fn stop(&mut self) -> Result<(), String> {
        let mut input = self.child.stdin.take().expect("it is stopped once");
        input.flush().map_err(|error| format!("failed to stop a measured peer: {error}"))
    }

    /// Everything that the program still says until it ends well.
    fn rest(&mut self) -> Result<String, String> {
        let mut text = String::new();
        while let Ok(line) = self.line() {
            text.push_str(&line);
            text.push('\n');
        }
        let status = self.child.wait().map_err(|error| format!("failed to wait for a measured peer: {error}"))?;
        if status.success() { Ok(text) } else { Err(format!("a measured peer ended with {status}:\n{text}")) }
    }
}
