//! The data that is measured: learners, and logs of what they did, of the length that such things have.

use chrono::{DateTime, Duration, TimeZone, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Text};
use morango::prelude::*;
use morango_diesel::{RecordConnection, Rows, Syncable};
use morango_examples::school::{ContentLog, User};
use serde_json::json;

use crate::Outcome;
use crate::home::Connection;

/// Rows that are made in one transaction.
const ROWS_AT_ONCE: u64 = 10_000;

/// Makes so many records in all: learners, each with a partition of their own, and logs for the rest.
pub(crate) fn fill<C>(connection: &mut C, dataset_id: SyncId, records: u64, learners: u64) -> Outcome
where
    C: RecordConnection,
    User: Rows<C>,
    ContentLog: Rows<C>,
{
    let people = (0..learners).map(|number| User {
        id: SyncId::unset(),
        dataset_id,
        username: format!("learner-{number}"),
        full_name: format!("Learner number {number}"),
        birth_year: Some(2012),
    });
    let people = User::create_many(people, connection)?;
    let logs = records.saturating_sub(learners);
    let mut made = 0;
    while made < logs {
        let until = (made + ROWS_AT_ONCE).min(logs);
        let rows = (made..until).map(|number| {
            let learner = usize::try_from(number % learners).unwrap_or_default();
            log(number, dataset_id, people[learner].id)
        });
        ContentLog::create_many(rows, connection)?;
        made = until;
    }
    Ok(())
}

/// One log, the same for the same number.
pub(crate) fn log(number: u64, dataset_id: SyncId, user_id: SyncId) -> ContentLog {
    ContentLog {
        id: SyncId::unset(),
        dataset_id,
        user_id,
        content: format!("a piece of content with number {number}"),
        progress: 0.5,
        seconds: i32::try_from(number % 3_600).unwrap_or_default(),
        started: started(number),
        extra: json!({"attempts": number % 7, "answers": ["a", "b", "c"], "note": "as long as such things are"}),
    }
}

fn started(number: u64) -> DateTime<Utc> {
    let begun = Utc.with_ymd_and_hms(2026, 1, 5, 8, 0, 0).single().expect("a time that there is once");
    begun + Duration::seconds(i64::try_from(number).unwrap_or_default())
}

/// Changes so many logs after so many others, in the order of their ids, so that two peers told the same change the same. How many it
/// were.
pub(crate) fn change(connection: &mut Connection, records: u64, after: u64, mark: &str) -> Outcome<usize> {
    let (records, after) = (i64::try_from(records)?, i64::try_from(after)?);
    let changed = match connection {
        Connection::Sqlite(connection) => {
            sql_query("UPDATE contentlog SET content = ? WHERE id IN (SELECT id FROM contentlog ORDER BY id LIMIT ? OFFSET ?)")
                .bind::<Text, _>(mark)
                .bind::<BigInt, _>(records)
                .bind::<BigInt, _>(after)
                .execute(connection)
        }
        // The ids are sorted as bytes, as SQLite does, whatever the language of the server.
        Connection::Postgres(connection) => sql_query(
            "UPDATE contentlog SET content = $1 WHERE id IN (SELECT id FROM contentlog ORDER BY id COLLATE \"C\" LIMIT $2 OFFSET $3)",
        )
        .bind::<Text, _>(mark)
        .bind::<BigInt, _>(records)
        .bind::<BigInt, _>(after)
        .execute(connection),
    };
    Ok(changed?)
}
