//! Two measured peers of one school: a server that holds its root certificate, and a client with a certificate below it.

use std::path::Path;

use serde_json::{Value, json};

use super::figure::Figure;
use super::line::Line;
use super::peer::{Make, Peer};

/// Which two programs meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Engines {
    pub(crate) client: Make,
    pub(crate) server: Make,
}

impl Engines {
    pub(crate) const OURS: Self = Self { client: Make::Rust, server: Make::Rust };
    pub(crate) const OUR_CLIENT: Self = Self { client: Make::Rust, server: Make::Python };
    pub(crate) const OUR_SERVER: Self = Self { client: Make::Python, server: Make::Rust };
    pub(crate) const PYTHON: Self = Self { client: Make::Python, server: Make::Python };
    pub(crate) const PYTHON_AS_SHIPPED: Self = Self { client: Make::PythonAsShipped, server: Make::PythonAsShipped };

    /// The name in the figures: client first.
    pub(crate) fn name(self) -> &'static str {
        match (self.client, self.server) {
            (Make::Rust, Make::Rust) => "rust-rust",
            (Make::Rust, _) => "rust-python",
            (_, Make::Rust) => "python-rust",
            (_, _) => "python-python",
        }
    }

    /// Whether the pauses of the Python package are among the seconds.
    pub(crate) fn has_pauses(self) -> bool {
        self.client == Make::PythonAsShipped
    }
}

/// Which way records go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Pull,
    Push,
}

/// A client and a server who can sync, with nothing but the school itself.
pub(crate) struct Pair {
    pub(crate) engines: Engines,
    pub(crate) client: Peer,
    pub(crate) server: Peer,
    pub(crate) dataset: String,
    certificate: String,
    line: Line,
}

impl Pair {
    /// Starts both in this folder, over a line that is as quick as this machine.
    pub(crate) fn start(engines: Engines, folder: &Path) -> Result<Self, String> {
        let mut server = Peer::start(engines.server, &folder.join("server"))?;
        let mut client = Peer::start(engines.client, &folder.join("client"))?;
        let root = server.ask(&json!({"do": "create_root"}))?;
        let dataset = root["certificate"]["id"].as_str().ok_or("a root certificate without an id")?.to_owned();
        server.ask(&json!({"do": "add_user", "username": "admin", "password": "secret"}))?;
        let certificate = request(&mut client, &server.url, &dataset)?;
        let line = Line::to(&server.url)?;
        Ok(Self { engines, client, server, dataset, certificate, line })
    }

    /// Syncs once, straight from one to the other, and says what was measured.
    pub(crate) fn sync(&mut self, direction: Direction) -> Result<Figure, String> {
        let url = self.server.url.clone();
        let (answer, seconds) = self.measured(direction, &url, false)?;
        Ok(self.figure(&answer, seconds))
    }

    /// Syncs once through a line of which requests and bytes are counted, and which may be slow.
    pub(crate) fn sync_over_line(&mut self, direction: Direction, is_far: bool) -> Result<Figure, String> {
        let before = self.line.counted();
        let url = self.line.url();
        let (answer, seconds) = self.measured(direction, &url, is_far)?;
        let counted = self.line.counted() - before;
        let mut figure = self.figure(&answer, seconds);
        figure.bytes_sent = Some(counted.sent);
        figure.bytes_received = Some(counted.received);
        figure.requests = Some(counted.requests);
        Ok(figure)
    }

    /// Lets the client be a server to a second one of its kind: what it pulled from the first server it now gives.
    ///
    /// It holds a certificate of the whole school, from which it may grant another.
    pub(crate) fn hand_over(self, folder: &Path) -> Result<Self, String> {
        let Self { engines, client: mut server, dataset, .. } = self;
        let mut client = Peer::start(engines.client, &folder.join("second"))?;
        server.ask(&json!({"do": "add_user", "username": "admin", "password": "secret"}))?;
        let certificate = request(&mut client, &server.url, &dataset)?;
        let line = Line::to(&server.url)?;
        Ok(Self {
            engines: Engines { client: engines.client, server: engines.client },
            client,
            server,
            dataset,
            certificate,
            line,
        })
    }

    /// Makes the counted line as slow as this.
    pub(crate) fn slow_down(&self, round_trip_milliseconds: u64, bits_per_second: u64) {
        self.line.slow_down(round_trip_milliseconds, bits_per_second);
    }

    fn measured(&mut self, direction: Direction, url: &str, is_far: bool) -> Result<(Value, f64), String> {
        let direction = match direction {
            Direction::Pull => "pull",
            Direction::Push => "push",
        };
        let mut command =
            json!({"do": "sync", "url": url, "direction": direction, "client_certificate": self.certificate});
        if self.engines.client == Make::Rust {
            command["is_far"] = is_far.into();
        }
        self.client.forget_the_peak();
        self.server.forget_the_peak();
        self.client.time(&command)
    }

    fn figure(&self, answer: &Value, seconds: f64) -> Figure {
        Figure {
            engine: self.engines.name(),
            has_pauses: self.engines.has_pauses(),
            records: answer["records_transferred"].as_u64().unwrap_or(0),
            seconds,
            bytes_sent: answer["bytes_sent"].as_u64(),
            bytes_received: answer["bytes_received"].as_u64(),
            requests: answer["requests"].as_u64(),
            client_peak_mib: self.client.peak_mib(),
            server_peak_mib: self.server.peak_mib(),
            stages: answer["stages"].as_object().cloned().unwrap_or_default(),
            conflicts: answer["conflicts"].as_u64(),
            ..Figure::default()
        }
    }
}

/// A certificate for the whole school, granted by a server.
fn request(client: &mut Peer, url: &str, dataset: &str) -> Result<String, String> {
    let certificate = client.ask(&json!({
        "do": "request_certificate", "url": url, "primary_partition": dataset, "scope_definition": "full-facility",
        "scope_params": {"dataset_id": dataset}, "userargs": "admin", "password": "secret",
    }))?;
    certificate.as_str().map(str::to_owned).ok_or_else(|| "a certificate without an id".to_owned())
}
