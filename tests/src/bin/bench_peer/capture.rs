//! What change capture costs: the same rows inserted by an application with our triggers on its table and without.

use std::path::Path;
use std::time::Instant;

use diesel::prelude::*;
use morango::prelude::*;
use morango_diesel::{Rows, SqliteStorage};
use morango_examples::school::{self, ContentLog};
use serde_json::{Value, json};

use crate::{Outcome, data};

/// Rows of one transaction of the application.
const ROWS_AT_ONCE: u64 = 1_000;

/// Inserts so many rows into two databases in turn, transaction by transaction, so that both meet the same weather.
pub(crate) fn measure(folder: &str, records: u64) -> Outcome<Value> {
    let open = |name: &str| -> Outcome<SqliteStorage> {
        let storage = SqliteStorage::open(Path::new(folder).join(name))?;
        school::create_tables(&mut storage.connect()?)?;
        morango_tests::sampler::create_table(&mut storage.connect()?)?;
        Ok(storage)
    };
    let (plain, captured) = (open("plain.db")?, open("captured.db")?);
    let _engine = Engine::builder(captured.clone()).build()?;
    let mut seconds = [0.0; 2];
    let mut connections = [plain.connect()?, captured.connect()?];
    for connection in &mut connections {
        diesel::sql_query("PRAGMA foreign_keys = OFF").execute(connection)?;
    }
    let (dataset, learner) = (SyncId::hash_of("dataset"), SyncId::hash_of("learner"));
    for begin in (0..records).step_by(usize::try_from(ROWS_AT_ONCE)?) {
        let rows: Vec<ContentLog> = (begin..(begin + ROWS_AT_ONCE).min(records))
            .map(|number| ContentLog {
                id: SyncId::hash_of(&number.to_string()),
                ..data::log(number, dataset, learner)
            })
            .collect();
        for (connection, seconds) in connections.iter_mut().zip(&mut seconds) {
            let started = Instant::now();
            connection.immediate_transaction(|connection| rows.iter().try_for_each(|row| row.insert(connection)))?;
            *seconds += started.elapsed().as_secs_f64();
        }
    }
    Ok(json!({"plain": seconds[0], "captured": seconds[1]}))
}
