//! What people do between the meetings: a school is founded, a week goes by.

use chrono::{Duration, TimeZone};
use diesel::prelude::*;
use morango::prelude::*;
use morango_diesel::Syncable;
use morango_examples::school::{
    Assignment, Classroom, ContentLog, Dataset, Facility, Feedback, Membership, User, assignment, contentlog, user,
};
use serde_json::json;

use crate::Outcome;
use crate::device::Device;

/// The learners of the school.
const LEARNERS: [(&str, &str, i32); 6] = [
    ("ada", "Ada Lindqvist", 2013),
    ("bilal", "Bilal Haddad", 2012),
    ("chidi", "Chidi Okafor", 2013),
    ("dewi", "Dewi Lestari", 2012),
    ("emil", "Emil Novák", 2013),
    ("fatou", "Fatou Diallo", 2012),
];

/// The people of the school whom the story follows.
pub(crate) struct School {
    pub(crate) root: Certificate,
    pub(crate) ada: SyncId,
    pub(crate) dataset: SyncId,
}

/// Founds the school on a device: its root certificate, classes, people, and what they have to do.
pub(crate) fn found(device: &Device) -> Outcome<School> {
    let root = device.engine.create_root_certificate(
        morango_examples::school::PROFILE,
        morango_examples::school::FULL_FACILITY,
        &[],
    )?;
    let connection = &mut device.connect()?;
    let dataset_id = root.id().into();
    Dataset { id: dataset_id, description: "Harbour School and all its data".to_owned(), allow_guests: false }
        .create(connection)?;
    let facility =
        Facility { id: SyncId::unset(), dataset_id, name: "Harbour School".to_owned() }.create(connection)?;
    let class = |name: &str, parent_id| Classroom {
        id: SyncId::unset(),
        dataset_id,
        facility_id: facility.id,
        name: name.to_owned(),
        parent_id,
    };
    let seventh = class("Class 7", None).create(connection)?;
    let reading = class("Reading group", Some(seventh.id)).create(connection)?;
    let person = |username: &str, full_name: &str, birth_year| User {
        id: SyncId::unset(),
        dataset_id,
        username: username.to_owned(),
        full_name: full_name.to_owned(),
        birth_year,
    };
    person("coach", "Nadia Petrova", None).create(connection)?;

    let people: Vec<User> = LEARNERS.iter().map(|(name, full, year)| person(name, full, Some(*year))).collect();
    let learners = User::create_many(people, connection)?;
    let due = Utc.with_ymd_and_hms(2026, 9, 11, 12, 0, 0).single().ok_or("a date that is none")?;
    for (position, learner) in learners.iter().enumerate() {
        let group = if position % 2 == 0 { &reading } else { &seventh };
        Membership { id: SyncId::unset(), dataset_id, user_id: learner.id, classroom_id: group.id }
            .create(connection)?;
        for title in ["Read chapter 3", "Fractions, part one"] {
            let title = title.to_owned();
            Assignment { id: SyncId::unset(), dataset_id, user_id: learner.id, title, due: Some(due) }
                .create(connection)?;
        }
        log(dataset_id, learner.id, "Letters and sounds", 1.0).create(connection)?;
    }
    let ada = learners.first().ok_or("a school has learners")?.id;
    Ok(School { root, ada, dataset: dataset_id })
}

/// A learner has begun a piece of content.
fn log(dataset_id: SyncId, user_id: SyncId, content: &str, progress: f64) -> ContentLog {
    ContentLog {
        id: SyncId::unset(),
        dataset_id,
        user_id,
        content: content.to_owned(),
        progress,
        seconds: 240,
        started: DateTime::UNIX_EPOCH + Duration::days(20_703),
        extra: json!({"attempts": 1}),
    }
}

/// A week of work at home: new logs, an old one gone on with, a word to the coach.
pub(crate) fn week_at_home(home: &Device, school: &School) -> Outcome {
    let connection = &mut home.connect()?;
    let logs = ["Chapter 3", "Fractions: halves", "Fractions: quarters", "The water cycle"]
        .map(|content| log(school.dataset, school.ada, content, 0.8));
    ContentLog::create_many(logs, connection)?;
    let begun = contentlog::table.filter(contentlog::content.eq("Letters and sounds"));
    diesel::update(begun).set(contentlog::seconds.eq(900)).execute(connection)?;
    let text = "I liked the water cycle best.".to_owned();
    Feedback { id: SyncId::unset(), dataset_id: school.dataset, user_id: school.ada, text }.create(connection)?;
    Ok(())
}

/// The same week at school: the coach gives out more to do, changes what Ada also changed, and takes something back.
pub(crate) fn week_at_school(facility: &Device, school: &School) -> Outcome {
    let connection = &mut facility.connect()?;
    let learners: Vec<SyncId> = user::table.filter(user::birth_year.is_not_null()).select(user::id).load(connection)?;
    for user_id in learners {
        let title = "The water cycle".to_owned();
        Assignment { id: SyncId::unset(), dataset_id: school.dataset, user_id, title, due: None }.create(connection)?;
    }
    let of_ada = contentlog::table.filter(contentlog::user_id.eq(school.ada));
    diesel::update(of_ada).set(contentlog::progress.eq(0.9)).execute(connection)?;
    let taken_back = assignment::table.filter(assignment::title.eq("Read chapter 3"));
    diesel::delete(taken_back).execute(connection)?;
    Ok(())
}

/// Somebody in the city sends a greeting to the school, which is far away.
pub(crate) fn greeting_from_the_city(city: &Device, school: &School) -> Outcome {
    let connection = &mut city.connect()?;
    let title = "Write a letter to the city".to_owned();
    Assignment { id: SyncId::unset(), dataset_id: school.dataset, user_id: school.ada, title, due: None }
        .create(connection)?;
    Ok(())
}

/// Market day: everybody writes a log of their own, and everybody changes the same assignment of Ada's.
pub(crate) fn market_day(laptop: &Device, school: &School) -> Outcome {
    let connection = &mut laptop.connect()?;
    log(school.dataset, school.ada, &format!("Counting coins on {}", laptop.name), 0.5).create(connection)?;
    let hers = assignment::table
        .filter(assignment::user_id.eq(school.ada))
        .filter(assignment::title.eq("Fractions, part one"));
    let title = format!("Fractions, part one, says {}", laptop.name);
    let changed = diesel::update(hers).set(assignment::title.eq(title)).execute(connection)?;
    if changed == 0 {
        return Err(format!("{} does not know what Ada has to read", laptop.name).into());
    }
    Ok(())
}
