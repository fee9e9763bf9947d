//! The main figures as pictures: bars of seconds on a logarithmic scale, since the peers lie far apart, and bars of memory.

use std::fmt::Write as _;

use super::figure::{Database, Figure};
use super::table::peers;

const WIDTH: f64 = 720.0;
const NAMES_WIDTH: f64 = 210.0;
const VALUES_WIDTH: f64 = 110.0;
const BAR_HEIGHT: f64 = 26.0;
const TITLE_HEIGHT: f64 = 44.0;

/// Records that the pictures are about, unless a run had fewer.
const SIZE_MAX: u64 = 100_000;

/// The scenarios of which the seconds are drawn, with what the title says of so many records.
const DRAWN: [(&str, &str); 4] = [
    ("first-pull", "First pull of {} records"),
    ("first-push", "First push of {} records"),
    ("nothing-new", "Sync with nothing new, {} records"),
    ("changed-100", "100 of {} records changed"),
];

/// One bar.
struct Bar {
    name: String,
    value: f64,
    label: String,
    colour: &'static str,
}

/// How long a bar is for its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    Linear,
    Logarithmic,
}

/// The pictures that the figures allow, with the names of their files.
pub(super) fn pictures(figures: &[Figure]) -> Vec<(String, String)> {
    let mut pictures: Vec<(String, String)> = DRAWN
        .iter()
        .filter_map(|(scenario, title)| {
            let (size, chosen) = largest(figures, scenario);
            let floors = figures.iter().filter(|figure| {
                scenario.starts_with("first-")
                    && figure.engine == "floor"
                    && figure.size == size
                    && figure.database == Database::Sqlite
            });
            let bars: Vec<Bar> = floors.chain(chosen).map(seconds).collect();
            let title = format!("{}: seconds (logarithmic)", title.replace("{}", &grouped(size)));
            (bars.len() > 1).then(|| (file(scenario), picture(&title, &bars, Scale::Logarithmic)))
        })
        .collect();
    let (size, chosen) = largest(figures, "first-pull");
    let bars: Vec<Bar> = chosen.into_iter().flat_map(memory).collect();
    if bars.len() > 1 {
        let title = format!("First pull of {} records: peak of memory above idle", grouped(size));
        pictures.push((file("memory"), picture(&title, &bars, Scale::Linear)));
    }
    pictures
}

fn file(name: &str) -> String {
    format!("benchmarks/{name}.svg")
}

/// The figures of a scenario at the largest size at which there are several to compare.
fn largest<'a>(figures: &'a [Figure], scenario: &str) -> (u64, Vec<&'a Figure>) {
    let of_scenario = |figure: &&Figure| figure.scenario == scenario && figure.database == Database::Sqlite;
    let sizes = figures.iter().filter(of_scenario).map(|figure| figure.size).filter(|size| *size <= SIZE_MAX);
    let size = sizes.max().unwrap_or(0);
    (size, figures.iter().filter(of_scenario).filter(|figure| figure.size == size).collect())
}

fn seconds(figure: &Figure) -> Bar {
    let colour = match figure.engine {
        "rust-rust" => "#c0562f",
        "floor" => "#7a8b99",
        "python-python" => "#3b6ea5",
        _ => "#8a6fa8",
    };
    let label = if figure.seconds < 1.0 {
        format!("{:.0} ms", figure.seconds * 1_000.0)
    } else {
        format!("{:.1} s", figure.seconds)
    };
    Bar { name: peers(figure), value: figure.seconds, label, colour }
}

fn memory(figure: &Figure) -> Vec<Bar> {
    let (client, server) = figure.engine.split_once('-').unwrap_or((figure.engine, ""));
    let bar = |side: &str, program: &str, peak: Option<f64>| {
        let colour = if program == "rust" { "#c0562f" } else { "#3b6ea5" };
        let name = format!("{}: {side}", peers(figure));
        peak.map(|value| Bar { name, value, label: format!("{value:.0} MiB"), colour })
    };
    [bar("client", client, figure.client_peak_mib), bar("server", server, figure.server_peak_mib)]
        .into_iter()
        .flatten()
        .collect()
}

fn picture(title: &str, bars: &[Bar], scale: Scale) -> String {
    let longest = bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
    let shortest = bars.iter().map(|bar| bar.value).fold(longest, f64::min).max(1e-6);
    let room = WIDTH - NAMES_WIDTH - VALUES_WIDTH;
    // The shortest bar of a logarithmic scale is still to be seen: it begins a third below it.
    let begin = (shortest / 3.0).ln();
    let length = |value: f64| match scale {
        Scale::Linear => value / longest * room,
        Scale::Logarithmic => (value.max(1e-6).ln() - begin) * room / (longest.ln() - begin),
    };
    #[expect(clippy::cast_precision_loss, reason = "a handful of bars")]
    let height = TITLE_HEIGHT + BAR_HEIGHT * bars.len() as f64 + 12.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"14\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"12\" y=\"26\" font-size=\"16\" fill=\"#222222\">{title}</text>\n"
    );
    let mut top = TITLE_HEIGHT;
    for Bar { name, value, label, colour } in bars {
        let length = length(*value);
        let _ = write!(
            svg,
            "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\" fill=\"#222222\">{name}</text>\n\
             <rect x=\"{NAMES_WIDTH}\" y=\"{:.0}\" width=\"{length:.1}\" height=\"{:.0}\" fill=\"{colour}\"/>\n\
             <text x=\"{:.1}\" y=\"{:.0}\" fill=\"#222222\">{label}</text>\n",
            NAMES_WIDTH - 8.0,
            top + 17.0,
            top + 3.0,
            BAR_HEIGHT - 6.0,
            NAMES_WIDTH + length + 8.0,
            top + 17.0,
        );
        top += BAR_HEIGHT;
    }
    svg.push_str("</svg>\n");
    svg
}

/// A number with commas between its thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_one_size_are_drawn_beside_each_other_and_others_are_not() {
        let figure = |engine, size, seconds| {
            Figure { engine, seconds, ..Figure::default() }.named("first-pull", Database::Sqlite, size)
        };
        let alone = pictures(&[figure("rust-rust", 1_000, 0.1), figure("python-python", 10_000, 8.0)]);
        assert!(alone.is_empty());
        let both = pictures(&[figure("rust-rust", 10_000, 0.4), figure("python-python", 10_000, 8.0)]);
        let (name, picture) = both.first().expect("one picture");
        assert_eq!(name, "benchmarks/first-pull.svg");
        assert!(picture.contains("First pull of 10,000 records") && picture.contains("400 ms"), "{picture}");
    }
}
