//! What a device holds, in a form in which two of them are quickly compared.

use std::fmt::Write as _;

use diesel::prelude::*;
use morango::prelude::*;
use morango_examples::school::{self, contentlog};
use serde_json::{Value, json};

use crate::Outcome;
use crate::home::{Home, over};

/// How many records there are, a hash over all that they say, and how many logs are rows.
pub(crate) fn of(engine: &Engine, home: &Home) -> Outcome<Value> {
    let (mut records, mut told) = (0_u64, String::new());
    engine.storage().for_each_record(school::PROFILE, &Filter::everything(), &mut |record| {
        records += 1;
        let _ = writeln!(told, "{record:?}");
        Ok(())
    })?;
    let logs: i64 = over!(&mut home.connect()?, connection => contentlog::table.count().get_result(connection))?;
    Ok(json!({"records": records, "hash": SyncId::hash_of(&told).to_string(), "logs": logs}))
}
