//! What we want to reach, each with the figure of this run beside it.
//!
//! A goal is for 100,000 records; where a run measured fewer, its rows say how many. What a run did not measure is said to be
//! unknown, never met.

use super::figure::{Database, Figure};

/// Records that most goals are about.
const LARGE_SIZE: u64 = 100_000;
const HUGE_SIZE: u64 = 1_000_000;

/// A figure that is wanted.
pub(super) struct Goal {
    pub(super) what: String,
    pub(super) wanted: String,
    /// What was measured, or why there is no figure.
    pub(super) measured: String,
    pub(super) verdict: Verdict,
}

/// Whether a goal is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Met,
    Missed,
    /// This run did not measure it.
    Unknown,
}

impl Verdict {
    fn of(is_met: impl FnOnce() -> bool) -> Self {
        if is_met() { Self::Met } else { Self::Missed }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "missed",
            Self::Unknown => "not measured",
        }
    }
}

impl Goal {
    fn at_most(what: impl Into<String>, unit: &str, goal: f64, measured: Option<f64>) -> Self {
        Self::compared(what, unit, ("≤", goal), measured, |measured| measured <= goal)
    }

    fn at_least(what: impl Into<String>, unit: &str, goal: f64, measured: Option<f64>) -> Self {
        Self::compared(what, unit, ("≥", goal), measured, |measured| measured >= goal)
    }

    fn compared(
        what: impl Into<String>,
        unit: &str,
        (sign, goal): (&str, f64),
        measured: Option<f64>,
        is_met: impl FnOnce(f64) -> bool,
    ) -> Self {
        Self {
            what: what.into(),
            wanted: format!("{sign} {} {unit}", number(goal)).trim_end().to_owned(),
            measured: measured.map_or_else(
                || "–".to_owned(),
                |measured| format!("{} {unit}", number(measured)).trim_end().to_owned(),
            ),
            verdict: measured.map_or(Verdict::Unknown, |measured| Verdict::of(|| is_met(measured))),
        }
    }
}

/// A number with as many digits as tell something.
fn number(value: f64) -> String {
    match value.abs() {
        ..10.0 => format!("{value:.2}").trim_end_matches('0').trim_end_matches('.').to_owned(),
        10.0..100.0 => format!("{value:.1}").trim_end_matches(".0").to_owned(),
        _ => format!("{value:.0}"),
    }
}

/// The figures, and of how many records most of the goals are told.
struct Measured<'a> {
    figures: &'a [Figure],
    size: u64,
}

impl<'a> Measured<'a> {
    fn find(&self, scenario: &str, engine: &str, size: u64) -> Option<&'a Figure> {
        self.on(Database::Sqlite, scenario, engine, size)
    }

    fn on(&self, database: Database, scenario: &str, engine: &str, size: u64) -> Option<&'a Figure> {
        self.figures.iter().find(|figure| {
            figure.scenario == scenario
                && figure.engine == engine
                && figure.size == size
                && figure.database == database
                && !figure.has_pauses
        })
    }

    /// What two peers of ours took for what most goals are about.
    fn ours(&self, scenario: &str) -> Option<&'a Figure> {
        self.find(scenario, "rust-rust", self.size)
    }

    /// The package as it ships, over as many records as it was measured with.
    fn as_it_ships(&self, scenario: &str) -> Option<&'a Figure> {
        let shipped = self.figures.iter().filter(|figure| figure.scenario == scenario && figure.has_pauses);
        shipped.filter(|figure| figure.size <= self.size).max_by_key(|figure| figure.size)
    }
}

/// Every goal, in the order of their weight.
pub(super) fn goals(figures: &[Figure]) -> Vec<Goal> {
    let ours = figures.iter().filter(|figure| figure.engine == "rust-rust" && figure.size <= LARGE_SIZE);
    let size = ours.filter(|figure| figure.scenario.starts_with("first-")).map(|figure| figure.size).max();
    let measured = Measured { figures, size: size.unwrap_or(LARGE_SIZE) };
    let mut goals = Vec::new();
    for scenario in ["first-pull", "first-push"] {
        goals.extend(first_transfer(&measured, scenario));
    }
    for (scenario, engine, side) in [
        ("first-pull", "rust-python", "client of a Python server"),
        ("first-push", "rust-python", "client of a Python server"),
        ("first-pull", "python-rust", "server of a Python client"),
        ("first-push", "python-rust", "server of a Python client"),
    ] {
        goals.push(beside_python(&measured, scenario, engine, side));
    }
    goals.extend(memory(&measured));
    goals.extend(nothing_new(&measured));
    goals.extend(partitions(&measured));
    goals.extend(others(&measured));
    goals.extend(postgres(&measured));
    goals
}

fn first_transfer(measured: &Measured<'_>, scenario: &str) -> [Goal; 4] {
    let size = measured.size;
    let what = |what: &str| format!("{scenario} of {size}{what}");
    let ours = measured.ours(scenario);
    let times = |other: Option<&Figure>| Some(other?.seconds / ours?.seconds);
    let floor = measured.find("floor", "floor", size);
    let shipped = measured.as_it_ships(scenario);
    let shipped_size = shipped.map_or(size, |figure| figure.size);
    let beside_shipped =
        shipped.and_then(|shipped| Some(shipped.seconds / measured.find(scenario, "rust-rust", shipped.size)?.seconds));
    [
        Goal::at_least(what(""), "records/s", 30_000.0, ours.map(Figure::records_per_second)),
        Goal::at_least(
            format!("{scenario} of {shipped_size}, the Python pair as it ships against ours"),
            "×",
            80.0,
            beside_shipped,
        ),
        Goal::at_least(
            what(", the Python pair's work without pauses against ours"),
            "×",
            25.0,
            times(measured.find(scenario, "python-python", size)),
        ),
        Goal::at_most(what(" against the floor"), "×", 3.0, ours.and_then(|ours| Some(ours.seconds / floor?.seconds))),
    ]
}

/// The other side's work is what its process kept a core busy, in this very sync. All else in the whole time is what we cost it.
fn beside_python(measured: &Measured<'_>, scenario: &str, engine: &str, side: &str) -> Goal {
    let figure = measured.find(scenario, engine, measured.size);
    let work = |figure: &Figure| {
        if engine == "rust-python" { figure.server_cpu_seconds } else { figure.client_cpu_seconds }
    };
    let ratio = figure.and_then(|figure| Some(figure.seconds / work(figure)?));
    let mut goal = Goal::at_most(
        format!("{side}, {scenario} of {}: the whole time against the other side's work", measured.size),
        "×",
        1.1,
        ratio,
    );
    if let Some((seconds, its)) = figure.and_then(|figure| Some((figure.seconds, work(figure)?))) {
        goal.measured = format!("{}: {seconds:.2} s, of which its work {its:.2} s", goal.measured);
        if let Some(among_its_own) = measured.find(scenario, "python-python", measured.size).and_then(work) {
            goal.measured =
                format!("{} (the same side's work in the Python pair: {among_its_own:.2} s)", goal.measured);
        }
    }
    goal
}

fn memory(measured: &Measured<'_>) -> Vec<Goal> {
    let mut goals = Vec::new();
    for scenario in ["first-pull", "first-push"] {
        let peak = measured.ours(scenario).and_then(Figure::peak_mib);
        let huge = measured.find(scenario, "rust-rust", HUGE_SIZE).and_then(Figure::peak_mib);
        let highest = peak.map(|peak| peak.max(huge.unwrap_or(peak)));
        goals.push(Goal::at_most(format!("{scenario}: highest peak above idle, either side"), "MiB", 64.0, highest));
        let growth = peak.and_then(|peak| Some(huge? / peak));
        goals.push(Goal::at_most(
            format!("{scenario}: the peak with {HUGE_SIZE} against that with {}", measured.size),
            "×",
            1.1,
            growth,
        ));
    }
    goals
}

/// Of a million records where the run has them, and of as many as it has otherwise.
#[expect(clippy::cast_precision_loss, reason = "a sync with nothing new sends few bytes")]
fn nothing_new(measured: &Measured<'_>) -> [Goal; 3] {
    let huge = measured.find("nothing-new", "rust-rust", HUGE_SIZE);
    let figure = huge.or_else(|| measured.ours("nothing-new"));
    let what = |what: &str| format!("nothing new, {} in the store: {what}", figure.map_or(HUGE_SIZE, |it| it.size));
    let traffic = figure.and_then(|figure| figure.traffic);
    let bytes = traffic.map(|traffic| (traffic.sent + traffic.received) as f64 / 1_000.0);
    let mut goal = Goal::at_most(what("bytes of both ways, heads too"), "kB", 8.0, bytes);
    let body = |name: &str| figure.and_then(|figure| figure.extra(name));
    if let (Some(sent), Some(received)) = (body("body_bytes_sent"), body("body_bytes_received")) {
        goal.measured = format!("{}, of which bodies {} kB", goal.measured, number((sent + received) / 1_000.0));
    }
    [
        Goal::at_most(what("time"), "ms", 50.0, figure.map(milliseconds)),
        Goal::at_most(what("requests"), "", 12.0, traffic.map(|traffic| traffic.requests as f64)),
        goal,
    ]
}

fn partitions(measured: &Measured<'_>) -> [Goal; 2] {
    let few = measured.find("partitions-2000", "rust-rust", 2_000);
    let many = measured.find("partitions-20000", "rust-rust", 20_000);
    let ratio = few.and_then(|few| Some(many?.seconds / few.seconds));
    [
        Goal::at_most("20,000 partitions, nothing new", "ms", 1_000.0, many.map(milliseconds)),
        Goal::at_most("20,000 partitions against 2,000", "×", 13.0, ratio),
    ]
}

fn others(measured: &Measured<'_>) -> Vec<Goal> {
    let size = measured.size;
    let mut goals = vec![
        Goal::at_most(format!("100 of {size} changed"), "ms", 100.0, measured.ours("changed-100").map(milliseconds)),
        Goal::at_most("1,000 conflicts, pulled", "ms", 300.0, measured.ours("conflicts-1000").map(milliseconds)),
        Goal::at_most("1,000 conflicts, pushed", "ms", 300.0, measured.ours("conflicts-1000-pushed").map(milliseconds)),
        Goal::at_most(
            format!("{size} inserts with capture against without"),
            "×",
            1.5,
            measured.ours("capture").and_then(|figure| figure.extra("ratio")),
        ),
    ];
    for (scenario, what) in [("writer", "pulls"), ("writer-on-server", "is pushed to")] {
        let longest = measured.ours(scenario).and_then(|figure| figure.extra("longest_milliseconds"));
        goals.push(Goal::at_most(
            format!("longest wait of a writer in an application that {what} ({size} records)"),
            "ms",
            250.0,
            longest,
        ));
    }
    goals
}

fn postgres(measured: &Measured<'_>) -> Vec<Goal> {
    let scenarios =
        ["first-pull", "first-push", "nothing-new", "changed-100", "conflicts-1000", "conflicts-1000-pushed"];
    let goal = |scenario: &str| {
        let server = measured.on(Database::Postgres, scenario, "rust-rust", measured.size);
        let ratio = server.and_then(|server| Some(server.seconds / measured.ours(scenario)?.seconds));
        Goal::at_most(format!("PostgreSQL on the server against SQLite: {scenario}"), "×", 1.5, ratio)
    };
    scenarios.map(goal).into()
}

fn milliseconds(figure: &Figure) -> f64 {
    figure.seconds * 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(scenario: &str, engine: &'static str, size: u64, seconds: f64) -> Figure {
        Figure { engine, records: size, seconds, ..Figure::default() }.named(scenario, Database::Sqlite, size)
    }

    fn verdict(figures: &[Figure], what: &str) -> Verdict {
        goals(figures).iter().find(|goal| goal.what == what).expect("there is such a goal").verdict
    }

    #[test]
    fn a_goal_is_met_missed_or_not_measured() {
        let figures = [figure("first-pull", "rust-rust", 100_000, 3.0), figure("floor", "floor", 100_000, 0.9)];
        assert_eq!(verdict(&figures, "first-pull of 100000"), Verdict::Met);
        assert_eq!(verdict(&figures, "first-pull of 100000 against the floor"), Verdict::Missed);
        assert_eq!(verdict(&figures, "first-push of 100000"), Verdict::Unknown);
    }

    #[test]
    fn a_smaller_run_tells_its_goals_of_its_own_size() {
        let figures = [figure("first-pull", "rust-rust", 10_000, 0.2), figure("first-pull", "rust-rust", 1_000, 0.1)];
        assert_eq!(verdict(&figures, "first-pull of 10000"), Verdict::Met);
    }

    #[test]
    fn what_we_cost_a_python_server_is_all_that_is_not_its_own_work() {
        let with_us =
            |work| Figure { server_cpu_seconds: Some(work), ..figure("first-pull", "rust-python", 100_000, 44.0) };
        let what = "client of a Python server, first-pull of 100000: the whole time against the other side's work";
        assert_eq!(verdict(&[with_us(42.0)], what), Verdict::Met);
        assert_eq!(verdict(&[with_us(30.0)], what), Verdict::Missed);
    }
}
