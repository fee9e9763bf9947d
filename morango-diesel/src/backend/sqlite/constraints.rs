//! What the application's tables demand of their rows on SQLite, as far as it matters when rows of others are written.
//!
//! A sibling for another database has the same items in the same order.

use diesel::result::{DatabaseErrorKind, Error as DieselError, QueryResult};
use diesel::sql_types::{BigInt, Text};
use morango::id::SyncId;

use super::capture;
use crate::backend::{Deferred, Stopgap, UniqueColumn, UniqueKey};
use crate::connection::Connection;
use crate::error::Fault;
use crate::models::InstalledModel;
use crate::statement::sql;

/// The keys of a table that are unique beside its primary key, each with its columns in their order.
///
/// Expressions in an index have no column and are left out. An index over some rows only, or over expressions, is not exact.
pub(crate) fn unique_keys(connection: &mut Connection<'_>, table: &str) -> Result<Vec<UniqueKey>, Fault> {
    type Row = (String, i64, String, String, i64, i64);
    let found = sql("SELECT list.name, list.partial, coalesce(info.name, ''), coalesce(upper(held.type), ''),
         coalesce(held.\"notnull\", 0), EXISTS (SELECT 1 FROM pragma_foreign_key_list(")
    .bind(table)
    .sql(") AS key WHERE lower(key.\"from\") = lower(info.name)) FROM pragma_index_list(")
    .bind(table)
    .sql(") AS list JOIN pragma_index_info(list.name) AS info LEFT JOIN pragma_table_info(")
    .bind(table)
    .sql(
        ") AS held ON held.name = info.name
         WHERE list.\"unique\" = 1 AND list.origin <> 'pk' ORDER BY list.seq, info.seqno",
    )
    .returns::<(Text, BigInt, Text, Text, BigInt, BigInt)>()
    .load::<Row>(connection)?;
    let mut keys: Vec<(String, UniqueKey)> = Vec::new();
    for (index, partial, column, kind, not_null, references) in found {
        if keys.last().is_none_or(|(last, _)| *last != index) {
            keys.push((index, UniqueKey { columns: Vec::new(), is_exact: partial == 0 }));
        }
        let (_, key) = keys.last_mut().expect("one was just put there");
        if column.is_empty() {
            key.is_exact = false;
        } else {
            let stopgaps = stopgaps(&kind, not_null == 0, references != 0);
            key.columns.push(UniqueColumn { name: column, stopgaps });
        }
    }
    Ok(keys.into_iter().map(|(_, key)| key).filter(|key| !key.columns.is_empty()).collect())
}

/// What a column of this declared type can hold for a moment without clashing with any other row.
fn stopgaps(declared: &str, is_nullable: bool, is_reference: bool) -> Vec<Stopgap> {
    let mut stopgaps = Vec::new();
    if is_nullable {
        stopgaps.push(Stopgap::Nothing);
    }
    if is_reference {
        return stopgaps;
    }
    let is_any = |words: &[&str]| words.iter().any(|word| declared.contains(word));
    if is_any(&["INT", "REAL", "FLOA", "DOUB"]) {
        stopgaps.extend([Stopgap::BeyondTheLast, Stopgap::BeforeTheFirst]);
    } else if declared == "BLOB" {
        stopgaps.push(Stopgap::RandomBytes);
    } else {
        stopgaps.push(Stopgap::RandomText);
    }
    stopgaps
}

/// Has a row hold a stopgap in one column; says how many rows that were.
pub(crate) fn hold_stopgap(
    connection: &mut Connection<'_>,
    model: &InstalledModel,
    id: &SyncId,
    column: &str,
    stopgap: Stopgap,
) -> QueryResult<usize> {
    let definition = model.definition;
    let update = sql("UPDATE ").identifier(definition.table).sql(" SET ").identifier(column).sql(" = ");
    let table = definition.table;
    let update = match stopgap {
        Stopgap::Nothing => update.sql("NULL"),
        Stopgap::RandomText => update.sql("lower(hex(randomblob(16)))"),
        Stopgap::RandomBytes => update.sql("randomblob(16)"),
        Stopgap::BeyondTheLast => {
            update.sql("(SELECT max(").identifier(column).sql(") + 1 FROM ").identifier(table).sql(")")
        }
        Stopgap::BeforeTheFirst => {
            update.sql("(SELECT min(").identifier(column).sql(") - 1 FROM ").identifier(table).sql(")")
        }
        #[cfg(feature = "postgres")]
        Stopgap::RandomId | Stopgap::AfterTheLast => unreachable!("columns of SQLite have no such types"),
    };
    update
        .sql(" WHERE ")
        .identifier(definition.id_column)
        .sql(" IN (")
        .bind(id.to_string())
        .sql(", ")
        .bind(id)
        .sql(")")
        .execute(connection)
}

/// Whether an error of one statement may leave something of it behind: a trigger of the application may say so.
pub(crate) fn needs_savepoint(connection: &mut Connection<'_>, table: &str) -> Result<bool, Fault> {
    has_triggers(connection, table)
}

/// Whether this table has triggers of the application.
pub(crate) fn has_triggers(connection: &mut Connection<'_>, table: &str) -> Result<bool, Fault> {
    let triggers = sql("SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND lower(tbl_name) = lower(")
        .bind(table)
        .sql(") AND NOT ")
        .starts_with("name", capture::NAME_PREFIX);
    Ok(triggers.returns::<BigInt>().get_result::<i64>(connection)? > 0)
}

/// Whether this table deletes the rows that hold what may stand in one row only where another is to have it, whoever writes that one: a
/// constraint of it says so (`ON CONFLICT REPLACE`).
pub(crate) fn replaces_rivals(connection: &mut Connection<'_>, table: &str) -> Result<bool, Fault> {
    let text =
        sql("SELECT coalesce(max(upper(sql)), '') FROM sqlite_schema WHERE type = 'table' AND lower(name) = lower(")
            .bind(table)
            .sql(")");
    let text = text.returns::<Text>().get_result::<String>(connection)?;
    let words: Vec<&str> =
        text.split(|symbol: char| !symbol.is_ascii_alphabetic()).filter(|word| !word.is_empty()).collect();
    Ok(words.windows(3).any(|words| words == ["ON", "CONFLICT", "REPLACE"]))
}

/// What is checked at the commit alone where rows of a table change, as it stands now. What violates it already is counted, since whoever
/// is at work may mend it yet. None where that cannot be told, as where a key points at what no table has.
pub(crate) fn deferred(connection: &mut Connection<'_>, table: &'static str) -> Result<Option<Deferred>, Fault> {
    let tables = sql("SELECT count(*) FROM sqlite_schema AS held WHERE ")
        .sql(POINTS)
        .bind(table)
        .sql(POINTS_AT)
        .bind(table)
        .sql(")))");
    if tables.returns::<BigInt>().get_result::<i64>(connection)? == 0 {
        return Ok(None);
    }
    Ok(violations(connection, table).ok().map(|rows| Deferred::Violations { table, rows }))
}

/// Checks now what is checked at the commit alone.
pub(crate) fn check_deferred(
    connection: &mut Connection<'_>,
    (table, before): (&'static str, i64),
) -> QueryResult<Deferred> {
    let rows = violations(connection, table)?;
    if rows <= before {
        return Ok(Deferred::Violations { table, rows });
    }
    let message = "FOREIGN KEY constraint failed".to_owned();
    Err(DieselError::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, Box::new(message)))
}

/// How many rows of a table, or of those that point at it, point at no row by keys that are checked at the commit. All of these rows are
/// read for it.
fn violations(connection: &mut Connection<'_>, table: &str) -> QueryResult<i64> {
    let violations = sql("SELECT count(*) FROM sqlite_schema AS held JOIN pragma_foreign_key_check(held.name) WHERE ");
    let violations = violations.sql(POINTS).bind(table).sql(POINTS_AT).bind(table).sql(")))");
    violations.returns::<BigInt>().get_result(connection)
}

/// The condition that a table has keys that are checked at the commit, and is the one that follows,
const POINTS: &str = "held.type = 'table' AND held.sql LIKE '%INITIALLY%DEFERRED%' AND (lower(held.name) = lower(";

/// or points at it.
const POINTS_AT: &str =
    ") OR EXISTS (SELECT 1 FROM pragma_foreign_key_list(held.name) AS key WHERE lower(key.\"table\") = lower(";

/// Whether the deletion of a row of this table may change other rows.
pub(crate) fn deletion_reaches_further(connection: &mut Connection<'_>, table: &str) -> Result<bool, Fault> {
    let keys = sql("SELECT count(*) FROM sqlite_schema AS other JOIN pragma_foreign_key_list(other.name) AS key
         WHERE other.type = 'table' AND lower(key.\"table\") = lower(")
    .bind(table)
    .sql(") AND key.on_delete NOT IN ('NO ACTION', 'RESTRICT')");
    let has_keys = keys.returns::<BigInt>().get_result::<i64>(connection)? > 0;
    Ok(has_keys || has_triggers(connection, table)?)
}

/// Whether the database has already undone the transaction in which a statement failed, as a trigger can have it do. Then a new
/// and empty one is begun in its place, for whoever is about to undo it.
pub(crate) fn has_lost_transaction(connection: &mut Connection<'_>) -> bool {
    connection.batch_execute("BEGIN").is_ok()
}
