//! The line between two measured peers: it passes bytes on, counts them and the requests, and may be as slow as a bad one.
//!
//! Slowness is that of a wire: bytes queue for their turn at so many bits a second, and then each arrives half a round trip
//! later. Connections are kept as they are, so a client that opens one anew pays for that too.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::ops::Sub;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Bytes that are passed on at one time: small, so that a slow line flows.
const PIECE_BYTES: usize = 1_024;

/// What begins each request that a peer makes on a connection.
const METHODS: [&[u8]; 4] = [b"GET /", b"POST /", b"PATCH /", b"DELETE /"];

/// What went over a line.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counted {
    pub(crate) requests: u64,
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

impl Sub for Counted {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            requests: self.requests - earlier.requests,
            sent: self.sent - earlier.sent,
            received: self.received - earlier.received,
        }
    }
}

/// One direction of a line: what it lets through, and until when it is busy with what went before.
struct Lane {
    bytes: AtomicU64,
    busy_until: Mutex<Instant>,
}

struct Shared {
    requests: AtomicU64,
    there: Lane,
    back: Lane,
    latency_milliseconds: AtomicU64,
    /// 0 for no limit.
    bits_per_second: AtomicU64,
}

/// A line on loopback to a server.
pub(crate) struct Line {
    port: u16,
    shared: Arc<Shared>,
}

impl Line {
    /// A quick line to the server at this address.
    pub(crate) fn to(url: &str) -> Result<Self, String> {
        let address = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| format!("failed to open a line: {error}"))?;
        let port = listener.local_addr().map_err(|error| format!("failed to open a line: {error}"))?.port();
        let lane = || Lane { bytes: AtomicU64::new(0), busy_until: Mutex::new(Instant::now()) };
        let shared = Arc::new(Shared {
            requests: AtomicU64::new(0),
            there: lane(),
            back: lane(),
            latency_milliseconds: AtomicU64::new(0),
            bits_per_second: AtomicU64::new(0),
        });
        let served = Arc::clone(&shared);
        // It ends with this program: a line is as short-lived as the benchmark.
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if let Ok(server) = TcpStream::connect(&address) {
                    join(client, server, &served);
                }
            }
        });
        Ok(Self { port, shared })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    pub(crate) fn counted(&self) -> Counted {
        Counted {
            requests: self.shared.requests.load(Ordering::Relaxed),
            sent: self.shared.there.bytes.load(Ordering::Relaxed),
            received: self.shared.back.bytes.load(Ordering::Relaxed),
        }
    }

    /// From now on the line is as slow as this.
    pub(crate) fn slow_down(&self, round_trip_milliseconds: u64, bits_per_second: u64) {
        self.shared.latency_milliseconds.store(round_trip_milliseconds / 2, Ordering::Relaxed);
        self.shared.bits_per_second.store(bits_per_second, Ordering::Relaxed);
    }
}

/// Passes on what two ends say to each other, each way on threads of its own.
fn join(client: TcpStream, server: TcpStream, shared: &Arc<Shared>) {
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let (Ok(client_too), Ok(server_too)) = (client.try_clone(), server.try_clone()) else { return };
    for (from, to, is_there) in [(client, server, true), (server_too, client_too, false)] {
        let shared = Arc::clone(shared);
        std::thread::spawn(move || pass_on(from, to, &shared, is_there));
    }
}

fn pass_on(mut from: TcpStream, to: TcpStream, shared: &Shared, is_there: bool) {
    let lane = if is_there { &shared.there } else { &shared.back };
    let (sender, arriving) = channel::<(Instant, Vec<u8>)>();
    std::thread::spawn(move || arrive(to, &arriving));
    let mut piece =
        vec![0; if shared.bits_per_second.load(Ordering::Relaxed) > 0 { PIECE_BYTES } else { 64 * PIECE_BYTES }];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        let bytes = &piece[..length];
        lane.bytes.fetch_add(length as u64, Ordering::Relaxed);
        // Clients send a request's head in one piece, and never two requests at once on one connection.
        if is_there && METHODS.iter().any(|method| bytes.starts_with(method)) {
            shared.requests.fetch_add(1, Ordering::Relaxed);
        }
        let left = lane.leave(length, shared.bits_per_second.load(Ordering::Relaxed));
        // The sender cannot be quicker than the line for long: its socket fills up.
        std::thread::sleep(left.saturating_duration_since(Instant::now()));
        let latency = Duration::from_millis(shared.latency_milliseconds.load(Ordering::Relaxed));
        if sender.send((left + latency, bytes.to_vec())).is_err() {
            break;
        }
    }
}

impl Lane {
    /// When so many bytes have left, which wait for those that went before.
    fn leave(&self, bytes: usize, bits_per_second: u64) -> Instant {
        let mut busy_until = self.busy_until.lock().unwrap_or_else(PoisonError::into_inner);
        let began = (*busy_until).max(Instant::now());
        let nanoseconds = (bytes as u64 * 8 * 1_000_000_000).checked_div(bits_per_second).unwrap_or(0);
        *busy_until = began + Duration::from_nanos(nanoseconds);
        *busy_until
    }
}

fn arrive(mut to: TcpStream, arriving: &Receiver<(Instant, Vec<u8>)>) {
    for (when, bytes) in arriving {
        std::thread::sleep(when.saturating_duration_since(Instant::now()));
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
