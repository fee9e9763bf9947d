//! What is measured, in which order: the scenarios.
//!
//! Python's sizes are smaller where a scenario of ours would have to wait minutes for it. What is compared has the same size.

use serde_json::json;

use super::Bench;
use super::figure::{Figure, median};
use super::pair::{Direction, Engines, Pair};
use super::peer::{Make, Peer};

const SQLITE: &str = "sqlite";

/// How often short syncs are measured; the one in the middle counts.
const REPEATED: u32 = 5;

/// Learners, each with a partition of their own, among whom records are spread.
const LEARNERS: u64 = 100;

/// Records of the scenarios that are about something else than size.
const USUAL_SIZE: u64 = 10_000;
const LARGE_SIZE: u64 = 100_000;
const HUGE_SIZE: u64 = 1_000_000;

const CHANGED: u64 = 100;
const CONFLICTS: u64 = 1_000;

/// A bad line: half a second away by satellite is worse, a village's mobile network about this.
const LINE_ROUND_TRIP_MILLISECONDS: u64 = 300;
const LINE_BITS_PER_SECOND: u64 = 64_000;
/// Records of a first pull over that line.
const LINE_SIZE: u64 = 200;

/// Measures everything that was asked for.
pub(super) fn measure(bench: &mut Bench) -> Result<(), String> {
    for size in [1_000, USUAL_SIZE, LARGE_SIZE] {
        floor(bench, size)?;
        for engines in [Engines::OURS, Engines::OUR_CLIENT, Engines::OUR_SERVER, Engines::PYTHON] {
            pulls(bench, engines, size)?;
            push(bench, engines, size)?;
        }
        pulls(bench, Engines::PYTHON_AS_SHIPPED, size)?;
    }
    if bench.options.is_full {
        pulls(bench, Engines::OURS, HUGE_SIZE)?;
        push(bench, Engines::OURS, HUGE_SIZE)?;
    }
    for engines in [Engines::OURS, Engines::PYTHON] {
        for partitions in [2_000, 20_000] {
            // Python compares every partition with every other: with 20,000 that is minutes.
            if engines == Engines::OURS || partitions < 20_000 {
                partitioned(bench, engines, partitions)?;
            }
        }
        bad_line(bench, engines)?;
    }
    capture(bench)?;
    writer(bench)
}

/// The same rows, inserted and nothing else.
fn floor(bench: &mut Bench, size: u64) -> Result<(), String> {
    if !bench.options.wants("floor", "floor") {
        return Ok(());
    }
    let mut figures = Vec::new();
    for _ in 0..3 {
        let place = bench.place("floor")?;
        let mut peer = Peer::start(Make::Rust, &place)?;
        let answer = peer.ask(&json!({"do": "floor", "folder": place, "records": size}))?;
        let seconds = answer["seconds"].as_f64().ok_or("the floor has no figure")?;
        figures.push(Figure { engine: "floor", records: size, seconds, ..Figure::default() });
    }
    bench.keep(median(figures).named("floor", SQLITE, size));
    Ok(())
}

/// A first pull; then one with nothing new, one of some changes, and one of conflicts.
fn pulls(bench: &mut Bench, engines: Engines, size: u64) -> Result<(), String> {
    let name = engines.name();
    let wanted =
        ["first-pull", "nothing-new", "changed-100", "conflicts-1000"].map(|one| bench.options.wants(one, name));
    if !wanted.contains(&true) {
        return Ok(());
    }
    let mut pair = Pair::start(engines, &bench.place("pulls")?)?;
    let dataset = pair.dataset.clone();
    pair.server.fill(&dataset, size, LEARNERS)?;
    let figure = pair.sync(Direction::Pull)?;
    check(&figure, size + 1)?;
    bench.keep(figure.named("first-pull", SQLITE, size));
    // The package as it ships is measured for what its pauses cost a first pull, and for one with nothing to do.
    let nothing = (0..REPEATED).map(|_| pair.sync_over_line(Direction::Pull, false)).collect::<Result<Vec<_>, _>>()?;
    bench.keep(median(nothing).named("nothing-new", SQLITE, size));
    if engines.has_pauses() {
        return Ok(());
    }
    let mut changed = Vec::new();
    for round in 0..REPEATED {
        pair.server.change(CHANGED, &format!("changed in round {round}"))?;
        let figure = pair.sync(Direction::Pull)?;
        check(&figure, CHANGED)?;
        changed.push(figure);
    }
    bench.keep(median(changed).named("changed-100", SQLITE, size));
    let conflicts = CONFLICTS.min(size / 2);
    pair.server.change(conflicts, "changed by the server")?;
    pair.client.change(conflicts, "changed by the client")?;
    let figure = pair.sync(Direction::Pull)?;
    check(&figure, conflicts)?;
    bench.keep(figure.named("conflicts-1000", SQLITE, size));
    Ok(())
}

fn push(bench: &mut Bench, engines: Engines, size: u64) -> Result<(), String> {
    if !bench.options.wants("first-push", engines.name()) {
        return Ok(());
    }
    let mut pair = Pair::start(engines, &bench.place("push")?)?;
    let dataset = pair.dataset.clone();
    pair.sync(Direction::Pull)?;
    pair.client.fill(&dataset, size, LEARNERS)?;
    let figure = pair.sync(Direction::Push)?;
    check(&figure, size)?;
    bench.keep(figure.named("first-push", SQLITE, size));
    Ok(())
}

/// Nothing new between two peers who both have a counter for each of many learners' own partitions.
fn partitioned(bench: &mut Bench, engines: Engines, partitions: u64) -> Result<(), String> {
    let scenario = format!("partitions-{partitions}");
    if !bench.options.wants(&scenario, engines.name()) {
        return Ok(());
    }
    let place = bench.place("partitions")?;
    let mut pair = Pair::start(Engines { server: Make::Rust, ..engines }, &place)?;
    let command = json!({"do": "receive_partitions", "dataset": pair.dataset, "partitions": partitions});
    pair.server.ask(&command)?;
    check(&pair.sync(Direction::Pull)?, partitions + 1)?;
    // A Python server learns of all this from ours, and then takes its place.
    if engines.server == Make::Rust {
        let figures = (0..REPEATED).map(|_| pair.sync_over_line(Direction::Pull, false));
        let figure = median(figures.collect::<Result<Vec<_>, _>>()?);
        bench.keep(figure.named(&scenario, SQLITE, partitions));
        return Ok(());
    }
    let mut second = pair.hand_over(&place)?;
    check(&second.sync(Direction::Pull)?, partitions + 1)?;
    let figure = second.sync_over_line(Direction::Pull, false)?;
    bench.keep(figure.named(&scenario, SQLITE, partitions));
    Ok(())
}

/// Bytes, round trips and seconds over a bad line.
fn bad_line(bench: &mut Bench, engines: Engines) -> Result<(), String> {
    if !bench.options.wants("bad-line", engines.name()) {
        return Ok(());
    }
    let mut pair = Pair::start(engines, &bench.place("line")?)?;
    let dataset = pair.dataset.clone();
    pair.slow_down(LINE_ROUND_TRIP_MILLISECONDS, LINE_BITS_PER_SECOND);
    pair.server.fill(&dataset, LINE_SIZE, 10)?;
    let figure = pair.sync_over_line(Direction::Pull, true)?;
    check(&figure, LINE_SIZE + 1)?;
    bench.keep(figure.named("bad-line-first-pull", SQLITE, LINE_SIZE));
    let figure = pair.sync_over_line(Direction::Pull, true)?;
    bench.keep(figure.named("bad-line-nothing-new", SQLITE, LINE_SIZE));
    pair.server.change(CHANGED, "changed")?;
    let figure = pair.sync_over_line(Direction::Pull, true)?;
    check(&figure, CHANGED)?;
    bench.keep(figure.named("bad-line-changed-100", SQLITE, LINE_SIZE));
    Ok(())
}

/// What the triggers cost an application.
fn capture(bench: &mut Bench) -> Result<(), String> {
    if !bench.options.wants("capture", "rust-rust") {
        return Ok(());
    }
    let place = bench.place("capture")?;
    let mut peer = Peer::start(Make::Rust, &place)?;
    let answer = peer.ask(&json!({"do": "capture", "folder": place, "records": LARGE_SIZE}))?;
    let seconds = |name: &str| answer[name].as_f64().ok_or("capture has no figure");
    let (plain, captured) = (seconds("plain")?, seconds("captured")?);
    let mut figure = Figure { engine: "rust-rust", records: LARGE_SIZE, seconds: captured, ..Figure::default() };
    figure.more.insert("seconds_without_capture".to_owned(), plain.into());
    figure.more.insert("ratio".to_owned(), (captured / plain).into());
    bench.keep(figure.named("capture", SQLITE, LARGE_SIZE));
    Ok(())
}

/// How long an application waits that goes on writing while it pulls.
fn writer(bench: &mut Bench) -> Result<(), String> {
    if !bench.options.wants("writer", "rust-rust") {
        return Ok(());
    }
    let mut pair = Pair::start(Engines::OURS, &bench.place("writer")?)?;
    let dataset = pair.dataset.clone();
    pair.server.fill(&dataset, LARGE_SIZE, LEARNERS)?;
    pair.client.ask(&json!({"do": "start_writer"}))?;
    let mut figure = pair.sync(Direction::Pull)?;
    let waits = pair.client.ask(&json!({"do": "stop_writer"}))?;
    figure.more.extend(waits.as_object().cloned().unwrap_or_default());
    bench.keep(figure.named("writer", SQLITE, LARGE_SIZE));
    Ok(())
}

/// A figure counts only if what was to be measured happened.
fn check(figure: &Figure, records: u64) -> Result<(), String> {
    if figure.records == records {
        return Ok(());
    }
    Err(format!("{} moved {} records in place of {records}", figure.engine, figure.records))
}
