//! Two measured peers of one school: a server that holds its root certificate, and a client with a certificate below it.

use serde_json::{Value, json};

use super::figure::{Figure, Traffic};
use super::line::Line;
use super::peer::{Make, Peer, Seat};

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

/// How the two reach each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Straight: nothing between them takes time. Our client counts the bytes of bodies itself.
    Straight,
    /// Through a line that counts what goes over it, heads of requests and answers too.
    Counted,
    /// The same, and our client takes the server to be far away: it compresses, as it does with every server that is not on its
    /// own machine. A Python client knows no such difference.
    Far,
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
    /// Starts both at these seats, over a line that is as quick as this machine.
    pub(crate) fn start(engines: Engines, client: &Seat, server: &Seat) -> Result<Self, String> {
        let mut server = Peer::start(engines.server, server)?;
        let mut client = Peer::start(engines.client, client)?;
        let root = server.ask(&json!({"do": "create_root"}))?;
        let dataset = root["certificate"]["id"].as_str().ok_or("a root certificate without an id")?.to_owned();
        server.ask(&json!({"do": "add_user", "username": "admin", "password": "secret"}))?;
        let certificate = request(&mut client, &server.url, &dataset, &dataset)?;
        let line = Line::to(&server.url)?;
        Ok(Self { engines, client, server, dataset, certificate, line })
    }

    /// Starts both processes anew, so that nothing counts in their memory but what comes.
    pub(crate) fn restart(&mut self) -> Result<(), String> {
        self.server.restart()?;
        self.client.restart()?;
        self.line = Line::to(&self.server.url)?;
        Ok(())
    }

    /// Syncs once, and says what was measured.
    pub(crate) fn sync(&mut self, direction: Direction, way: Way) -> Result<Figure, String> {
        let url = if way == Way::Straight { self.server.url.clone() } else { self.line.url() };
        let direction = match direction {
            Direction::Pull => "pull",
            Direction::Push => "push",
        };
        let mut command =
            json!({"do": "sync", "url": url, "direction": direction, "client_certificate": self.certificate});
        if self.engines.client == Make::Rust {
            command["is_far"] = (way == Way::Far).into();
        }
        self.client.forget_the_peak();
        self.server.forget_the_peak();
        let busy = (self.client.cpu_seconds(), self.server.cpu_seconds());
        let before = self.line.counted();
        let (answer, seconds) = self.client.time(&command)?;
        let mut figure = self.figure(&answer, seconds);
        figure.client_cpu_seconds = since(busy.0, self.client.cpu_seconds());
        figure.server_cpu_seconds = since(busy.1, self.server.cpu_seconds());
        if way != Way::Straight {
            let now = self.line.counted();
            figure.traffic = Some(Traffic {
                requests: now.requests - before.requests,
                sent: now.sent - before.sent,
                received: now.received - before.received,
            });
        }
        Ok(figure)
    }

    /// Lets the client be a server to another one: what it pulled from the first server it now gives.
    ///
    /// It holds a certificate of the whole school, from which it may grant another.
    pub(crate) fn hand_over(self, make: Make, seat: &Seat) -> Result<Self, String> {
        let Self { engines, client: mut server, dataset, certificate, .. } = self;
        let mut client = Peer::start(make, seat)?;
        server.ask(&json!({"do": "add_user", "username": "admin", "password": "secret"}))?;
        let certificate = request(&mut client, &server.url, &dataset, &certificate)?;
        let line = Line::to(&server.url)?;
        Ok(Self {
            engines: Engines { client: make, server: engines.client },
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

    fn figure(&self, answer: &Value, seconds: f64) -> Figure {
        let count = |name: &str| answer[name].as_u64();
        let traffic =
            |requests| Some(Traffic { requests, sent: count("bytes_sent")?, received: count("bytes_received")? });
        Figure {
            engine: self.engines.name(),
            has_pauses: self.engines.has_pauses(),
            records: count("records_transferred").unwrap_or(0),
            seconds,
            traffic: count("requests").and_then(traffic),
            client_peak_mib: self.client.peak_mib(),
            server_peak_mib: self.server.peak_mib(),
            seconds_paused: answer["seconds_paused"].as_f64(),
            stages: answer["stages"].as_object().cloned().unwrap_or_default(),
            conflicts: count("conflicts"),
            ..Figure::default()
        }
    }
}

/// What lies between two readings of a clock, where there is one.
fn since(before: Option<f64>, after: Option<f64>) -> Option<f64> {
    Some(after? - before?)
}

/// A certificate for the whole school, granted by a server from the one that it holds itself.
fn request(client: &mut Peer, url: &str, dataset: &str, parent: &str) -> Result<String, String> {
    // A Python client looks for the parent among what the server holds under the root; ours asks for it by name.
    let parent = if client.make == Make::Rust { parent } else { dataset };
    let certificate = client.ask(&json!({
        "do": "request_certificate", "url": url, "primary_partition": parent, "scope_definition": "full-facility",
        "scope_params": {"dataset_id": dataset}, "userargs": "admin", "password": "secret",
    }))?;
    certificate.as_str().map(str::to_owned).ok_or_else(|| "a certificate without an id".to_owned())
}
