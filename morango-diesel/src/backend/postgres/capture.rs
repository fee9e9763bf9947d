//! Change capture: the triggers that mark rows when anybody changes them, in whatever way.
//!
//! They fire once for each statement, over all of its rows, for raw SQL, for other programs, for cascades and for TRUNCATE. Their
//! functions run as whoever installed them, so nobody needs any right on our tables, and name everything in full, so that
//! nobody's search path leads elsewhere. A mark that is there already is written anew: whoever is about to take it off notices.

use diesel::sql_types::{BigInt, Text};
use morango::id::SyncId;

use super::quoted;
use crate::backend::{Capture, IdForm};
use crate::connection::Connection;
use crate::error::Fault;
use crate::models::{InstalledModel, InstalledModels, number_in, numbers_of_others};
use crate::statement::sql;

/// With what the names of all of our triggers begin. The model's number, the change and a hash of the text follow.
pub(crate) const NAME_PREFIX: &str = "morango_capture_";

/// A trigger as it is.
#[derive(Debug)]
struct Found {
    name: String,
    /// In quotes, with its schema.
    table: String,
    is_on: bool,
}

/// A trigger as it is to be. Its name says what it does.
#[derive(Debug)]
struct Trigger {
    /// The name but for the hash.
    stem: String,
    name: String,
    table: String,
    text: String,
}

impl Trigger {
    fn is_same(&self, found: &Found) -> bool {
        self.name == found.name && self.table == found.table && found.is_on
    }

    /// Whether it captures the same changes, in whatever words.
    fn is_for_same(&self, found: &Found) -> bool {
        found.name.starts_with(&self.stem) && self.table == found.table && found.is_on
    }
}

/// Installs change capture for these models, within a write transaction. That of models that other programs have here stays, unless this one has another
/// model of their table.
///
/// Where a model's table had no capture so far, or lost it (a table that is built anew loses its triggers), all of its
/// rows are marked: they were there before, or may have changed meanwhile. A row that did not change is found to be the
/// same when it is serialized, and keeps its stamp.
pub(crate) fn install(connection: &mut Connection<'_>, models: &InstalledModels) -> Result<(), Fault> {
    let schema = schema(connection)?;
    let found = found(connection, &schema)?;
    let mut wanted = Vec::new();
    for model in models.all() {
        let table = full_name(connection, model.definition.table)?;
        wanted.push((*model, triggers_of(model, &table, &schema)));
    }
    let others = numbers_of_others(connection, models)?;
    for old in &found {
        let is_of_another = number_in(&old.name, NAME_PREFIX).is_some_and(|number| others.contains(&number))
            && !wanted.iter().flat_map(|(_, triggers)| triggers).any(|trigger| trigger.table == old.table);
        if !is_of_another && !wanted.iter().flat_map(|(_, triggers)| triggers).any(|trigger| trigger.is_same(old)) {
            let (name, table) = (quoted(&old.name), &old.table);
            connection.batch_execute(&format!("DROP TRIGGER {name} ON {table}; DROP FUNCTION {schema}.{name}()"))?;
        }
    }
    for (model, triggers) in &wanted {
        for trigger in triggers.iter().filter(|trigger| !found.iter().any(|old| trigger.is_same(old))) {
            connection.batch_execute(&trigger.text)?;
        }
        if !triggers.iter().all(|trigger| found.iter().any(|old| trigger.is_for_same(old))) {
            mark_all(connection, model)?;
        }
    }
    Ok(())
}

/// Switches capture for this transaction; no other connection is told, and its end ends it.
pub(crate) fn switch(connection: &mut Connection<'_>, capture: Capture) -> Result<Capture, Fault> {
    let before = sql("SELECT coalesce(current_setting('morango.capture', true), '')").returns::<Text>();
    let before = before.get_result::<String>(connection)?;
    sql("SELECT set_config('morango.capture', ")
        .bind(name_of(capture))
        .sql(", true)")
        .returns::<Text>()
        .load::<String>(connection)?;
    Ok(match before.as_str() {
        "off" => Capture::Off,
        "hard" => Capture::Hard,
        "trace" => Capture::Trace,
        _ => Capture::On,
    })
}

fn name_of(capture: Capture) -> &'static str {
    match capture {
        Capture::Off => "off",
        Capture::On => "on",
        Capture::Hard => "hard",
        Capture::Trace => "trace",
    }
}

/// Marks the rows that are gone without a trace: records that live in the store, wait for nothing, and have no row.
///
/// On PostgreSQL that takes somebody who switched the triggers off. Returns how many rows were marked.
pub(crate) fn mark_displaced(connection: &mut Connection<'_>, model: &InstalledModel) -> Result<u64, Fault> {
    let definition = model.definition;
    let digits = "replace(CAST(record_id AS TEXT), '-', '')";
    let marked = sql("INSERT INTO morango_mark (model, row_id) SELECT ")
        .bind(model.number)
        .sql(format!(", {digits} FROM morango_store WHERE profile = "))
        .bind(definition.profile)
        .sql(" AND model_name = ")
        .bind(definition.name)
        .sql(" AND is_deleted = 0 AND is_dirty = 0 AND NOT EXISTS (SELECT 1 FROM ")
        .identifier(definition.table)
        .sql(" WHERE ")
        .identifier(definition.id_column)
        .sql(match model.id_form {
            IdForm::Uuid => " = record_id)".to_owned(),
            IdForm::Bytes => " = uuid_send(record_id))".to_owned(),
            IdForm::Text | IdForm::Other => format!(" = {digits})"),
        })
        .sql(" AND NOT EXISTS (SELECT 1 FROM morango_mark WHERE model = ")
        .bind(model.number)
        .sql(format!(" AND row_id = {digits})"))
        .execute(connection)?;
    Ok(marked as u64)
}

/// The schema of our own tables, in quotes.
fn schema(connection: &mut Connection<'_>) -> Result<String, Fault> {
    let schema = sql("SELECT quote_ident(nspname) FROM pg_namespace JOIN pg_class ON relnamespace = pg_namespace.oid
         WHERE pg_class.oid = to_regclass('morango_mark')");
    Ok(schema.returns::<Text>().get_result(connection)?)
}

/// The name of one of the application's tables with its schema, in quotes.
fn full_name(connection: &mut Connection<'_>, table: &str) -> Result<String, Fault> {
    let name = sql("SELECT quote_ident(nspname) || '.' || quote_ident(relname) FROM pg_class
         JOIN pg_namespace ON relnamespace = pg_namespace.oid WHERE pg_class.oid = to_regclass(")
    .bind(quoted(table))
    .sql(")");
    Ok(name.returns::<Text>().get_result(connection)?)
}

/// Our triggers whose functions are in our schema: those of an engine with its tables in another one are none of ours.
fn found(connection: &mut Connection<'_>, schema: &str) -> Result<Vec<Found>, Fault> {
    let found = sql("SELECT tgname, quote_ident(tables.nspname) || '.' || quote_ident(relname),
         CAST(CASE WHEN tgenabled IN ('O', 'A') THEN 1 ELSE 0 END AS BIGINT)
         FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
         JOIN pg_namespace AS tables ON tables.oid = relnamespace
         JOIN pg_proc ON pg_proc.oid = tgfoid JOIN pg_namespace AS functions ON functions.oid = pronamespace
         WHERE NOT tgisinternal AND quote_ident(functions.nspname) = ")
    .bind(schema)
    .sql(" AND ")
    .starts_with("CAST(tgname AS TEXT) COLLATE \"C\"", NAME_PREFIX)
    .returns::<(Text, Text, BigInt)>()
    .load::<(String, String, i64)>(connection)?;
    Ok(found.into_iter().map(|(name, table, is_on)| Found { name, table, is_on: is_on == 1 }).collect())
}

fn mark_all(connection: &mut Connection<'_>, model: &InstalledModel) -> Result<(), Fault> {
    let id = row_id(&quoted(model.definition.id_column), model.id_form);
    sql("INSERT INTO morango_mark (model, row_id) SELECT ")
        .bind(model.number)
        .sql(format!(", {id} FROM "))
        .identifier(model.definition.table)
        .sql(" ON CONFLICT (model, row_id) DO NOTHING")
        .execute(connection)?;
    Ok(())
}

/// The text under which a row is marked, from its id column: the 32 digits, if it is an id.
fn row_id(column: &str, form: IdForm) -> String {
    match form {
        IdForm::Uuid => format!("replace(CAST({column} AS TEXT), '-', '')"),
        IdForm::Bytes => format!("encode({column}, 'hex')"),
        IdForm::Text | IdForm::Other => format!("CAST({column} AS TEXT)"),
    }
}

/// What a trigger watches: statements of one kind, before or after they do their work, and which of their rows it sees.
struct Watched {
    change: &'static str,
    when: &'static str,
    referencing: &'static str,
}

const INSERT: Watched = Watched { change: "insert", when: "AFTER", referencing: "REFERENCING NEW TABLE AS new_rows" };
const UPDATE: Watched =
    Watched { change: "update", when: "AFTER", referencing: "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows" };
const DELETE: Watched = Watched { change: "delete", when: "AFTER", referencing: "REFERENCING OLD TABLE AS old_rows" };
/// A table that was truncated is empty, and nothing refers to the rows that it had.
const TRUNCATE: Watched = Watched { change: "truncate", when: "BEFORE", referencing: "" };

fn triggers_of(model: &InstalledModel, table: &str, schema: &str) -> [Trigger; 4] {
    let number = model.number;
    // A trace is a mark under the negative number.
    let mark_number =
        format!("CASE WHEN current_setting('morango.capture', true) = 'trace' THEN -{number} ELSE {number} END");
    let id = row_id(&quoted(model.definition.id_column), model.id_form);
    let mark = format!("INSERT INTO {schema}.morango_mark (model, row_id, is_hard)");
    let is_there = format!(
        "{mark} SELECT DISTINCT {mark_number}, {id}, 0 FROM new_rows \
         ON CONFLICT (model, row_id) DO UPDATE \
         SET is_hard = CASE WHEN morango_mark.model < 0 THEN 0 ELSE morango_mark.is_hard END, reason = NULL;"
    );
    let is_hard = "CASE WHEN current_setting('morango.capture', true) IN ('hard', 'trace') THEN 1 ELSE 0 END";
    let is_gone = |rows: &str| {
        format!(
            "{mark} SELECT {mark_number}, gone.row_id, {is_hard} FROM ({rows}) AS gone (row_id) \
             ON CONFLICT (model, row_id) DO UPDATE \
             SET is_hard = greatest(morango_mark.is_hard, excluded.is_hard), reason = NULL;"
        )
    };
    let moved = is_gone(&format!("SELECT {id} FROM old_rows EXCEPT SELECT {id} FROM new_rows"));
    let deleted = is_gone(&format!("SELECT DISTINCT {id} FROM old_rows"));
    let truncated = is_gone(&format!("SELECT {id} FROM {table}"));
    [
        trigger(number, &INSERT, (table, schema), &is_there),
        trigger(number, &UPDATE, (table, schema), &format!("{is_there} {moved}")),
        trigger(number, &DELETE, (table, schema), &deleted),
        trigger(number, &TRUNCATE, (table, schema), &truncated),
    ]
}

fn trigger(number: i64, watched: &Watched, (table, schema): (&str, &str), statements: &str) -> Trigger {
    let Watched { change, when, referencing } = watched;
    let stem = format!("{NAME_PREFIX}{number}_{change}_");
    let hash = SyncId::hash_of(&format!("{table} {when} {referencing} {statements}")).to_string();
    let name = format!("{stem}{}", &hash[..8]);
    let text = format!(
        "CREATE OR REPLACE FUNCTION {schema}.{name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER \
         SET search_path = pg_catalog, pg_temp AS $capture$ BEGIN {statements} RETURN NULL; END $capture$; \
         CREATE TRIGGER {name} {when} {change} ON {table} {referencing} FOR EACH STATEMENT \
         WHEN (current_setting('morango.capture', true) IS DISTINCT FROM 'off') EXECUTE FUNCTION {schema}.{name}()"
    );
    Trigger { stem, name, table: table.to_owned(), text }
}
