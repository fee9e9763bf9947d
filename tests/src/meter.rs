//! A line that counts: whatever two peers say to each other goes through it as it is, byte for byte, heads and all.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use crate::http::address_of;

/// What begins each request that a peer makes on a connection.
const METHODS: [&[u8]; 4] = [b"GET /", b"POST /", b"PATCH /", b"DELETE /"];

/// A line on loopback to one server. It takes nobody any more when it is dropped.
pub struct Meter {
    address: SocketAddr,
    counted: Arc<Counted>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Counted {
    sent: AtomicU64,
    received: AtomicU64,
    /// The line with which each request begins.
    requests: Mutex<Vec<String>>,
    has_ended: AtomicBool,
}

/// What went over a line since it was last read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Bytes from client to server.
    pub sent: u64,
    /// Bytes from server to client.
    pub received: u64,
    /// The line with which each request began, for example `POST /api/morango/v1/nonces/ HTTP/1.1`.
    pub requests: Vec<String>,
}

impl Meter {
    /// A line to the server at `url`.
    pub fn to(url: &str) -> Self {
        let server = address_of(url).to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let address = listener.local_addr().expect("it has an address");
        let counted = Arc::new(Counted::default());
        let shared = Arc::clone(&counted);
        let accepting = thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if shared.has_ended.load(Ordering::SeqCst) {
                    return;
                }
                if let Ok(server) = TcpStream::connect(&server) {
                    join(&client, &server, &shared);
                }
            }
        });
        Self { address, counted, accepting: Some(accepting) }
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// What went over it since it was last read.
    pub fn read(&self) -> Reading {
        Reading {
            sent: self.counted.sent.swap(0, Ordering::SeqCst),
            received: self.counted.received.swap(0, Ordering::SeqCst),
            requests: std::mem::take(&mut *self.counted.requests.lock().expect("no story panics with the lock")),
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.counted.has_ended.store(true, Ordering::SeqCst);
        // A caller of its own makes it look up from waiting for one.
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

/// Passes on what both say, on a thread for each way.
fn join(client: &TcpStream, server: &TcpStream, counted: &Arc<Counted>) {
    for (from, to, way) in [(client, server, Way::There), (server, client, Way::Back)] {
        let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else { return };
        let counted = Arc::clone(counted);
        thread::spawn(move || pass_on(from, to, &counted, way));
    }
}

/// Which way bytes go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// From client to server.
    There,
    /// From server to client.
    Back,
}

/// It is counted before it is passed on: whoever has heard an answer finds it counted.
fn pass_on(mut from: TcpStream, mut to: TcpStream, counted: &Counted, way: Way) {
    let _ = to.set_nodelay(true);
    let mut piece = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        let bytes = &piece[..length];
        let count = if way == Way::There { &counted.sent } else { &counted.received };
        count.fetch_add(length as u64, Ordering::SeqCst);
        // Clients send a request's head in one piece, and never two requests at once on one connection.
        if way == Way::There && METHODS.iter().any(|method| bytes.starts_with(method)) {
            let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
            let line = String::from_utf8_lossy(line).into_owned();
            counted.requests.lock().expect("no story panics with the lock").push(line);
        }
        if to.write_all(bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
