//! One kill after another on the same two devices: what is to be synced, the kill, how it goes on, and what is held against it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::process::Command;
use std::sync::Arc;
use std::thread;

use morango::id::SyncSessionId;
use morango::prelude::*;
use morango_tests::compare::{assert_equal, assert_none_fell};
use morango_tests::database::Database;
use morango_tests::device::Device;
use morango_tests::given::{Between, SCHOOL_RECORDS, School, moved, rename, root, two_equal_devices};
use morango_tests::process::Process;

use super::host::Host;
use super::line::{Afterwards, Line, Strike, Victim};
use super::moment::Moment;

/// As `device_peer` has it.
const CHUNK_RECORDS: usize = 3;

/// Logs that each side makes between two syncs: more than two chunks.
const MADE_APART: usize = 7;

/// Logs of the small school.
const SCHOOL_LOGS: i64 = 2;

/// Whose process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whom {
    Client,
    Server,
}

/// How a sync came to its end after somebody was killed in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    /// The client was not killed, and asked until it was answered.
    ByItself,
    /// The sync was resumed by its id.
    Resumed,
    /// Another one was made in its place.
    Afresh,
    /// It could not be resumed, since there was nothing to do in it: the server did not know it yet, or not any more.
    Gone,
}

/// One kill.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kill {
    pub(super) whom: Whom,
    pub(super) moment: Moment,
    /// What becomes of a server that is killed.
    pub(super) afterwards: Afterwards,
    pub(super) repair: Repair,
}

/// What is done about a sync that was broken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repair {
    /// It is resumed by its id, if it came so far as to have one.
    Resume,
    /// Another one is made.
    SyncAfresh,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Kept,
    Deleted,
}

/// A client and a server whose processes are killed, and what they must hold.
pub(super) struct Pair {
    line: Line,
    host: Arc<Host>,
    client: Device,
    server: Device,
    school: School,
    logs: BTreeMap<SyncId, Fate>,
    rounds: usize,
    requests: usize,
}

impl Pair {
    pub(super) fn new(on: Between) -> Self {
        let (mut server, client, school, _) = two_equal_devices(on);
        server.fall_silent();
        let host = Arc::new(Host::start(server.place()));
        let line = Line::to(&host);
        let logs = BTreeMap::new();
        let mut pair = Self { line, host, client, server, school, logs, rounds: 0, requests: 0 };
        let names = pair.write();
        let mut process = pair.line.count_anew(|| (pair.sync(""), None));
        assert!(process.says().starts_with("done"), "without a kill it goes well");
        pair.requests = pair.line.requests();
        assert_eq!(pair.line.records_sent_again(), 0, "without a kill nothing goes over twice");
        pair.assert_whole(&names);
        pair
    }

    /// How many requests a sync makes.
    pub(super) fn requests(&self) -> usize {
        self.requests
    }

    /// Gives every stage something to do: both make rows, one deletes one, and both rename the same person.
    fn write(&mut self) -> [String; 2] {
        self.rounds += 1;
        let old = self.logs.iter().find(|(_, fate)| **fate == Fate::Kept).map(|(id, _)| *id);
        if let Some(old) = old {
            self.client.sql(&format!("DELETE FROM contentlog WHERE id = '{old}'"));
            self.logs.insert(old, Fate::Deleted);
        }
        [&self.server, &self.client].map(|device| {
            let made = self.school.logs(device, self.school.bert, MADE_APART);
            self.logs.extend(made.into_iter().map(|id| (id, Fate::Kept)));
            let name = format!("Ada of {} {}", device.name, self.rounds);
            rename(device, self.school.ada, &name);
            name
        })
    }

    /// Has something to be synced, kills one of the two in the midst of that, sees that it comes to its end, and that all is well. Where
    /// the sync was over before it came to that, there is no end. Notes what it sees, for whoever has to find out why it fails.
    pub(super) fn kill(&mut self, kill: Kill, seen: &mut Vec<String>) -> Option<End> {
        let names = self.write();
        let before = [self.client.counters(), self.server.counters()];
        let known = self.unfinished();
        let (said, was_killed) = match kill.whom {
            Whom::Client => self.kill_client(kill.moment),
            Whom::Server => self.kill_server(kill.moment, kill.afterwards),
        };
        seen.push(format!("   it was {}; the client said {said:?}", self.line.struck().unwrap_or_default()));
        let has_ended = said.starts_with("done");
        assert!(has_ended || was_killed, "nobody was killed, and it fails: {said:?}");
        let end = if has_ended { End::ByItself } else { self.go_on(kill.repair, &known) };
        seen.push(format!("   {end:?}"));
        if end != End::Afresh {
            let again = self.line.records_sent_again();
            assert!(again <= CHUNK_RECORDS, "{end:?}: {again} records went over again, which is more than one chunk");
        }
        self.assert_whole(&names);
        for (before, now) in before.iter().zip([self.client.counters(), self.server.counters()]) {
            assert_none_fell(before, &now);
        }
        was_killed.then_some(end)
    }

    /// What the client said last, and whether it was killed.
    fn kill_client(&self, moment: Moment) -> (String, bool) {
        let mut process = self.line.count_anew(|| match moment {
            Moment::Event(event) => (self.sync(event), None),
            Moment::Request(request, manner) => {
                let process = self.sync("");
                let victim = Victim::Client(process.killer());
                (process, Some(Strike { request, manner, victim }))
            }
        });
        match process.says() {
            held if held == "held" => {
                process.killer().kill();
                (String::new(), true)
            }
            said => {
                self.line.has_struck();
                let was_killed = said.is_empty();
                (said, was_killed)
            }
        }
    }

    /// What the client said last, and whether the server was killed.
    fn kill_server(&self, moment: Moment, afterwards: Afterwards) -> (String, bool) {
        let (request, manner) = match moment {
            Moment::Event(event) => return self.kill_server_at(event, afterwards),
            Moment::Request(request, manner) => (request, manner),
        };
        let strike = Strike { request, manner, victim: Victim::Server(afterwards) };
        let mut process = self.line.count_anew(|| (self.sync(""), Some(strike)));
        let said = process.says();
        let was_killed = self.line.has_struck();
        if was_killed && afterwards == Afterwards::LeftDead {
            self.host.start_again("");
        }
        (said, was_killed)
    }

    fn kill_server_at(&self, event: &str, afterwards: Afterwards) -> (String, bool) {
        self.host.start_again(event);
        let killer = self.host.killer();
        let mut process = self.line.count_anew(|| (self.sync(""), None));
        thread::scope(|scope| {
            let client = scope.spawn(|| {
                let said = process.says();
                // A server that does not come to the event is not waited for.
                killer.kill();
                said
            });
            let was_held = self.host.says() == "held";
            killer.kill();
            if was_held && afterwards == Afterwards::StartedAgain {
                self.host.start_again("");
            }
            let said = client.join().expect("nobody panics");
            if !was_held || afterwards == Afterwards::LeftDead {
                self.host.start_again("");
            }
            (said, was_held)
        })
    }

    /// Resumes what was broken off, or makes another sync in its place.
    fn go_on(&self, repair: Repair, known: &BTreeSet<SyncSessionId>) -> End {
        let broken_off = self.unfinished().difference(known).next().copied();
        let Some(id) = broken_off.filter(|_| repair == Repair::Resume) else {
            Self::assert_done(self.line.count_anew(|| (self.sync(""), None)));
            return End::Afresh;
        };
        let mut process = start(&["resume", &self.client.place(), &self.line.url(), &id.to_string()]);
        let said = process.says();
        if said == "failed session-gone" {
            // What was sent before counts, so that nobody says so who had begun to send.
            Self::assert_done(self.sync(""));
            return End::Gone;
        }
        assert!(said.starts_with("done"), "it cannot be resumed: {said}");
        End::Resumed
    }

    #[track_caller]
    fn assert_done(mut process: Process) {
        let said = process.says();
        assert!(said.starts_with("done"), "another sync does not go well: {said}");
    }

    fn sync(&self, held: &str) -> Process {
        let certificate = root().id().to_string();
        let (place, url) = (self.client.place(), self.line.url());
        let mut words = vec!["sync", &place, &url, &certificate];
        words.extend(held.split_whitespace());
        start(&words)
    }

    fn unfinished(&self) -> BTreeSet<SyncSessionId> {
        let unfinished = self.client.engine.unfinished().expect("the list");
        unfinished.into_iter().map(|sync| sync.sync_session).collect()
    }

    /// Asserts that both hold all that was ever made, once, and nothing waits; that nothing is left to be moved; and that neither of
    /// the names that were given last is lost.
    fn assert_whole(&self, names: &[String; 2]) {
        let after = self.client.sync(&self.line.url(), root(), SyncOptions::both_ways());
        assert_eq!(moved(&after), (0, 0), "nothing is left to be moved");
        assert_equal(&self.server, &self.client, &[]);
        assert!(self.client.waiting().is_empty() && self.server.waiting().is_empty(), "nothing waits");

        let store = self.server.store();
        assert_eq!(store.len() as u64, SCHOOL_RECORDS + self.logs.len() as u64, "nothing is doubled");
        for (id, fate) in &self.logs {
            let record = store.get(id).unwrap_or_else(|| panic!("{id} is lost"));
            assert_eq!(record.deleted, *fate == Fate::Deleted, "{id}");
        }
        let kept = self.logs.values().filter(|fate| **fate == Fate::Kept).count();
        let ada = &store[&self.school.ada];
        let texts = format!("{}\n{}", ada.serialized, ada.conflicting_serialized_data);
        for name in names {
            assert!(texts.contains(name), "{name} is lost: {texts}");
        }
        for device in [&self.client, &self.server] {
            let rows = device.number("SELECT count(*) AS number FROM contentlog");
            assert_eq!(usize::try_from(rows - SCHOOL_LOGS), Ok(kept), "{}: nothing is hidden", device.name);
            assert_eq!(device.number(dangling(device.kind())), 0, "{}: foreign keys hold", device.name);
        }
    }
}

fn start(words: &[&str]) -> Process {
    Process::start(Command::new(env!("CARGO_BIN_EXE_device_peer")).args(words))
}

impl fmt::Display for Kill {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { whom, moment, afterwards, repair } = self;
        write!(formatter, "the {whom:?} {moment}; {afterwards:?}, {repair:?}")
    }
}

/// How many foreign keys lead nowhere. PostgreSQL does not let any; where it would, this would show those of the logs.
fn dangling(database: Database) -> &'static str {
    match database {
        Database::Sqlite => "SELECT count(*) AS number FROM pragma_foreign_key_check",
        Database::Postgres => {
            "SELECT count(*) AS number FROM contentlog WHERE user_id NOT IN (SELECT id FROM \"user\")"
        }
    }
}
