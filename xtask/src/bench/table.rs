//! The figures as tables for people.

use std::fmt::Write as _;

use super::figure::{Database, Figure, Traffic};
use super::goals;
use super::scenarios::{LINE_BITS_PER_SECOND, LINE_ROUND_TRIP_MILLISECONDS};

/// How the figures came about: what a reader has to know to judge them.
const METHOD: &str = "\
Two processes on loopback; the client is named first. *python-python* is the Python package 0.8.15 on both sides, without the \
pauses that it makes between chunks and while it waits; *as it ships* it makes them, checks its keys and has SQLite wait for the \
disk. The *floor* is the same rows inserted with Diesel into the application's table, a store table and a counter table in one \
transaction.

- Between two peers of ours what is long is measured three times, in turn with the floor, what is short seven times, conflicts \
three times; the one in the middle counts, with the highest peak of all. A million records, and a server on PostgreSQL, are measured \
once where it is long; pairs with a Python peer once, or three times where it is short.
- Both processes are started anew before each first transfer and before the short syncs. *Peak* is how far the memory that is \
resident rose above what the process held just after its start: client / server, of the application's process, without the \
database server's.
- Bytes and requests are those of the timed syncs, which on one machine are not compressed: bodies, as our client counts them, for \
first transfers and conflicts between two peers of ours; otherwise all that goes over the line, heads too. *Far away* is the same between peers \
who compress where they can, as ours do with every peer that is not on their own machine.
- On PostgreSQL the server's database is on a server that waits for the disk, the client's is SQLite.
";

/// The stages of a transfer, in their order.
const STAGES: [&str; 7] =
    ["initializing", "serializing", "queuing", "transferring", "dequeuing", "deserializing", "cleanup"];

/// The tables, in their order: a title, and what the names of their scenarios begin with.
const SECTIONS: [(&str, &str); 6] = [
    ("First pull", "first-pull"),
    ("First push", "first-push"),
    ("Nothing new", "nothing-new"),
    ("100 records changed", "changed-100"),
    ("1,000 records that both sides changed", "conflicts-1000"),
    ("Many partitions, nothing new", "partitions"),
];

/// A whole report in Markdown: the goals first, for who reads it.
pub(super) fn report(figures: &[Figure], machine: &str) -> String {
    let begin = format!("# Benchmarks\n\nMeasured by `cargo xtask bench` in one run: {machine}.\n\n{METHOD}\n");
    let mut text = begin + &goals(figures) + &tables(figures);
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// A table for each scenario.
pub(super) fn tables(figures: &[Figure]) -> String {
    let mut text = String::new();
    for (title, prefix) in SECTIONS {
        let chosen: Vec<&Figure> = figures.iter().filter(|figure| figure.scenario.starts_with(prefix)).collect();
        if !chosen.is_empty() {
            section(&mut text, title, &chosen, figures);
        }
    }
    bad_line(&mut text, figures);
    singles(&mut text, figures);
    text
}

/// Every goal with its figure.
pub(super) fn goals(figures: &[Figure]) -> String {
    let mut text = "## Goals\n\n| what | goal | measured | |\n| --- | --: | --: | --- |\n".to_owned();
    for goal in goals::goals(figures) {
        let _ = writeln!(text, "| {} | {} | {} | {} |", goal.what, goal.wanted, goal.measured, goal.verdict.word());
    }
    text.push_str(
        "\nBeside a Python peer, *the other side's work* is the time for which its process kept a core busy in that very sync; all else in \
         the whole time is what our side adds.\n\n",
    );
    text
}

fn section(text: &mut String, title: &str, chosen: &[&Figure], all: &[Figure]) {
    let is_first = chosen.iter().any(|figure| figure.scenario.starts_with("first-"));
    let (rate, rate_line) = if is_first { (" records/s | × floor |", " --: | --: |") } else { ("", "") };
    let _ = write!(
        text,
        "## {title}\n\n\
         | peers | records there | moved | seconds |{rate} busy s | peak MiB | requests | sent | received | far away |\n\
         | --- | --: | --: | --: |{rate_line} --- | --- | --: | --: | --: | --- |\n"
    );
    for figure in chosen {
        let rate = if is_first {
            format!(" {:.0} | {} |", figure.records_per_second(), floors(figure, all))
        } else {
            String::new()
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {:.3} |{rate} {} | {} | {} | {} |",
            peers(figure),
            figure.size,
            figure.records,
            figure.seconds,
            both(figure.client_cpu_seconds, figure.server_cpu_seconds, 2),
            both(figure.client_peak_mib, figure.server_peak_mib, 0),
            traffic(figure.traffic),
            far(figure.far),
        );
    }
    text.push('\n');
    stages(text, chosen);
}

/// Where the time goes, for each pair that tells it, at the largest size that it was measured with.
fn stages(text: &mut String, chosen: &[&Figure]) {
    let mut lines = String::new();
    for figure in chosen {
        let largest = chosen.iter().filter(|other| peers(other) == peers(figure)).map(|other| other.size).max();
        let told = STAGES.iter().filter_map(|stage| {
            let seconds = figure.stages.get(*stage)?.as_f64()?;
            Some(format!("{stage} {}", seconds_of(seconds)))
        });
        let told: Vec<String> = told.collect();
        if told.is_empty() || Some(figure.size) != largest {
            continue;
        }
        let paused = figure.seconds_paused.filter(|_| figure.has_pauses);
        let paused = paused.map(|seconds| format!("; {seconds:.1} s of them pauses")).unwrap_or_default();
        let _ = writeln!(lines, "- {}, {}: {}{paused}.", peers(figure), figure.size, told.join(", "));
    }
    if !lines.is_empty() {
        let _ = write!(text, "Where the time goes:\n\n{lines}\n");
    }
}

fn bad_line(text: &mut String, figures: &[Figure]) {
    let chosen: Vec<&Figure> = figures.iter().filter(|figure| figure.scenario.starts_with("bad-line-")).collect();
    if chosen.is_empty() {
        return;
    }
    let _ = write!(
        text,
        "## A line of {} kbit/s, {LINE_ROUND_TRIP_MILLISECONDS} ms away\n\n\
         What is sent waits for its turn at that rate, each way by itself, and arrives half a round trip later; a new connection costs \
         a round trip.\n\n\
         | sync | peers | moved | seconds | requests | sent | received |\n| --- | --- | --: | --: | --: | --: | --: |\n",
        LINE_BITS_PER_SECOND / 1_000
    );
    for figure in chosen {
        let scenario = figure.scenario.trim_start_matches("bad-line-");
        let (moved, seconds) = (figure.records, figure.seconds);
        let _ =
            writeln!(text, "| {scenario} | {} | {moved} | {seconds:.1} | {} |", peers(figure), traffic(figure.traffic));
    }
    text.push('\n');
}

fn singles(text: &mut String, figures: &[Figure]) {
    let find = |scenario: &str| figures.iter().find(|figure| figure.scenario == scenario);
    if let Some(capture) = find("capture") {
        let _ = writeln!(
            text,
            "## An application's inserts\n\n{} rows with capture in {:.2} s, without in {:.2} s: {:.2} times as long. The two take turns, a \
             thousand rows at a time.\n",
            capture.size,
            capture.seconds,
            capture.extra("seconds_without_capture").unwrap_or_default(),
            capture.extra("ratio").unwrap_or_default()
        );
    }
    if find("writer").is_some() || find("writer-on-server").is_some() {
        text.push_str("## An application that goes on writing\n\nIt writes a synced row every few milliseconds, each in a transaction of its own.\n\n");
        text.push_str("| while | records | rows written | longest wait | half of them at most |\n| --- | --: | --: | --: | --: |\n");
    }
    for (scenario, what) in [("writer", "it pulls"), ("writer-on-server", "it is pushed to")] {
        let Some(figure) = find(scenario) else { continue };
        let extra = |name: &str| figure.extra(name).unwrap_or_default();
        let _ = writeln!(
            text,
            "| {what} | {} | {:.0} | {:.0} ms | {:.1} ms |",
            figure.records,
            extra("writes"),
            extra("longest_milliseconds"),
            extra("median_milliseconds")
        );
    }
}

/// Who met, and what is special about them.
pub(super) fn peers(figure: &Figure) -> String {
    let pauses = if figure.has_pauses { " as it ships" } else { "" };
    let pushed = if figure.scenario.ends_with("-pushed") { ", pushed" } else { "" };
    let database = match figure.database {
        Database::Sqlite => "",
        Database::Postgres => ", PostgreSQL",
    };
    format!("{}{pauses}{database}{pushed}", figure.engine)
}

fn floors(figure: &Figure, all: &[Figure]) -> String {
    let is_its_floor =
        |floor: &&Figure| floor.scenario == "floor" && floor.size == figure.size && floor.database == figure.database;
    let floor = all.iter().find(is_its_floor);
    floor.map(|floor| format!("{:.1}", figure.seconds / floor.seconds)).unwrap_or_default()
}

/// A figure of the client and one of the server.
fn both(client: Option<f64>, server: Option<f64>, digits: usize) -> String {
    match (client, server) {
        (Some(client), Some(server)) => format!("{client:.digits$} / {server:.digits$}"),
        _ => String::new(),
    }
}

fn traffic(traffic: Option<Traffic>) -> String {
    traffic.map_or_else(
        || " | | ".to_owned(),
        |traffic| format!("{} | {} | {}", traffic.requests, bytes(traffic.sent), bytes(traffic.received)),
    )
}

fn far(traffic: Option<Traffic>) -> String {
    traffic.map(|traffic| format!("{} out, {} in", bytes(traffic.sent), bytes(traffic.received))).unwrap_or_default()
}

fn seconds_of(seconds: f64) -> String {
    if seconds < 1.0 { format!("{:.0} ms", seconds * 1_000.0) } else { format!("{seconds:.2} s") }
}

#[expect(clippy::cast_precision_loss, reason = "nobody sends 2^52 bytes in a benchmark")]
fn bytes(value: u64) -> String {
    match value {
        ..10_000 => format!("{value} B"),
        10_000..10_000_000 => format!("{:.0} kB", value as f64 / 1e3),
        _ => format!("{:.1} MB", value as f64 / 1e6),
    }
}
