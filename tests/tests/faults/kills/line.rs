//! The line between a client and a server: it counts what goes over, and kills at a request.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

use morango_tests::http::Request;
use morango_tests::process::Killer;
use morango_tests::proxy::{Onward, Proxy};
use morango_tests::scripted::Reply;
use serde_json::Value;

use super::host::Host;
use super::moment::{Manner, Turns};

/// A proxy in front of a server that is not always the same process.
pub(super) struct Line {
    proxy: Proxy,
    shared: Arc<Shared>,
}

/// Who is killed, at which request, and how.
pub(super) struct Strike {
    pub(super) request: usize,
    pub(super) manner: Manner,
    pub(super) victim: Victim,
}

/// A process that is to be killed.
pub(super) enum Victim {
    Client(Killer),
    /// The one that is there when it comes to that.
    Server(Afterwards),
}

/// What becomes of a server that was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Afterwards {
    /// Another process takes its place at once.
    StartedAgain,
    /// Nobody is there for a while.
    LeftDead,
}

struct Shared {
    host: Arc<Host>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    requests: usize,
    strike: Option<Strike>,
    striking: Vec<JoinHandle<()>>,
    struck: Option<String>,
    /// How often each record went over, by the call that it went with.
    times_sent: BTreeMap<(&'static str, String), usize>,
}

impl Line {
    pub(super) fn to(host: &Arc<Host>) -> Self {
        let shared = Arc::new(Shared { host: Arc::clone(host), state: Mutex::default() });
        // The address is that of the process of the moment, not the one that was there first.
        let proxy = Proxy::start(&host.url(), {
            let shared = Arc::clone(&shared);
            move |request, _| shared.answer(request)
        });
        Self { proxy, shared }
    }

    pub(super) fn url(&self) -> String {
        self.proxy.url()
    }

    /// Counts anew, from what `begin` starts. Nothing is answered before it has said who is to be killed.
    pub(super) fn count_anew<T>(&self, begin: impl FnOnce() -> (T, Option<Strike>)) -> T {
        let mut state = self.shared.state();
        let (process, strike) = begin();
        *state = State { strike, ..State::default() };
        process
    }

    /// How many requests have come.
    pub(super) fn requests(&self) -> usize {
        self.shared.state().requests
    }

    /// Whether the request came at which somebody was to be killed; returns when they have been.
    pub(super) fn has_struck(&self) -> bool {
        let striking = std::mem::take(&mut self.shared.state().striking);
        for thread in striking {
            thread.join().expect("whoever kills does not panic");
        }
        self.struck().is_some()
    }

    /// The request at which somebody was killed.
    pub(super) fn struck(&self) -> Option<String> {
        self.shared.state().struck.clone()
    }

    /// How many records went over more than once, from the server and to it.
    pub(super) fn records_sent_again(&self) -> usize {
        self.shared.state().times_sent.values().filter(|times| **times > 1).count()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no story panics with the lock")
    }

    fn answer(self: &Arc<Self>, request: &Request) -> Reply {
        let strike = {
            let mut state = self.state();
            let number = state.requests;
            state.requests += 1;
            if request.call() == "POST buffers/" {
                state.note("POST buffers/", &records_of(&unzipped(&request.body)));
            }
            let strike = state.strike.take_if(|strike| strike.request == number);
            if strike.is_some() {
                state.struck = Some(request.call());
            }
            strike
        };
        match strike {
            Some(strike) => self.strike(strike, request),
            None => self.forward(request),
        }
    }

    fn strike(self: &Arc<Self>, strike: Strike, request: &Request) -> Reply {
        let Strike { manner, victim, .. } = strike;
        match manner {
            Manner::Unsent => {
                self.kill_now(victim);
                Reply::HangUp
            }
            Manner::Meanwhile(turns) => {
                self.kill_after(turns, victim);
                self.forward(request)
            }
            Manner::Unanswered => {
                self.forward(request);
                self.kill_now(victim);
                Reply::HangUp
            }
            Manner::Cut(hundredths) => {
                let reply = self.forward(request);
                self.kill_now(victim);
                match reply {
                    Reply::Whole(answer) => {
                        let bytes = answer.body.len() * hundredths / 100;
                        Reply::Cut(answer, bytes)
                    }
                    other => other,
                }
            }
            Manner::After(turns) => {
                let reply = self.forward(request);
                self.kill_after(turns, victim);
                reply
            }
        }
    }

    fn kill_now(self: &Arc<Self>, victim: Victim) {
        // Nothing is ever sent: the line ends with the thread.
        let _ = self.kill_after(Turns::NONE, victim).recv();
    }

    /// Kills on a thread of its own, which whoever asks whether it has struck waits for.
    fn kill_after(self: &Arc<Self>, turns: Turns, victim: Victim) -> Receiver<()> {
        let (done, end) = channel::<()>();
        let host = Arc::clone(&self.host);
        let mut state = self.state();
        state.striking.push(thread::spawn(move || {
            turns.pass();
            match victim {
                Victim::Client(killer) => killer.kill(),
                Victim::Server(Afterwards::LeftDead) => host.killer().kill(),
                Victim::Server(Afterwards::StartedAgain) => host.start_again(""),
            }
            drop(done);
        }));
        end
    }

    /// Passes a request on. A chunk that the server answers has gone over, whatever becomes of the answer.
    fn forward(&self, request: &Request) -> Reply {
        let reply = Onward::to(&self.host.url()).forward(request);
        if let (Reply::Whole(answer), "GET buffers/") = (&reply, request.call().as_str()) {
            self.state().note("GET buffers/", &records_of(&answer.body));
        }
        reply
    }
}

impl State {
    fn note(&mut self, call: &'static str, records: &[String]) {
        for record in records {
            *self.times_sent.entry((call, record.clone())).or_default() += 1;
        }
    }
}

/// The ids of the records in a chunk.
fn records_of(body: &[u8]) -> Vec<String> {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let records = value.get("results").unwrap_or(&value).as_array().cloned().unwrap_or_default();
    records.iter().filter_map(|record| record["model_uuid"].as_str()).map(str::to_owned).collect()
}

fn unzipped(body: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    match flate2::read::GzDecoder::new(body).read_to_end(&mut plain) {
        Ok(_) => plain,
        Err(_) => body.to_vec(),
    }
}
