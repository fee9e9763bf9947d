//! What a disk is told to do wrong, and what it was asked to do. It knows nothing of how SQLite calls it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

/// What SQLite asks of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Call {
    /// To open a file, and to make one.
    Open,
    /// To read from a file.
    Read,
    /// To write to a file. One that fails has written the first half of what it was given.
    Write,
    /// To cut a file.
    Truncate,
    /// To have on the disk what was written.
    Sync,
    /// How long a file is.
    Size,
    /// To lock a file.
    Lock,
    /// To share the index of the write-ahead log with others.
    Share,
    /// Whether a file is there.
    Look,
    /// To delete a file.
    Delete,
}

impl Call {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Open,
        Self::Read,
        Self::Write,
        Self::Truncate,
        Self::Sync,
        Self::Size,
        Self::Lock,
        Self::Share,
        Self::Look,
        Self::Delete,
    ];
}

/// Which calls fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failing {
    /// Calls of this kind, or of any.
    pub call: Option<Call>,
    /// The first of them that fails, counted from 1 and from when the disk is told.
    pub from: u64,
    /// How many fail.
    pub lasting: Lasting,
    /// What SQLite is told of those that write; of the others it is told that the disk does not work.
    pub says: Says,
}

/// How many calls fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasting {
    /// One.
    Once,
    /// All, until the disk is healed.
    UntilHealed,
}

/// What SQLite is told of a call that writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// That the disk does not work.
    Broken,
    /// That the disk is full.
    Full,
}

/// The disk beneath one database.
#[derive(Debug, Clone)]
pub struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    asked: BTreeMap<Call, u64>,
    told: Option<Failing>,
    /// Calls that could have failed since it was told.
    passed: u64,
    failed: u64,
}

/// The disks beneath files that are open or that somebody asked for, by the name of the database.
static DISKS: LazyLock<Mutex<HashMap<String, Weak<Mutex<State>>>>> = LazyLock::new(Mutex::default);

impl Disk {
    /// The disk beneath a database, which is there.
    pub fn beneath(database: &Path) -> Self {
        // SQLite knows a file by the name that is left when links are followed.
        let database = database.canonicalize().expect("the database is there");
        Self::named(database.to_str().expect("SQLite wants names in Unicode"))
    }

    /// The disk of a file by the name that SQLite gives it.
    pub(crate) fn named(file: &str) -> Self {
        let database = ["-wal", "-journal"].iter().find_map(|ending| file.strip_suffix(ending)).unwrap_or(file);
        let mut disks = DISKS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = disks.get(database).and_then(Weak::upgrade) {
            return Self(known);
        }
        disks.retain(|_, disk| disk.strong_count() > 0);
        let disk = Arc::default();
        disks.insert(database.to_owned(), Arc::downgrade(&disk));
        Self(disk)
    }

    /// Has it fail. What it was told before is forgotten.
    pub fn fail(&self, failing: Failing) {
        let mut state = self.state();
        state.told = Some(failing);
        state.passed = 0;
        state.failed = 0;
    }

    /// Has it work again, and says how many calls failed.
    pub fn heal(&self) -> u64 {
        let mut state = self.state();
        state.told = None;
        std::mem::take(&mut state.failed)
    }

    /// How often it was asked so far, by what it was asked.
    pub fn asked(&self) -> BTreeMap<Call, u64> {
        self.state().asked.clone()
    }

    /// Whether this call fails, and what SQLite is to be told then.
    pub(crate) fn decide(&self, call: Call) -> Option<Says> {
        let mut state = self.state();
        *state.asked.entry(call).or_default() += 1;
        let told = state.told.filter(|told| told.call.is_none_or(|only| only == call))?;
        state.passed += 1;
        let fails = match told.lasting {
            Lasting::Once => state.passed == told.from,
            Lasting::UntilHealed => state.passed >= told.from,
        };
        if !fails {
            return None;
        }
        state.failed += 1;
        Some(told.says)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
