//! A server that answers as a story wants: wrongly, in part, or not at all.

use std::io::{self, BufReader};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use crate::http::{Answer, Request};

/// What a server does with a request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// It answers.
    Whole(Answer),
    /// It promises the whole answer, sends so many bytes of the body, and closes the line.
    Cut(Answer, usize),
    /// It closes the line without a word.
    HangUp,
}

impl Reply {
    /// The reply with its answer changed, where it has one.
    #[must_use]
    pub fn change(self, change: impl FnOnce(Answer) -> Answer) -> Self {
        match self {
            Self::Whole(answer) => Self::Whole(change(answer)),
            Self::Cut(answer, bytes) => Self::Cut(change(answer), bytes),
            Self::HangUp => Self::HangUp,
        }
    }

    /// The reply cut after so many bytes of its body.
    #[must_use]
    pub fn cut(self, bytes: usize) -> Self {
        match self {
            Self::Whole(answer) | Self::Cut(answer, _) => Self::Cut(answer, bytes),
            Self::HangUp => Self::HangUp,
        }
    }
}

/// A server on loopback whose every reply a closure decides. It ends when it is dropped.
pub struct Scripted {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    decide: Box<dyn Fn(&Request) -> Reply + Send + Sync>,
    seen: Mutex<Vec<String>>,
    lines: Mutex<Vec<TcpStream>>,
    has_ended: AtomicBool,
}

impl Scripted {
    /// Begins to listen. The closure is called on a thread for each line; it may block to hold an answer back.
    pub fn start(decide: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let address = listener.local_addr().expect("it has an address");
        let shared = Arc::new(Shared {
            decide: Box::new(decide),
            seen: Mutex::default(),
            lines: Mutex::default(),
            has_ended: AtomicBool::new(false),
        });
        let accepting = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.accept(&listener)
        });
        Self { address, shared, accepting: Some(accepting) }
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// The requests so far, for example `PATCH transfersessions/ID/`, in the order in which they came.
    pub fn seen(&self) -> Vec<String> {
        self.shared.seen.lock().expect("no story panics with the lock").clone()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.shared.has_ended.store(true, Ordering::SeqCst);
        // A caller of its own makes it look up from waiting for one.
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
        for line in self.shared.lines.lock().expect("no story panics with the lock").drain(..) {
            let _ = line.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn accept(self: Arc<Self>, listener: &TcpListener) {
        for line in listener.incoming() {
            if self.has_ended.load(Ordering::SeqCst) {
                return;
            }
            let Ok(line) = line else { continue };
            if let Ok(copy) = line.try_clone() {
                self.lines.lock().expect("no story panics with the lock").push(copy);
            }
            let shared = Arc::clone(&self);
            // A line that breaks is the caller's to notice.
            thread::spawn(move || drop(shared.serve(line)));
        }
    }

    fn serve(&self, mut line: TcpStream) -> io::Result<()> {
        line.set_nodelay(true)?;
        let mut reader = BufReader::new(line.try_clone()?);
        while let Some(request) = Request::read(&mut reader)? {
            self.seen.lock().expect("no story panics with the lock").push(request.call());
            match (self.decide)(&request) {
                Reply::Whole(answer) => answer.write(&mut line, usize::MAX)?,
                Reply::Cut(answer, bytes) => {
                    answer.write(&mut line, bytes)?;
                    return line.shutdown(Shutdown::Both);
                }
                Reply::HangUp => return line.shutdown(Shutdown::Both),
            }
        }
        Ok(())
    }
}
