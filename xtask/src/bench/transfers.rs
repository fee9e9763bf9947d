//! First pulls and pushes of a whole school, and the short syncs that come after them.

use serde_json::json;

use super::figure::{Database, Figure, median};
use super::pair::{Direction, Engines, Pair, Way};
use super::peer::{Make, Peer};
use super::{Bench, Place};

/// How often what is ours is measured, in alternation with the floor; the one in the middle counts.
const ROUNDS: usize = 3;
/// The same of what takes long: a million records, and a database that waits for the disk more often.
const ROUNDS_OF_LONG: usize = 1;
const HUGE_SIZE: u64 = 1_000_000;

/// How often short syncs between peers of ours are measured, and with a Python peer.
const SHORT_ROUNDS: u64 = 7;
const CONFLICT_ROUNDS: u64 = 3;
const SHORT_ROUNDS_WITH_PYTHON: u64 = 3;

/// Learners, each with a partition of their own, among whom records are spread.
pub(super) const LEARNERS: u64 = 100;

const CHANGED: u64 = 100;
const CONFLICTS: u64 = 1_000;
/// Fewer records do not stand for a school of which a few were changed.
const SIZE_TO_CHANGE_MIN: u64 = 10_000;

/// Who meets, on which database, over how many records.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject {
    pub(super) engines: Engines,
    pub(super) database: Database,
    pub(super) size: u64,
}

impl Subject {
    /// The name of a step.
    pub(super) fn describe(self) -> String {
        let pauses = if self.engines.has_pauses() { " as it ships" } else { "" };
        format!("{}{pauses}, {}, {} records", self.engines.name(), self.database.name(), self.size)
    }
}

/// The short syncs after a first pull, in their order. Each is a pull but for the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Short {
    NothingNew,
    Changed,
    Conflicts,
    ConflictsPushed,
}

impl Short {
    const ALL: [Self; 4] = [Self::NothingNew, Self::Changed, Self::Conflicts, Self::ConflictsPushed];

    fn name(self) -> &'static str {
        match self {
            Self::NothingNew => "nothing-new",
            Self::Changed => "changed-100",
            Self::Conflicts => "conflicts-1000",
            Self::ConflictsPushed => "conflicts-1000-pushed",
        }
    }

    fn direction(self) -> Direction {
        match self {
            Self::NothingNew | Self::Changed | Self::Conflicts => Direction::Pull,
            Self::ConflictsPushed => Direction::Push,
        }
    }

    /// Whether it is measured: the package as it ships is for what its pauses cost, and conflicts come to a Python server as they
    /// come to its client.
    fn is_for(self, subject: Subject) -> bool {
        match self {
            Self::NothingNew => true,
            Self::Changed | Self::Conflicts => !subject.engines.has_pauses() && subject.size >= SIZE_TO_CHANGE_MIN,
            Self::ConflictsPushed => subject.engines == Engines::OURS && subject.size >= SIZE_TO_CHANGE_MIN,
        }
    }

    /// How often it is measured between peers of ours. For conflicts there have to be records that nobody changed yet: a text that lost
    /// stays with its record, and the next conflict would be about more.
    fn rounds(self) -> u64 {
        match self {
            Self::NothingNew | Self::Changed => SHORT_ROUNDS,
            Self::Conflicts | Self::ConflictsPushed => CONFLICT_ROUNDS,
        }
    }

    /// Makes what is to be synced in this round, and says how many records that are.
    fn prepare(self, pair: &mut Pair, round: u64) -> Result<u64, String> {
        let mark = format!("{} in round {round}", self.name());
        match self {
            Self::NothingNew => Ok(0),
            Self::Changed => {
                pair.server.change(CHANGED, 0, &mark)?;
                Ok(CHANGED)
            }
            Self::Conflicts | Self::ConflictsPushed => {
                if self == Self::ConflictsPushed {
                    // Both have the same again, so that nothing goes over but what is changed now.
                    pair.sync(Direction::Push, Way::Straight)?;
                    pair.sync(Direction::Pull, Way::Straight)?;
                }
                let before = if self == Self::ConflictsPushed { CONFLICT_ROUNDS + 1 } else { 0 };
                let after = (before + round) * CONFLICTS;
                pair.server.change(CONFLICTS, after, &format!("{mark} by the server"))?;
                pair.client.change(CONFLICTS, after, &format!("{mark} by the client"))?;
                Ok(CONFLICTS)
            }
        }
    }
}

/// Two peers of ours: the floor, a first pull and a first push in turn, several times, and once more over a line that counts
/// what peers far apart would send; then the short syncs.
pub(super) fn beside_the_floor(bench: &mut Bench, subject: Subject) -> Result<(), String> {
    let name = subject.engines.name();
    let shorts = wanted_shorts(bench, subject);
    let wants_pull = bench.options.wants("first-pull", name) || !shorts.is_empty();
    let wants_push = bench.options.wants("first-push", name);
    // Of a million rows it would hold more in memory than it tells.
    let wants_floor = bench.options.wants("floor", "floor") && subject.size < HUGE_SIZE;
    let is_long = subject.size >= HUGE_SIZE || subject.database == Database::Postgres;
    let rounds = if is_long { ROUNDS_OF_LONG } else { ROUNDS };
    let (mut floors, mut pulls, mut pushes, mut last) = (Vec::new(), Vec::new(), Vec::new(), None);
    for _ in 0..rounds {
        if wants_floor {
            floors.push(floor_once(bench, subject)?);
        }
        if wants_pull {
            drop(last.take());
            let (figure, pair) = first_pull(bench, subject, Way::Straight)?;
            pulls.push(figure);
            last = Some(pair);
        }
        if wants_push {
            pushes.push(first_push(bench, subject, Way::Straight)?);
        }
    }
    if let Some(figure) = median(floors) {
        bench.keep(figure.named("floor", subject.database, subject.size))?;
    }
    let is_counted = subject.size < HUGE_SIZE && subject.database == Database::Sqlite;
    if let Some(mut figure) = median(pulls) {
        drop(last.take_if(|_| is_counted));
        if is_counted {
            let (far, pair) = first_pull(bench, subject, Way::Far)?;
            figure.far = far.traffic;
            last = Some(pair);
        }
        bench.keep(figure.named("first-pull", subject.database, subject.size))?;
    }
    if let Some(mut figure) = median(pushes) {
        if is_counted {
            figure.far = first_push(bench, subject, Way::Far)?.traffic;
        }
        bench.keep(figure.named("first-push", subject.database, subject.size))?;
    }
    match last {
        Some(pair) => short_syncs(bench, subject, pair, &shorts),
        None => Ok(()),
    }
}

/// A pair with a Python peer in it: once in each of these directions; after the pull, the short syncs.
pub(super) fn alone(bench: &mut Bench, subject: Subject, directions: &[Direction]) -> Result<(), String> {
    let name = subject.engines.name();
    let shorts = wanted_shorts(bench, subject);
    for direction in directions {
        match direction {
            Direction::Pull if bench.options.wants("first-pull", name) || !shorts.is_empty() => {
                let (figure, pair) = first_pull(bench, subject, Way::Counted)?;
                bench.keep(figure.named("first-pull", subject.database, subject.size))?;
                short_syncs(bench, subject, pair, &shorts)?;
            }
            Direction::Push if bench.options.wants("first-push", name) => {
                let figure = first_push(bench, subject, Way::Counted)?;
                bench.keep(figure.named("first-push", subject.database, subject.size))?;
            }
            Direction::Pull | Direction::Push => {}
        }
    }
    Ok(())
}

fn wanted_shorts(bench: &Bench, subject: Subject) -> Vec<Short> {
    let name = subject.engines.name();
    let is_wanted = |short: &Short| short.is_for(subject) && bench.options.wants(short.name(), name);
    Short::ALL.into_iter().filter(is_wanted).collect()
}

/// The same rows, inserted and nothing else.
fn floor_once(bench: &mut Bench, subject: Subject) -> Result<Figure, String> {
    let place = bench.place("floor", subject.database)?;
    // The peer lends its process: it has a file of its own, so that the rows' database knows no engine.
    let mut peer = Peer::start(Make::Rust, &place.client)?;
    let command = json!({"do": "floor", "database": place.server.database, "records": subject.size});
    make_folder(&place)?;
    let answer = peer.ask(&command)?;
    let seconds = answer["seconds"].as_f64().ok_or("the floor has no figure")?;
    Ok(Figure { engine: "floor", records: subject.size, seconds, ..Figure::default() })
}

fn make_folder(place: &Place) -> Result<(), String> {
    let folder = &place.server.folder;
    std::fs::create_dir_all(folder).map_err(|error| format!("failed to make {}: {error}", folder.display()))
}

/// A client that has nothing pulls everything.
fn first_pull(bench: &mut Bench, subject: Subject, way: Way) -> Result<(Figure, Pair), String> {
    let Place { client, server, .. } = bench.place("pull", subject.database)?;
    let mut pair = Pair::start(subject.engines, &client, &server)?;
    let dataset = pair.dataset.clone();
    pair.server.fill(&dataset, subject.size, LEARNERS)?;
    pair.restart()?;
    let figure = pair.sync(Direction::Pull, way)?;
    check(&figure, subject.size + 1)?;
    Ok((figure, pair))
}

/// A client that has everything but the school itself pushes all of it.
fn first_push(bench: &mut Bench, subject: Subject, way: Way) -> Result<Figure, String> {
    let Place { client, server, .. } = bench.place("push", subject.database)?;
    let mut pair = Pair::start(subject.engines, &client, &server)?;
    let dataset = pair.dataset.clone();
    pair.sync(Direction::Pull, Way::Straight)?;
    pair.client.fill(&dataset, subject.size, LEARNERS)?;
    pair.restart()?;
    let figure = pair.sync(Direction::Push, way)?;
    check(&figure, subject.size)?;
    Ok(figure)
}

fn short_syncs(bench: &mut Bench, subject: Subject, mut pair: Pair, shorts: &[Short]) -> Result<(), String> {
    if shorts.is_empty() {
        return Ok(());
    }
    pair.restart()?;
    for short in shorts {
        let figure = repeated(&mut pair, *short)?;
        bench.keep(figure.named(short.name(), subject.database, subject.size))?;
    }
    Ok(())
}

/// A short sync, as often as it takes to know how long it takes.
///
/// Peers of ours are timed without anything between them, and once more through a line that counts.
fn repeated(pair: &mut Pair, short: Short) -> Result<Figure, String> {
    let is_ours = pair.engines == Engines::OURS;
    let (rounds, way) = match (is_ours, short) {
        (true, _) => (short.rounds(), Way::Straight),
        (false, Short::Conflicts | Short::ConflictsPushed) => (1, Way::Counted),
        (false, Short::NothingNew | Short::Changed) => (SHORT_ROUNDS_WITH_PYTHON, Way::Counted),
    };
    let figures = (0..rounds).map(|round| once(pair, short, round, way)).collect::<Result<Vec<_>, _>>()?;
    let mut figure = median(figures).ok_or("nothing was measured")?;
    if is_ours {
        figure.far = once(pair, short, rounds, Way::Far)?.traffic;
        if matches!(short, Short::NothingNew | Short::Changed) {
            figure.count_heads(once(pair, short, rounds + 1, Way::Counted)?.traffic);
        }
    }
    Ok(figure)
}

fn once(pair: &mut Pair, short: Short, round: u64, way: Way) -> Result<Figure, String> {
    let records = short.prepare(pair, round)?;
    let figure = pair.sync(short.direction(), way)?;
    check(&figure, records)?;
    if short == Short::Conflicts && figure.conflicts.is_some_and(|conflicts| conflicts != records) {
        return Err(format!("{} met {:?} conflicts in place of {records}", figure.engine, figure.conflicts));
    }
    Ok(figure)
}

/// A figure counts only if what was to be measured happened.
pub(super) fn check(figure: &Figure, records: u64) -> Result<(), String> {
    if figure.records == records {
        return Ok(());
    }
    Err(format!("{} moved {} records in place of {records}", figure.engine, figure.records))
}
