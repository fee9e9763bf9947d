//! The models of the registry as this database has them: each with its number, its table and its rows.

use std::collections::BTreeSet;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Text};
use diesel::sqlite::SqliteConnection;
use morango::model::{ModelDefinition, Registry};
use morango::{Error, ErrorKind};

use crate::error::Fault;
use crate::rows::SqliteModel;
use crate::statement::sql;

/// A model that is installed in this database.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InstalledModel {
    /// The number by which marks and triggers call it. It stays.
    pub(crate) number: i64,
    /// What it is.
    pub(crate) definition: &'static ModelDefinition,
    /// What can be done with its rows.
    pub(crate) rows: SqliteModel,
}

/// The models that are installed, a foreign key's target before whoever points at it.
#[derive(Debug, Default)]
pub(crate) struct InstalledModels(Vec<InstalledModel>);

impl InstalledModels {
    /// All of them.
    pub(crate) fn all(&self) -> &[InstalledModel] {
        &self.0
    }

    /// Those of a profile.
    pub(crate) fn of_profile(&self, profile: &str) -> impl Iterator<Item = &InstalledModel> {
        self.0.iter().filter(move |model| model.definition.profile == profile)
    }
}

/// Finds the rows of every model of the registry: among those given by hand, then among those that registered themselves.
///
/// # Errors
/// A model has no rows on SQLite.
pub(crate) fn with_rows(
    registry: &Registry,
    by_hand: &[SqliteModel],
) -> morango::Result<Vec<(&'static ModelDefinition, SqliteModel)>> {
    let found = |definition: &'static ModelDefinition| {
        let is_same = |rows: &SqliteModel| ((rows.definition)().type_id)() == (definition.type_id)();
        by_hand.iter().copied().chain(inventory::iter::<SqliteModel>().copied()).find(is_same)
    };
    registry
        .all_models()
        .map(|definition| {
            let rows = found(definition).ok_or_else(|| {
                Error::new(
                    ErrorKind::Configuration,
                    format!("keep the rows of {} in SQLite: they were not derived for it", definition.describe()),
                )
                .with_hint("derive `morango_diesel::Syncable` with the feature `sqlite` of `morango-diesel`")
            })?;
            Ok((definition, rows))
        })
        .collect()
}

/// Gives every model its number, within a write transaction, after a look at whether its table can be what it says.
pub(crate) fn install(
    connection: &mut SqliteConnection,
    models: &[(&'static ModelDefinition, SqliteModel)],
) -> Result<InstalledModels, Fault> {
    let mut installed = Vec::with_capacity(models.len());
    for (definition, rows) in models {
        check_table(connection, definition)?;
        let number = number(connection, definition)?;
        installed.push(InstalledModel { number, definition, rows: *rows });
    }
    Ok(InstalledModels(installed))
}

fn number(connection: &mut SqliteConnection, definition: &ModelDefinition) -> Result<i64, Fault> {
    let known = sql("SELECT number FROM morango_model WHERE (profile, name, table_name) = (")
        .bind_all([definition.profile, definition.name, definition.table])
        .sql(")")
        .returns::<BigInt>()
        .get_result::<i64>(connection)
        .optional()?;
    if let Some(number) = known {
        return Ok(number);
    }
    let number = sql("INSERT INTO morango_model (profile, name, table_name) VALUES (")
        .bind_all([definition.profile, definition.name, definition.table])
        .sql(") ON CONFLICT (profile, name) DO UPDATE SET table_name = excluded.table_name RETURNING number")
        .returns::<BigInt>()
        .get_result::<i64>(connection)?;
    Ok(number)
}

fn check_table(connection: &mut SqliteConnection, definition: &ModelDefinition) -> Result<(), Fault> {
    let table = definition.table;
    let refused = |what: String, hint: &str| {
        let message = format!("install the model {}: {what}", definition.describe());
        Fault::from(Error::new(ErrorKind::Configuration, message).with_hint(hint))
    };
    let kinds = sql("SELECT type FROM sqlite_schema WHERE type IN ('table', 'view') AND lower(name) = lower(")
        .bind(table)
        .sql(")")
        .returns::<Text>()
        .load::<String>(connection)?;
    match kinds.first().map(String::as_str) {
        Some("table") => {}
        Some(_) => {
            return Err(refused(
                format!("{table:?} is a view"),
                "changes of a view cannot be captured; name the table itself",
            ));
        }
        None => {
            return Err(refused(
                format!("the table {table:?} is not there"),
                "run the application's own migrations before the engine is built",
            ));
        }
    }
    let columns = sql("SELECT name, pk FROM pragma_table_info(").bind(table).sql(")").returns::<(Text, Integer)>();
    let columns = columns.load::<(String, i32)>(connection)?;
    let names: BTreeSet<String> = columns.iter().map(|(name, _)| name.to_lowercase()).collect();
    let fields = definition.fields.iter().map(|field| field.column);
    let missing: Vec<&str> = std::iter::once(definition.id_column)
        .chain(fields)
        .filter(|column| !names.contains(&column.to_lowercase()))
        .collect();
    if !missing.is_empty() {
        return Err(refused(
            format!("the table {table:?} has no column {}", missing.join(", ")),
            "run the application's own migrations, or correct the model",
        ));
    }
    let mut key = columns.iter().filter(|(_, position)| *position > 0);
    match (key.next(), key.next()) {
        (Some((name, _)), None) if name.eq_ignore_ascii_case(definition.id_column) => Ok(()),
        _ => Err(refused(
            format!("{:?} is not the primary key of the table {table:?}", definition.id_column),
            "records are told apart by their id; make it the primary key, and the only one",
        )),
    }
}
