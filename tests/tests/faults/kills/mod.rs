//! Real processes, killed in the midst of a sync: the client's or the server's, at any moment.
//!
//! Goal: whether the sync is resumed by its id or another one is made, nothing is lost, doubled or hidden, the application's rows
//! and their foreign keys included; a second sync moves nothing; and where it was resumed, or went on by itself, at most one chunk was sent
//! again. Method: client and server are processes, with a line between them that counts what goes over. In every second case the process
//! stops at an event and is killed there, so that each stage has its turn; otherwise the line kills it at a request: before that
//! arrives, while the server works on it, when the answer is there, in the middle of the answer, or some time after it.
//!
//! `MORANGO_KILLS` says how many are killed by all stories together, and `MORANGO_KILLS_SEED` with which seed, which a failing story
//! prints. The seed decides what is tried; how far a process has come by then is up to the system.

mod host;
mod line;
mod moment;
mod round;

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use morango_tests::database::Database;
use morango_tests::dice::Dice;
use morango_tests::given::Between;
use morango_tests::process::{CLIENT_EVENTS, SERVER_EVENTS};

use self::line::Afterwards;
use self::moment::Moment;
use self::round::{End, Kill, Pair, Repair, Whom};

/// How many processes are killed by all stories together, unless `MORANGO_KILLS` says otherwise.
const KILLS: usize = 200;

/// Pairs of databases.
const PLACES: usize = 4;

/// Each of the two processes on each pair of databases.
const STORIES: usize = 2 * PLACES;

/// After so many kills others begin on empty databases, so that comparing them does not take longer and longer.
const KILLS_OF_ONE_PAIR: usize = 25;

pub(super) fn a_client_that_is_killed_at_any_moment_costs_nothing_and_one_chunk_at_most(on: Between) {
    kill_one_after_another(on, Whom::Client, &CLIENT_EVENTS);
}

pub(super) fn a_server_that_is_killed_at_any_moment_costs_nothing_and_one_chunk_at_most(on: Between) {
    kill_one_after_another(on, Whom::Server, &SERVER_EVENTS);
}

fn kill_one_after_another(on: Between, whom: Whom, events: &[&'static str]) {
    let kills = number("MORANGO_KILLS").map_or(KILLS, |kills| usize::try_from(kills).expect("a number of kills"));
    let kills = kills.div_ceil(STORIES);
    let mut told = Told::begin(seed());
    let place = 2 * usize::from(on.client == Database::Postgres) + usize::from(on.server == Database::Postgres);
    let story = 2 * place + usize::from(whom == Whom::Server);
    // Each story tries something else.
    let mut dice = Dice::of(told.seed.wrapping_mul(STORIES as u64).wrapping_add(story as u64));
    // Nor do they begin with the same event, so that all together come to all of them.
    let mut turn = 2 * (place * events.len() / PLACES);
    let (mut pair, mut ends) = (Pair::new(on), BTreeMap::<End, usize>::new());
    let (mut killed, mut missed) = (0, 0);
    while killed < kills {
        if killed > 0 && killed.is_multiple_of(KILLS_OF_ONE_PAIR) {
            pair = Pair::new(on);
        }
        let kill = Kill {
            whom,
            moment: Moment::of_turn(turn, events, pair.requests(), &mut dice),
            afterwards: dice.one_of(&[Afterwards::StartedAgain, Afterwards::LeftDead]),
            repair: dice.one_of(&[Repair::Resume, Repair::SyncAfresh]),
        };
        turn += 1;
        told.lines.push(format!("{killed}: {kill}"));
        match pair.kill(kill, &mut told.lines) {
            Some(end) => {
                killed += 1;
                *ends.entry(end).or_default() += 1;
            }
            None => missed += 1,
        }
        assert!(missed <= killed + 10, "most syncs are over before anybody is killed");
    }
    println!("killed {killed}: {whom:?} {on:?}, {ends:?}, and {missed} syncs were over before that");
}

/// The number that a variable of the environment holds.
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")))
}

fn seed() -> u64 {
    number("MORANGO_KILLS_SEED").unwrap_or_else(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
        since.as_secs() % 1_000_000
    })
}

/// What was tried, which is told when the story fails.
struct Told {
    seed: u64,
    lines: Vec<String>,
}

impl Told {
    fn begin(seed: u64) -> Self {
        Self { seed, lines: Vec::new() }
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!(
                "with MORANGO_KILLS_SEED={} it failed at the last of these:\n{}",
                self.seed,
                self.lines.join("\n")
            );
        }
    }
}
