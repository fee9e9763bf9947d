//! Changes as triggers note them, one after another, and how they are folded into marks: one for each row.
//!
//! A mark stands by the row's id, which is anywhere among all others; to look for it with each change would cost the application
//! more than the change. So triggers append, and the engine looks for many places at once, in their order.

use diesel::sql_types::BigInt;
use morango::model::Origin;

use super::has_row_id;
use crate::backend::Folded;
use crate::connection::Connection;
use crate::error::Fault;
use crate::statement::sql;

/// Changes that are folded at one time: somebody who wants to write waits for no longer than that takes.
const CHANGES_FOLDED_MAX: i64 = 10_000;

/// How many times [`fold`] is to be called until all changes that are there now are marks.
pub(crate) fn folds_needed(connection: &mut Connection<'_>) -> Result<u64, Fault> {
    let span = sql(
        "SELECT coalesce((SELECT max(number) FROM morango_change) - (SELECT min(number) FROM morango_change) + 1, 0)",
    );
    let span = span.returns::<BigInt>().get_result::<i64>(connection)?;
    Ok(span.unsigned_abs().div_ceil(CHANGES_FOLDED_MAX.unsigned_abs()))
}

/// Folds the changes that were noted first into marks, within a write transaction.
///
/// Before: changes, in their order. After: those are gone, and there is a mark of each of their rows, as if it had been written with
/// every change: nothing that was set aside is known to be so any more, and what was deleted for good was, be it there again or not.
/// What `create` fixed stays. A trace is a mark under the negative number, and says whether the row is gone.
pub(crate) fn fold(connection: &mut Connection<'_>) -> Result<Folded, Fault> {
    let first = sql("SELECT coalesce(min(number), 0) FROM morango_change").returns::<BigInt>();
    let first = first.get_result::<i64>(connection)?;
    if first == 0 {
        return Ok(Folded::Nothing);
    }
    let last = first.saturating_add(CHANGES_FOLDED_MAX - 1);
    sql("INSERT INTO morango_mark (model, row_id, is_hard)
         SELECT marked, row_id, CASE WHEN marked < 0 THEN gone_for_good > there WHEN gone_for_good > 0 THEN 1 ELSE coalesce(
             (SELECT is_hard FROM morango_mark AS earlier WHERE earlier.model = marked AND earlier.row_id = changed.row_id), 0) END
         FROM (
             SELECT CASE mode WHEN 3 THEN -model ELSE model END AS marked, row_id,
                 max(CASE WHEN is_gone = 0 THEN number ELSE 0 END) AS there,
                 max(CASE WHEN is_gone = 1 AND mode > 1 THEN number ELSE 0 END) AS gone_for_good
             FROM morango_change WHERE number <= ")
    .bind(last)
    .sql(
        " GROUP BY 1, 2) AS changed WHERE true
         ON CONFLICT (model, row_id) DO UPDATE SET is_hard = excluded.is_hard, reason = NULL
         WHERE excluded.is_hard <> is_hard OR reason IS NOT NULL",
    )
    .execute(connection)?;
    sql("DELETE FROM morango_change WHERE number <= ").bind(last).execute(connection)?;
    Ok(Folded::Some)
}

/// Notes with their marks how new rows were identified, in the transaction that inserted them, and says of how many of them the
/// insertion was noticed. The marks are made where they are not there yet: a later fold leaves in them what is noted here.
pub(crate) fn note_origins(
    connection: &mut Connection<'_>,
    model_number: i64,
    origins: &[Origin],
) -> Result<usize, Fault> {
    // What came last is found first: each search goes on where the one before ended.
    let mut before = i64::MAX;
    for (noted, origin) in origins.iter().rev().enumerate() {
        let number = match number_before(connection, model_number, origin, before)? {
            None if before < i64::MAX => number_before(connection, model_number, origin, i64::MAX)?,
            found => found,
        };
        let Some(number) = number else { return Ok(noted) };
        before = number;
        sql("INSERT INTO morango_mark (model, row_id, source_id, partition) SELECT model, row_id, ")
            .bind(&origin.source_id)
            .sql(", ")
            .bind(&origin.partition)
            .sql(" FROM morango_change WHERE number = ")
            .bind(number)
            .sql(
                " ON CONFLICT (model, row_id) DO UPDATE
                 SET source_id = excluded.source_id, partition = excluded.partition",
            )
            .execute(connection)?;
    }
    Ok(origins.len())
}

/// The number of the last change of a new row before another change.
fn number_before(
    connection: &mut Connection<'_>,
    model_number: i64,
    origin: &Origin,
    before: i64,
) -> Result<Option<i64>, Fault> {
    let change = sql("SELECT number FROM morango_change WHERE number < ").bind(before).sql(" AND model = ");
    let change = has_row_id(change.bind(model_number).sql(" AND mode <> 3 AND "), &origin.id);
    let found = change.sql(" ORDER BY number DESC LIMIT 1").returns::<BigInt>().load::<i64>(connection)?;
    Ok(found.first().copied())
}
