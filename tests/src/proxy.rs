//! Something between two peers: it passes on what it gets, unless a story wants an answer changed, cut, lost or held back.

use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::http::{Answer, Request, address_of};
use crate::scripted::{Reply, Scripted};

/// A proxy on loopback in front of one server. It ends when it is dropped.
pub struct Proxy(Scripted);

/// The way on to the server behind a proxy.
pub struct Onward {
    url: String,
}

impl Onward {
    /// The way to the server at this URL.
    pub fn to(url: &str) -> Self {
        Self { url: url.to_owned() }
    }
}

impl Proxy {
    /// Begins to listen in front of the server at `url`. The closure decides about every request: it may pass it on (changed,
    /// twice or not at all), and change what comes back. It may block to hold an answer back.
    pub fn start(url: &str, decide: impl Fn(&Request, &Onward) -> Reply + Send + Sync + 'static) -> Self {
        let onward = Onward::to(url);
        Self(Scripted::start(move |request| decide(request, &onward)))
    }

    /// Begins to listen in front of several servers of one peer: every request goes to the next of them that is there.
    pub fn in_turns(urls: &[String]) -> Self {
        let servers: Vec<Onward> = urls.iter().map(|url| Onward::to(url)).collect();
        let turn = AtomicUsize::new(0);
        Self(Scripted::start(move |request| {
            let mut next = (0..servers.len()).map(|_| &servers[turn.fetch_add(1, Ordering::SeqCst) % servers.len()]);
            next.find(|server| server.is_there()).map_or(Reply::HangUp, |server| server.forward(request))
        }))
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// The requests so far, for example `POST nonces/`, in the order in which they came.
    pub fn seen(&self) -> Vec<String> {
        self.0.seen()
    }
}

impl Onward {
    /// Whether somebody listens there.
    fn is_there(&self) -> bool {
        TcpStream::connect(address_of(&self.url)).is_ok()
    }

    /// Passes a request on. The answer comes back uncompressed; a server that cannot be reached hangs up.
    pub fn forward(&self, request: &Request) -> Reply {
        let mut passed = request.clone();
        passed.headers.retain(|(name, _)| {
            ["host", "connection", "content-length", "transfer-encoding", "accept-encoding"]
                .iter()
                .all(|own| !name.eq_ignore_ascii_case(own))
        });
        match passed.try_send(&self.url) {
            Ok(answer) => Reply::Whole(without_line(answer)),
            Err(_) => Reply::HangUp,
        }
    }
}

/// The answer without what is said of the line that it came on.
fn without_line(mut answer: Answer) -> Answer {
    answer.headers.retain(|(name, _)| {
        ["connection", "content-length", "transfer-encoding"].iter().all(|own| !name.eq_ignore_ascii_case(own))
    });
    answer
}
