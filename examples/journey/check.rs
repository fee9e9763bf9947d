//! What every device holds, and whether that is what it should hold.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::BigInt;
use morango::prelude::*;
use morango::record::StoreRecord;
use morango::scope::Filter;
use morango_diesel::Rows;
use morango_examples::school::{
    self, Assignment, Classroom, ContentLog, Dataset, Facility, Feedback, Membership, User, contentlog, feedback,
};

use crate::Outcome;
use crate::device::{Connection, Device};
use crate::life::School;

/// The tables of the school, in the order of the shown columns.
const TABLES: [&str; 8] =
    ["dataset", "facility", "classroom", "user", "membership", "assignment", "contentlog", "feedback"];

/// What a device holds, in numbers.
pub(crate) struct Holding {
    pub(crate) rows: Vec<(&'static str, i64)>,
    pub(crate) records: i64,
    pub(crate) conflicts: i64,
    pub(crate) waiting: i64,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// Counts what a device holds.
pub(crate) fn holding(device: &Device) -> Outcome<Holding> {
    let mut connection = device.connection()?;
    let mut count = |query: &str| -> Outcome<i64> {
        let query = sql_query(query);
        let number: Number = match &mut connection {
            Connection::Sqlite(connection) => query.get_result(connection)?,
            Connection::Postgres(connection) => query.get_result(connection)?,
        };
        Ok(number.number)
    };
    let rows = TABLES
        .into_iter()
        .map(|table| Ok((table, count(&format!("SELECT count(*) AS number FROM \"{table}\""))?)))
        .collect::<Outcome<Vec<_>>>()?;
    let records = records(device)?;
    Ok(Holding {
        rows,
        records: i64::try_from(records.len())?,
        conflicts: i64::try_from(
            records.values().filter(|record| !record.conflicting_serialized_data.is_empty()).count(),
        )?,
        waiting: count("SELECT count(*) AS number FROM morango_store WHERE is_dirty = 1")?,
    })
}

/// The store records of a device, by id, without what differs by nature.
fn records(device: &Device) -> Outcome<BTreeMap<SyncId, StoreRecord>> {
    let mut records = BTreeMap::new();
    device.engine.storage().for_each_record(school::PROFILE, &Filter::everything(), &mut |record| {
        records.insert(record.id, record);
        Ok(())
    })?;
    Ok(records)
}

/// Every row of the school's tables, whatever database it is in.
fn rows(device: &Device, records: &BTreeMap<SyncId, StoreRecord>) -> Outcome<BTreeMap<SyncId, String>> {
    let ids: Vec<SyncId> = records.keys().copied().collect();
    match device.connection()? {
        Connection::Sqlite(mut connection) => rows_of_all_models(&mut connection, &ids),
        Connection::Postgres(mut connection) => rows_of_all_models(&mut connection, &ids),
    }
}

fn rows_of_all_models<C>(connection: &mut C, ids: &[SyncId]) -> Outcome<BTreeMap<SyncId, String>>
where
    Dataset: Rows<C>,
    Facility: Rows<C>,
    Classroom: Rows<C>,
    User: Rows<C>,
    Membership: Rows<C>,
    Assignment: Rows<C>,
    ContentLog: Rows<C>,
    Feedback: Rows<C>,
{
    let mut rows = BTreeMap::new();
    add::<C, Dataset>(connection, ids, &mut rows)?;
    add::<C, Facility>(connection, ids, &mut rows)?;
    add::<C, Classroom>(connection, ids, &mut rows)?;
    add::<C, User>(connection, ids, &mut rows)?;
    add::<C, Membership>(connection, ids, &mut rows)?;
    add::<C, Assignment>(connection, ids, &mut rows)?;
    add::<C, ContentLog>(connection, ids, &mut rows)?;
    add::<C, Feedback>(connection, ids, &mut rows)?;
    Ok(rows)
}

fn add<C, M: Rows<C> + std::fmt::Debug>(
    connection: &mut C,
    ids: &[SyncId],
    rows: &mut BTreeMap<SyncId, String>,
) -> Outcome {
    for row in M::load_all(connection, ids)? {
        rows.insert(row.id(), format!("{row:?}"));
    }
    Ok(())
}

/// Asserts that devices hold the same records and the same rows, and that nothing waits.
pub(crate) fn are_equal(devices: &[&Device]) -> Outcome {
    let (first, others) = devices.split_first().ok_or("there is nothing to compare")?;
    let first_records = records(first)?;
    let first_rows = rows(first, &first_records)?;
    let living = first_records.values().filter(|record| !record.deleted).count();
    if first_rows.len() != living {
        return Err(format!("{} has {} rows of {living} records", first.name, first_rows.len()).into());
    }
    for other in others {
        if records(other)? != first_records {
            return Err(format!("{} and {} do not hold the same records", first.name, other.name).into());
        }
        if rows(other, &first_records)? != first_rows {
            return Err(format!("{} and {} do not hold the same rows", first.name, other.name).into());
        }
    }
    for device in devices {
        if holding(device)?.waiting != 0 {
            return Err(format!("on {} some records wait to become rows", device.name).into());
        }
    }
    Ok(())
}

/// Asserts that a learner's device holds what everybody may see and what is the learner's own, all of it, and no more.
pub(crate) fn holds_one_learner_only(home: &Device, facility: &Device, school: &School) -> Outcome {
    let allowed = [
        format!("{}:allusers-ro", school.dataset),
        format!("{}:user-ro:{}", school.dataset, school.ada),
        format!("{}:user-rw:{}", school.dataset, school.ada),
        format!("{}:user-wo:{}", school.dataset, school.ada),
    ];
    let may_see = |partition: &str| allowed.iter().any(|prefix| partition.starts_with(prefix.as_str()));
    let held = records(home)?;
    if let Some(record) = held.values().find(|record| !may_see(&record.partition)) {
        return Err(format!("{} holds {} of {}", home.name, record.model_name, record.partition).into());
    }
    for (id, record) in records(facility)? {
        if may_see(&record.partition) && !held.contains_key(&id) {
            return Err(format!("{} lacks {} {id}", home.name, record.model_name).into());
        }
    }
    Ok(())
}

/// What the coach sees of a learner's week: how many logs there are, and how many words to the coach.
pub(crate) fn seen_by_the_coach(facility: &Device, school: &School) -> Outcome<(i64, i64)> {
    let connection = &mut facility.connect()?;
    let logs = contentlog::table.filter(contentlog::user_id.eq(school.ada)).count().get_result(connection)?;
    let words = feedback::table.filter(feedback::user_id.eq(school.ada)).count().get_result(connection)?;
    Ok((logs, words))
}
