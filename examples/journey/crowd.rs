//! Twenty laptops at once: a market day on which everybody finds the cloud at the same time.

use std::path::Path;
use std::thread;

use morango::port::Credentials;
use morango::prelude::*;
use morango_examples::school::FULL_FACILITY;

use crate::device::Device;
use crate::life::{self, School};
use crate::{Outcome, check, show};

/// How many laptops come.
const LAPTOPS: [&str; 20] = [
    "Laptop 1",
    "Laptop 2",
    "Laptop 3",
    "Laptop 4",
    "Laptop 5",
    "Laptop 6",
    "Laptop 7",
    "Laptop 8",
    "Laptop 9",
    "Laptop 10",
    "Laptop 11",
    "Laptop 12",
    "Laptop 13",
    "Laptop 14",
    "Laptop 15",
    "Laptop 16",
    "Laptop 17",
    "Laptop 18",
    "Laptop 19",
    "Laptop 20",
];

/// Lets twenty laptops sync with Cloud at the same time, twice: in between each has what the others brought.
///
/// Everybody has written something of their own, and everybody has changed the same assignment.
pub(crate) fn gathers(folder: &Path, cloud: &Device, of_cloud: &Certificate, school: &School) -> Outcome {
    let operator = Credentials::new("operator", "in the cloud");
    let dataset = school.dataset.to_string();
    let whole = [("dataset_id", dataset.as_str())];
    let mut laptops = Vec::new();
    for name in LAPTOPS {
        let laptop = Device::new(name, folder)?;
        let certificate = laptop.ask_for_certificate(cloud, of_cloud, FULL_FACILITY, &whole, &operator)?;
        laptops.push((laptop, certificate));
    }
    all_at_once(&laptops, cloud)?;
    for (laptop, _) in &laptops {
        life::market_day(laptop, school)?;
    }
    // The first round brings to Cloud what everybody wrote; in the second everybody gets what came after them.
    for _ in 0..2 {
        all_at_once(&laptops, cloud)?;
    }
    let mut devices: Vec<&Device> = laptops.iter().map(|(laptop, _)| laptop).collect();
    devices.push(cloud);
    check::are_equal(&devices)?;
    show::line(&format!("{} laptops synced with Cloud at the same time, and all of them hold the same", laptops.len()));
    Ok(())
}

fn all_at_once(laptops: &[(Device, Certificate)], cloud: &Device) -> Outcome {
    let failures: Vec<String> = thread::scope(|scope| {
        let syncs: Vec<_> = laptops
            .iter()
            .map(|(laptop, certificate)| {
                scope.spawn(|| laptop.sync(cloud, certificate).map_err(|error| error.report()))
            })
            .collect();
        let ended = syncs.into_iter().map(|sync| sync.join().unwrap_or_else(|_| Err("it panicked".to_owned())));
        ended.filter_map(Result::err).collect()
    });
    match failures.first() {
        None => Ok(()),
        Some(first) => Err(format!("{} of {} laptops could not sync: {first}", failures.len(), laptops.len()).into()),
    }
}
