//! What every device holds, and whether that is what it should hold.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Nullable, Text};
use morango::prelude::*;
use morango::scope::Filter;
use morango_examples::school::{self, contentlog, feedback};

use crate::Outcome;
use crate::device::Device;
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
    let mut connection = device.connect()?;
    let mut count =
        |query: &str| -> Outcome<i64> { Ok(sql_query(query).get_result::<Number>(&mut connection)?.number) };
    let rows = TABLES
        .into_iter()
        .map(|table| Ok((table, count(&format!("SELECT count(*) AS number FROM \"{table}\""))?)))
        .collect::<Outcome<Vec<_>>>()?;
    Ok(Holding {
        rows,
        records: count("SELECT count(*) AS number FROM morango_store")?,
        conflicts: count("SELECT count(*) AS number FROM morango_store WHERE conflicting_serialized_data <> ''")?,
        waiting: count("SELECT count(*) AS number FROM morango_store WHERE is_dirty = 1")?,
    })
}

/// The store records of a device, by id, without what differs by nature.
fn records(device: &Device) -> Outcome<BTreeMap<SyncId, morango::record::StoreRecord>> {
    let mut records = BTreeMap::new();
    device.engine.storage().for_each_record(school::PROFILE, &Filter::everything(), &mut |record| {
        records.insert(record.id, record);
        Ok(())
    })?;
    Ok(records)
}

/// Every row of the school's tables as SQLite writes it.
fn rows(device: &Device) -> Outcome<BTreeMap<(&'static str, String), String>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        id: String,
        #[diesel(sql_type = Nullable<Text>)]
        content: Option<String>,
    }
    let mut connection = device.connect()?;
    let mut rows = BTreeMap::new();
    for table in TABLES {
        let columns: Vec<Row> =
            sql_query(format!("SELECT name AS id, NULL AS content FROM pragma_table_info('{table}') ORDER BY cid"))
                .load(&mut connection)?;
        let listed: Vec<String> = columns.iter().map(|column| format!("quote(\"{}\")", column.id)).collect();
        let content = listed.join(" || ',' || ");
        for row in
            sql_query(format!("SELECT id, {content} AS content FROM \"{table}\"")).load::<Row>(&mut connection)?
        {
            rows.insert((table, row.id), row.content.unwrap_or_default());
        }
    }
    Ok(rows)
}

/// Asserts that devices hold the same records and the same rows, and that nothing waits.
pub(crate) fn are_equal(devices: &[&Device]) -> Outcome {
    let (first, others) = devices.split_first().ok_or("there is nothing to compare")?;
    let (first_records, first_rows) = (records(first)?, rows(first)?);
    for other in others {
        if records(other)? != first_records {
            return Err(format!("{} and {} do not hold the same records", first.name, other.name).into());
        }
        if rows(other)? != first_rows {
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
