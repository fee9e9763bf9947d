//! A new id for a database that was copied or restored: how that is found out, and what happens to what was saved since.
//!
//! What tells this database apart from its copies is noted in it, and looked at again when an engine begins. It says of each
//! thing by name what it was, so that one that can no longer be found out, or could not before, is passed over.

use std::collections::BTreeMap;

use diesel::sql_types::{BigInt, Binary, Text};
use morango::counter::{DatabaseMaxCounters, RecordMaxCounters, Stamp};
use morango::id::{DatabaseId, InstanceId};
use morango::limits;
use morango::port::{OwnCounters, Renewal, Renewed};

use crate::backend::{self, Lock, Target};
use crate::connection::Connection;
use crate::counters;
use crate::error::Fault;
use crate::instance::{adopt, draw_id, one_instance};
use crate::schema::{fact, set_fact};
use crate::statement::sql;
use crate::storage::DieselStorage;
use crate::transaction::raise_counter;
use crate::transactions::Transactions;

/// The name of the fact that holds what tells this database apart, for example `created=1731333333123456789`.
const IDENTITY_FACT: &str = "identity";

/// The name of the fact that counts the starts in a row at which that was another.
const CHANGES_FACT: &str = "identity_changes";

/// The name of the fact that says when the id was renewed the last times, the latest last: in milliseconds since 1970.
const RENEWED_FACT: &str = "renewed_at";

/// Records that one statement reads to save them anew.
const RECORDS_READ: usize = 500;

/// Gives this database a new id if it is another one than it was.
///
/// Before: no instance was adopted since the program began. After: what tells it apart is noted.
pub(crate) fn renew_if_copied(storage: &DieselStorage) -> morango::Result<Option<DatabaseId>> {
    const OPERATION: &str = "look whether the database is a copy";
    let target = storage.target();
    if storage.read(OPERATION, |connection| Ok(Look::at(connection, target)?.leaves_all_as_it_is()))? {
        return Ok(None);
    }
    storage.write_locked(OPERATION, Lock::Setup, |connection| {
        let look = Look::at(connection, target)?;
        let is_another = look.is_another();
        set_fact(connection, IDENTITY_FACT, &look.to_note())?;
        set_fact(connection, CHANGES_FACT, &if is_another { look.changes + 1 } else { 0 }.to_string())?;
        if !is_another {
            return Ok(None);
        }
        if look.changes >= limits::RENEWALS_IN_A_ROW_MAX {
            tracing::warn!(found = ?look.found, "the database looks like another one at each start, which is not believed any more");
            return Ok(None);
        }
        tracing::warn!(noted = ?look.noted, found = ?look.found, "the database is a copy or was restored");
        draw_id(connection).map(Some)
    })
}

/// What tells a database apart, as it was noted and as it is.
struct Look {
    noted: BTreeMap<String, String>,
    found: BTreeMap<String, String>,
    /// The starts in a row at which it was another.
    changes: u32,
}

impl Look {
    fn at(connection: &mut Connection<'_>, target: &Target) -> Result<Self, Fault> {
        let found = backend::identity(connection, target)?;
        let noted = fact(connection, IDENTITY_FACT)?.unwrap_or_default();
        let noted = noted.split_whitespace().filter_map(|part| part.split_once('='));
        let changes = fact(connection, CHANGES_FACT)?.and_then(|text| text.parse().ok()).unwrap_or(0);
        Ok(Self {
            noted: noted.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            found: found.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            changes,
        })
    }

    fn is_another(&self) -> bool {
        self.found.iter().any(|(name, value)| self.noted.get(name).is_some_and(|noted| noted != value))
    }

    fn leaves_all_as_it_is(&self) -> bool {
        self.changes == 0 && self.found.iter().all(|(name, value)| self.noted.get(name) == Some(value))
    }

    /// What is to be noted: what was found, and what was known before of the rest.
    fn to_note(&self) -> String {
        let mut all = self.noted.clone();
        all.extend(self.found.clone());
        all.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    }
}

/// How far the current instance has counted, and how far others may know it.
pub(crate) fn own_counters(storage: &Transactions<'_>) -> morango::Result<OwnCounters> {
    storage.read("read this instance's counter", own)
}

/// Notes that others may know the current instance up to its counter. Where that is noted already nothing is written.
pub(crate) fn note_told(storage: &Transactions<'_>) -> morango::Result<()> {
    const OPERATION: &str = "note how far others know this instance";
    let known = storage.read(OPERATION, own)?;
    if known.told >= known.counter {
        return Ok(());
    }
    storage.write(OPERATION, |connection| {
        sql("UPDATE morango_instance SET told_counter = counter WHERE is_current = 1 AND told_counter < counter")
            .execute(connection)?;
        Ok(())
    })
}

/// The current instance's counters, within a transaction.
pub(crate) fn own(connection: &mut Connection<'_>) -> Result<OwnCounters, Fault> {
    let found = sql("SELECT id, counter, told_counter FROM morango_instance WHERE is_current = 1")
        .returns::<(Binary, BigInt, BigInt)>()
        .load::<(InstanceId, i64, i64)>(connection)?;
    let (instance, counter, told) = one_instance(&found)?;
    Ok(OwnCounters { instance, counter, told })
}

/// Draws a new id and becomes the instance that goes with it, unless that was done too often lately.
///
/// Before: any state. After: the former instance's records that nobody was told of are saved by the new one; of the former nothing
/// is claimed beyond what others were told of, and of the new one everything.
pub(crate) fn renew_instance(storage: &Transactions<'_>, renewal: &Renewal<'_>) -> morango::Result<Option<Renewed>> {
    storage.write_locked("become another instance", Lock::Setup, |connection| {
        if let Some(since) = renewal.unless_since {
            // A time that is yet to come was noted by a clock that was wrong.
            let lately = since.timestamp_millis() + 1..=renewal.now.timestamp_millis();
            if renewals(connection)?.iter().filter(|at| lately.contains(at)).count() >= limits::RENEWALS_MAX {
                return Ok(None);
            }
        }
        become_another(connection, renewal).map(Some)
    })
}

/// When the id was renewed the last times.
fn renewals(connection: &mut Connection<'_>) -> Result<Vec<i64>, Fault> {
    let noted = fact(connection, RENEWED_FACT)?.unwrap_or_default();
    Ok(noted.split_whitespace().filter_map(|at| at.parse().ok()).collect())
}

/// The same, whenever it was done last, within a write transaction.
pub(crate) fn become_another(connection: &mut Connection<'_>, renewal: &Renewal<'_>) -> Result<Renewed, Fault> {
    let former = own(connection)?.instance;
    let instance = (renewal.successor)(draw_id(connection)?);
    let restamped = adopt(connection, &instance)?;
    let mut noted = renewals(connection)?;
    noted.push(renewal.now.timestamp_millis());
    let noted = &noted[noted.len().saturating_sub(limits::RENEWALS_MAX)..];
    set_fact(connection, RENEWED_FACT, &noted.iter().map(i64::to_string).collect::<Vec<_>>().join(" "))?;
    Ok(Renewed { former, current: instance.id, restamped })
}

/// Takes up, as the current instance, what the former one left: says how many records were saved anew.
///
/// What it saved and told nobody of is saved by this one, since somebody else may count in its name, or it may itself go on. What it told
/// of is claimed, wherever it lies: its own syncs would have claimed that in time, and what nobody claims is queued for nobody.
pub(crate) fn succeed(connection: &mut Connection<'_>, former: &OwnCounters) -> Result<u64, Fault> {
    let mut saved_anew = 0;
    if former.counter > former.told {
        let stamp = raise_counter(connection)?;
        saved_anew = save_anew(connection, former, stamp)?;
        claim_beside(connection, former, stamp)?;
    }
    claim_told(connection, former)?;
    Ok(saved_anew)
}

/// Saves anew, at this stamp, what the former instance saved and told nobody of. Those numbers are taken out of the records' history,
/// where they stand for what somebody else may have saved under them.
fn save_anew(connection: &mut Connection<'_>, former: &OwnCounters, stamp: Stamp) -> Result<u64, Fault> {
    let mut restamped = 0;
    let mut after = 0;
    loop {
        let page = sql("SELECT sequence, record_max_counters FROM morango_store")
            .sql(backend::by_counter(connection))
            .sql(" WHERE last_saved_instance = ")
            .bind(&former.instance)
            .sql(" AND last_saved_counter > ")
            .bind(former.told)
            .sql(" AND sequence > ")
            .bind(after)
            .sql(" ORDER BY sequence")
            .limit(RECORDS_READ)
            .returns::<(BigInt, Binary)>()
            .load::<(i64, Vec<u8>)>(connection)?;
        let Some((last, _)) = page.last() else { return Ok(restamped) };
        after = *last;
        for (sequence, counters) in page {
            let mut counters = RecordMaxCounters::from_bytes(&counters)?;
            counters.lower(Stamp::new(former.instance, former.told));
            counters.raise(stamp);
            restamp(connection, sequence, &counters, stamp)?;
            restamped += 1;
        }
    }
}

/// Has a record saved at this stamp by the current instance, as it is; `counters` are its record max counters, with that stamp.
pub(crate) fn restamp(
    connection: &mut Connection<'_>,
    sequence: i64,
    counters: &RecordMaxCounters,
    stamp: Stamp,
) -> Result<(), Fault> {
    sql("UPDATE morango_store SET last_saved_instance = ")
        .bind(&stamp.instance)
        .sql(", last_saved_counter = ")
        .bind(stamp.counter)
        .sql(", record_max_counters = ")
        .bind(counters.to_bytes())
        .sql(" WHERE sequence = ")
        .bind(sequence)
        .execute(connection)?;
    Ok(())
}

/// Claims of the new instance everything, wherever something of the former is claimed.
fn claim_beside(connection: &mut Connection<'_>, former: &OwnCounters, stamp: Stamp) -> Result<(), Fault> {
    sql("INSERT INTO morango_database_max_counter (partition, instance, counter) SELECT partition, ")
        .bind(&stamp.instance)
        .sql(", ")
        .bind(stamp.counter)
        .sql(" FROM morango_database_max_counter WHERE instance = ")
        .bind(&former.instance)
        .sql(" ON CONFLICT (partition, instance) DO UPDATE SET counter = excluded.counter")
        .execute(connection)?;
    Ok(())
}

/// Claims of the former instance what it told of: no more than that where something is claimed, and all of it in the other partitions in
/// which its records lie.
fn claim_told(connection: &mut Connection<'_>, former: &OwnCounters) -> Result<(), Fault> {
    let claimed = match former.told {
        0 => sql("DELETE FROM morango_database_max_counter"),
        told => sql("UPDATE morango_database_max_counter SET counter = ").bind(told),
    };
    claimed.sql(" WHERE instance = ").bind(&former.instance).execute(connection)?;
    let told = Stamp::new(former.instance, former.told);
    let mut claims = DatabaseMaxCounters::new();
    let claimed = sql("SELECT partition FROM morango_database_max_counter WHERE instance = ").bind(&former.instance);
    for partition in claimed.returns::<Text>().load::<String>(connection)? {
        claims.raise(&partition, told);
    }
    let lies_in =
        sql("SELECT DISTINCT partition FROM morango_store WHERE last_saved_instance = ").bind(&former.instance);
    for partition in lies_in.returns::<Text>().load::<String>(connection)? {
        if !claims.covers(&partition, told) {
            counters::raise(connection, &partition, told)?;
        }
    }
    Ok(())
}
