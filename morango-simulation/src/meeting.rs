//! One device syncs with another, with all that goes wrong in between.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use morango::engine::{SyncOptions, SyncReport};
use morango::id::SyncSessionId;
use morango::session::{Capabilities, Capability, Stage};
use morango::{Error, ErrorKind};

use crate::faults::{Strike, Struck};
use crate::line::{Course, Ended, Line, Meanwhile};
use crate::papers::Reach;
use crate::plan::{Blow, Edit, End, Mishap, Sync, Ways};
use crate::work;
use crate::world::{HOME, World};

impl World {
    /// One sync, as the plan says.
    pub(crate) fn sync(&mut self, step: u32, sync: &Sync) -> Result<String, String> {
        let Some(sync) = &self.with_whom_it_can(sync) else { return Ok("nobody to meet".to_owned()) };
        let (client, server) = (&self.nodes[sync.client], &self.nodes[sync.server]);
        let edits = Arc::new(Mutex::new(Vec::new()));
        let blows = |end| {
            let of_any = sync.storage.iter().map(|(at, call, blow)| (*at, None, *call, *blow));
            let of_verbs = sync.verbs.iter().map(|(at, verb, call, blow)| (*at, Some(verb.clone()), *call, *blow));
            let all = of_any.chain(of_verbs).filter(|(at, ..)| *at == end);
            all.map(|(_, verb, call, blow)| Strike { verb, call, blow }).collect()
        };
        let course = Course {
            responder: server.responder.clone(),
            client: Arc::clone(&client.power),
            server: Arc::clone(&server.power),
            time: self.time.clone(),
            mishaps: sync.line.clone(),
            capabilities: capabilities(sync),
            meanwhile: self.meanwhile(sync, &edits),
            reaches: [client.character.reach.clone(), server.character.reach.clone()],
        };
        let left_open = if sync.resumes { self.left_open(sync) } else { None };
        let line = Line::new(course);
        client.power.arm(blows(End::Client));
        server.power.arm(blows(End::Server));
        client.power.turnstile.set_client(true);
        let outcome = client.engine.sync(&line, client.certificate, options(sync));
        client.power.turnstile.set_client(false);
        let Ended { happened, calls, late, wrongs, faults } = line.end();
        let struck = [sync.client, sync.server].map(|node| self.nodes[node].power.disarm());
        self.keep_late(step, sync.server, late);
        self.count(sync, &happened, &struck, left_open, &outcome);
        for what in edits.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            self.report.add(format!("an edit during a sync: {what:?}"));
            self.report.add("an edit during a sync");
        }
        let [_, struck_there] = &struck;
        if let Some(wrong) = wrongs.first().or_else(|| faults.first().filter(|_| struck_there.is_empty())) {
            return Err(wrong.clone());
        }
        if let Err(error) = &outcome {
            if let Some(wrong) = fault_of_ours(error) {
                return Err(format!("a sync fails by a fault of ours: {wrong}"));
            }
            if !sync.is_disturbed() {
                return Err(format!("a sync fails that nothing disturbed: {}", error.report()));
            }
        }
        let mut told = tell(&outcome);
        for node in [sync.client, sync.server] {
            if self.nodes[node].power.is_off() {
                self.nodes[node].restart();
            }
            let seen = self.look_at(node)?;
            write!(told, ", {seen}").expect("it is written in memory");
        }
        write!(told, ", {calls} calls").expect("it is written in memory");
        Ok(told)
    }

    /// The devices of two learners have nothing that both may see and one may write: the one meets a school device instead.
    fn with_whom_it_can(&self, sync: &Sync) -> Option<Sync> {
        let [client, server] = [sync.client, sync.server].map(|node| &self.nodes[node].character.reach);
        let mut sync = sync.clone();
        if matches!((client, server), (Reach::Learner(ours), Reach::Learner(theirs)) if ours != theirs) {
            sync.server = HOME;
        }
        (sync.client != sync.server).then_some(sync)
    }

    /// What applications do while the two sync.
    fn meanwhile(&self, sync: &Sync, done: &Arc<Mutex<Vec<work::Outcome>>>) -> Meanwhile {
        let places = [sync.client, sync.server].map(|node| {
            let node = &self.nodes[node];
            (node.worker.clone(), node.shared_desk(), Arc::clone(&node.power))
        });
        let (edits, ledger, done) = (sync.meanwhile.clone(), self.shared_ledger(), Arc::clone(done));
        Box::new(move |number| {
            for (_, end, edit) in edits.iter().filter(|(call, ..)| *call == number) {
                let (worker, desk, power) = &places[usize::from(*end == End::Server)];
                if power.is_off() {
                    continue;
                }
                let edit = Edit { node: worker.node, ..edit.clone() };
                let mut desk = desk.lock().unwrap_or_else(PoisonError::into_inner);
                let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
                let outcome = work::edit(worker, &mut desk, &mut ledger, &edit).unwrap_or(work::Outcome::Refused);
                done.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
            }
        })
    }

    /// The sync of these two that was broken off last, and at which stage.
    fn left_open(&self, sync: &Sync) -> Option<(SyncSessionId, Stage)> {
        let (client, server) = (&self.nodes[sync.client], &self.nodes[sync.server]);
        let instance = server.engine.instance().id;
        let unfinished = client.engine.unfinished().ok()?;
        let ours = unfinished.iter().find(|unfinished| unfinished.peer_instance == Some(instance))?;
        let begun = ours.transfers.first()?;
        Some((ours.sync_session, begun.stage))
    }

    fn count(
        &mut self,
        sync: &Sync,
        happened: &[(&'static str, Mishap)],
        struck: &[Vec<Struck>; 2],
        left_open: Option<(SyncSessionId, Stage)>,
        outcome: &Result<SyncReport, Error>,
    ) {
        let report = &mut self.report;
        for (call, mishap) in happened {
            let what = match mishap {
                Mishap::RequestLost => "a request lost",
                Mishap::AnswerLost => "an answer lost",
                Mishap::Doubled => "a request doubled",
                Mishap::Slow(_) => "a slow line",
                Mishap::Late(_) => "a request late",
                Mishap::CutOff => "a line cut off",
            };
            report.add(what);
            report.add(format!("{what}: {call}"));
        }
        for Struck { verb, blow } in struck.iter().flatten() {
            let (what, ending) = match blow {
                Blow::Fails => ("a storage fails", "at"),
                Blow::Busy => ("a storage is busy", "at"),
                Blow::DiesBefore => ("a crash before a call", "a crash before"),
                Blow::DiesWithin(_) => ("a crash within a call", "a crash within"),
                Blow::DiesAfter => ("a crash after a call", "a crash after"),
            };
            report.add(what);
            let told = if ending == "at" { format!("{what}: {verb}") } else { format!("{ending} {verb}") };
            report.add(told);
        }
        match outcome {
            Ok(done) => {
                report.add("a sync that went well");
                if let Some((id, stage)) = left_open {
                    let is_resumed = done.sync_session == id;
                    let what = if is_resumed {
                        format!("a resume at {stage}")
                    } else {
                        "a sync that could not be taken up".to_owned()
                    };
                    report.add(what);
                }
                for transfer in [&done.pull, &done.push].into_iter().flatten() {
                    if let Some(dequeued) = transfer.dequeue {
                        report.add_many("a conflict where it was received", dequeued.conflicts);
                    }
                }
            }
            Err(error) => report.add(format!("a sync that failed: {}", error.kind().code())),
        }
        if sync.is_old {
            report.add("a sync without new capabilities");
        }
    }
}

/// What both sides can do at most: some syncs are those of old peers.
fn capabilities(sync: &Sync) -> Capabilities {
    match (sync.is_old, sync.chunk) {
        (false, _) => Capabilities::ours(),
        (true, ..3) => [Capability::FsicV2Format].into_iter().collect(),
        (true, 3) => [Capability::AsyncOperations].into_iter().collect(),
        (true, _) => Capabilities::default(),
    }
}

fn options(sync: &Sync) -> SyncOptions {
    let options = match sync.ways {
        Ways::Both => SyncOptions::both_ways(),
        Ways::Pull => SyncOptions::pull(),
        Ways::Push => SyncOptions::push(),
    };
    let options = options.chunk_size(sync.chunk);
    let options = if sync.resumes { options.resume_if_possible() } else { options };
    if sync.keeps_open { options.keep_open() } else { options }
}

/// What no line and no storage can be the cause of.
fn fault_of_ours(error: &Error) -> Option<String> {
    matches!(error.kind(), ErrorKind::Internal | ErrorKind::StorageCorrupt | ErrorKind::PeerAnswerUnexpected)
        .then(|| error.report())
}

fn tell(outcome: &Result<SyncReport, Error>) -> String {
    match outcome {
        Ok(report) => {
            let told = [&report.pull, &report.push]
                .map(|transfer| transfer.as_ref().map(|transfer| (transfer.records_transferred, transfer.dequeue)));
            format!("synced {told:?}")
        }
        Err(error) => format!("failed {}", error.kind().code()),
    }
}
