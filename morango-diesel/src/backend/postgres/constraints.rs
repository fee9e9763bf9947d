//! What the application's tables demand of their rows on PostgreSQL, as far as it matters when rows of others are written.
//!
//! A sibling for another database has the same items in the same order.

use diesel::result::QueryResult;
use diesel::sql_types::{BigInt, Text};
use morango::id::SyncId;

use super::{capture, quoted};
use crate::backend::{Deferred, Stopgap, UniqueColumn, UniqueKey, is_marked_row};
use crate::connection::Connection;
use crate::error::Fault;
use crate::models::InstalledModel;
use crate::statement::sql;
use crate::transaction::{begin_savepoint, keep_savepoint, undo_savepoint};
use crate::value::Value;

/// The keys of a table that are unique beside its primary key, each with its columns in their order.
///
/// Expressions in an index have no column and are left out. An index over some rows only, or over expressions, is not exact.
pub(crate) fn unique_keys(connection: &mut Connection<'_>, table: &str) -> Result<Vec<UniqueKey>, Fault> {
    type Row = (String, i64, String, String, i64, i64);
    let found =
        sql("SELECT relname, CAST(CASE WHEN indpred IS NULL THEN 0 ELSE 1 END AS BIGINT), coalesce(attname, ''),
         coalesce(typname, ''), CAST(CASE WHEN attnotnull THEN 1 ELSE 0 END AS BIGINT),
         CAST(CASE WHEN EXISTS (SELECT 1 FROM pg_constraint WHERE contype = 'f' AND conrelid = indrelid
             AND part.number = ANY (conkey)) THEN 1 ELSE 0 END AS BIGINT)
         FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
         CROSS JOIN LATERAL unnest(CAST(indkey AS int2[])) WITH ORDINALITY AS part (number, place)
         LEFT JOIN pg_attribute ON attrelid = indrelid AND attnum = part.number AND attnum > 0
         LEFT JOIN pg_type ON pg_type.oid = atttypid
         WHERE indisunique AND NOT indisprimary AND part.place <= indnkeyatts AND indrelid = to_regclass(")
        .bind(quoted(table))
        .sql(") ORDER BY relname, part.place")
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

/// What a column of this type can hold for a moment without clashing with any other row.
fn stopgaps(kind: &str, is_nullable: bool, is_reference: bool) -> Vec<Stopgap> {
    let mut stopgaps = Vec::new();
    if is_nullable {
        stopgaps.push(Stopgap::Nothing);
    }
    if is_reference {
        return stopgaps;
    }
    match kind {
        "int2" | "int4" | "int8" | "numeric" | "float4" | "float8" | "date" => {
            stopgaps.extend([Stopgap::BeyondTheLast, Stopgap::BeforeTheFirst]);
        }
        "text" | "varchar" | "bpchar" | "citext" => stopgaps.push(Stopgap::RandomText),
        "bytea" => stopgaps.push(Stopgap::RandomBytes),
        "uuid" => stopgaps.push(Stopgap::RandomId),
        "timestamp" | "timestamptz" => stopgaps.push(Stopgap::AfterTheLast),
        _ => {}
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
    let (table, id_column) = (model.definition.table, model.definition.id_column);
    let update = sql("UPDATE ").identifier(table).sql(" SET ").identifier(column).sql(" = ");
    let update = match stopgap {
        Stopgap::Nothing => update.sql("NULL"),
        Stopgap::RandomText => update.sql("md5(CAST(random() AS TEXT))"),
        Stopgap::RandomBytes => update.sql("decode(md5(CAST(random() AS TEXT)), 'hex')"),
        Stopgap::RandomId => update.sql("CAST(md5(CAST(random() AS TEXT)) AS uuid)"),
        Stopgap::BeyondTheLast => {
            update.sql("(SELECT max(").identifier(column).sql(") + 1 FROM ").identifier(table).sql(")")
        }
        Stopgap::BeforeTheFirst => {
            update.sql("(SELECT min(").identifier(column).sql(") - 1 FROM ").identifier(table).sql(")")
        }
        Stopgap::AfterTheLast => {
            update.sql("(SELECT max(").identifier(column).sql(") + interval '1 day' FROM ").identifier(table).sql(")")
        }
    };
    let update =
        is_marked_row(connection, update.sql(" WHERE "), (id_column, model.id_form), Value::from(id.to_string()));
    update.execute(connection)
}

/// Whether an error of one statement spoils what went before it in its transaction: it always does, but for a savepoint.
#[expect(clippy::unnecessary_wraps, reason = "the sibling has to ask its database")]
pub(crate) fn needs_savepoint(_: &mut Connection<'_>, _: &str) -> Result<bool, Fault> {
    Ok(true)
}

/// Whether this table has triggers of the application.
pub(crate) fn has_triggers(connection: &mut Connection<'_>, table: &str) -> Result<bool, Fault> {
    let triggers = sql("SELECT count(*) FROM pg_trigger WHERE tgrelid = to_regclass(")
        .bind(quoted(table))
        .sql(") AND NOT tgisinternal AND NOT ")
        .starts_with("CAST(tgname AS TEXT) COLLATE \"C\"", capture::NAME_PREFIX);
    Ok(triggers.returns::<BigInt>().get_result::<i64>(connection)? > 0)
}

/// Nothing here deletes a row for another but a trigger.
#[expect(clippy::unnecessary_wraps, reason = "the sibling has to ask its database")]
pub(crate) fn replaces_rivals(_: &mut Connection<'_>, _: &str) -> Result<bool, Fault> {
    Ok(false)
}

/// What is checked at the commit alone. None where somebody's work has violated it already: it is not told how often.
pub(crate) fn deferred(connection: &mut Connection<'_>) -> Result<Option<Deferred>, Fault> {
    let constraints =
        sql("SELECT coalesce(string_agg(DISTINCT format('%I.%I', nspname, conname), ', '), '') FROM pg_constraint
         JOIN pg_namespace ON pg_namespace.oid = connamespace WHERE condeferred");
    let constraints = constraints.returns::<Text>().get_result::<String>(connection)?;
    if constraints.is_empty() {
        return Ok(None);
    }
    begin_savepoint(connection)?;
    let Ok(deferred) = check_deferred(connection, &constraints) else {
        undo_savepoint(connection)?;
        return Ok(None);
    };
    keep_savepoint(connection)?;
    Ok(Some(deferred))
}

/// Checks now what is checked at the commit alone.
pub(crate) fn check_deferred(connection: &mut Connection<'_>, constraints: &str) -> QueryResult<Deferred> {
    let check = format!("SET CONSTRAINTS {constraints} IMMEDIATE; SET CONSTRAINTS {constraints} DEFERRED");
    connection.batch_execute(&check)?;
    Ok(Deferred::Constraints(constraints.to_owned()))
}

/// Whether the deletion of a row of this table may change other rows.
pub(crate) fn deletion_reaches_further(connection: &mut Connection<'_>, table: &str) -> Result<bool, Fault> {
    let keys = sql("SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND confdeltype IN ('c', 'n', 'd')
         AND confrelid = to_regclass(")
    .bind(quoted(table))
    .sql(")");
    let has_keys = keys.returns::<BigInt>().get_result::<i64>(connection)? > 0;
    Ok(has_keys || has_triggers(connection, table)?)
}

/// Nothing undoes a transaction here without its connection being told.
pub(crate) fn has_lost_transaction(_: &mut Connection<'_>) -> bool {
    false
}
