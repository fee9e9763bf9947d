//! A device in a process of its own: the program `device_peer`, and the events at which it can be told to stop.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

/// A process that is killed when this is dropped, at the latest.
pub struct Process {
    killer: Killer,
    output: BufReader<ChildStdout>,
}

/// What can end a process by force, from wherever it is called.
#[derive(Debug, Clone)]
pub struct Killer(Arc<Mutex<Child>>);

impl Process {
    /// Starts a program with what it is to be told.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the process starts");
        let output = BufReader::new(child.stdout.take().expect("its output is piped"));
        Self { killer: Killer(Arc::new(Mutex::new(child))), output }
    }

    /// The next line that it says; empty once it has ended.
    pub fn says(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("its output can be read");
        line.trim().to_owned()
    }

    /// What can end it while somebody else listens to it.
    pub fn killer(&self) -> Killer {
        self.killer.clone()
    }
}

impl Killer {
    /// Ends the process, and returns when it has ended. On Unix this is the signal that nobody can refuse.
    pub fn kill(&self) {
        let mut child = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.killer.kill();
    }
}

/// What a client goes through in a sync both ways in which there is something to do at every stage, event by event.
pub const CLIENT_EVENTS: [&str; 23] = [
    "pull initializing started",
    "pull serializing started",
    "pull queuing started",
    "pull queuing completed",
    "pull transferring started",
    "pull transferring in-progress",
    "pull transferring completed",
    "pull dequeuing started",
    "pull dequeuing completed",
    "pull deserializing started",
    "pull deserializing in-progress",
    "pull deserializing completed",
    "pull cleanup started",
    "pull cleanup completed",
    "push initializing started",
    "push serializing started",
    "push queuing started",
    "push queuing completed",
    "push transferring started",
    "push transferring in-progress",
    "push dequeuing started",
    "push deserializing started",
    "push cleanup completed",
];

/// What a server goes through, as far as it does something.
pub const SERVER_EVENTS: [&str; 13] = [
    "pull serializing started",
    "pull serializing completed",
    "pull queuing started",
    "pull queuing completed",
    "pull transferring in-progress",
    "pull cleanup started",
    "push serializing started",
    "push transferring in-progress",
    "push dequeuing started",
    "push dequeuing completed",
    "push deserializing started",
    "push deserializing in-progress",
    "push deserializing completed",
];
