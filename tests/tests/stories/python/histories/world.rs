//! Three devices that live through a history: two of ours, and the Python peer. Each can call each.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use morango::id::{InstanceId, SyncId};
use morango::port::WaitingRecords;
use morango::prelude::*;
use morango::record::StoreRecord;
use morango_examples::school::{Dataset, FULL_FACILITY, PROFILE};
use morango_tests::compare::{Told, counters_of_python, members, record_of_python};
use morango_tests::database::Database;
use morango_tests::device::{Device, SchoolAccounts};
use morango_tests::given::{empty_device, root};
use morango_tests::python::{Kind, PythonPeer, Refused, text};
use serde_json::{Value, json};

use super::edits::Thing;
use super::plan::{Sync, Under, Who};
use crate::python::side::Side;

/// A device, while a history goes on.
pub(super) struct World {
    first: Device,
    second: Device,
    python: PythonPeer,
    /// Where each answers.
    urls: BTreeMap<Who, String>,
    /// In whose name the Python peer speaks.
    certificate_of_python: String,
    /// The id of the school.
    pub(super) dataset: String,
    /// Whatever was made so far, the oldest first.
    pub(super) things: Vec<Thing>,
}

/// Database max counters: partition, instance, counter.
pub(super) type Counters = BTreeSet<(String, String, i64)>;

/// What a device holds.
pub(super) struct Look {
    pub(super) records: BTreeMap<SyncId, StoreRecord>,
    /// The records that wait to become rows.
    pub(super) waiting: BTreeSet<SyncId>,
    pub(super) counters: Counters,
}

impl World {
    /// The first device founds a school, which the others get from it.
    pub(super) fn begin(ours: Database, theirs: Kind) -> Self {
        let mut first = empty_device(ours, "first");
        let mut second = empty_device(ours, "second");
        let mut python = PythonPeer::of_kind(theirs, first.folder(), "python", &["--with-extra"]);
        let dataset: SyncId = root().id().into();
        first.create(Dataset { id: dataset, description: "Harbour School".to_owned(), allow_guests: true });
        first.execute("CREATE UNIQUE INDEX one_of_each_name ON \"user\" (username)");
        let dataset = dataset.to_string();
        let urls = BTreeMap::from([
            (Who::First, first.serve(SchoolAccounts::admin())),
            (Who::Second, second.serve(SchoolAccounts::admin())),
            (Who::Python, python.url.clone()),
        ]);
        let request = json!({
            "url": urls[&Who::First], "parent_id": dataset, "scope_definition": FULL_FACILITY,
            "scope_params": {"dataset_id": dataset}, "userargs": "admin", "password": "secret",
        });
        let certificate = python.run("request_certificate", request);
        let certificate_of_python = certificate.as_str().expect("the id of the certificate").to_owned();
        let mut world = Self { first, second, python, urls, certificate_of_python, dataset, things: Vec::new() };
        world.furnish();
        world
    }

    pub(super) fn side(&mut self, who: Who) -> Side<'_> {
        match who {
            Who::First => Side::Rust(&self.first),
            Who::Second => Side::Rust(&self.second),
            Who::Python => Side::Python(&mut self.python),
        }
    }

    /// One of ours.
    fn device(&self, who: Who) -> Option<&Device> {
        match who {
            Who::First => Some(&self.first),
            Who::Second => Some(&self.second),
            Who::Python => None,
        }
    }

    pub(super) fn instance(&mut self, who: Who) -> InstanceId {
        self.side(who).instance().parse().expect("an instance's id")
    }

    /// The rows of a device, by id, without what ours have no column for.
    pub(super) fn rows(&mut self, who: Who) -> BTreeMap<String, Told> {
        let mut rows = self.side(who).rows();
        if who == Who::Python {
            let bulletins = self.python.rows("bulletin").into_iter().map(|row| (text(&row, "id"), members(row)));
            rows.extend(bulletins);
        }
        for row in rows.values_mut() {
            row.remove("nickname");
        }
        rows
    }

    pub(super) fn look(&mut self, who: Who) -> Look {
        if let Some(device) = self.device(who) {
            return Look { records: device.store(), waiting: device.waiting(), counters: device.counters() };
        }
        let told = self.python.store(PROFILE);
        let is_waiting = |record: &&Value| record["dirty_bit"] == true;
        Look {
            waiting: told.iter().filter(is_waiting).map(|record| record_of_python(record).id).collect(),
            records: told.iter().map(record_of_python).map(|record| (record.id, record)).collect(),
            counters: counters_of_python(&mut self.python),
        }
    }

    /// The changes of a device are brought into its store: all of them, or, as before a sync, those of the school.
    pub(super) fn serialize(&mut self, who: Who, filter: &Filter) {
        if let Some(device) = self.device(who) {
            let report = device.storage().serialize(PROFILE, filter, &|_| ControlFlow::Continue(()));
            let set_aside = report.expect("local changes are serialized").set_aside;
            assert!(set_aside.is_empty(), "{set_aside:?}");
        } else {
            let prefixes = if filter.is_everything() { Value::Null } else { json!(filter.prefixes()) };
            self.python.run("serialize", json!({"filter": prefixes}));
        }
    }

    /// What waits on a device is tried again.
    pub(super) fn deserialize(&mut self, who: Who) {
        self.serialize(who, &Filter::everything());
        match self.device(who) {
            Some(device) => {
                device.engine.retry_waiting(&WaitingRecords::of(PROFILE)).expect("it is tried again");
            }
            None => {
                self.python.run("deserialize", json!({}));
            }
        }
    }

    /// Two devices sync; how many records moved in each direction. The error is what the Python peer says when it fails in it.
    pub(super) fn sync(&mut self, sync: &Sync, filter: &Filter) -> Result<Vec<u64>, Refused> {
        let url = self.urls[&sync.server].clone();
        let Some(device) = self.device(sync.client) else {
            return self.sync_as_python(&url, sync, filter);
        };
        let options = match sync.directions {
            [Direction::Pull] => SyncOptions::pull(),
            [Direction::Push] => SyncOptions::push(),
            _ => SyncOptions::both_ways(),
        };
        let options = options.filter(filter.clone()).chunk_size(sync.chunk_records_max);
        let report = device.sync(&url, root(), options);
        for transfer in report.pull.iter().chain(&report.push) {
            assert_eq!(transfer.records_transferred, transfer.records_total, "{report}");
            assert!(transfer.rejections.is_empty(), "{report}");
        }
        Ok(report.pull.iter().chain(&report.push).map(|transfer| transfer.records_transferred).collect())
    }

    fn sync_as_python(&mut self, url: &str, sync: &Sync, filter: &Filter) -> Result<Vec<u64>, Refused> {
        let mut moved = Vec::new();
        for direction in sync.directions {
            let request = json!({
                "url": url, "direction": direction.as_str(), "client_certificate": self.certificate_of_python,
                "filter": filter.prefixes(), "chunk_size": sync.chunk_records_max,
            });
            let report = self.python.attempt("sync", request)?;
            assert_eq!(report["records_transferred"], report["records_total"], "{report}");
            moved.push(report["records_total"].as_u64().expect("a number of records"));
        }
        Ok(moved)
    }

    /// The filter that a step means. Of persons who are not there, another one is meant.
    pub(super) fn filter(&self, under: Under) -> Filter {
        let dataset = &self.dataset;
        let of_user = |user: usize| {
            let users: Vec<&Thing> = self.things.iter().filter(|thing| thing.model == "user").collect();
            let id = &users[user % users.len()].id;
            [format!("{dataset}:user-ro:{id}"), format!("{dataset}:user-rw:{id}")]
        };
        let for_all = format!("{dataset}:allusers-ro");
        let prefixes = match under {
            Under::Everything => vec![dataset.clone()],
            Under::WhatAllMayRead => vec![for_all],
            Under::AllUsers => vec![format!("{dataset}:user-ro"), format!("{dataset}:user-rw")],
            Under::OneUser { user } => of_user(user).into(),
            Under::WhatAllMayReadAndOneUser { user } => [vec![for_all], of_user(user).into()].concat(),
        };
        Filter::new(prefixes).expect("good prefixes")
    }

    /// All of the school.
    pub(super) fn everything(&self) -> Filter {
        self.filter(Under::Everything)
    }
}
