//! Change capture: the triggers that note when anybody changes a row, in whatever way.
//!
//! They fire for raw SQL, for other programs and for cascades. They are run by the SQLite of whoever writes, so they use
//! only what has been in it for years. A conflict clause of the statement outside (`INSERT OR REPLACE`, `OR IGNORE`)
//! reaches into triggers and overrides the clauses there. But what is appended under a number of its own, in columns that always
//! hold something, meets no conflict.

use diesel::sql_types::{BigInt, Text};

use crate::backend::Capture;
use crate::connection::Connection;
use crate::error::Fault;
use crate::models::{InstalledModel, InstalledModels, number_in, numbers_of_others};
use crate::statement::sql;

/// With what the names of all of our triggers begin. The model's number and the change follow.
pub(crate) const NAME_PREFIX: &str = "morango_capture_";

/// A trigger as it is, or as it is to be.
#[derive(Debug)]
struct Trigger {
    name: String,
    table: String,
    text: String,
}

impl Trigger {
    /// Whether it is of this name on this table: names of tables are the same in upper and lower case.
    fn is_for_same(&self, other: &Self) -> bool {
        self.name == other.name && self.table.eq_ignore_ascii_case(&other.table)
    }

    fn is_same(&self, other: &Self) -> bool {
        self.is_for_same(other) && self.text == other.text
    }
}

/// Installs change capture for these models, within a write transaction. That of models that other programs have here stays, unless this one has another
/// model of their table.
///
/// Where a model's table had no capture so far, or lost it (a table that is built anew loses its triggers), all of its
/// rows are marked: they were there before, or may have changed meanwhile. A row that did not change is found to be the
/// same when it is serialized, and keeps its stamp.
pub(crate) fn install(connection: &mut Connection<'_>, models: &InstalledModels) -> Result<(), Fault> {
    // Should a transaction that switched it off have been committed in the middle of a panic.
    sql("UPDATE morango_capture_mode SET mode = 1 WHERE mode <> 1").execute(connection)?;
    let found = found(connection)?;
    let wanted: Vec<(InstalledModel, [Trigger; 3])> =
        models.all().iter().map(|model| (*model, triggers_of(model))).collect();
    let others = numbers_of_others(connection, models)?;
    for old in &found {
        // A trigger of an earlier form would write where nothing is any more.
        let is_of_another = old.text.contains("morango_change ")
            && number_in(&old.name, NAME_PREFIX).is_some_and(|number| others.contains(&number))
            && !models.all().iter().any(|model| model.definition.table.eq_ignore_ascii_case(&old.table));
        if !is_of_another && !wanted.iter().flat_map(|(_, triggers)| triggers).any(|trigger| trigger.is_same(old)) {
            connection.batch_execute(&format!("DROP TRIGGER {}", quoted(&old.name)))?;
        }
    }
    for (model, triggers) in &wanted {
        for trigger in triggers.iter().filter(|trigger| !found.iter().any(|old| old.is_same(trigger))) {
            connection.batch_execute(&trigger.text)?;
        }
        if !triggers.iter().all(|trigger| found.iter().any(|old| old.is_for_same(trigger))) {
            mark_all(connection, model)?;
        }
    }
    Ok(())
}

/// Switches capture for every connection, so within a write transaction that switches it back.
pub(crate) fn switch(connection: &mut Connection<'_>, capture: Capture) -> Result<Capture, Fault> {
    // A transaction that begins by reading is refused, without waiting, if another one wrote since. So this writes.
    let before =
        sql("UPDATE morango_capture_mode SET mode = mode RETURNING mode").returns::<BigInt>().get_result(connection)?;
    sql("UPDATE morango_capture_mode SET mode = ").bind(mode_of(capture)).execute(connection)?;
    Ok(match before {
        0 => Capture::Off,
        2 => Capture::Hard,
        3 => Capture::Trace,
        _ => Capture::On,
    })
}

fn mode_of(capture: Capture) -> i64 {
    match capture {
        Capture::Off => 0,
        Capture::On => 1,
        Capture::Hard => 2,
        Capture::Trace => 3,
    }
}

/// Marks the rows that are gone without a trace: records that live in the store, wait for nothing, and have no row.
///
/// On SQLite an `INSERT OR REPLACE` that displaces another row by a unique constraint fires no delete trigger, unless the
/// connection has `recursive_triggers` on. Before: all changes are folded. Returns how many rows were marked.
pub(crate) fn mark_displaced(connection: &mut Connection<'_>, model: &InstalledModel) -> Result<u64, Fault> {
    let definition = model.definition;
    let marked = sql("INSERT INTO morango_mark (model, row_id) SELECT ")
        .bind(model.number)
        .sql(", lower(hex(record_id)) FROM morango_store WHERE profile = ")
        .bind(definition.profile)
        .sql(" AND model_name = ")
        .bind(definition.name)
        .sql(" AND is_deleted = 0 AND is_dirty = 0 AND NOT EXISTS (SELECT 1 FROM ")
        .identifier(definition.table)
        .sql(" WHERE ")
        .identifier(definition.id_column)
        .sql(" IN (lower(hex(record_id)), record_id)) AND NOT EXISTS (SELECT 1 FROM morango_mark WHERE model = ")
        .bind(model.number)
        .sql(" AND row_id IN (lower(hex(record_id)), record_id))")
        .execute(connection)?;
    Ok(marked as u64)
}

fn found(connection: &mut Connection<'_>) -> Result<Vec<Trigger>, Fault> {
    let found = sql("SELECT name, tbl_name, sql FROM sqlite_schema WHERE type = 'trigger' AND ")
        .starts_with("name", NAME_PREFIX)
        .returns::<(Text, Text, Text)>()
        .load::<(String, String, String)>(connection)?;
    Ok(found.into_iter().map(|(name, table, text)| Trigger { name, table, text }).collect())
}

fn mark_all(connection: &mut Connection<'_>, model: &InstalledModel) -> Result<(), Fault> {
    sql("INSERT INTO morango_mark (model, row_id) SELECT ")
        .bind(model.number)
        .sql(", coalesce(")
        .identifier(model.definition.id_column)
        .sql(", '') FROM ")
        .identifier(model.definition.table)
        .sql(" WHERE true ON CONFLICT (model, row_id) DO NOTHING")
        .execute(connection)?;
    Ok(())
}

/// The triggers of a model. A row without an id is noted under the empty text, so that it is told of and not lost.
///
/// A condition of the trigger itself (`WHEN`) would look for the mode once more.
fn triggers_of(model: &InstalledModel) -> [Trigger; 3] {
    let model_number = model.number;
    let id = quoted(model.definition.id_column);
    let note = |row: &str, is_gone: u8, condition: &str| {
        format!(
            "INSERT INTO morango_change (model, row_id, is_gone, mode) \
             SELECT {model_number}, coalesce({row}.{id}, ''), {is_gone}, mode FROM morango_capture_mode \
             WHERE mode <> 0{condition};"
        )
    };
    let (is_there, is_gone) = (note("NEW", 0, ""), note("OLD", 1, ""));
    let moved = format!("{is_there} {}", note("OLD", 1, &format!(" AND OLD.{id} IS NOT NEW.{id}")));
    [trigger(model, "insert", &is_there), trigger(model, "update", &moved), trigger(model, "delete", &is_gone)]
}

fn trigger(model: &InstalledModel, change: &str, statements: &str) -> Trigger {
    let name = format!("{NAME_PREFIX}{}_{change}", model.number);
    let table = model.definition.table;
    let text =
        format!("CREATE TRIGGER {name} AFTER {} ON {} BEGIN {statements} END", change.to_uppercase(), quoted(table));
    Trigger { name, table: table.to_owned(), text }
}

/// A name in quotes. Values cannot be bound in a trigger's text; this one holds only names and a number of ours.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
