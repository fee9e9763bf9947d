//! Traces: which rows went, or changed, with one that the engine deleted. They are marks under the negative number of their model,
//! made and taken away within one transaction.

use diesel::sql_types::{BigInt, Binary};
use morango::id::SyncId;

use super::mark::RowId;
use crate::backend;
use crate::connection::Connection;
use crate::error::Fault;
use crate::models::InstalledModel;
use crate::statement::sql;

/// A row that went, or changed, with another.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Trace {
    /// The number of its model, which may be one of another profile.
    pub(crate) model_number: i64,
    row_id: RowId,
    /// Whether it is gone.
    pub(crate) is_gone: bool,
}

impl Trace {
    /// The record's id, if the row has one.
    pub(crate) fn record_id(&self) -> Option<SyncId> {
        self.row_id.record_id()
    }
}

/// The next traces, in the order of their models and ids.
pub(crate) fn next(connection: &mut Connection<'_>, after: Option<&Trace>, limit: usize) -> Result<Vec<Trace>, Fault> {
    let mut traces = sql("SELECT model, row_id, is_hard FROM morango_mark WHERE model < 0");
    if let Some(after) = after {
        traces =
            traces.sql(" AND (model, row_id) > (").bind(-after.model_number).sql(", ").bind(&after.row_id).sql(")");
    }
    let traces = traces.sql(" ORDER BY model, row_id").limit(limit).returns::<(BigInt, Binary, BigInt)>();
    let traces = traces.load::<(i64, RowId, i64)>(connection)?;
    let trace =
        |(number, row_id, is_hard): (i64, RowId, i64)| Trace { model_number: -number, row_id, is_gone: is_hard != 0 };
    Ok(traces.into_iter().map(trace).collect())
}

/// Whether the row was marked before: a change of it waits to be serialized.
pub(crate) fn was_marked(connection: &mut Connection<'_>, trace: &Trace) -> Result<bool, Fault> {
    let marks = sql("SELECT count(*) FROM morango_mark WHERE model = ").bind(trace.model_number).sql(" AND row_id = ");
    Ok(marks.bind(&trace.row_id).returns::<BigInt>().get_result::<i64>(connection)? > 0)
}

/// Whether a row of a model is gone that is not the one of this record.
pub(crate) fn is_another_gone(
    connection: &mut Connection<'_>,
    model: &InstalledModel,
    id: &SyncId,
) -> Result<bool, Fault> {
    let gone =
        sql("SELECT count(*) FROM morango_mark WHERE is_hard <> 0 AND model = ").bind(-model.number).sql(" AND NOT ");
    let gone = backend::has_row_id(connection, gone, id);
    Ok(gone.returns::<BigInt>().get_result::<i64>(connection)? > 0)
}

/// Whether the row of this record is gone with the one that was deleted.
pub(crate) fn is_gone(connection: &mut Connection<'_>, model: &InstalledModel, id: &SyncId) -> Result<bool, Fault> {
    let traces =
        sql("SELECT count(*) FROM morango_mark WHERE is_hard <> 0 AND model = ").bind(-model.number).sql(" AND ");
    let traces = backend::has_row_id(connection, traces, id);
    Ok(traces.returns::<BigInt>().get_result::<i64>(connection)? > 0)
}

/// Makes a mark of a trace: the application's own serialization is to find the change.
pub(crate) fn mark(connection: &mut Connection<'_>, trace: &Trace, is_hard: bool) -> Result<(), Fault> {
    sql("INSERT INTO morango_mark (model, row_id, is_hard) VALUES (")
        .bind(trace.model_number)
        .sql(", ")
        .bind(&trace.row_id)
        .sql(", ")
        .bind(is_hard)
        .sql(
            ") ON CONFLICT (model, row_id) DO UPDATE SET reason = NULL,
             is_hard = CASE WHEN excluded.is_hard <> 0 THEN excluded.is_hard ELSE morango_mark.is_hard END",
        )
        .execute(connection)?;
    Ok(())
}

/// Takes all traces away.
pub(crate) fn clear(connection: &mut Connection<'_>) -> Result<(), Fault> {
    sql("DELETE FROM morango_mark WHERE model < 0").execute(connection)?;
    Ok(())
}
