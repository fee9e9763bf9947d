//! What else is measured: many partitions, a bad line, what capture costs, and how long an application waits that writes.

use serde_json::json;

use super::figure::{Database, Figure, median};
use super::pair::{Direction, Engines, Pair, Way};
use super::peer::{Make, Peer};
use super::transfers::{LEARNERS, check};
use super::{Bench, Place};

/// How often a sync of many partitions is measured between peers of ours, and with a Python peer.
const ROUNDS: usize = 5;
const ROUNDS_WITH_PYTHON: usize = 1;

/// A bad line: by satellite it would be worse, a village's mobile network is about this.
pub(super) const LINE_ROUND_TRIP_MILLISECONDS: u64 = 300;
pub(super) const LINE_BITS_PER_SECOND: u64 = 64_000;
/// Records of a first transfer over that line, and how many of them are changed, or are conflicts.
const LINE_SIZE: u64 = 200;
const LINE_CHANGED: u64 = 100;
const LINE_LEARNERS: u64 = 10;

/// Nothing new between two peers who both have a counter for each of many learners' own partitions.
pub(super) fn partitioned(bench: &mut Bench, engines: Engines, partitions: u64) -> Result<(), String> {
    let scenario = format!("partitions-{partitions}");
    if !bench.options.wants(&scenario, engines.name()) {
        return Ok(());
    }
    let Place { folder, client, server } = bench.place("partitions", Database::Sqlite)?;
    // Only ours can be given the partitions at once. A Python server pulls them from it, and then takes its place.
    let first = if engines.server == Make::Rust { engines.client } else { engines.server };
    let mut pair = Pair::start(Engines { client: first, server: Make::Rust }, &client, &server)?;
    let command = json!({"do": "receive_partitions", "dataset": pair.dataset, "partitions": partitions});
    pair.server.ask(&command)?;
    check(&pair.sync(Direction::Pull, Way::Straight)?, partitions + 1)?;
    if engines.server != Make::Rust {
        pair = pair.hand_over(engines.client, &super::Seat::with_file(&folder.join("second")))?;
        check(&pair.sync(Direction::Pull, Way::Straight)?, partitions + 1)?;
    }
    pair.restart()?;
    let is_ours = engines == Engines::OURS;
    let (rounds, way) = if is_ours { (ROUNDS, Way::Straight) } else { (ROUNDS_WITH_PYTHON, Way::Counted) };
    let figures = (0..rounds).map(|_| nothing_new(&mut pair, way)).collect::<Result<Vec<_>, _>>()?;
    let mut figure = median(figures).ok_or("nothing was measured")?;
    if is_ours {
        figure.count_heads(nothing_new(&mut pair, Way::Counted)?.traffic);
        figure.far = nothing_new(&mut pair, Way::Far)?.traffic;
    }
    bench.keep(figure.named(&scenario, Database::Sqlite, partitions))
}

fn nothing_new(pair: &mut Pair, way: Way) -> Result<Figure, String> {
    let figure = pair.sync(Direction::Pull, way)?;
    check(&figure, 0)?;
    Ok(figure)
}

/// Bytes, round trips and seconds over a bad line.
pub(super) fn bad_line(bench: &mut Bench, engines: Engines) -> Result<(), String> {
    if !bench.options.wants("bad-line", engines.name()) {
        return Ok(());
    }
    let Place { client, server, .. } = bench.place("line", Database::Sqlite)?;
    let mut pair = Pair::start(engines, &client, &server)?;
    let dataset = pair.dataset.clone();
    pair.slow_down(LINE_ROUND_TRIP_MILLISECONDS, LINE_BITS_PER_SECOND);
    let mut measured = |pair: &mut Pair, scenario: &str, direction: Direction, records: u64| {
        let figure = pair.sync(direction, Way::Far)?;
        check(&figure, records)?;
        let far = figure.traffic;
        bench.keep(Figure { far, ..figure }.named(&format!("bad-line-{scenario}"), Database::Sqlite, LINE_SIZE))
    };
    pair.server.fill(&dataset, LINE_SIZE, LINE_LEARNERS)?;
    measured(&mut pair, "first-pull", Direction::Pull, LINE_SIZE + 1)?;
    measured(&mut pair, "nothing-new", Direction::Pull, 0)?;
    pair.server.change(LINE_CHANGED, 0, "changed")?;
    measured(&mut pair, "changed-100", Direction::Pull, LINE_CHANGED)?;
    pair.server.change(LINE_CHANGED, 0, "changed by the server")?;
    pair.client.change(LINE_CHANGED, 0, "changed by the client")?;
    measured(&mut pair, "conflicts-100", Direction::Pull, LINE_CHANGED)?;
    // What was merged goes back unmeasured, so that the push that follows carries what is new and nothing else.
    pair.sync(Direction::Push, Way::Straight)?;
    pair.client.fill(&dataset, LINE_SIZE, LINE_LEARNERS)?;
    measured(&mut pair, "push", Direction::Push, LINE_SIZE)
}

/// What the triggers cost an application.
pub(super) fn capture(bench: &mut Bench, size: u64) -> Result<(), String> {
    if !bench.options.wants("capture", "rust-rust") {
        return Ok(());
    }
    let Place { folder, client, .. } = bench.place("capture", Database::Sqlite)?;
    let mut peer = Peer::start(Make::Rust, &client)?;
    let answer = peer.ask(&json!({"do": "capture", "folder": folder, "records": size}))?;
    let seconds = |name: &str| answer[name].as_f64().ok_or("capture has no figure");
    let (plain, captured) = (seconds("plain")?, seconds("captured")?);
    let mut figure = Figure { engine: "rust-rust", records: size, seconds: captured, ..Figure::default() };
    figure.more.insert("seconds_without_capture".to_owned(), plain.into());
    figure.more.insert("ratio".to_owned(), (captured / plain).into());
    bench.keep(figure.named("capture", Database::Sqlite, size))
}

/// How long an application waits that goes on writing while it pulls, and one on the server while it is pushed to.
pub(super) fn writer(bench: &mut Bench, size: u64) -> Result<(), String> {
    for (scenario, direction) in [("writer", Direction::Pull), ("writer-on-server", Direction::Push)] {
        if !bench.options.wants(scenario, "rust-rust") {
            continue;
        }
        let Place { client, server, .. } = bench.place("writer", Database::Sqlite)?;
        let mut pair = Pair::start(Engines::OURS, &client, &server)?;
        let dataset = pair.dataset.clone();
        // The application needs the school to write into.
        pair.sync(Direction::Pull, Way::Straight)?;
        let sender = if direction == Direction::Pull { &mut pair.server } else { &mut pair.client };
        sender.fill(&dataset, size, LEARNERS)?;
        pair.restart()?;
        let start = json!({"do": "start_writer", "dataset": dataset});
        let receiver = |pair: &mut Pair, command| match direction {
            Direction::Pull => pair.client.ask(command),
            Direction::Push => pair.server.ask(command),
        };
        receiver(&mut pair, &start)?;
        let mut figure = pair.sync(direction, Way::Straight)?;
        let waits = receiver(&mut pair, &json!({"do": "stop_writer"}))?;
        check(&figure, size)?;
        figure.more.extend(waits.as_object().cloned().unwrap_or_default());
        bench.keep(figure.named(scenario, Database::Sqlite, size))?;
    }
    Ok(())
}
