//! The line between two measured peers: it passes bytes on, counts them and the requests, and may be as slow as a bad one.
//!
//! Slowness is that of a wire: each way bytes queue for their turn at so many bits a second, whichever connection they belong
//! to, and then each arrives half a round trip later. A new connection carries nothing before a round trip has passed, as that
//! of TCP. What TCP and IP add to the bytes, and the slow start of a connection, are left out.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::figure::Traffic;

/// Bytes that are passed on at one time by a slow line: few, so that it flows.
const PIECE_BYTES: usize = 1_024;
/// The same of a line that only counts.
const PIECE_BYTES_QUICK: usize = 64 * 1_024;

/// What begins each request that a peer makes on a connection.
const METHODS: [&[u8]; 4] = [b"GET /", b"POST /", b"PATCH /", b"DELETE /"];

/// One direction of a line: what it lets through, and until when it is busy with what went before.
struct Lane {
    bytes: AtomicU64,
    busy_until: Mutex<Instant>,
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// From client to server.
    There,
    /// From server to client.
    Back,
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

    /// What went over it so far.
    pub(crate) fn counted(&self) -> Traffic {
        Traffic {
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
    // Whoever connects sends, and is answered, before the first byte may go.
    let latency = Duration::from_millis(shared.latency_milliseconds.load(Ordering::Relaxed));
    let open_from = Instant::now() + 2 * latency;
    for (from, to, way) in [(client, server, Way::There), (server_too, client_too, Way::Back)] {
        let shared = Arc::clone(shared);
        std::thread::spawn(move || pass_on(from, to, &shared, way, open_from));
    }
}

fn pass_on(mut from: TcpStream, to: TcpStream, shared: &Shared, way: Way, open_from: Instant) {
    let lane = match way {
        Way::There => &shared.there,
        Way::Back => &shared.back,
    };
    let (sender, arriving) = channel::<(Instant, Vec<u8>)>();
    std::thread::spawn(move || arrive(to, &arriving));
    std::thread::sleep(open_from.saturating_duration_since(Instant::now()));
    let mut piece = vec![0; PIECE_BYTES_QUICK];
    loop {
        let is_slow = shared.bits_per_second.load(Ordering::Relaxed) > 0;
        let length_max = if is_slow { PIECE_BYTES } else { PIECE_BYTES_QUICK };
        let Ok(length @ 1..) = from.read(&mut piece[..length_max]) else { break };
        let bytes = &piece[..length];
        lane.bytes.fetch_add(length as u64, Ordering::Relaxed);
        // Clients send a request's head in one piece, and never two requests at once on one connection.
        if way == Way::There && METHODS.iter().any(|method| bytes.starts_with(method)) {
            shared.requests.fetch_add(1, Ordering::Relaxed);
        }
        let left = lane.leave(Instant::now(), length, shared.bits_per_second.load(Ordering::Relaxed));
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
    fn leave(&self, now: Instant, bytes: usize, bits_per_second: u64) -> Instant {
        let mut busy_until = self.busy_until.lock().unwrap_or_else(PoisonError::into_inner);
        let began = (*busy_until).max(now);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers every line with another one, and a line to it.
    fn line() -> Line {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it has an address");
        std::thread::spawn(move || {
            for mut client in listener.incoming().map_while(Result::ok) {
                let mut said = [0; 64];
                while let Ok(1..) = client.read(&mut said) {
                    if client.write_all(b"yes\n").is_err() {
                        break;
                    }
                }
            }
        });
        Line::to(&format!("http://{address}/")).expect("a line")
    }

    fn ask(client: &mut TcpStream, question: &str) -> Duration {
        let started = Instant::now();
        client.write_all(question.as_bytes()).expect("it is connected");
        let mut answer = [0; 4];
        client.read_exact(&mut answer).expect("an answer");
        started.elapsed()
    }

    #[test]
    fn a_line_counts_requests_and_the_bytes_of_each_way() {
        let line = line();
        let mut client = TcpStream::connect(("127.0.0.1", line.port)).expect("the line takes it");
        ask(&mut client, "GET / 1\n");
        ask(&mut client, "GET / 2\n");
        assert_eq!(line.counted(), Traffic { requests: 2, sent: 16, received: 8 });
    }

    #[test]
    fn on_a_slow_line_bytes_wait_for_those_that_went_before() {
        let now = Instant::now();
        let lane = Lane { bytes: AtomicU64::new(0), busy_until: Mutex::new(now) };
        let after = |milliseconds| now + Duration::from_millis(milliseconds);
        assert_eq!(lane.leave(now, 1_000, 64_000), after(125));
        assert_eq!(lane.leave(now, 1_000, 64_000), after(250));
        // Once they are gone, the line is free at once.
        assert_eq!(lane.leave(after(1_000), 8, 64_000), after(1_001));
        assert_eq!(lane.leave(after(2_000), 1_000, 0), after(2_000));
    }
}
