//! A folder in memory, on Linux: for databases that nobody wants back.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where it is, and how much room it must have for the databases of tests that run at one time.
const IN_MEMORY: &str = "/dev/shm";
const ROOM_KIB_MIN: u64 = 3 << 20;

/// The folder, where there is one with enough room.
pub(crate) fn folder() -> Option<&'static Path> {
    let folder = Path::new(IN_MEMORY);
    room_kib(folder).is_some_and(|room| room >= ROOM_KIB_MIN).then_some(folder)
}

/// How much room there is in a folder, in KiB, where it is known.
fn room_kib(folder: &Path) -> Option<u64> {
    let said = Command::new("df").arg("-Pk").arg(folder).stderr(Stdio::null()).output().ok()?;
    let said = String::from_utf8_lossy(&said.stdout);
    // A line of headings, then: file system, size, used, available.
    said.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()
}

/// A folder of our own for the temporary files of tests. It is deleted, with what processes that were killed left in it, when this goes.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Makes one in memory. There is none where files in memory are not like others: they must say when they were made, by which the
    /// copy of a database is known.
    pub(crate) fn make() -> Option<Self> {
        let scratch = Self(folder()?.join(format!("morango-scratch-{}", std::process::id())));
        fs::create_dir_all(&scratch.0).ok()?;
        let says_when = fs::metadata(&scratch.0).and_then(|it| it.created()).is_ok();
        says_when.then_some(scratch)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
