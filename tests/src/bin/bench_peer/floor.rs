//! The floor: the same rows inserted with Diesel into the application's table, a store table and a counter table, in one
//! transaction. No sync that writes row by row can be quicker on the side that receives, so figures are told as multiples of it.

use std::time::Instant;

use diesel::Connection as _;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use morango::prelude::*;
use morango_diesel::Rows;
use morango_examples::school::{ContentLog, Dataset, User};
use serde_json::{Value, json};

use crate::home::{Connection, Home, over};
use crate::{Outcome, data};

diesel::table! {
    floor_store (id) { id -> Text, model_name -> Text, partition -> Text, source_id -> Text, serialized -> Text, last_saved_instance -> Text, last_saved_counter -> BigInt }
}
diesel::table! {
    floor_counter (id, instance_id) { id -> Text, instance_id -> Text, counter -> BigInt }
}

const TABLES: &str = "
    CREATE TABLE floor_store (id TEXT NOT NULL PRIMARY KEY, model_name TEXT NOT NULL, partition TEXT NOT NULL,
        source_id TEXT NOT NULL, serialized TEXT NOT NULL, last_saved_instance TEXT NOT NULL,
        last_saved_counter BIGINT NOT NULL);
    CREATE TABLE floor_counter (id TEXT NOT NULL, instance_id TEXT NOT NULL, counter BIGINT NOT NULL,
        PRIMARY KEY (id, instance_id));";

/// Everything that is written, made before the clock starts.
struct Written {
    rows: Vec<(ContentLog, String)>,
    partition: String,
    instance: String,
}

/// Inserts so many rows into an empty database that no engine knows, and says how long that took.
pub(crate) fn measure(database: &str, records: u64) -> Outcome<Value> {
    let mut connection = Home::open(database)?.connect()?;
    over!(&mut connection, connection => connection.batch_execute(TABLES))?;
    let (dataset, learner) = (SyncId::hash_of("dataset"), SyncId::hash_of("learner"));
    over!(&mut connection, connection => insert_parents(connection, dataset, learner))?;
    // What the rows point at is there and need not be looked up: a floor is as low as can be.
    if let Connection::Sqlite(connection) = &mut connection {
        connection.batch_execute("PRAGMA foreign_keys = OFF")?;
    }
    let written = written(records, dataset, learner);
    let started = Instant::now();
    match &mut connection {
        Connection::Sqlite(connection) => connection.immediate_transaction(|connection| {
            written.rows.iter().try_for_each(|row| insert_sqlite(connection, row, &written))
        })?,
        Connection::Postgres(connection) => connection.transaction(|connection| {
            written.rows.iter().try_for_each(|row| insert_postgres(connection, row, &written))
        })?,
    }
    Ok(json!({"seconds": started.elapsed().as_secs_f64()}))
}

fn insert_parents<C>(connection: &mut C, dataset: SyncId, learner: SyncId) -> QueryResult<()>
where
    Dataset: Rows<C>,
    User: Rows<C>,
{
    Dataset { id: dataset, description: "measured".to_owned(), allow_guests: false }.insert(connection)?;
    let (username, full_name) = ("learner".to_owned(), "A learner".to_owned());
    User { id: learner, dataset_id: dataset, username, full_name, birth_year: None }.insert(connection)
}

fn written(records: u64, dataset: SyncId, learner: SyncId) -> Written {
    let partition = format!("{dataset}:user-rw:{learner}");
    let row = |number: u64| {
        let row = ContentLog { id: SyncId::hash_of(&number.to_string()), ..data::log(number, dataset, learner) };
        let serialized = json!({
            "id": row.id.to_string(), "dataset_id": dataset.to_string(), "user_id": learner.to_string(),
            "content": row.content, "progress": row.progress, "seconds": row.seconds,
            "started": row.started.to_rfc3339(), "extra": row.extra.to_string(),
            "_morango_source_id": row.id.to_string(), "_morango_partition": partition,
        });
        (row, serialized.to_string())
    };
    Written { rows: (0..records).map(row).collect(), instance: SyncId::hash_of("instance").to_string(), partition }
}

/// Diesel's statements cannot be written once for several databases, so they are written once for each of them.
macro_rules! insert_on {
    ($name:ident, $connection:ty) => {
        fn $name(
            connection: &mut $connection,
            (row, serialized): &(ContentLog, String),
            all: &Written,
        ) -> QueryResult<()> {
            let id = row.id.to_string();
            row.insert(connection)?;
            diesel::insert_into(floor_store::table)
                .values((
                    floor_store::id.eq(&id),
                    floor_store::model_name.eq("contentlog"),
                    floor_store::partition.eq(&all.partition),
                    floor_store::source_id.eq(&id),
                    floor_store::serialized.eq(serialized),
                    floor_store::last_saved_instance.eq(&all.instance),
                    floor_store::last_saved_counter.eq(1),
                ))
                .execute(connection)?;
            diesel::insert_into(floor_counter::table)
                .values((
                    floor_counter::id.eq(&id),
                    floor_counter::instance_id.eq(&all.instance),
                    floor_counter::counter.eq(1),
                ))
                .execute(connection)?;
            Ok(())
        }
    };
}
insert_on!(insert_sqlite, SqliteConnection);
insert_on!(insert_postgres, PgConnection);
