//! The server of a story: one process after another on the same database.

use std::process::Command;
use std::sync::{Mutex, MutexGuard};

use morango_tests::process::{Killer, Process};

/// A server that can be killed and started again while others call it.
pub(super) struct Host {
    /// Its database, as a program is told it.
    place: String,
    /// Whoever listens to the process holds this, so what others need of it stands beside.
    process: Mutex<Process>,
    now: Mutex<Now>,
}

struct Now {
    killer: Killer,
    url: String,
}

impl Host {
    /// Starts a server on this database.
    pub(super) fn start(place: String) -> Self {
        let (process, now) = serve(&place, "");
        Self { place, process: Mutex::new(process), now: Mutex::new(now) }
    }

    /// Kills the process, and starts another one, which stops at this event if it is told one. It listens elsewhere.
    pub(super) fn start_again(&self, held: &str) {
        self.killer().kill();
        let (process, now) = serve(&self.place, held);
        *lock(&self.process) = process;
        *lock(&self.now) = now;
    }

    /// What the process says next; empty once it has ended.
    pub(super) fn says(&self) -> String {
        lock(&self.process).says()
    }

    /// What ends the process that there is now.
    pub(super) fn killer(&self) -> Killer {
        lock(&self.now).killer.clone()
    }

    /// Where the process answers that there is now, or that was there last.
    pub(super) fn url(&self) -> String {
        lock(&self.now).url.clone()
    }
}

fn serve(place: &str, held: &str) -> (Process, Now) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_device_peer"));
    command.args(["serve", place, "127.0.0.1:0"]).args(held.split_whitespace());
    let mut process = Process::start(&mut command);
    let url = process.says();
    assert!(url.starts_with("http://"), "the server does not come up: {url:?}");
    let killer = process.killer();
    (process, Now { killer, url })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no story panics with the lock")
}
