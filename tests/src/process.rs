//! A device in a process of its own: the program `device_peer`.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A process that is killed when this is dropped, at the latest.
pub struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts a program with what it is to be told.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the process starts");
        let output = BufReader::new(child.stdout.take().expect("its output is piped"));
        Self { child, output }
    }

    /// The next line that it says; empty once it has ended.
    pub fn says(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("its output can be read");
        line.trim().to_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // On Unix this is the signal that nobody can refuse.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
