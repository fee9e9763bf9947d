//! What is measured, in which order, and about how long it takes: what the goals hang on comes first.
//!
//! On two cores the whole run without `--full` has to end in [`MINUTES_MAX`] minutes, in a fresh clone: beside the steps that is
//! the release build and the virtual environment. So with 100,000 records each pair that has a Python peer in it goes once each
//! way, and the package as it ships is measured with 10,000; with `--full` it pulls 100,000 too, which takes it five to nine minutes.
//! With 20,000 partitions it is not measured at all: it compares every partition with every other, which would take it hours.

use super::figure::Database;
use super::pair::{Direction, Engines};
use super::scenarios::{bad_line, capture, partitioned, writer};
use super::transfers::{Subject, alone, beside_the_floor};
use super::{Bench, Extent};

/// How long everything may take.
const MINUTES_MAX: u64 = 40;
/// How long the build and the virtual environment take of that, at worst.
const MINUTES_BEFORE: u64 = 10;

const SMALL_SIZE: u64 = 1_000;
const MEDIUM_SIZE: u64 = 10_000;
const LARGE_SIZE: u64 = 100_000;
const HUGE_SIZE: u64 = 1_000_000;

const FEW_PARTITIONS: u64 = 2_000;
const MANY_PARTITIONS: u64 = 20_000;

type Work = Box<dyn Fn(&mut Bench) -> Result<(), String>>;

/// Something that is measured, and may fail, by itself.
struct Step {
    name: String,
    /// About how long it takes on two cores.
    seconds: u64,
    work: Work,
}

fn step(name: String, seconds: u64, work: impl Fn(&mut Bench) -> Result<(), String> + 'static) -> Step {
    Step { name, seconds, work: Box::new(work) }
}

/// Measures everything that was asked for. What failed is returned, and does not keep the rest from being measured.
pub(super) fn measure(bench: &mut Bench) -> Vec<String> {
    let steps = steps(bench.options.extent);
    if bench.options.only.is_none() && bench.options.engine.is_none() {
        let seconds: u64 = steps.iter().map(|step| step.seconds).sum();
        let most = MINUTES_MAX - MINUTES_BEFORE;
        println!("about {} minutes on two cores; without --full at most {most}", seconds.div_ceil(60));
    }
    let mut failures = Vec::new();
    for Step { name, work, .. } in steps {
        if let Err(message) = work(bench) {
            println!("failed: {name}: {message}");
            failures.push(format!("{name}: {message}"));
        }
    }
    failures
}

fn steps(extent: Extent) -> Vec<Step> {
    let large = if extent == Extent::Small { MEDIUM_SIZE } else { LARGE_SIZE };
    let mut steps = vec![ours(Database::Sqlite, large)];
    steps.push(step("what capture costs".to_owned(), large / 8_000, move |bench| capture(bench, large)));
    steps.push(step("an application that writes".to_owned(), 10 + large / 4_000, move |bench| writer(bench, large)));
    for partitions in [FEW_PARTITIONS, MANY_PARTITIONS] {
        steps.push(partitions_of(Engines::OURS, partitions));
    }
    steps.push(ours(Database::Postgres, large));
    if extent == Extent::Full {
        steps.push(ours(Database::Sqlite, HUGE_SIZE));
    }
    // With 100,000 records it is the longest step of all.
    if large < LARGE_SIZE || extent == Extent::Full {
        steps.push(with_python(Engines::PYTHON_AS_SHIPPED, Database::Sqlite, large));
    }
    for engines in [Engines::PYTHON, Engines::OUR_CLIENT, Engines::OUR_SERVER] {
        steps.push(with_python(engines, Database::Sqlite, large));
    }
    for size in [SMALL_SIZE, MEDIUM_SIZE].into_iter().filter(|size| *size < large) {
        steps.push(ours(Database::Sqlite, size));
        for engines in [Engines::PYTHON, Engines::OUR_CLIENT, Engines::OUR_SERVER, Engines::PYTHON_AS_SHIPPED] {
            steps.push(with_python(engines, Database::Sqlite, size));
        }
    }
    for engines in [Engines::OURS, Engines::PYTHON] {
        let seconds = if engines == Engines::OURS { 45 } else { 120 };
        let name = format!("a bad line between {}", engines.name());
        steps.push(step(name, seconds, move |bench| bad_line(bench, engines)));
    }
    for engines in [Engines::OUR_CLIENT, Engines::OUR_SERVER, Engines::PYTHON] {
        steps.push(partitions_of(engines, FEW_PARTITIONS));
    }
    for engines in [Engines::OUR_CLIENT, Engines::OUR_SERVER, Engines::PYTHON] {
        steps.push(with_python(
            engines,
            Database::Postgres,
            if extent == Extent::Small { SMALL_SIZE } else { MEDIUM_SIZE },
        ));
    }
    steps
}

/// Two peers of ours, in alternation with the floor.
fn ours(database: Database, size: u64) -> Step {
    let seconds = match (database, size) {
        (Database::Postgres, _) => 10 + size / 1_000,
        (Database::Sqlite, HUGE_SIZE..) => size / 5_000,
        (Database::Sqlite, _) => 5 + size / 1_200,
    };
    let subject = Subject { engines: Engines::OURS, database, size };
    step(subject.describe(), seconds, move |bench| beside_the_floor(bench, subject))
}

/// A pair with a Python peer in it, which is measured once.
fn with_python(engines: Engines, database: Database, size: u64) -> Step {
    // Making the school's rows and starting the peers is in it.
    let per_thousand_milliseconds = match engines {
        Engines::PYTHON_AS_SHIPPED => 3_100,
        Engines::PYTHON => 1_000,
        _ => 700,
    };
    let subject = Subject { engines, database, size };
    // A push as it ships is left out where it would take minutes.
    let is_too_long = engines == Engines::PYTHON_AS_SHIPPED && size >= LARGE_SIZE;
    let directions: &'static [Direction] =
        if is_too_long { &[Direction::Pull] } else { &[Direction::Pull, Direction::Push] };
    let seconds = 8 + directions.len() as u64 * size * per_thousand_milliseconds / 1_000_000;
    step(subject.describe(), seconds, move |bench| alone(bench, subject, directions))
}

fn partitions_of(engines: Engines, partitions: u64) -> Step {
    let seconds = if engines == Engines::OURS { 5 + partitions / 1_000 } else { 40 };
    let name = format!("{partitions} partitions between {}", engines.name());
    step(name, seconds, move |bench| partitioned(bench, engines, partitions))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_in_a_fresh_clone_fits_into_the_time_that_it_may_take() {
        let seconds: u64 = steps(Extent::Usual).iter().map(|step| step.seconds).sum();
        assert!(seconds <= (MINUTES_MAX - MINUTES_BEFORE) * 60, "{seconds} seconds");
    }
}
