//! The main figures as pictures: bars on a logarithmic scale, since the peers lie far apart.

use std::fmt::Write as _;

use super::figure::Figure;

const WIDTH: f64 = 720.0;
const NAMES_WIDTH: f64 = 190.0;
const VALUES_WIDTH: f64 = 110.0;
const BAR_HEIGHT: f64 = 26.0;
const TITLE_HEIGHT: f64 = 44.0;

/// A scenario that is drawn: its name, its size, its title, and the file.
const DRAWN: [(&str, u64, &str, &str); 4] = [
    ("first-pull", 100_000, "First pull of 100,000 records: seconds", "first-pull.svg"),
    ("first-push", 100_000, "First push of 100,000 records: seconds", "first-push.svg"),
    ("nothing-new", 100_000, "Sync with nothing new, 100,000 records: seconds", "nothing-new.svg"),
    ("changed-100", 100_000, "100 of 100,000 records changed: seconds", "changed-100.svg"),
];

/// The pictures that the figures allow, with the names of their files.
pub(super) fn pictures(figures: &[Figure]) -> Vec<(String, String)> {
    let drawn = DRAWN.iter().filter_map(|(scenario, size, title, file)| {
        let is_chosen = |figure: &&Figure| {
            figure.size == *size
                && (figure.scenario == *scenario || (figure.engine == "floor" && scenario.starts_with("first-")))
        };
        let chosen: Vec<&Figure> = figures.iter().filter(is_chosen).collect();
        (chosen.len() > 1).then(|| (format!("benchmarks/{file}"), picture(title, &chosen)))
    });
    drawn.collect()
}

fn picture(title: &str, figures: &[&Figure]) -> String {
    let longest = figures.iter().map(|figure| figure.seconds).fold(f64::MIN_POSITIVE, f64::max);
    let shortest = figures.iter().map(|figure| figure.seconds).fold(longest, f64::min).max(1e-6);
    // The shortest bar is still to be seen: the scale begins a third below it.
    let begin = (shortest / 3.0).ln();
    let scale = (WIDTH - NAMES_WIDTH - VALUES_WIDTH) / (longest.ln() - begin);
    #[expect(clippy::cast_precision_loss, reason = "a handful of bars")]
    let height = TITLE_HEIGHT + BAR_HEIGHT * figures.len() as f64 + 12.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"14\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"12\" y=\"26\" font-size=\"16\" fill=\"#222222\">{title} (logarithmic)</text>\n"
    );
    let mut top = TITLE_HEIGHT;
    for figure in figures {
        let length = (figure.seconds.max(1e-6).ln() - begin) * scale;
        let colour = match figure.engine {
            "rust-rust" => "#c0562f",
            "floor" => "#7a8b99",
            "python-python" => "#3b6ea5",
            _ => "#8a6fa8",
        };
        let name = if figure.has_pauses { format!("{} as it ships", figure.engine) } else { figure.engine.to_owned() };
        let _ = write!(
            svg,
            "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\" fill=\"#222222\">{name}</text>\n\
             <rect x=\"{NAMES_WIDTH}\" y=\"{:.0}\" width=\"{length:.1}\" height=\"{:.0}\" fill=\"{colour}\"/>\n\
             <text x=\"{:.1}\" y=\"{:.0}\" fill=\"#222222\">{:.3} s</text>\n",
            NAMES_WIDTH - 8.0,
            top + 17.0,
            top + 3.0,
            BAR_HEIGHT - 6.0,
            NAMES_WIDTH + length + 8.0,
            top + 17.0,
            figure.seconds,
        );
        top += BAR_HEIGHT;
    }
    svg.push_str("</svg>\n");
    svg
}
