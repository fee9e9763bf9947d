//! The floor: the same rows inserted with Diesel into the application's table, a store table and a counter table, in one
//! transaction. No sync can be quicker on the side that receives, so figures are told as multiples of it.

use std::path::Path;
use std::time::Instant;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use morango::prelude::*;
use morango_diesel::SqliteStorage;
use morango_diesel::sql_types::held;
use morango_examples::school::{self, contentlog};
use serde_json::{Value, json};

use crate::{Outcome, data};

diesel::table! {
    floor_store (id) { id -> Text, model_name -> Text, partition -> Text, source_id -> Text, serialized -> Text, last_saved_instance -> Text, last_saved_counter -> BigInt }
}
diesel::table! {
    floor_counter (id, instance_id) { id -> Text, instance_id -> Text, counter -> BigInt }
}

/// Inserts so many rows three times, and says how long that took.
pub(crate) fn measure(folder: &str, records: u64) -> Outcome<Value> {
    let storage = SqliteStorage::open(Path::new(folder).join("floor.db"))?;
    let connection = &mut storage.connect()?;
    school::create_tables(connection)?;
    connection.batch_execute(
        "CREATE TABLE floor_store (id TEXT NOT NULL PRIMARY KEY, model_name TEXT NOT NULL, partition TEXT NOT NULL,
             source_id TEXT NOT NULL, serialized TEXT NOT NULL, last_saved_instance TEXT NOT NULL,
             last_saved_counter INTEGER NOT NULL);
         CREATE TABLE floor_counter (id TEXT NOT NULL, instance_id TEXT NOT NULL, counter INTEGER NOT NULL,
             PRIMARY KEY (id, instance_id));
         PRAGMA foreign_keys = OFF;",
    )?;
    let (dataset, learner) = (SyncId::hash_of("dataset"), SyncId::hash_of("learner"));
    let instance = SyncId::hash_of("instance").to_string();
    let partition = format!("{dataset}:user-rw:{learner}");
    let rows: Vec<_> = (0..records)
        .map(|number| {
            let mut row = data::log(number, dataset, learner);
            row.id = SyncId::hash_of(&number.to_string());
            let serialized = json!({
                "id": row.id.to_string(), "dataset_id": dataset.to_string(), "user_id": learner.to_string(), "content": row.content, "progress": row.progress,
                "seconds": row.seconds, "started": row.started.to_rfc3339(), "extra": row.extra.to_string(),
                "_morango_source_id": row.id.to_string(), "_morango_partition": partition,
            });
            (row, serialized.to_string())
        })
        .collect();
    let started = Instant::now();
    connection.immediate_transaction(|connection| {
        for (row, serialized) in &rows {
            insert(connection, row, serialized, &partition, &instance)?;
        }
        QueryResult::Ok(())
    })?;
    Ok(json!({"seconds": started.elapsed().as_secs_f64()}))
}

fn insert(
    connection: &mut SqliteConnection,
    row: &school::ContentLog,
    serialized: &str,
    partition: &str,
    instance: &str,
) -> QueryResult<()> {
    let id = row.id.to_string();
    diesel::insert_into(contentlog::table)
        .values((
            contentlog::id.eq(&id),
            contentlog::dataset_id.eq(row.dataset_id.to_string()),
            contentlog::user_id.eq(row.user_id.to_string()),
            contentlog::content.eq(&row.content),
            contentlog::progress.eq(row.progress),
            contentlog::seconds.eq(row.seconds),
            contentlog::started.eq(held(&row.started)),
            contentlog::extra.eq(&row.extra),
        ))
        .execute(connection)?;
    diesel::insert_into(floor_store::table)
        .values((
            floor_store::id.eq(&id),
            floor_store::model_name.eq("contentlog"),
            floor_store::partition.eq(partition),
            floor_store::source_id.eq(&id),
            floor_store::serialized.eq(serialized),
            floor_store::last_saved_instance.eq(instance),
            floor_store::last_saved_counter.eq(1),
        ))
        .execute(connection)?;
    diesel::insert_into(floor_counter::table)
        .values((floor_counter::id.eq(&id), floor_counter::instance_id.eq(instance), floor_counter::counter.eq(1)))
        .execute(connection)?;
    Ok(())
}
