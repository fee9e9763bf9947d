//! What was measured, one line each: how it is written as JSON, and how one is chosen of several.

use serde_json::{Map, Value, json};

/// A kind of database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Database {
    /// A file on either side.
    #[default]
    Sqlite,
    /// A server's on the side that serves, a file on the side of the client.
    Postgres,
}

impl Database {
    /// The name in the figures.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgresql",
        }
    }
}

/// Who may meet, client first, and the floor.
const ENGINES: [&str; 5] = ["rust-rust", "rust-python", "python-rust", "python-python", "floor"];

/// What went over a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    pub(crate) requests: u64,
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

/// One measurement.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figure {
    /// What was done, for example `first-pull`.
    pub(crate) scenario: String,
    /// Who met: `rust-rust`, client first, or `floor`.
    pub(crate) engine: &'static str,
    pub(crate) database: Database,
    /// Whether pauses of the Python package are among the seconds.
    pub(crate) has_pauses: bool,
    /// Records that lay on the side that sends before it began.
    pub(crate) size: u64,
    /// Records that went over.
    pub(crate) records: u64,
    pub(crate) seconds: f64,
    /// Bytes and requests between the two, as they were while this was timed.
    pub(crate) traffic: Option<Traffic>,
    /// The same between peers far apart, who compress where they can.
    pub(crate) far: Option<Traffic>,
    pub(crate) client_peak_mib: Option<f64>,
    pub(crate) server_peak_mib: Option<f64>,
    /// Seconds for which each process kept a core busy.
    pub(crate) client_cpu_seconds: Option<f64>,
    pub(crate) server_cpu_seconds: Option<f64>,
    /// Seconds for which a Python client only waited for time to pass.
    pub(crate) seconds_paused: Option<f64>,
    /// Seconds of each stage, both sides' part of it, as the client tells.
    pub(crate) stages: Map<String, Value>,
    pub(crate) conflicts: Option<u64>,
    /// Figures that only this scenario has.
    pub(crate) more: Map<String, Value>,
}

impl Figure {
    pub(crate) fn named(mut self, scenario: &str, database: Database, size: u64) -> Self {
        scenario.clone_into(&mut self.scenario);
        self.database = database;
        self.size = size;
        self
    }

    #[expect(clippy::cast_precision_loss, reason = "a count of records is far below 2^52")]
    pub(crate) fn records_per_second(&self) -> f64 {
        if self.seconds > 0.0 { self.records as f64 / self.seconds } else { 0.0 }
    }

    /// Takes over what went over a line with the heads of requests and answers, where bodies alone were counted until now. The bodies
    /// stay among what only some scenarios have.
    pub(crate) fn count_heads(&mut self, with_heads: Option<Traffic>) {
        if let Some(bodies) = self.traffic {
            self.more.insert("body_bytes_sent".to_owned(), bodies.sent.into());
            self.more.insert("body_bytes_received".to_owned(), bodies.received.into());
        }
        self.traffic = with_heads;
    }

    /// The higher of both peaks.
    pub(crate) fn peak_mib(&self) -> Option<f64> {
        Some(self.client_peak_mib?.max(self.server_peak_mib?))
    }

    /// One of the figures that only some scenarios have.
    pub(crate) fn extra(&self, name: &str) -> Option<f64> {
        self.more.get(name).and_then(Value::as_f64)
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut object = json!({
            "scenario": self.scenario,
            "engine": self.engine,
            "database": self.database.name(),
            "has_pauses": self.has_pauses,
            "size": self.size,
            "records": self.records,
            "seconds": self.seconds,
            "records_per_second": self.records_per_second(),
            "bytes_sent": self.traffic.map(|traffic| traffic.sent),
            "bytes_received": self.traffic.map(|traffic| traffic.received),
            "requests": self.traffic.map(|traffic| traffic.requests),
            "far_bytes_sent": self.far.map(|traffic| traffic.sent),
            "far_bytes_received": self.far.map(|traffic| traffic.received),
            "far_requests": self.far.map(|traffic| traffic.requests),
            "client_peak_mib": self.client_peak_mib,
            "server_peak_mib": self.server_peak_mib,
            "client_cpu_seconds": self.client_cpu_seconds,
            "server_cpu_seconds": self.server_cpu_seconds,
            "seconds_paused": self.seconds_paused,
            "stages": self.stages,
            "conflicts": self.conflicts,
        });
        object.as_object_mut().expect("it is an object").extend(self.more.clone());
        object
    }
}

impl Figure {
    /// A figure of an earlier run, read again. None where that wrote something else.
    pub(crate) fn from_json(written: &Value) -> Option<Self> {
        let text = |name: &str| written[name].as_str();
        let (count, amount) = (|name: &str| written[name].as_u64(), |name: &str| written[name].as_f64());
        let traffic = |requests: &str, sent: &str, received: &str| {
            Some(Traffic { requests: count(requests)?, sent: count(sent)?, received: count(received)? })
        };
        let mut figure = Self {
            scenario: text("scenario")?.to_owned(),
            engine: ENGINES.into_iter().find(|engine| Some(*engine) == text("engine"))?,
            database: [Database::Sqlite, Database::Postgres]
                .into_iter()
                .find(|it| Some(it.name()) == text("database"))?,
            has_pauses: written["has_pauses"].as_bool()?,
            size: count("size")?,
            records: count("records")?,
            seconds: amount("seconds")?,
            traffic: traffic("requests", "bytes_sent", "bytes_received"),
            far: traffic("far_requests", "far_bytes_sent", "far_bytes_received"),
            client_peak_mib: amount("client_peak_mib"),
            server_peak_mib: amount("server_peak_mib"),
            client_cpu_seconds: amount("client_cpu_seconds"),
            server_cpu_seconds: amount("server_cpu_seconds"),
            seconds_paused: amount("seconds_paused"),
            stages: written["stages"].as_object()?.clone(),
            conflicts: count("conflicts"),
            more: Map::new(),
        };
        let known = figure.to_json();
        let more = written.as_object()?.iter().filter(|(name, _)| known.get(name.as_str()).is_none());
        figure.more = more.map(|(name, value)| (name.clone(), value.clone())).collect();
        Some(figure)
    }
}

/// The one of several measurements of the same that took neither long nor short, with the highest peaks of all.
pub(crate) fn median(mut figures: Vec<Figure>) -> Option<Figure> {
    let peak = |of: fn(&Figure) -> Option<f64>| figures.iter().filter_map(of).reduce(f64::max);
    let (client_peak_mib, server_peak_mib) = (peak(|it| it.client_peak_mib), peak(|it| it.server_peak_mib));
    figures.sort_by(|one, other| one.seconds.total_cmp(&other.seconds));
    let middle = figures.len().checked_sub(1)? / 2;
    Some(Figure { client_peak_mib, server_peak_mib, ..figures.swap_remove(middle) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_measurements_the_one_in_the_middle_counts_and_the_highest_peak() {
        let figure = |seconds, peak| Figure { seconds, client_peak_mib: Some(peak), ..Figure::default() };
        let chosen = median(vec![figure(3.0, 10.0), figure(1.0, 30.0), figure(2.0, 20.0)]).expect("there are some");
        assert_eq!((chosen.seconds, chosen.client_peak_mib, chosen.server_peak_mib), (2.0, Some(30.0), None));
        assert!(median(Vec::new()).is_none());
    }

    #[test]
    fn a_figure_that_was_written_is_read_again_as_it_was() {
        let mut figure =
            Figure { engine: "rust-rust", seconds: 1.5, ..Figure::default() }.named("writer", Database::Postgres, 7);
        figure.traffic = Some(Traffic { requests: 9, sent: 8, received: 7 });
        figure.more.insert("writes".to_owned(), 3.into());
        let written = figure.to_json();
        assert_eq!(Figure::from_json(&written).expect("it is one").to_json(), written);
    }

    #[test]
    fn every_figure_has_the_keys_that_readers_of_the_json_look_for() {
        let json = Figure { engine: "floor", ..Figure::default() }.to_json();
        let keys = [
            "scenario",
            "engine",
            "database",
            "records",
            "seconds",
            "records_per_second",
            "bytes_sent",
            "bytes_received",
            "requests",
            "client_peak_mib",
            "server_peak_mib",
            "stages",
        ];
        assert!(keys.iter().all(|key| json.get(key).is_some()), "{json}");
    }
}
