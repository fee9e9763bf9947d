//! The city's server, which holds a school and answers, and the devices that meet it.

use std::collections::BTreeMap;

use morango::client::{HttpPeer, RetryPolicy};
use morango::identity::Certificate;
use morango::prelude::*;
use morango_examples::school::{Classroom, Dataset, Facility, User};
use morango_tests::clock::HandClock;
use morango_tests::compare::{Told, assert_equal, rows_of_device, told_by_device};
use morango_tests::device::{Device, SchoolAccounts};

use super::ON;
use super::papers::Papers;
use super::visitor::Visitor;

/// A school on the city's server, with a class and the learner Ada.
pub(crate) struct School {
    pub(crate) city: Device,
    pub(crate) url: String,
    pub(crate) clock: HandClock,
    pub(crate) dataset: SyncId,
    pub(crate) facility: SyncId,
    pub(crate) ada: SyncId,
}

/// What a device holds, as far as refused input must not touch it.
pub(crate) type Holding = (BTreeMap<String, Told>, BTreeMap<String, Told>);

impl School {
    pub(crate) fn open() -> Self {
        let root = Papers::root();
        let clock = HandClock::default();
        let mut city = Device::on(ON, "city");
        city.rebuild(|builder| builder.clock(clock.clone()));
        keep(&city, &root);
        let dataset = SyncId::from(root.id());
        city.create(Dataset { id: dataset, description: "Harbour School".to_owned(), allow_guests: true });
        let facility = Facility { id: SyncId::unset(), dataset_id: dataset, name: "Harbour".to_owned() };
        let facility = city.create(facility).id;
        let ada = User {
            id: SyncId::unset(),
            dataset_id: dataset,
            username: "ada".to_owned(),
            full_name: "Ada".to_owned(),
            birth_year: None,
        };
        let ada = city.create(ada).id;
        city.serialize();
        let url = city.serve(SchoolAccounts::admin().with_learner("ada", ada));
        Self { city, url, clock, dataset, facility, ada }
    }

    /// Somebody who speaks HTTP by hand, with a good certificate for the whole school.
    pub(crate) fn visitor(&self) -> Visitor {
        self.visitor_with(Papers::member())
    }

    /// The same with other papers.
    pub(crate) fn visitor_with(&self, papers: Papers) -> Visitor {
        Visitor::new(&self.url, papers)
    }

    /// A [`member`] that is up to date with the server.
    pub(crate) fn synced_member(&self, name: &'static str) -> Device {
        let device = member(name);
        device.sync(&self.url, &Papers::member().certificate(), SyncOptions::both_ways());
        device
    }

    /// Makes a class on a device.
    pub(crate) fn add_class(&self, device: &Device, name: &str) -> SyncId {
        let class = Classroom {
            id: SyncId::unset(),
            dataset_id: self.dataset,
            facility_id: self.facility,
            name: name.to_owned(),
            parent_id: None,
        };
        device.create(class).id
    }

    /// What the city's server holds.
    pub(crate) fn holding(&self) -> Holding {
        holding(&self.city)
    }

    /// Asserts that the server works on: a new device gets everything and brings something.
    pub(crate) fn assert_works_on(&self) {
        let home = member("home");
        self.assert_syncs(&home);
    }

    /// Asserts that this device and the server can bring each other up to date.
    pub(crate) fn assert_syncs(&self, device: &Device) {
        self.assert_syncs_at(device, &self.url);
    }

    /// The same, where the device finds the server at another address.
    pub(crate) fn assert_syncs_at(&self, device: &Device, url: &str) {
        let certificate = Papers::member().certificate();
        device.sync(url, &certificate, SyncOptions::pull());
        let here = self.add_class(device, "from the device");
        let there = self.add_class(&self.city, "from the server");
        device.sync(url, &certificate, SyncOptions::both_ways());
        assert!(device.store().contains_key(&there), "what the server has comes");
        assert!(self.city.store().contains_key(&here), "what the device has goes");
        assert_equal(device, &self.city, &[]);
    }
}

/// Far beyond what anybody has counted.
pub(crate) const FAR: i64 = 1 << 61;

/// The certificate of every member.
pub(crate) fn certificate() -> Certificate {
    Papers::member().certificate()
}

/// A device of ours that may sync the whole school.
pub(crate) fn member(name: &'static str) -> Device {
    device_with(name, &Papers::member())
}

/// A device of ours with these papers.
pub(crate) fn device_with(name: &'static str, papers: &Papers) -> Device {
    let device = Device::on(ON, name);
    keep(&device, papers);
    device
}

/// Gives a device certificates and the key of the last.
pub(crate) fn keep(device: &Device, papers: &Papers) {
    let key = Some((&papers.body.id, &papers.key));
    device.storage().save_certificates(&papers.certificates(), key).expect("certificates are kept");
}

/// How many certificates a device keeps, its own and those of others.
pub(crate) fn certificates_of(device: &Device) -> i64 {
    device.number("SELECT count(*) AS number FROM morango_certificate")
}

/// What a device holds.
pub(crate) fn holding(device: &Device) -> Holding {
    (told_by_device(device, &[]), rows_of_device(device, &[]))
}

/// A peer that is called once for each call, however that ends.
pub(crate) fn impatient(url: &str) -> HttpPeer {
    HttpPeer::builder(url).retry(RetryPolicy::NONE).build().expect("a peer's address")
}

/// Syncs with whatever listens at `url`, in the name of the member, which has to fail; says how.
pub(crate) fn failure(device: &Device, url: &str, options: SyncOptions) -> morango::Error {
    let certificate = Papers::member().certificate();
    device.engine.sync(&impatient(url), &certificate, options).expect_err("this sync cannot go well")
}
