//! What was measured, one line each: how it is written as JSON, and how the best of several is chosen.

use serde_json::{Map, Value, json};

/// One measurement.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figure {
    /// What was done, for example `first-pull`.
    pub(crate) scenario: String,
    /// Who met: `rust-rust`, client first, or `floor`.
    pub(crate) engine: &'static str,
    /// The kind of database on both sides.
    pub(crate) database: &'static str,
    /// Whether pauses of the Python package are among the seconds.
    pub(crate) has_pauses: bool,
    /// Records that lay on the side that sends before it began.
    pub(crate) size: u64,
    /// Records that went over.
    pub(crate) records: u64,
    pub(crate) seconds: f64,
    pub(crate) bytes_sent: Option<u64>,
    pub(crate) bytes_received: Option<u64>,
    pub(crate) requests: Option<u64>,
    pub(crate) client_peak_mib: Option<f64>,
    pub(crate) server_peak_mib: Option<f64>,
    /// Seconds of each stage, where the client says so.
    pub(crate) stages: Map<String, Value>,
    pub(crate) conflicts: Option<u64>,
    /// Figures that only this scenario has.
    pub(crate) more: Map<String, Value>,
}

impl Figure {
    pub(crate) fn named(mut self, scenario: &str, database: &'static str, size: u64) -> Self {
        scenario.clone_into(&mut self.scenario);
        self.database = database;
        self.size = size;
        self
    }

    #[expect(clippy::cast_precision_loss, reason = "a count of records is far below 2^52")]
    pub(crate) fn records_per_second(&self) -> f64 {
        if self.seconds > 0.0 { self.records as f64 / self.seconds } else { 0.0 }
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut object = json!({
            "scenario": self.scenario,
            "engine": self.engine,
            "database": self.database,
            "has_pauses": self.has_pauses,
            "size": self.size,
            "records": self.records,
            "seconds": self.seconds,
            "records_per_second": self.records_per_second(),
            "bytes_sent": self.bytes_sent,
            "bytes_received": self.bytes_received,
            "requests": self.requests,
            "client_peak_mib": self.client_peak_mib,
            "server_peak_mib": self.server_peak_mib,
            "stages": self.stages,
        });
        let map = object.as_object_mut().expect("it is an object");
        map.extend(self.more.clone());
        if let Some(conflicts) = self.conflicts {
            map.insert("conflicts".to_owned(), conflicts.into());
        }
        object
    }
}

/// The one of several measurements of the same that took neither long nor short.
pub(crate) fn median(mut figures: Vec<Figure>) -> Figure {
    figures.sort_by(|one, other| one.seconds.total_cmp(&other.seconds));
    let middle = figures.len() / 2;
    figures.swap_remove(middle)
}
