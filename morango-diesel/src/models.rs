//! The models of the registry as this database has them: each with its number, its table and its rows.

use std::collections::HashSet;

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use morango::model::ModelDefinition;
use morango::{Error, ErrorKind};

use crate::backend::{self, IdForm, Table};
use crate::connection::Connection;
use crate::error::Fault;
use crate::rows::TableRows;
use crate::statement::sql;

/// A model that is installed in this database.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InstalledModel {
    /// The number by which marks and triggers call it. It stays.
    pub(crate) number: i64,
    /// What it is.
    pub(crate) definition: &'static ModelDefinition,
    /// What can be done with its rows.
    pub(crate) rows: TableRows,
    /// In which form its table has the ids.
    pub(crate) id_form: IdForm,
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

    /// The model that goes by this name on the wire, where this application has it.
    pub(crate) fn of_name(&self, profile: &str, name: &str) -> Option<&InstalledModel> {
        self.of_profile(profile).find(|model| model.definition.name == name)
    }
}

/// The numbers of models that some program installed here and this one does not have: what captures their changes is that one's.
pub(crate) fn numbers_of_others(
    connection: &mut Connection<'_>,
    models: &InstalledModels,
) -> Result<HashSet<i64>, Fault> {
    let all = sql("SELECT number FROM morango_model").returns::<BigInt>().load::<i64>(connection)?;
    let is_other = |number: &i64| !models.all().iter().any(|model| model.number == *number);
    Ok(all.into_iter().filter(is_other).collect())
}

/// The number in the name of a trigger, which follows the prefix and ends with the next line below.
pub(crate) fn number_in(trigger: &str, prefix: &str) -> Option<i64> {
    trigger.strip_prefix(prefix)?.split('_').next()?.parse().ok()
}

/// Gives every model its number, within a write transaction, after a look at whether its table can be what it says.
pub(crate) fn install(connection: &mut Connection<'_>, models: &[TableRows]) -> Result<InstalledModels, Fault> {
    let mut installed = Vec::with_capacity(models.len());
    for rows in models {
        let definition = rows.definition();
        let id_form = check_table(connection, definition)?;
        let number = number(connection, definition)?;
        installed.push(InstalledModel { number, definition, rows: *rows, id_form });
    }
    Ok(InstalledModels(installed))
}

fn number(connection: &mut Connection<'_>, definition: &ModelDefinition) -> Result<i64, Fault> {
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

/// Looks whether the table can be what the model says, and tells in which form it has the ids.
fn check_table(connection: &mut Connection<'_>, definition: &ModelDefinition) -> Result<IdForm, Fault> {
    let table = definition.table;
    let refused = |what: String, hint: &str| {
        let message = format!("install the model {}: {what}", definition.describe());
        Fault::from(Error::new(ErrorKind::Configuration, message).with_hint(hint))
    };
    let columns = match backend::table(connection, table)? {
        Table::Columns(columns) => columns,
        Table::View => {
            return Err(refused(
                format!("{table:?} is a view"),
                "changes of a view cannot be captured; name the table itself",
            ));
        }
        Table::Divided => {
            return Err(refused(
                format!("{table:?} is partitioned, a partition, or inherits rows or hands them on"),
                "rows that change through another table are not captured; keep the model's rows in a table of their own",
            ));
        }
        Table::Missing => {
            return Err(refused(
                format!("the table {table:?} is not there"),
                "run the application's own migrations before the engine is built",
            ));
        }
    };
    let fields = definition.fields.iter().map(|field| field.column);
    let missing: Vec<&str> = std::iter::once(definition.id_column)
        .chain(fields)
        .filter(|name| !columns.iter().any(|column| backend::is_same_name(connection, &column.name, name)))
        .collect();
    if !missing.is_empty() {
        return Err(refused(
            format!("the table {table:?} has no column {}", missing.join(", ")),
            "run the application's own migrations, or correct the model",
        ));
    }
    let mut key = columns.iter().filter(|column| column.is_in_key);
    match (key.next(), key.next()) {
        (Some(column), None) if backend::is_same_name(connection, &column.name, definition.id_column) => {
            Ok(column.id_form)
        }
        _ => Err(refused(
            format!("{:?} is not the primary key of the table {table:?}", definition.id_column),
            "records are told apart by their id; make it the primary key, and the only one",
        )),
    }
}
