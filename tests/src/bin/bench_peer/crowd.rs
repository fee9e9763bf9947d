//! Many devices in one process, each with a file, a key and an engine of its own, which sync at one moment.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use morango::client::HttpPeer;
use morango::port::{Clock, Credentials, SystemClock};
use morango::prelude::*;
use morango_examples::school;
use serde_json::{Value, json};

use crate::home::{Home, over};
use crate::{Outcome, data, holdings};

/// Devices of one school.
pub(crate) struct Crowd(Vec<Member>);

struct Member {
    home: Home,
    engine: Engine,
    certificate: CertificateId,
}

/// A clock that counts its pauses: a client pauses for nothing but to make a call again.
#[derive(Default)]
struct Counting {
    clock: SystemClock,
    pauses: AtomicU64,
}

impl Crowd {
    /// Makes so many devices. Each is granted a certificate of the whole school, pulls what there is of it, and makes records of its own.
    pub(crate) fn gather(
        folder: &Path,
        urls: &[String],
        dataset: &str,
        (devices, records): (u64, u64),
    ) -> Outcome<Self> {
        let root: CertificateId = dataset.parse()?;
        let mut members = Vec::new();
        for (number, url) in (0..devices).zip(urls.iter().cycle()) {
            let home = Home::open(&folder.join(format!("device-{number}.db")).display().to_string())?;
            let engine = home.engine()?;
            let peer = HttpPeer::new(url)?;
            let (params, credentials) = ([("dataset_id", dataset)], Credentials::new("admin", "secret"));
            let certificate =
                engine.request_certificate(&peer, root, school::FULL_FACILITY, &params, &credentials)?.id();
            engine.sync(&peer, certificate, SyncOptions::pull())?;
            over!(&mut home.connect()?, connection => data::fill(connection, root.into(), records, 1))?;
            members.push(Member { home, engine, certificate });
        }
        Ok(Self(members))
    }

    /// Has all of them sync both ways at once, and tells of each how that went. In another round each calls another server.
    pub(crate) fn sync(&self, urls: &[String], round: usize) -> Value {
        thread::scope(|scope| {
            let members = self.0.iter().enumerate();
            let syncs: Vec<_> = members
                .map(|(number, member)| {
                    let url = &urls[(number + round) % urls.len()];
                    scope.spawn(move || member.sync(url))
                })
                .collect();
            syncs.into_iter().map(|sync| sync.join().unwrap_or_else(|_| json!({"failure": "it panicked"}))).collect()
        })
    }

    /// What each of them holds.
    pub(crate) fn holdings(&self) -> Outcome<Value> {
        self.0.iter().map(|member| holdings::of(&member.engine, &member.home)).collect()
    }
}

impl Member {
    fn sync(&self, url: &str) -> Value {
        let clock = Arc::new(Counting::default());
        let started = Instant::now();
        let outcome = HttpPeer::builder(url)
            .clock(Arc::clone(&clock) as Arc<dyn Clock>)
            .build()
            .and_then(|peer| self.engine.sync(&peer, self.certificate, SyncOptions::both_ways()));
        let seconds = started.elapsed().as_secs_f64();
        let (moved, failure) = match outcome {
            Ok(report) => {
                let transfers: Vec<&TransferReport> = report.pull.iter().chain(&report.push).collect();
                let is_clean = transfers.iter().all(|transfer| transfer.is_clean());
                let failure = (!is_clean).then(|| format!("not everything arrived as it should: {report}"));
                (transfers.iter().map(|transfer| transfer.records_transferred).sum(), failure)
            }
            Err(error) => (0_u64, Some(error.report())),
        };
        let retries = clock.pauses.load(Ordering::Relaxed);
        json!({"seconds": seconds, "moved": moved, "retries": retries, "failure": failure})
    }
}

impl Clock for Counting {
    fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    fn pause(&self, duration: Duration) {
        self.pauses.fetch_add(1, Ordering::Relaxed);
        self.clock.pause(duration);
    }
}
