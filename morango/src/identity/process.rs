//! Which process this is, and whether another one still lives: for claims that one process leaves in a database for others.
//!
//! A claim names its process by place, number and start, so that a number which was given anew is not taken for the old
//! process, nor that of another machine for one of this. Where the system does not tell, nothing is known, and whoever asks
//! has to wait until the claim ends.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, PoisonError};

use crate::id::SyncId;

/// The runs of this process that have not ended.
static RUNNING: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);

/// This process, as others may look it up.
static PROCESS: LazyLock<String> = LazyLock::new(|| {
    let (place, start) = (place(), start_of("self"));
    match (place, start) {
        (Some(place), Some(start)) => format!("{place}/{}/{start}", std::process::id()),
        _ => format!("{UNKNOWN_PLACE}/{}/{}", std::process::id(), SyncId::random()),
    }
});

/// Where the system does not say.
const UNKNOWN_PLACE: &str = "somewhere";

/// One piece of work of this process, by a name that other processes can judge. It has ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Run(String);

/// What is known of a run by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Liveness {
    /// It is at work.
    Running,
    /// It has ended, or its process has.
    Ended,
    /// Nobody can tell from here.
    Unknown,
}

impl Run {
    /// Begins a piece of work.
    pub(crate) fn begin() -> Self {
        let name = format!("{}#{}", *PROCESS, SyncId::random());
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone());
        Self(name)
    }

    /// Its name, for example `BOOT-pid:[4026531836]/1234/567890#RUN`.
    pub(crate) fn name(&self) -> &str {
        &self.0
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

/// Whether a run still goes on.
pub(crate) fn liveness(name: &str) -> Liveness {
    let process = name.split_once('#').map_or(name, |(process, _)| process);
    if process == *PROCESS {
        let is_running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner).contains(name);
        return if is_running { Liveness::Running } else { Liveness::Ended };
    }
    let parts: Vec<&str> = process.split('/').collect();
    let ([at, number, start], Some(here)) = (parts.as_slice(), place()) else { return Liveness::Unknown };
    if *at != here || number.parse::<u32>().is_err() {
        return Liveness::Unknown;
    }
    match start_of(number) {
        Some(found) if found == *start => Liveness::Running,
        _ => Liveness::Ended,
    }
}

/// Within what a process number is unique: this boot of the machine, and the namespace of numbers, which a container has of its own.
fn place() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{}-{}", boot.trim(), namespace.to_str()?))
}

/// When a process began, in the system's own count.
fn start_of(number: &str) -> Option<String> {
    let status = std::fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
    // The program's name stands in parentheses and may hold anything; the start is the twentieth word after it.
    let (_, after_name) = status.rsplit_once(") ")?;
    let mut words = after_name.split(' ');
    // One that has ended and is only not yet taken note of by its parent does nothing any more.
    if matches!(words.next()?, "Z" | "X") {
        return None;
    }
    words.nth(18).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_this_process_is_known_until_it_ends() {
        let run = Run::begin();
        let name = run.name().to_owned();
        assert_eq!(liveness(&name), Liveness::Running);
        drop(run);
        assert_eq!(liveness(&name), Liveness::Ended);
    }

    #[test]
    fn of_a_process_elsewhere_nothing_is_known() {
        assert_eq!(liveness("another machine/1/2#3"), Liveness::Unknown);
        assert_eq!(liveness("nonsense"), Liveness::Unknown);
        assert_eq!(liveness(""), Liveness::Unknown);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_that_was_ended_by_force_is_known_to_have_ended() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().expect("a process");
        let (place, start) = (place().expect("a place"), start_of(&child.id().to_string()).expect("its start"));
        let name = format!("{place}/{}/{start}#run", child.id());
        assert_eq!(liveness(&name), Liveness::Running);
        assert_eq!(liveness(&format!("{place}/{}/1#run", child.id())), Liveness::Ended, "it began at another time");
        child.kill().expect("it is ended");
        assert_eq!(liveness_after_end(&name), Liveness::Ended, "even before its parent takes note of it");
        child.wait().expect("it has ended");
        assert_eq!(liveness(&name), Liveness::Ended);
    }

    /// Killing takes a moment to come into effect.
    #[cfg(target_os = "linux")]
    fn liveness_after_end(name: &str) -> Liveness {
        let began = std::time::Instant::now();
        while liveness(name) == Liveness::Running && began.elapsed().as_secs() < 5 {
            std::thread::yield_now();
        }
        liveness(name)
    }
}
