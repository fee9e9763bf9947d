//! Changes are marks at once here: a trigger sees all rows of a statement together.
//!
//! A sibling for another database has the same items in the same order.

use morango::model::Origin;

use super::has_row_id;
use crate::backend::Folded;
use crate::connection::Connection;
use crate::error::Fault;
use crate::statement::sql;

/// How many folds there are to be until all changes are marks.
pub(crate) const FOLDS_NEEDED: u64 = 0;

/// What there is to fold.
pub(crate) const FOLDED: Folded = Folded::Nothing;

/// Notes with their marks how new rows were identified, in the transaction that inserted them, and says of how many of them the
/// insertion was noticed.
pub(crate) fn note_origins(
    connection: &mut Connection<'_>,
    model_number: i64,
    origins: &[Origin],
) -> Result<usize, Fault> {
    for (noted, origin) in origins.iter().enumerate() {
        let noting = sql("UPDATE morango_mark SET source_id = ")
            .bind(&origin.source_id)
            .sql(", partition = ")
            .bind(&origin.partition)
            .sql(" WHERE model = ")
            .bind(model_number)
            .sql(" AND ");
        if has_row_id(noting, &origin.id).execute(connection)? == 0 {
            return Ok(noted);
        }
    }
    Ok(origins.len())
}
