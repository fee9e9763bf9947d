//! The figures as tables for people.

use std::fmt::Write as _;

use super::figure::Figure;

/// The goals that have a figure of their own between two peers of ours, in milliseconds.
const GOALS: [(&str, u64, f64); 4] = [
    ("nothing-new", 100_000, 50.0),
    ("changed-100", 100_000, 100.0),
    ("conflicts-1000", 100_000, 300.0),
    ("partitions-20000", 20_000, 1_000.0),
];

/// A whole report in Markdown.
pub(super) fn report(figures: &[Figure], machine: &str) -> String {
    let mut text = format!(
        "# Benchmarks\n\nMeasured on {machine}, by `cargo xtask bench`: two processes on loopback, SQLite on both sides. Client first.\n\n"
    );
    for (title, prefix) in [
        ("First pull", "first-pull"),
        ("First push", "first-push"),
        ("Nothing new", "nothing-new"),
        ("100 records changed", "changed-100"),
        ("Records that both sides changed", "conflicts-1000"),
        ("Many partitions, nothing new", "partitions"),
        ("A line of 64 kbit/s, 300 ms away", "bad-line"),
    ] {
        let chosen: Vec<&Figure> = figures.iter().filter(|figure| figure.scenario.starts_with(prefix)).collect();
        if !chosen.is_empty() {
            section(&mut text, title, &chosen, figures);
        }
    }
    singles(&mut text, figures);
    goals(&mut text, figures);
    text
}

fn section(text: &mut String, title: &str, chosen: &[&Figure], all: &[Figure]) {
    let _ = write!(
        text,
        "## {title}\n\n| scenario | peers | records there | moved | seconds | records/s | × floor | requests | sent | received | peak MiB client / server |\n\
         | --- | --- | --: | --: | --: | --: | --: | --: | --: | --: | --- |\n"
    );
    for figure in chosen {
        let floor = all.iter().find(|floor| floor.scenario == "floor" && floor.size == figure.size);
        let times_floor = match floor {
            Some(floor) if figure.scenario.starts_with("first-") => format!("{:.1}", figure.seconds / floor.seconds),
            _ => String::new(),
        };
        let pauses = if figure.has_pauses { " as it ships" } else { "" };
        let rate = if figure.records > 0 { format!("{:.0}", figure.records_per_second()) } else { String::new() };
        let _ = writeln!(
            text,
            "| {} | {}{pauses} | {} | {} | {:.3} | {rate} | {times_floor} | {} | {} | {} | {} / {} |",
            figure.scenario,
            figure.engine,
            figure.size,
            figure.records,
            figure.seconds,
            number(figure.requests),
            bytes(figure.bytes_sent),
            bytes(figure.bytes_received),
            mebibytes(figure.client_peak_mib),
            mebibytes(figure.server_peak_mib),
        );
    }
    text.push('\n');
    for figure in chosen.iter().filter(|figure| figure.engine == "rust-rust" && figure.size >= 100_000) {
        let stages: Vec<String> = figure
            .stages
            .iter()
            .filter_map(|(stage, seconds)| Some(format!("{stage} {:.2} s", seconds.as_f64()?)))
            .collect();
        if !stages.is_empty() && figure.records > 0 {
            let _ = writeln!(text, "Where the time of {} goes: {}.\n", figure.scenario, stages.join(", "));
        }
    }
}

fn singles(text: &mut String, figures: &[Figure]) {
    let more = |figure: &Figure, name: &str| figure.more.get(name).and_then(serde_json::Value::as_f64).unwrap_or(0.0);
    if let Some(capture) = figures.iter().find(|figure| figure.scenario == "capture") {
        let _ = writeln!(
            text,
            "## An application's inserts\n\n{} rows with capture in {:.2} s, without in {:.2} s: {:.2} times as long.\n",
            capture.size,
            capture.seconds,
            more(capture, "seconds_without_capture"),
            more(capture, "ratio")
        );
    }
    if let Some(writer) = figures.iter().find(|figure| figure.scenario == "writer") {
        let _ = writeln!(
            text,
            "## An application that writes during a pull\n\n{} rows written while {} records came: the longest took {:.0} ms, half of them \
             at most {:.1} ms.\n",
            more(writer, "writes"),
            writer.records,
            more(writer, "longest_milliseconds"),
            more(writer, "median_milliseconds")
        );
    }
}

fn goals(text: &mut String, figures: &[Figure]) {
    let ours = |scenario: &str, size: u64| {
        figures.iter().find(|figure| figure.scenario == scenario && figure.engine == "rust-rust" && figure.size == size)
    };
    let mut lines = String::new();
    for (scenario, size, goal) in GOALS {
        if let Some(figure) = ours(scenario, size) {
            let milliseconds = figure.seconds * 1_000.0;
            let _ = writeln!(lines, "| {scenario}, {size} records | {goal:.0} ms | {milliseconds:.0} ms |");
        }
    }
    for scenario in ["first-pull", "first-push"] {
        let Some(figure) = ours(scenario, 100_000) else { continue };
        let _ = writeln!(lines, "| {scenario} | 30000 records/s | {:.0} records/s |", figure.records_per_second());
        for (what, goal, has_pauses) in [("as it ships", 80.0, true), ("without pauses", 25.0, false)] {
            let python = figures.iter().find(|python| {
                python.scenario == scenario
                    && python.engine == "python-python"
                    && python.has_pauses == has_pauses
                    && python.size == figure.size
            });
            if let Some(python) = python {
                let ratio = python.seconds / figure.seconds;
                let _ = writeln!(lines, "| {scenario} against the Python pair {what} | {goal:.0} × | {ratio:.0} × |");
            }
        }
    }
    if !lines.is_empty() {
        let _ = write!(text, "## Goals\n\n| what | goal | measured |\n| --- | --: | --: |\n{lines}\n");
    }
}

fn number(value: Option<u64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "nobody sends 2^52 bytes in a benchmark")]
fn bytes(value: Option<u64>) -> String {
    match value {
        None => String::new(),
        Some(value @ ..10_000) => format!("{value} B"),
        Some(value @ ..10_000_000) => format!("{:.0} kB", value as f64 / 1e3),
        Some(value) => format!("{:.1} MB", value as f64 / 1e6),
    }
}

fn mebibytes(value: Option<f64>) -> String {
    value.map(|value| format!("{value:.0}")).unwrap_or_default()
}
