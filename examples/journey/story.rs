//! The journey itself, from the founding of a school to a letter from the city.

use std::path::Path;

use morango::port::Credentials;
use morango::prelude::*;
use morango_examples::school::{FULL_FACILITY, SINGLE_USER};

use crate::cloud::{Kind, PostgresServer};
use crate::crowd;
use crate::device::Device;
use crate::show::{line, step, table};
use crate::{Outcome, check, life};

/// Tells the whole story with databases in this folder, and Cloud's wherever it is to be.
pub(crate) fn tell(folder: &Path, kind: Kind) -> Outcome {
    println!("The databases of this journey are in {}", folder.display());
    let facility = Device::new("Facility", folder)?;
    let home = Device::new("Home", folder)?;
    let city = Device::new("City", folder)?;
    // Cloud's server ends after Cloud.
    let postgres = (kind == Kind::Postgres).then(PostgresServer::find_or_start).transpose()?;
    let cloud = match &postgres {
        Some(server) => Device::on_postgres("Cloud", &server.create_database(&database_name())?)?,
        None => Device::new("Cloud", folder)?,
    };
    let city_2 = Device::new("City 2", folder)?;
    let devices = [&facility, &home, &city, &cloud, &city_2];

    step("1. A school is founded on a laptop without internet");
    let school = life::found(&facility)?;
    facility.accounts.add_administrator("administrator", "correct horse");
    facility.accounts.add_learner("ada", "battery staple", school.ada);
    let dataset = school.dataset.to_string();
    let ada = school.ada.to_string();
    table(&devices)?;

    step("2. Ada takes a tablet home");
    let hers = home.request_certificate(
        &facility,
        &school.root,
        SINGLE_USER,
        &[("dataset_id", &dataset), ("user_id", &ada)],
        &Credentials::new("ada", "battery staple"),
    )?;
    home.meet(&facility, &hers)?;
    check::holds_one_learner_only(&home, &facility, &school)?;
    line("Home holds what is Ada's, and nothing of the others");

    step("3. A week goes by, at home and at school, without a connection");
    life::week_at_home(&home, &school)?;
    life::week_at_school(&facility, &school)?;
    table(&[&facility, &home])?;

    step("4. Ada comes back to school");
    let report = home.meet(&facility, &hers)?;
    let conflicts = report.conflicts();
    if conflicts != 1 {
        return Err(format!("both sides had changed one log, but {conflicts} conflicts were found").into());
    }
    let (logs, words) = check::seen_by_the_coach(&facility, &school)?;
    if (logs, words) != (5, 1) {
        return Err(format!("the coach sees {logs} logs and {words} words of Ada, instead of 5 and 1").into());
    }
    check::holds_one_learner_only(&home, &facility, &school)?;
    line(&format!("the coach sees {logs} logs of Ada, and her feedback"));

    step("5. Somebody from the city comes to the school with a laptop");
    let whole = [("dataset_id", dataset.as_str())];
    let administrator = Credentials::new("administrator", "correct horse");
    let of_city = city.request_certificate(&facility, &school.root, FULL_FACILITY, &whole, &administrator)?;
    city.meet(&facility, &of_city)?;

    step("6. Back in the city, the laptop finds the cloud");
    city.accounts.add_administrator("operator", "in the city");
    let operator = Credentials::new("operator", "in the city");
    let of_cloud = cloud.request_certificate(&city, &of_city, FULL_FACILITY, &whole, &operator)?;
    cloud.meet(&city, &of_cloud)?;

    step("7. A second laptop in the city, which has never met the school");
    cloud.accounts.add_administrator("operator", "in the cloud");
    let operator = Credentials::new("operator", "in the cloud");
    let of_city_2 = city_2.request_certificate(&cloud, &of_cloud, FULL_FACILITY, &whole, &operator)?;
    city_2.meet(&cloud, &of_city_2)?;
    table(&devices)?;
    check::are_equal(&[&facility, &city, &cloud, &city_2])?;
    line("Facility, City, Cloud and City 2 hold the same");

    step("8. The way back: City 2 writes to Ada");
    life::greeting_from_the_city(&city_2, &school)?;
    city_2.meet(&cloud, &of_city_2)?;
    cloud.meet(&city, &of_cloud)?;
    city.meet(&facility, &of_city)?;
    home.meet(&facility, &hers)?;

    table(&devices)?;
    check::are_equal(&[&facility, &city, &cloud, &city_2])?;
    check::holds_one_learner_only(&home, &facility, &school)?;

    step("9. Market day: twenty laptops find the cloud at the same time");
    crowd::gathers(folder, &cloud, &of_cloud, &school)?;
    println!(
        "\nFacility, City, Cloud and City 2 were equal; Home holds one learner's records only; Cloud and twenty laptops are equal."
    );
    println!("The databases stay in {}", folder.display());
    Ok(())
}

/// A new name for each journey: the server may be one that runs on after it.
fn database_name() -> String {
    format!("morango_journey_{}", SyncId::random())
}
