//! What the stories begin with: devices that share a root certificate, and a school's rows.
//!
//! Making a key takes longer than most stories, so one root certificate with its key is made once for all stories that
//! are not about certificates; every device is given both.

use std::sync::LazyLock;

use crate::database::Database;
use crate::device::{Device, SchoolAccounts};
use crate::sampler::{Price, Sampler};
use chrono::{TimeZone, Utc};
use morango::identity::PrivateKey;
use morango::prelude::*;
use morango_examples::school::{
    Classroom, ContentLog, Dataset, FULL_FACILITY, Facility, Feedback, Membership, PROFILE, User,
};
use rust_decimal::Decimal;
use serde_json::json;

static ROOT: LazyLock<(Certificate, PrivateKey)> = LazyLock::new(|| {
    let device = Device::new("founder");
    let root = device.engine.create_root_certificate(PROFILE, FULL_FACILITY, &[]).expect("a root certificate");
    let key = device.storage().private_key(&root.id()).expect("the keys can be read").expect("the key was just made");
    (root, key)
});

/// The databases on which the two sides of a story are. Of more than two devices, those that call are on the client's.
#[derive(Debug, Clone, Copy)]
pub struct Between {
    /// The client's.
    pub client: Database,
    /// The server's.
    pub server: Database,
}

impl Between {
    /// Both on SQLite, for what only SQLite can do.
    pub const FILES: Self = Self { client: Database::Sqlite, server: Database::Sqlite };
}

/// The certificate of the whole school, which every device here has.
pub fn root() -> &'static Certificate {
    &ROOT.0
}

/// A device that may speak for the whole school and has nothing of it yet.
pub fn empty_device(database: Database, name: &'static str) -> Device {
    let device = Device::on(database, name);
    entitle(&device);
    device
}

/// Gives a device the certificate of the whole school, and its key.
pub fn entitle(device: &Device) {
    let (root, key) = &*ROOT;
    device
        .storage()
        .save_certificates(std::slice::from_ref(root), Some((&root.id(), key)))
        .expect("the certificate is kept");
}

/// The rows of a small school, by id.
#[derive(Debug, Clone, Copy)]
pub struct School {
    /// The dataset, whose id is that of the root certificate.
    pub dataset: SyncId,
    /// The only facility.
    pub facility: SyncId,
    /// A class with another one in it.
    pub upper: SyncId,
    /// The one within.
    pub lower: SyncId,
    /// A learner with two logs.
    pub ada: SyncId,
    /// A learner without.
    pub bert: SyncId,
    /// That Ada is in the lower class.
    pub membership: SyncId,
}

/// How many records the small school has.
pub const SCHOOL_RECORDS: u64 = 9;

/// A device with a small school, which answers, and where.
pub fn serving_school(on: Between) -> (Device, School, String) {
    let mut device = empty_device(on.server, "server");
    let school = found(&device);
    let url = device.serve(SchoolAccounts::admin());
    (device, school, url)
}

/// A server with a small school, and a client that has pulled it.
pub fn two_equal_devices(on: Between) -> (Device, Device, School, String) {
    made_equal(Device::on(on.server, "server"), Device::on(on.client, "client"))
}

/// The same of two devices on which nothing is yet.
pub fn made_equal(mut server: Device, client: Device) -> (Device, Device, School, String) {
    entitle(&server);
    entitle(&client);
    let school = found(&server);
    let url = server.serve(SchoolAccounts::admin());
    client.sync(&url, root(), SyncOptions::pull());
    (server, client, school, url)
}

/// Makes the rows of the small school.
pub fn found(device: &Device) -> School {
    let dataset = root().id().into();
    device.create(Dataset { id: dataset, description: "Harbour School".to_owned(), allow_guests: true });
    let facility = Facility { id: SyncId::unset(), dataset_id: dataset, name: "Main house".to_owned() };
    let facility = device.create(facility).id;
    let mut school = School {
        dataset,
        facility,
        upper: SyncId::unset(),
        lower: SyncId::unset(),
        ada: SyncId::unset(),
        bert: SyncId::unset(),
        membership: SyncId::unset(),
    };
    school.upper = school.classroom(device, "Upper school", None);
    school.lower = school.classroom(device, "7b", Some(school.upper));
    school.ada = school.user(device, "ada");
    school.bert = school.user(device, "bert");
    school.membership = school.membership(device, school.ada, school.lower);
    school.logs(device, school.ada, 2);
    school
}

impl School {
    /// Makes a classroom.
    pub fn classroom(&self, device: &Device, name: &str, parent_id: Option<SyncId>) -> SyncId {
        let (dataset_id, facility_id, name) = (self.dataset, self.facility, name.to_owned());
        device.create(Classroom { id: SyncId::unset(), dataset_id, facility_id, name, parent_id }).id
    }

    /// Makes a person.
    pub fn user(&self, device: &Device, username: &str) -> SyncId {
        let user = User {
            id: SyncId::unset(),
            dataset_id: self.dataset,
            username: username.to_owned(),
            full_name: String::new(),
            birth_year: None,
        };
        device.create(user).id
    }

    /// Puts a person into a class.
    pub fn membership(&self, device: &Device, user_id: SyncId, classroom_id: SyncId) -> SyncId {
        device.create(Membership { id: SyncId::unset(), dataset_id: self.dataset, user_id, classroom_id }).id
    }

    /// Makes logs of a person.
    pub fn logs(&self, device: &Device, user_id: SyncId, count: usize) -> Vec<SyncId> {
        let started = Utc.with_ymd_and_hms(2026, 1, 2, 3, 4, 5).single().expect("a time");
        let logs = (0..count).map(|number| ContentLog {
            id: SyncId::unset(),
            dataset_id: self.dataset,
            user_id,
            content: format!("lesson {number}"),
            progress: 0.5,
            seconds: 240,
            started,
            extra: json!({"tries": number}),
        });
        device.create_many(logs).into_iter().map(|log| log.id).collect()
    }

    /// Makes a sample with this list in it.
    pub fn sample(&self, device: &Device, list: serde_json::Value) -> SyncId {
        let moment = Utc.with_ymd_and_hms(2026, 1, 2, 3, 4, 5).single().expect("a time");
        let sample = Sampler {
            id: SyncId::unset(),
            dataset_id: self.dataset,
            small: 0,
            whole: 0,
            big: 0,
            ratio: 0.5,
            flag: true,
            word: "before".to_owned(),
            prose: None,
            moment,
            day: moment.date_naive(),
            clock: moment.time(),
            price: Price(Decimal::ONE),
            uuid: "123e4567-e89b-12d3-a456-426614174000".to_owned(),
            json: list,
            data: vec![1],
        };
        device.create(sample).id
    }

    /// Leaves feedback of a person.
    pub fn feedback(&self, device: &Device, user_id: SyncId, text: &str) -> SyncId {
        device.create(Feedback { id: SyncId::unset(), dataset_id: self.dataset, user_id, text: text.to_owned() }).id
    }
}

/// Runs SQL as any program could that knows nothing of the engine, on a connection of the storage.
pub fn sql(device: &Device, statements: &str) {
    device.sql(statements);
}

/// Gives a person another name, by SQL.
pub fn rename(device: &Device, user: SyncId, full_name: &str) {
    sql(device, &format!("UPDATE \"user\" SET full_name = '{full_name}' WHERE id = '{user}'"));
}

/// What a transfer of a report moved.
pub fn moved(report: &SyncReport) -> (u64, u64) {
    let of = |transfer: Option<&TransferReport>| transfer.map_or(0, |transfer| transfer.records_transferred);
    (of(report.pull.as_ref()), of(report.push.as_ref()))
}
