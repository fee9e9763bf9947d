//! A Python peer and one of ours: one calls, the other has founded a school and answers.

use std::collections::BTreeSet;
use std::path::Path;

use morango::client::HttpPeer;
use morango::port::Credentials;
use morango::prelude::*;
use morango::session::Capabilities;
use morango_examples::school::{Dataset, FULL_FACILITY, SINGLE_USER};
use morango_tests::compare::{
    assert_counters_cover, assert_equal_records_to_python, assert_equal_to_python, counters_of_python,
};
use morango_tests::database::Database;
use morango_tests::device::{Device, SchoolAccounts};
use morango_tests::given::{entitle, root};
use morango_tests::python::{Kind, PythonPeer, Refused, text};
use serde_json::{Value, json};

use super::side::Side;

/// Who calls whom.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    Rust,
    Python,
}

/// Who calls whom in a story, and what each of them is.
#[derive(Clone, Copy)]
pub(super) struct Cast {
    pub(super) caller: Caller,
    /// The database that we are on.
    pub(super) ours: Database,
    /// What the Python peer is.
    pub(super) theirs: Kind,
}

/// Two peers that meet.
pub(super) struct Meeting {
    pub(super) cast: Cast,
    pub(super) python: PythonPeer,
    pub(super) rust: Device,
    /// The id of the school, which is that of its root certificate.
    pub(super) dataset: String,
    /// Where the server answers.
    pub(super) url: String,
    granted: Option<Granted>,
    /// Whether records may be left waiting on our side.
    may_leave_waiting: bool,
}

/// The certificate in whose name the client speaks, and which partitions it reads and writes.
struct Granted {
    ours: Option<Certificate>,
    id: String,
    read: Vec<String>,
    write: Vec<String>,
}

impl Meeting {
    /// The server has a school, and the client a certificate for all of it. Nothing is synced yet.
    pub(super) fn begin(cast: Cast) -> Self {
        Self::begin_with(cast, &[])
    }

    /// The same; the Python peer is started with these flags.
    pub(super) fn begin_with(cast: Cast, flags: &[&str]) -> Self {
        let mut meeting = Self::of_strangers(cast, flags);
        meeting.open(None);
        meeting.request(FULL_FACILITY, None, "admin", "secret").expect("an administrator may have all");
        meeting
    }

    /// The server has a school. It does not answer yet, and the client has no certificate.
    ///
    /// Where Python calls, our side lacks what the other has switched off, too: the package's own client goes by what the server
    /// can do, whatever it was told to do without.
    pub(super) fn of_strangers(cast: Cast, flags: &[&str]) -> Self {
        let mut rust = Device::on(cast.ours, "Rust");
        if cast.caller == Caller::Python {
            let can = Capabilities::ours();
            rust.limit(cast.theirs.lacking().iter().fold(can, |all, lacking| all.without(*lacking)));
        }
        let mut python = PythonPeer::of_kind(cast.theirs, rust.folder(), "python", flags);
        let dataset = match cast.caller {
            Caller::Rust => {
                let fields = json!({"dataset": {"description": "Harbour School", "allow_guests": true}});
                text(&python.run("create_root", fields)["dataset"], "id")
            }
            Caller::Python => {
                entitle(&rust);
                let dataset: SyncId = root().id().into();
                rust.create(Dataset { id: dataset, description: "Harbour School".to_owned(), allow_guests: true });
                dataset.to_string()
            }
        };
        Self { cast, python, rust, dataset, url: String::new(), granted: None, may_leave_waiting: false }
    }

    /// The server opens, with accounts for `admin` and, where there is one, a learner of this name and id.
    pub(super) fn open(&mut self, learner: Option<(&str, &str)>) {
        match self.cast.caller {
            Caller::Rust => {
                self.python.run("add_user", json!({"username": "admin", "password": "secret", "role": "admin"}));
                if let Some((name, id)) = learner {
                    let fields = json!({"username": name, "password": "secret", "role": "learner", "user_id": id});
                    self.python.run("add_user", fields);
                }
                self.url.clone_from(&self.python.url);
            }
            Caller::Python => {
                let mut accounts = SchoolAccounts::admin();
                if let Some((name, id)) = learner {
                    accounts = accounts.with_learner(name, id.parse().expect("an id"));
                }
                self.url = self.rust.serve(accounts);
            }
        }
    }

    /// The client asks the server for a certificate: with a learner's id for the learner's own scope. The error is the
    /// status with which it was refused.
    pub(super) fn request(
        &mut self,
        scope: &str,
        learner: Option<&str>,
        user: &str,
        password: &str,
    ) -> Result<String, u64> {
        let dataset = self.dataset.clone();
        let mut params = vec![("dataset_id", dataset.as_str())];
        params.extend(learner.map(|id| ("user_id", id)));
        let (ours, id) = match self.cast.caller {
            Caller::Rust => {
                let peer = HttpPeer::new(&self.url).expect("the peer's address");
                let root: CertificateId = dataset.parse().expect("the root's id");
                let credentials = Credentials::new(user, password);
                let certificate = self
                    .rust
                    .engine
                    .request_certificate(&peer, root, scope, &params, &credentials)
                    .map_err(|error| status_of(&error))?;
                let id = certificate.id().to_string();
                (Some(certificate), id)
            }
            Caller::Python => {
                let scope_params: serde_json::Map<String, Value> =
                    params.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
                let request = json!({
                    "url": self.url, "parent_id": dataset, "scope_definition": scope,
                    "scope_params": scope_params, "userargs": user, "password": password,
                });
                let id = self.python.attempt("request_certificate", request).map_err(|refused| status_in(&refused))?;
                (None, id.as_str().expect("the id of the certificate").to_owned())
            }
        };
        let (read, write) = match learner.filter(|_| scope == SINGLE_USER) {
            Some(id) => (
                vec![
                    format!("{dataset}:allusers-ro"),
                    format!("{dataset}:user-ro:{id}"),
                    format!("{dataset}:user-rw:{id}"),
                ],
                vec![format!("{dataset}:user-wo:{id}"), format!("{dataset}:user-rw:{id}")],
            ),
            None => (vec![dataset.clone()], vec![dataset.clone()]),
        };
        self.granted = Some(Granted { ours, id: id.clone(), read, write });
        Ok(id)
    }

    /// A third device, of ours, with a certificate for the whole school from the server.
    pub(super) fn third(&self) -> (Device, Certificate) {
        let third = Device::on(self.cast.ours, "third");
        let root: CertificateId = self.dataset.parse().expect("the root's id");
        let certificate =
            third.request(&self.url, &root, FULL_FACILITY, &[("dataset_id", self.dataset.as_str())], "admin");
        (third, certificate)
    }

    /// The peer that calls.
    pub(super) fn client(&mut self) -> Side<'_> {
        match self.cast.caller {
            Caller::Rust => self.rust(),
            Caller::Python => self.python(),
        }
    }

    /// The peer that answers.
    pub(super) fn server(&mut self) -> Side<'_> {
        match self.cast.caller {
            Caller::Rust => self.python(),
            Caller::Python => self.rust(),
        }
    }

    /// A copy of the Python peer's database takes the place of what it had.
    pub(super) fn put_python_back(&mut self, backup: &Path) {
        self.python = self.python.restored(backup);
        if self.cast.caller == Caller::Rust {
            self.url.clone_from(&self.python.url);
        }
    }

    /// From now on records may wait on our side.
    pub(super) fn let_records_wait(&mut self) {
        self.may_leave_waiting = true;
    }

    /// Our peer.
    pub(super) fn rust(&mut self) -> Side<'_> {
        Side::Rust(&self.rust)
    }

    /// The Python peer.
    pub(super) fn python(&mut self) -> Side<'_> {
        Side::Python(&mut self.python)
    }

    /// The client pulls all that it may read; how many records moved.
    pub(super) fn pull(&mut self) -> u64 {
        let moved = self.transfer(Direction::Pull, None).unwrap_or_else(|status| panic!("refused with {status}"));
        let read = self.granted().read.clone();
        self.assert_counters(Direction::Pull, moved, &read);
        moved
    }

    /// The client pushes all that it may write; how many records moved.
    pub(super) fn push(&mut self) -> u64 {
        let moved = self.transfer(Direction::Push, None).unwrap_or_else(|status| panic!("refused with {status}"));
        let write = self.granted().write.clone();
        self.assert_counters(Direction::Push, moved, &write);
        moved
    }

    /// The client pulls all that it may read, whatever the two say of their counters; how many records moved.
    pub(super) fn pull_all(&mut self) -> u64 {
        self.transfer(Direction::Pull, None).unwrap_or_else(|status| panic!("refused with {status}"))
    }

    /// The client pushes all that it may write, whatever the two say of their counters; how many records moved.
    pub(super) fn push_all(&mut self) -> u64 {
        self.transfer(Direction::Push, None).unwrap_or_else(|status| panic!("refused with {status}"))
    }

    /// The client pulls and then pushes.
    pub(super) fn both_ways(&mut self) {
        self.pull_all();
        self.push_all();
    }

    /// What the Python peer has and we lack comes to us, whoever calls.
    pub(super) fn bring_from_python(&mut self) -> u64 {
        match self.cast.caller {
            Caller::Rust => self.pull(),
            Caller::Python => self.push(),
        }
    }

    /// What we have and the Python peer lacks goes there, whoever calls.
    pub(super) fn bring_to_python(&mut self) -> u64 {
        match self.cast.caller {
            Caller::Rust => self.push(),
            Caller::Python => self.pull(),
        }
    }

    /// A transfer under a filter, or under all that the certificate lets through. The error is the status of the refusal.
    pub(super) fn transfer(&mut self, direction: Direction, filter: Option<&[&str]>) -> Result<u64, u64> {
        match self.cast.caller {
            Caller::Rust => {
                let mut options = match direction {
                    Direction::Pull => SyncOptions::pull(),
                    Direction::Push => SyncOptions::push(),
                };
                if let Some(prefixes) = filter {
                    options = options.filter(Filter::new(prefixes.iter().copied()).expect("a filter"));
                }
                let certificate = self.granted().ours.clone().expect("we are the client");
                let report = match self.rust.attempt_sync(&self.url, &certificate, options) {
                    Ok(report) => report,
                    Err(error) if error.is_permission() => return Err(status_of(&error)),
                    Err(error) => panic!("we could not sync: {}", error.report()),
                };
                let report = report.pull.or(report.push).expect("one transfer was asked for");
                assert_eq!(report.records_transferred, report.records_total, "{report}");
                assert!(report.is_clean() || self.may_leave_waiting, "{report:#?}");
                Ok(report.records_transferred)
            }
            Caller::Python => {
                let mut request =
                    json!({"url": self.url, "direction": direction.as_str(), "client_certificate": self.granted().id});
                if let Some(prefixes) = filter {
                    request["filter"] = json!(prefixes);
                }
                let report = match self.python.attempt("sync", request) {
                    Ok(report) => report,
                    Err(refused) if is_permission(status_in(&refused)) => return Err(status_in(&refused)),
                    Err(Refused(error)) => panic!("Python could not sync: {error:#}"),
                };
                assert_eq!(report["records_transferred"], report["records_total"], "{report}");
                Ok(report["records_total"].as_u64().expect("a number of records"))
            }
        }
    }

    /// The certificate in whose name our side speaks.
    pub(super) fn our_certificate(&self) -> Certificate {
        let id: CertificateId = self.certificate_of_rust().parse().expect("an id");
        let stored = self.rust.storage().certificate(&id).expect("certificates can be read");
        stored.expect("we speak in its name").certificate
    }

    /// Where the server answers.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The certificate in whose name our side speaks: a parent for those of others.
    pub(super) fn certificate_of_rust(&self) -> &str {
        if self.cast.caller == Caller::Rust { &self.granted().id } else { &self.dataset }
    }

    /// The certificate in whose name the Python side speaks.
    pub(super) fn certificate_of_python(&self) -> &str {
        if self.cast.caller == Caller::Python { &self.granted().id } else { &self.dataset }
    }

    /// Asserts that both sides hold the same records and rows, all of them.
    pub(super) fn assert_equal(&mut self) {
        assert_equal_to_python(&self.rust, &mut self.python, &[]);
        assert_eq!(self.rust.waiting(), BTreeSet::new(), "no record waits to become a row");
    }

    /// Asserts that both sides hold the same records and rows under these prefixes.
    pub(super) fn assert_equal_under(&mut self, prefixes: &[&str]) {
        assert_equal_to_python(&self.rust, &mut self.python, prefixes);
    }

    /// Asserts that both sides hold the same records; their rows differ where one side lacks a field or model.
    pub(super) fn assert_equal_records(&mut self) {
        assert_equal_records_to_python(&self.rust, &mut self.python, &[]);
    }

    /// Asserts that the receiver says that it has all that the sender had. Where nothing moved, neither kind of peer notes
    /// anything: that is safe, as the next transfer compares anew.
    fn assert_counters(&mut self, direction: Direction, moved: u64, prefixes: &[String]) {
        let is_told = self.cast.caller == Caller::Rust || self.cast.theirs.tells_counters_when_calling();
        if moved == 0 || !is_told {
            return;
        }
        let prefixes: Vec<&str> = prefixes.iter().map(String::as_str).collect();
        let ours = self.rust.counters();
        let theirs = counters_of_python(&mut self.python);
        let we_receive = (self.cast.caller == Caller::Rust) == (direction == Direction::Pull);
        if we_receive {
            let records = self.python().records(&prefixes);
            assert_counters_cover(&ours, &theirs, &records, &prefixes);
        } else {
            let records = self.rust().records(&prefixes);
            assert_counters_cover(&theirs, &ours, &records, &prefixes);
        }
    }

    fn granted(&self) -> &Granted {
        self.granted.as_ref().expect("the client asked for a certificate before")
    }
}

/// Whether a server that answers with this status says: you may not.
fn is_permission(status: u64) -> bool {
    matches!(status, 401 | 403)
}

fn status_of(error: &morango::Error) -> u64 {
    match error.kind() {
        ErrorKind::Unauthenticated => 401,
        ErrorKind::Forbidden | ErrorKind::FilterOutsideScope | ErrorKind::CertificateExceedsParent => 403,
        _ => panic!("refused for another reason than permission: {error:?}"),
    }
}

/// The status that lies below an error of the Python peer, or 0.
fn status_in(Refused(error): &Refused) -> u64 {
    let mut error = error;
    loop {
        if let Some(status) = error["response"]["status"].as_u64() {
            return status;
        }
        match error.get("cause") {
            Some(cause) if cause.is_object() => error = cause,
            _ => return 0,
        }
    }
}
